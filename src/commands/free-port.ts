import { once } from 'node:events'
import { createServer } from 'node:net'

/** The wanted port of 127.0.0.1 when nobody listens there, else one that the system chooses. */
export async function freePort(wanted: number): Promise<number> {
  for (const port of [wanted, 0]) {
    const probe = createServer()
    try {
      probe.listen(port, '127.0.0.1')
      await once(probe, 'listening')
      const address = probe.address()
      if (typeof address === 'object' && address !== null) return address.port
    } catch (error) {
      if (port === 0) throw error
    } finally {
      probe.close()
    }
  }
  return wanted
}
