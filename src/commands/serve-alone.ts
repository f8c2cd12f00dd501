import type { Config } from '#config'
import { openHouse } from '../compose.ts'
import { greetingOf, shortagesOf } from './greeting.ts'
import { growHeap } from './heap.ts'
import { listenOrClose } from './listen.ts'
import { output } from './output.ts'
import { stopSignal } from './stop-signal.ts'
import { startTracing } from './tracing.ts'

/** Serves a house with this process alone. */
export async function serveAlone(config: Config): Promise<void> {
  growHeap('steady')
  const house = await openHouse(config, { make: true })
  for (const line of shortagesOf(house)) output.say(`warning: ${line}`)
  const tracing = await startTracing(process.env, house.log)
  const serving = await listenOrClose(house)
  // Heard from before the address is told: whoever reads it may ask for the end at once.
  const stopped = stopSignal()
  output.say(await greetingOf(serving, house))
  await stopped
  output.say('closing …')
  await serving.close()
  await house.close()
  await tracing?.end()
}
