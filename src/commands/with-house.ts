import { type Config, loadConfig, secretNames } from '#config'
import { createLog } from '#kernel'
import { type House, type Opening, openHouse } from '../compose.ts'
import { output } from './output.ts'
import { places } from './places.ts'
import { tidyOnSignal } from './stop-signal.ts'

/** The configuration of this process. Its warnings are shown: all of them where a house begins to be served, else mistyped names alone. */
export function configure(show: 'warnings' | 'mistyped' = 'mistyped'): Config {
  const loaded = loadConfig(process.env, places())
  // Secrets are read once; nothing started from here may find them in the environment.
  for (const name of secretNames) delete process.env[name]
  for (const warning of loaded[show]) output.say(`warning: ${warning}`)
  return loaded.config
}

/**
 * Runs a command on a house that is there, and closes it whatever happens; asked to end, it closes the house first. Logs
 * only what is wrong.
 */
export async function withHouse<T>(
  work: (house: House) => Promise<T>,
  opening: Opening & { readonly config?: Config } = {},
): Promise<T> {
  const { config = configure(), ...rest } = opening
  const house = await openHouse(config, { log: createLog('warn'), ...rest })
  const untidied = tidyOnSignal(() => house.close())
  try {
    return await work(house)
  } finally {
    untidied()
    await house.close()
  }
}
