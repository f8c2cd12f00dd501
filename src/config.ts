/**
 * config – the environment, read once and checked, as one frozen value.
 * It must never know: rooms, files other than the `*_FILE` secrets, requests.
 * The one idea: what is wrong is said at start, by the variable's name and never by its value.
 * Its data: the table `variables` below. Decisions: src/http/README.md, "Configuration".
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { relative, resolve } from 'node:path'
import { closest } from 'fastest-levenshtein'
import ipaddr from 'ipaddr.js'
import { type LogLevel, Problem } from '#kernel'

/** Where the sealed bytes rest. `memory` forgets everything at the end of the process and is meant for tests. */
export type StoreChoice = { readonly kind: 'sqlite' } | { readonly kind: 'memory' } | MongoChoice

/** A MongoDB; the address may hold a password, which is in no text. */
interface MongoChoice {
  readonly kind: 'mongodb'
  readonly uri: string
  /** The name of the database, if not the one in the address. */
  readonly database?: string
}

/** Everything that can be configured, with its defaults filled in. Paths are absolute. */
export interface Config {
  readonly host: string
  /** 0 lets the system choose a free port. */
  readonly port: number
  /** Origin of every link this server hands out, without a slash at the end, e.g. `https://health.example.org`. */
  readonly baseUrl: string
  readonly dataDirectory: string
  readonly store: StoreChoice
  /** Where the wrapped keys rest: an SQLite file in `keysDirectory`, or another database than the store. */
  readonly keystore: StoreChoice
  readonly keysDirectory: string
  /** True when whoever copies the folder of the data copies the keystore with it. */
  readonly keysBesideData: boolean
  readonly passphrase: string | undefined
  /** The passphrase that `kinhold rotate root` puts in place of the one that opens the house now. */
  readonly newPassphrase: string | undefined
  /** The code on paper, when its house has lost its root. */
  readonly recoveryCode: string | undefined
  /** What is kept free in the folders of data and keys, so that access can be ended and patients erased on a full disk. */
  readonly reserveBytes: number
  readonly logLevel: LogLevel
  /** IANA zone of times that come without an offset from senders of whom nothing is known, e.g. `Europe/Berlin`. */
  readonly zone: string
  /** Text of the file that says how senders of HL7 v2 messages write; undefined when there is none. */
  readonly senders: string | undefined
  /** Addresses and CIDRs of proxies whose word is taken for whom they speak, e.g. `10.0.0.0/8`. */
  readonly trustedProxies: readonly string[]
  /** How much of the data folder's disk files may take up while they are imported, of everybody and of one token; bytes. */
  readonly spool: { readonly maxSpooled: number; readonly maxSpooledPerGrant: number }
  /** TLS by the server itself: of an authority of its own, or with files of others. Without it another layer encrypts, or nobody. */
  readonly tls?: { readonly kind: 'own' } | { readonly kind: 'files'; readonly cert: string; readonly key: string }
  /** Who may see figures of the server at work; without it nobody may, and no request is counted. */
  readonly metrics?: { readonly token?: string; readonly loopback: boolean }
  /** How often somebody may ask, where that is not the default; infinitely often where it is `off`. */
  readonly limits: Readonly<Partial<Record<LimitName, { readonly points: number; readonly seconds: number }>>>
}

/** What is limited: requests of a network, of a token, of who has none, and asking for what is not there or not theirs. */
type LimitName = 'network' | 'token' | 'strangers' | 'misses'

const limitVariables = {
  network: 'KINHOLD_LIMIT_NETWORK',
  token: 'KINHOLD_LIMIT_TOKEN',
  strangers: 'KINHOLD_LIMIT_STRANGERS',
  misses: 'KINHOLD_LIMIT_MISSES',
} as const satisfies Record<LimitName, Name>

interface Variable {
  readonly fallback?: string
  /** A secret may also be given as `<NAME>_FILE`, the path of a file that holds it. */
  readonly secret?: true
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
  KINHOLD_LOG_LEVEL: { fallback: 'info' },
  KINHOLD_ZONE: {},
  KINHOLD_SENDERS: {},
  KINHOLD_SPOOL_MAX: { fallback: '32G' },
  KINHOLD_SPOOL_MAX_PER_TOKEN: { fallback: '16G' },
  KINHOLD_ALLOW_HTTP: { fallback: 'false' },
  KINHOLD_TLS: { fallback: 'off' },
  KINHOLD_TLS_CERT: {},
  KINHOLD_TLS_KEY: {},
  KINHOLD_TRUSTED_PROXIES: { fallback: '' },
  KINHOLD_METRICS: { fallback: 'off' },
  KINHOLD_METRICS_TOKEN: { secret: true },
  KINHOLD_LIMIT_NETWORK: {},
  KINHOLD_LIMIT_TOKEN: {},
  KINHOLD_LIMIT_STRANGERS: {},
  KINHOLD_LIMIT_MISSES: {},
} as const satisfies Record<string, Variable>

type Name = keyof typeof variables
type Environment = Readonly<Record<string, string | undefined>>

/** The names of the variables that hold a secret, with their `_FILE` twins. */
export const secretNames: readonly string[] = (Object.entries(variables) as [Name, Variable][])
  .filter(([, rule]) => rule.secret === true)
  .map(([name]) => name)

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
    zone: parseZone(read('KINHOLD_ZONE') ?? Temporal.Now.timeZoneId()),
    senders: senders === undefined ? undefined : readSecret('KINHOLD_SENDERS', resolve(cwd, senders)),
    trustedProxies: Object.freeze(parseNetworks('KINHOLD_TRUSTED_PROXIES', read('KINHOLD_TRUSTED_PROXIES') ?? '')),
    spool: Object.freeze({
      maxSpooled: parseSize('KINHOLD_SPOOL_MAX', read('KINHOLD_SPOOL_MAX') ?? ''),
      maxSpooledPerGrant: parseSize('KINHOLD_SPOOL_MAX_PER_TOKEN', read('KINHOLD_SPOOL_MAX_PER_TOKEN') ?? ''),
    }),
    ...(tls === undefined ? {} : { tls: Object.freeze(tls) }),
    ...parseMetrics(read('KINHOLD_METRICS') ?? '', read('KINHOLD_METRICS_TOKEN')),
    limits: Object.freeze(readLimits(read)),
  })
  const mistyped = unknownNames(env)
  return { config, mistyped, warnings: [...mistyped, ...doubts(config, env)] }
}

/** Whether a folder is the other one, or lies in it. */
function isWithin(outer: string, inner: string): boolean {
  const way = relative(outer, inner)
  return way === '' || !(way.startsWith('..') || way === resolve(way))
}

/** Empty counts as absent, because compose files and shells write unset variables so. */
function readVariable(env: Environment, name: Name, cwd: string): string | undefined {
  const rule: Variable = variables[name]
  const given = env[name] || undefined
  const file = rule.secret === true ? env[`${name}_FILE`] || undefined : undefined
  if (given !== undefined && file !== undefined)
    throw new Problem('invalid', 'config.secret-given-twice', `${name} and ${name}_FILE are both set; keep one.`, {
      expression: name,
    })
  if (file !== undefined) return readSecret(`${name}_FILE`, resolve(cwd, file))
  return given ?? rule.fallback
}

function readSecret(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (cause) {
    throw new Problem('invalid', 'config.secret-unreadable', `The file that ${name} names cannot be read.`, {
      expression: name,
      cause,
    })
  }
}

function malformed(name: Name, expected: string): Problem {
  return new Problem('invalid', 'config.value-malformed', `${name} must be ${expected}.`, { expression: name })
}

function parseHost(text: string): string {
  if (isIP(text) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text))
    throw malformed('KINHOLD_HOST', 'an IP address or a host name')
  return text
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw malformed('KINHOLD_PORT', 'a port number from 0 to 65535')
  return port
}

function parseBaseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw malformed(
      'KINHOLD_BASE_URL',
      'an http or https address without user name, such as https://health.example.org',
    )
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw malformed('KINHOLD_BASE_URL', 'an origin alone, without path, query or fragment')
  return url
}

function checkClearText(url: URL, allowed: boolean): void {
  if (url.protocol === 'https:' || allowed || isLoopback(url.hostname)) return
  throw new Problem(
    'invalid',
    'config.http-refused',
    'KINHOLD_BASE_URL is http on a host that is not this machine: tokens and health data would travel in the clear. ' +
      'Use https, or set KINHOLD_ALLOW_HTTP=true if another layer encrypts.',
    { expression: 'KINHOLD_BASE_URL' },
  )
}

function parseTls(read: (name: Name) => string | undefined, cwd: string): Config['tls'] {
  const [own = '', cert, key] = [read('KINHOLD_TLS'), read('KINHOLD_TLS_CERT'), read('KINHOLD_TLS_KEY')]
  if (own !== 'off' && own !== 'own')
    throw malformed('KINHOLD_TLS', 'off, or own: the server makes its own certificates')
  if (cert === undefined && key === undefined) return own === 'own' ? { kind: 'own' } : undefined
  if (cert === undefined) throw malformed('KINHOLD_TLS_CERT', 'named as well where KINHOLD_TLS_KEY is')
  if (key === undefined) throw malformed('KINHOLD_TLS_KEY', 'named as well where KINHOLD_TLS_CERT is')
  if (own === 'own') throw malformed('KINHOLD_TLS', 'off where KINHOLD_TLS_CERT names a certificate')
  return { kind: 'files', cert: resolve(cwd, cert), key: resolve(cwd, key) }
}

/** Links to http would lead to a port that speaks TLS. */
function checkEncrypts({ protocol }: URL, tls: Config['tls']): void {
  if (tls !== undefined && protocol !== 'https:')
    throw malformed('KINHOLD_BASE_URL', 'an https address, because the server itself speaks TLS (KINHOLD_TLS)')
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    hostname === '::1' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  )
}

const mongoAddress = /^mongodb(?:\+srv)?:\/\/([^/?]+)(?:\/([^?]*))?(?:\?.*)?$/

function parseStore(name: Name, text: string): StoreChoice {
  if (text === 'sqlite' || text === 'memory') return { kind: text }
  if (mongoAddress.test(text)) return { kind: 'mongodb', uri: text }
  throw malformed(name, 'sqlite, or the address of a MongoDB, mongodb://… (or memory, for tests)')
}

/** Names of the databases when an address names none. */
const databaseNames = { store: 'kinhold', keys: 'kinhold-keys' } as const

/** Which servers, and which database there. */
function partsOf(
  { uri, database }: MongoChoice,
  fallback: string,
): { readonly servers: string; readonly database: string } {
  const [, authority = '', path] = mongoAddress.exec(uri) ?? []
  return { servers: authority.replace(/^.*@/, ''), database: database ?? (path || fallback) }
}

const keystoresBeside: Readonly<Record<StoreChoice['kind'], readonly StoreChoice['kind'][]>> = {
  memory: ['memory'],
  sqlite: ['sqlite'],
  mongodb: ['mongodb', 'sqlite'],
}

/**
 * Beside a MongoDB the keys lie in another of its databases, unless they have a place of their own.
 *
 * @throws Problem `invalid` · `config.keystore-beside`
 */
function keystoreFor(store: StoreChoice, text: string | undefined): StoreChoice {
  const keystore = text === undefined ? keystoreBeside(store) : parseStore('KINHOLD_KEYSTORE', text)
  const isSame = store.kind === 'mongodb' && keystore.kind === 'mongodb' && isSameDatabase(store, keystore)
  if (!isSame && keystoresBeside[store.kind].includes(keystore.kind)) return keystore
  throw new Problem(
    'invalid',
    'config.keystore-beside',
    'KINHOLD_KEYSTORE must be sqlite, or – beside a MongoDB – another database than that of KINHOLD_STORE.',
    { expression: 'KINHOLD_KEYSTORE' },
  )
}

/** Where the keys lie beside a store, when nothing else is said. */
export function keystoreBeside(store: StoreChoice): StoreChoice {
  if (store.kind !== 'mongodb') return store
  return { ...store, database: `${partsOf(store, databaseNames.store).database}-keys` }
}

function isSameDatabase(store: MongoChoice, keystore: MongoChoice): boolean {
  const [one, other] = [partsOf(store, databaseNames.store), partsOf(keystore, databaseNames.keys)]
  return one.servers === other.servers && one.database === other.database
}

type Lying = Pick<Config, 'store' | 'keystore' | 'dataDirectory' | 'keysDirectory'>

function liesBeside({ store, keystore, dataDirectory, keysDirectory }: Lying): boolean {
  if (store.kind === 'mongodb' && keystore.kind === 'mongodb')
    return partsOf(store, '').servers === partsOf(keystore, '').servers
  if (store.kind !== keystore.kind) return false
  return isWithin(dataDirectory, keysDirectory) || isWithin(keysDirectory, dataDirectory)
}

function parseNetworks(name: Name, text: string): string[] {
  const networks = text.split(/[\s,]+/).filter(part => part !== '')
  if (!networks.every(network => ipaddr.isValid(network) || ipaddr.isValidCIDR(network)))
    throw malformed(name, 'a list of addresses and CIDRs, such as 127.0.0.1, 10.0.0.0/8, fd00::/8')
  return networks
}

/** Whoever may try tokens for years must not find it, and it must fit into a header. */
const metricsToken = /^[A-Za-z0-9\-._~+/]{16,}=*$/

function parseMetrics(text: string, token: string | undefined): Pick<Config, 'metrics'> {
  if (text !== 'off' && text !== 'loopback')
    throw malformed('KINHOLD_METRICS', 'off, or loopback: programs on this machine see figures without a token')
  if (token !== undefined && !metricsToken.test(token))
    throw malformed('KINHOLD_METRICS_TOKEN', '16 or more letters, digits and - . _ ~ + /')
  const loopback = text === 'loopback'
  if (token !== undefined) return { metrics: Object.freeze({ token, loopback }) }
  return loopback ? { metrics: Object.freeze({ loopback }) } : {}
}

function readLimits(read: (name: Name) => string | undefined): Config['limits'] {
  const rows = Object.entries(limitVariables).map(([limit, name]) => [limit, parseLimit(name, read(name))] as const)
  return Object.fromEntries(rows.filter(([, limit]) => limit !== undefined))
}

/** So many in so many seconds. */
function parseLimit(name: Name, text: string | undefined) {
  if (text === undefined) return undefined
  if (text === 'off') return { points: Number.POSITIVE_INFINITY, seconds: 1 }
  const [, points = '', seconds = ''] = /^([1-9]\d{0,8})\/([1-9]\d{0,4})$/.exec(text) ?? []
  if (points === '') throw malformed(name, 'a count and seconds, such as 600/10, or off')
  return { points: Number(points), seconds: Number(seconds) }
}

const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

function parseLogLevel(text: string): LogLevel {
  const level = logLevels.find(known => known === text)
  if (level === undefined) throw malformed('KINHOLD_LOG_LEVEL', `one of ${logLevels.join(', ')}`)
  return level
}

function parseZone(text: string): string {
  try {
    return Temporal.Now.zonedDateTimeISO(text).timeZoneId
  } catch {
    throw malformed('KINHOLD_ZONE', 'the name of a time zone, such as Europe/Berlin')
  }
}

const powers: Readonly<Record<string, number>> = { '': 0, K: 1, M: 2, G: 3, T: 4 }

/** `500M` is 500 MiB; a number alone is bytes. */
function parseSize(name: Name, text: string): number {
  const [, number = '', power = ''] = /^(\d{1,12})([KMGT]?)$/i.exec(text) ?? []
  const bytes = number === '' ? Number.NaN : Number(number) * 1024 ** (powers[power.toUpperCase()] ?? 0)
  if (!Number.isSafeInteger(bytes)) throw malformed(name, 'a size such as 500M or 16G')
  return bytes
}

const switches: Readonly<Record<string, boolean>> = {
  true: true,
  '1': true,
  yes: true,
  false: false,
  '0': false,
  no: false,
}

function parseSwitch(name: Name, text: string): boolean {
  const value = switches[text.toLowerCase()]
  if (value === undefined) throw malformed(name, 'true or false')
  return value
}

const knownNames: readonly string[] = [...Object.keys(variables), ...secretNames.map(name => `${name}_FILE`)]

function unknownNames(env: Environment): string[] {
  return Object.keys(env)
    .filter(name => name.startsWith('KINHOLD_') && !knownNames.includes(name))
    .sort()
    .map(name => `${name} is not a variable this server knows; did you mean ${closest(name, knownNames)}?`)
}

/** What opens the keys; the text of `KINHOLD_STORE` opens nothing. */
const secretsInEnvironment = ['KINHOLD_PASSPHRASE', 'KINHOLD_NEW_PASSPHRASE', 'KINHOLD_RECOVERY_CODE'] as const

/** A process can take a variable out of its own sight, but not out of what the system shows of its start. */
const heldInEnvironment = (name: Name): string =>
  `${name} is in the environment: as long as this process runs, root and every program of the same user can read it in /proc. Name a file in ${name}_FILE instead.`

function doubts(config: Config, env: Environment): string[] {
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
    ...(reachable && !env.KINHOLD_BASE_URL
      ? ['KINHOLD_HOST lets other machines in, but KINHOLD_BASE_URL is not set: links will point to this machine.']
      : []),
    ...(URL.parse(config.baseUrl)?.protocol === 'http:' && !isLoopback(URL.parse(config.baseUrl)?.hostname ?? '')
      ? ['KINHOLD_ALLOW_HTTP is on: without TLS in front, tokens and health data travel in the clear.']
      : []),
  ]
}
