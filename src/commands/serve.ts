import { openHouse, serveHouse } from '../compose.ts'
import { output } from './output.ts'
import { stopSignal } from './stop-signal.ts'
import { configure } from './with-house.ts'

/** Serves until a signal; on the first start it shows the one-time address to claim the server. */
export async function serve(): Promise<void> {
  const house = await openHouse(configure())
  const serving = await serveHouse(house)
  output.say(`Kinhold listens on ${serving.url}`)
  output.say(`  FHIR base   ${house.config.baseUrl}/fhir`)
  output.say(`  API page    ${house.config.baseUrl}/docs`)
  const claim = await house.smart.claimUrl()
  if (claim !== undefined)
    output.say(`\nNobody has claimed this server yet. Open this once, and keep it to yourself:\n  ${claim}`)
  await stopSignal()
  output.say('closing …')
  await serving.close()
  await house.close()
}
