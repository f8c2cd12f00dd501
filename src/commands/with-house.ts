import type { Config } from '#config'
import { createLog } from '#kernel'
import { type House, type Opening, openHouse } from '../compose.ts'
import { configure } from './configure.ts'
import { tidyOnSignal } from './stop-signal.ts'

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
