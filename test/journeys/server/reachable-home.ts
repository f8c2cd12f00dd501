import { freePort } from '../../free-port.ts'
import { type Home, newHome } from './home.ts'

/** A home whose origin is the very address that its server will listen on, for clients that follow absolute links. */
export async function newReachableHome(name: string, logLevel?: string): Promise<Home> {
  const home = await newHome(name, logLevel)
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  return { ...home, origin, env: { ...home.env, KINHOLD_PORT: String(port), KINHOLD_BASE_URL: origin } }
}
