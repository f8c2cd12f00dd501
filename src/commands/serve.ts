import { tmpdir } from 'node:os'
import type { Config } from '#config'
import { type House, openHouse } from '../compose.ts'
import { checkTemporary } from './folder-faults.ts'
import { freePort } from './free-port.ts'
import { growHeap } from './heap.ts'
import { checkAddress, listenOrClose } from './listen.ts'
import { output } from './output.ts'
import type { Serving } from './serving.ts'
import { stopSignal } from './stop-signal.ts'
import { startTracing } from './tracing.ts'
import { configure } from './with-house.ts'

/** Serves until a signal; on the first start it shows the one-time address to claim the server. */
export async function serve(): Promise<void> {
  growHeap('steady')
  const config = await withPort(configure('warnings'))
  await checkAddress(config)
  await checkTemporary()
  const house = await openHouse(config, { make: true })
  for (const line of shortagesOf(house)) output.say(`warning: ${line}`)
  const tracing = await startTracing(process.env, house.log)
  const serving = await listenOrClose(house)
  // Heard from before the address is told: whoever reads it may ask for the end at once.
  const stopped = stopSignal()
  output.say(greeting(serving, house.config.baseUrl, await house.smart.claimUrl()))
  if (house.config.recoveryCode !== undefined)
    output.say('Opened with the recovery code: give the house a new root with kinhold recover.')
  await stopped
  output.say('closing …')
  await serving.close()
  await house.close()
  await tracing?.end()
}

/** A full disk does not keep the house from being read. */
function shortagesOf({ space, config }: House): string[] {
  const { shortage } = space
  if (shortage === undefined) return []
  const paths = { data: config.dataDirectory, keys: config.keysDirectory, temporary: tmpdir() }
  const words = shortage.fault === 'full' ? 'is full, or nearly so' : 'takes no writes'
  return [`${paths[shortage.folder]} ${words}: nothing new is taken in until somebody makes room there.`]
}

/** Written at once, so that whoever waits for the address finds the rest as well. */
function greeting({ url, authority }: Serving, baseUrl: string, claim: string | undefined): string {
  const lines = [`Kinhold listens on ${url}`, `  FHIR base   ${baseUrl}/fhir`, `  API page    ${baseUrl}/docs`]
  if (authority !== undefined) lines.push(`  Trust it    ${baseUrl}/ca`, `  SHA-256     ${authority.fingerprint}`)
  if (claim !== undefined)
    lines.push('', 'Nobody has claimed this server yet. Open this once, and keep it to yourself:', `  ${claim}`)
  return lines.join('\n')
}

/** Port 0 is chosen before anything is opened, because every link that the server hands out names it. */
async function withPort(config: Config): Promise<Config> {
  if (config.port !== 0 || URL.parse(config.baseUrl)?.port !== '0') return config
  const port = await freePort(0)
  return { ...config, port, baseUrl: `${config.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}` }
}
