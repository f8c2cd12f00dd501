import type { Config } from '#config'
import { checkAddress } from './address.ts'
import { configure } from './configure.ts'
import { checkTemporary } from './folder-faults.ts'
import { freePort } from './free-port.ts'

/**
 * Serves until a signal; on the first start it shows the one-time address to claim the server. One process does it, or several; who only
 * looks after others loads no house.
 */
export async function serve(): Promise<void> {
  const config = await withPort(configure('warnings'))
  await checkAddress(config)
  await checkTemporary()
  if (config.workers > 1) await (await import('./workers/primary.ts')).lead(config)
  else await (await import('./serve-alone.ts')).serveAlone(config)
}

/** Port 0 is chosen before anything is opened, because every link that the server hands out names it. */
async function withPort(config: Config): Promise<Config> {
  if (config.port !== 0 || URL.parse(config.baseUrl)?.port !== '0') return config
  const port = await freePort(0)
  return { ...config, port, baseUrl: `${config.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}` }
}
