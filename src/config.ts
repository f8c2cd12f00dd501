/**
 * config – the environment, read once and checked, as one frozen value.
 * It must never know: rooms, files other than the `*_FILE` secrets, requests.
 * The one idea: what is wrong is said at start, by the variable's name and never by its value.
 * Its data: the table in config/variables.ts. Decisions: src/http/README.md, "Configuration".
 */
import { resolve } from 'node:path'
import { checkClearText, checkEncrypts, parseBaseUrl, parseTls } from './config/address.ts'
import { doubts } from './config/doubts.ts'
import { parseMail } from './config/mail.ts'
import { parseProviders } from './config/providers.ts'
import type { Config } from './config/shape.ts'
import { keystoreFor, liesBeside, parseStore } from './config/stores.ts'
import {
  parseCount,
  parseDeletionWait,
  parseHost,
  parseIdle,
  parseLogLevel,
  parseMetrics,
  parseNetworks,
  parsePopulationMax,
  parsePort,
  parseSize,
  parseSwitch,
  parseWorkers,
  parseZone,
  readLimits,
} from './config/values.ts'
import { type Environment, type Name, readSecret, readVariable, unknownNames } from './config/variables.ts'

export type { Config, ProviderChoice, StoreChoice } from './config/shape.ts'
export { keystoreBeside } from './config/stores.ts'
export { secretNames } from './config/variables.ts'

/** Where relative paths begin. */
export interface Places {
  /** Where the person stands: what they typed is relative to it. */
  readonly cwd: string
  /** Kinhold's own folder, to which the defaults are relative; `cwd` unless told. */
  readonly home?: string
}

/** What the environment says. */
export interface Loaded {
  readonly config: Config
  /** Everything a person should see when a server starts: `mistyped` first. */
  readonly warnings: readonly string[]
  /** Names that mean nothing: of those every command warns. */
  readonly mistyped: readonly string[]
}

/** The folder of mapping tables that the environment names, for a command that needs nothing else of it. */
export function mappingsFolder(env: Environment, cwd: string): string | undefined {
  const named = readVariable(env, 'KINHOLD_MAPPINGS', cwd)
  return named === undefined ? undefined : resolve(cwd, named)
}

/**
 * Reads the `KINHOLD_*` variables.
 *
 * @param env  usually `process.env`
 * @throws     Problem `invalid` · `config.value-malformed` | `config.secret-given-twice` | `config.secret-unreadable` | `config.http-refused` |
 *             `config.keystore-beside`; all name the variable, none quotes its value
 */
export function loadConfig(env: Environment, { cwd, home = cwd }: Places): Loaded {
  const read = (name: Name) => readVariable(env, name, cwd)
  const host = parseHost(read('KINHOLD_HOST') ?? '')
  const port = parsePort(read('KINHOLD_PORT') ?? '')
  const tls = parseTls(read, cwd)
  const baseUrl = parseBaseUrl(
    read('KINHOLD_BASE_URL') ?? `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
  )
  checkEncrypts(baseUrl, tls)
  const allowHttp = parseSwitch('KINHOLD_ALLOW_HTTP', read('KINHOLD_ALLOW_HTTP') ?? '')
  checkClearText(baseUrl, allowHttp)
  const dataDirectory = resolve(env.KINHOLD_DATA ? cwd : home, read('KINHOLD_DATA') ?? '')
  const keys = read('KINHOLD_KEYS')
  const keysDirectory = keys === undefined ? dataDirectory : resolve(cwd, keys)
  const store = parseStore('KINHOLD_STORE', read('KINHOLD_STORE') ?? '')
  const keystore = keystoreFor(store, read('KINHOLD_KEYSTORE'))
  const senders = read('KINHOLD_SENDERS')
  const mail = parseMail(read)
  const providerNetworks = parseNetworks('KINHOLD_OIDC_NETWORKS', read('KINHOLD_OIDC_NETWORKS') ?? '')
  const config: Config = Object.freeze({
    host,
    port,
    baseUrl: baseUrl.origin,
    dataDirectory,
    store: Object.freeze(store),
    keystore: Object.freeze(keystore),
    keysDirectory,
    keysBesideData: liesBeside({ store, keystore, dataDirectory, keysDirectory }),
    passphrase: read('KINHOLD_PASSPHRASE'),
    newPassphrase: read('KINHOLD_NEW_PASSPHRASE'),
    recoveryCode: read('KINHOLD_RECOVERY_CODE'),
    reserveBytes: parseSize('KINHOLD_RESERVE', read('KINHOLD_RESERVE') ?? ''),
    logLevel: parseLogLevel(read('KINHOLD_LOG_LEVEL') ?? ''),
    // What lies in the memory of one process is seen by no other.
    workers: store.kind === 'memory' ? 1 : parseWorkers(read('KINHOLD_WORKERS') ?? ''),
    populationBytes: parsePopulationMax(read('KINHOLD_POPULATION_MAX')),
    zone: parseZone(read('KINHOLD_ZONE') ?? Temporal.Now.timeZoneId()),
    senders: senders === undefined ? undefined : readSecret('KINHOLD_SENDERS', resolve(cwd, senders)),
    mappings: mappingsFolder(env, cwd),
    trustedProxies: Object.freeze(parseNetworks('KINHOLD_TRUSTED_PROXIES', read('KINHOLD_TRUSTED_PROXIES') ?? '')),
    notifyNetworks: Object.freeze(parseNetworks('KINHOLD_NOTIFY_NETWORKS', read('KINHOLD_NOTIFY_NETWORKS') ?? '')),
    providers: parseProviders(read, { cwd, networks: providerNetworks }),
    providerNetworks: Object.freeze(providerNetworks),
    spool: Object.freeze({
      maxSpooled: parseSize('KINHOLD_SPOOL_MAX', read('KINHOLD_SPOOL_MAX') ?? ''),
      maxSpooledPerGrant: parseSize('KINHOLD_SPOOL_MAX_PER_TOKEN', read('KINHOLD_SPOOL_MAX_PER_TOKEN') ?? ''),
    }),
    binaryBytes: parseSize('KINHOLD_BINARY_MAX', read('KINHOLD_BINARY_MAX') ?? ''),
    sessionIdleMs: parseIdle(read('KINHOLD_SESSION_IDLE') ?? ''),
    mostPatients: parseCount('KINHOLD_PATIENTS_MAX', read('KINHOLD_PATIENTS_MAX') ?? ''),
    deletionWaitMs: parseDeletionWait(read('KINHOLD_DELETION_WAIT') ?? ''),
    ...(mail === undefined ? {} : { mail }),
    ...(tls === undefined ? {} : { tls: Object.freeze(tls) }),
    ...parseMetrics(read('KINHOLD_METRICS') ?? '', read('KINHOLD_METRICS_TOKEN')),
    limits: Object.freeze(readLimits(read)),
  })
  const mistyped = unknownNames(env)
  return { config, mistyped, warnings: [...mistyped, ...doubts(config, env)] }
}
