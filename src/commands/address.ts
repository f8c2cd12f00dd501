import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Config } from '#config'
import { Problem } from '#kernel'

/** What the system's codes mean for an address. */
const addressFaults: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another program: end that one, or choose another port',
  EADDRNOTAVAIL: 'is no address of this machine',
  ENOTFOUND: 'is no name that this machine knows',
  EACCES: 'may not be listened on by this user: ports below 1024 are for root',
}

/**
 * Looks whether the address can be had before anything is made: a start that fails here leaves no house behind.
 *
 * @throws Problem `conflict` · `command.address-taken`
 */
export async function checkAddress(config: Config): Promise<void> {
  const probe = createServer()
  try {
    probe.listen(config.port, config.host)
    await once(probe, 'listening')
  } catch (cause) {
    throw addressTaken(config, cause)
  } finally {
    probe.close()
  }
}

/** What is wrong with an address, where that is why it cannot be listened on. */
export function addressTaken({ host, port }: Config, cause: unknown): unknown {
  const fault = addressFaults[String((cause as { readonly code?: unknown }).code)]
  if (fault === undefined) return cause
  const text = `Port ${port} (KINHOLD_PORT) of ${host} (KINHOLD_HOST) ${fault}.`
  return new Problem('conflict', 'command.address-taken', text, { cause, expression: 'KINHOLD_PORT' })
}
