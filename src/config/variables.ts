import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { closest } from 'fastest-levenshtein'
import { Problem } from '#kernel'

interface Variable {
  readonly fallback?: string
  /** A secret may also be given as `<NAME>_FILE`, the path of a file that holds it. */
  readonly secret?: true
}

/** So many providers of identities may be named. */
export const providerNumbers = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const
export type ProviderNumber = (typeof providerNumbers)[number]

/** What is said of each provider, after `KINHOLD_OIDC_<n>_`. */
const providerVariables = {
  KIND: {},
  ISSUER: {},
  CLIENT_ID: {},
  CLIENT_SECRET: { secret: true },
  CLIENT_KEY: {},
  LABEL: {},
} as const satisfies Record<string, Variable>

export type ProviderPart = keyof typeof providerVariables
type ProviderName = `KINHOLD_OIDC_${ProviderNumber}_${ProviderPart}`

export const providerParts = Object.keys(providerVariables) as readonly ProviderPart[]

export function providerName(n: ProviderNumber, part: ProviderPart): ProviderName {
  return `KINHOLD_OIDC_${n}_${part}`
}

const variables = {
  KINHOLD_HOST: { fallback: '127.0.0.1' },
  KINHOLD_PORT: { fallback: '8080' },
  KINHOLD_BASE_URL: {},
  KINHOLD_DATA: { fallback: './data' },
  KINHOLD_STORE: { fallback: 'sqlite', secret: true },
  KINHOLD_KEYS: {},
  KINHOLD_KEYSTORE: { secret: true },
  KINHOLD_PASSPHRASE: { secret: true },
  KINHOLD_NEW_PASSPHRASE: { secret: true },
  KINHOLD_RECOVERY_CODE: { secret: true },
  KINHOLD_RESERVE: { fallback: '32M' },
  KINHOLD_WORKERS: { fallback: '1' },
  KINHOLD_POPULATION_MAX: {},
  KINHOLD_LOG_LEVEL: { fallback: 'info' },
  KINHOLD_ZONE: {},
  KINHOLD_SENDERS: {},
  KINHOLD_MAPPINGS: {},
  KINHOLD_SPOOL_MAX: { fallback: '32G' },
  KINHOLD_SPOOL_MAX_PER_TOKEN: { fallback: '16G' },
  KINHOLD_BINARY_MAX: { fallback: '500M' },
  KINHOLD_SESSION_IDLE: { fallback: '12h' },
  KINHOLD_PATIENTS_MAX: { fallback: 'off' },
  KINHOLD_DELETION_WAIT: { fallback: '14d' },
  KINHOLD_ALLOW_HTTP: { fallback: 'false' },
  KINHOLD_TLS: { fallback: 'off' },
  KINHOLD_TLS_CERT: {},
  KINHOLD_TLS_KEY: {},
  KINHOLD_TRUSTED_PROXIES: { fallback: '' },
  KINHOLD_NOTIFY_NETWORKS: { fallback: '' },
  KINHOLD_OIDC_NETWORKS: { fallback: '' },
  KINHOLD_SMTP_URL: { secret: true },
  KINHOLD_SMTP_FROM: {},
  KINHOLD_SMTP_CONTENT: { fallback: 'empty' },
  KINHOLD_METRICS: { fallback: 'off' },
  KINHOLD_METRICS_TOKEN: { secret: true },
  KINHOLD_LIMIT_NETWORK: {},
  KINHOLD_LIMIT_TOKEN: {},
  KINHOLD_LIMIT_STRANGERS: {},
  KINHOLD_LIMIT_MISSES: {},
} as const satisfies Record<string, Variable>

const rules: Readonly<Record<string, Variable>> = {
  ...variables,
  ...Object.fromEntries(
    providerNumbers.flatMap(n => providerParts.map(part => [providerName(n, part), providerVariables[part]])),
  ),
}

export type Name = keyof typeof variables | ProviderName
export type Environment = Readonly<Record<string, string | undefined>>

/** The names of the variables that hold a secret, with their `_FILE` twins. */
export const secretNames: readonly string[] = Object.entries(rules)
  .filter(([, rule]) => rule.secret === true)
  .map(([name]) => name)

const knownNames: readonly string[] = [...Object.keys(rules), ...secretNames.map(name => `${name}_FILE`)]

export function unknownNames(env: Environment): string[] {
  return Object.keys(env)
    .filter(name => name.startsWith('KINHOLD_') && !knownNames.includes(name))
    .sort()
    .map(name => `${name} is not a variable this server knows; did you mean ${closest(name, knownNames)}?`)
}

/** Empty counts as absent, because compose files and shells write unset variables so. */
export function readVariable(env: Environment, name: Name, cwd: string): string | undefined {
  const rule = rules[name]
  const given = env[name] || undefined
  const file = rule?.secret === true ? env[`${name}_FILE`] || undefined : undefined
  if (given !== undefined && file !== undefined)
    throw new Problem('invalid', 'config.secret-given-twice', `${name} and ${name}_FILE are both set; keep one.`, {
      expression: name,
    })
  if (file !== undefined) return readSecret(`${name}_FILE`, resolve(cwd, file))
  return given ?? rule?.fallback
}

export function readSecret(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (cause) {
    throw new Problem('invalid', 'config.secret-unreadable', `The file that ${name} names cannot be read.`, {
      expression: name,
      cause,
    })
  }
}

export function malformed(name: Name, expected: string): Problem {
  return new Problem('invalid', 'config.value-malformed', `${name} must be ${expected}.`, { expression: name })
}
