import { once } from 'node:events'
import { createServer } from 'node:net'
import { type Home, newHome } from './home.ts'

/** A home whose origin is the very address that its server will listen on, for clients that follow absolute links. */
export async function newReachableHome(name: string, logLevel?: string): Promise<Home> {
  const home = await newHome(name, logLevel)
  const port = await portNobodyHas()
  const origin = `http://127.0.0.1:${port}`
  return { ...home, origin, env: { ...home.env, KINHOLD_PORT: String(port), KINHOLD_BASE_URL: origin } }
}

async function portNobodyHas(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new TypeError('the probe listens on no port')
  return address.port
}
