import { type Config, loadConfig } from '#config'
import { createLog } from '#kernel'
import { type House, openHouse } from '../compose.ts'
import { output } from './output.ts'

/** The configuration of this process; its warnings are shown. */
export function configure(): Config {
  const { config, warnings } = loadConfig(process.env, { cwd: process.cwd() })
  // Secrets are read once; nothing started from here may find them in the environment.
  delete process.env.KINHOLD_PASSPHRASE
  for (const warning of warnings) output.say(`warning: ${warning}`)
  return config
}

/** Runs a command on an open house and closes it whatever happens. Logs only what is wrong. */
export async function withHouse<T>(work: (house: House) => Promise<T>): Promise<T> {
  const house = await openHouse(configure(), createLog('warn'))
  try {
    return await work(house)
  } finally {
    await house.close()
  }
}
