import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A port of 127.0.0.1 on which nobody listens, for a server that is to be stopped and started again in one place. It lies below
 * those that a system gives to whoever asks for any (32768 and up: https://docs.kernel.org/networking/ip-sysctl.html,
 * `ip_local_port_range`): else a connection of another test could have it by the time the server listens.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(16_384, 32_768)
    const probe = createServer().listen(port, '127.0.0.1')
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    probe.close()
    await once(probe, 'close')
    return port
  }
}
