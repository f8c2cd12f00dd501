import type { House } from '../compose.ts'
import { addressTaken } from './address.ts'
import { type Serving, serveHouse } from './serving.ts'
import type { Colleagues } from './workers/colleagues.ts'

/**
 * Serves an open house, which is closed again when its address cannot be had.
 *
 * @throws Problem `conflict` · `command.address-taken`
 */
export async function listenOrClose(house: House, colleagues?: Colleagues): Promise<Serving> {
  try {
    return await serveHouse(house, colleagues)
  } catch (cause) {
    await house.close()
    throw addressTaken(house.config, cause)
  }
}
