import { isLoopback } from './address.ts'
import type { Config } from './shape.ts'
import type { Environment, Name } from './variables.ts'

/** What opens the keys; the text of `KINHOLD_STORE` opens nothing. */
const secretsInEnvironment = ['KINHOLD_PASSPHRASE', 'KINHOLD_NEW_PASSPHRASE', 'KINHOLD_RECOVERY_CODE'] as const

/** A process can take a variable out of its own sight, but not out of what the system shows of its start. */
const heldInEnvironment = (name: Name): string =>
  `${name} is in the environment: as long as this process runs, root and every program of the same user can read it in /proc. Name a file in ${name}_FILE instead.`

export function doubts(config: Config, env: Environment): string[] {
  const reachable = !isLoopback(config.host)
  return [
    ...secretsInEnvironment.filter(name => env[name]).map(heldInEnvironment),
    // A passphrase lies in nobody's folder.
    ...(config.keysBesideData && config.passphrase === undefined && config.store.kind === 'sqlite'
      ? [
          'The keystore lies beside the data it protects: whoever copies that folder has both. Set KINHOLD_KEYS to another disk.',
        ]
      : []),
    // The root is elsewhere; but a key that was destroyed comes back with a backup that holds both.
    ...(config.keysBesideData && config.store.kind === 'mongodb'
      ? [
          'The keystore lies in the MongoDB of the data: a backup of all of it brings erased patients back. Set KINHOLD_KEYSTORE to another one.',
        ]
      : []),
    ...(config.store.kind === 'memory'
      ? ['KINHOLD_STORE is memory: everything is forgotten when this process ends.']
      : []),
    ...(config.store.kind === 'memory' && env.KINHOLD_WORKERS && env.KINHOLD_WORKERS !== '1'
      ? ['KINHOLD_STORE is memory, which no other process sees: one process serves, whatever KINHOLD_WORKERS says.']
      : []),
    ...(reachable && !env.KINHOLD_BASE_URL
      ? ['KINHOLD_HOST lets other machines in, but KINHOLD_BASE_URL is not set: links will point to this machine.']
      : []),
    ...(URL.parse(config.baseUrl)?.protocol === 'http:' && !isLoopback(URL.parse(config.baseUrl)?.hostname ?? '')
      ? ['KINHOLD_ALLOW_HTTP is on: without TLS in front, tokens and health data travel in the clear.']
      : []),
  ]
}
