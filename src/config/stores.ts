import { relative, resolve } from 'node:path'
import { Problem } from '#kernel'
import type { Config, MongoChoice, StoreChoice } from './shape.ts'
import { malformed, type Name } from './variables.ts'

const mongoAddress = /^mongodb(?:\+srv)?:\/\/([^/?]+)(?:\/([^?]*))?(?:\?.*)?$/

export function parseStore(name: Name, text: string): StoreChoice {
  if (text === 'sqlite' || text === 'memory') return { kind: text }
  if (mongoAddress.test(text)) return { kind: 'mongodb', uri: text }
  throw malformed(name, 'sqlite, or the address of a MongoDB, mongodb://… (or memory, for tests)')
}

/** Names of the databases when an address names none. */
const databaseNames = { store: 'kinhold', keys: 'kinhold-keys' } as const

interface Parts {
  readonly hosts: ReadonlySet<string>
  readonly database: string
}

/** Which servers, and which database there. */
function partsOf({ uri, database }: MongoChoice, fallback: string): Parts {
  const [, authority = '', path] = mongoAddress.exec(uri) ?? []
  const hosts = authority.replace(/^.*@/, '').split(',').map(plainHost)
  return { hosts: new Set(hosts), database: database ?? (path || fallback) }
}

/** As it is written by all: in small letters, and without the port that is meant when none is named. */
const plainHost = (host: string): string => host.toLowerCase().replace(/\.?(?::27017)?$/, '')

/** One member in common is one replica set: an address need not name all of them, nor in one order. */
function isSameServers(one: Parts, other: Parts): boolean {
  return !one.hosts.isDisjointFrom(other.hosts)
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
export function keystoreFor(store: StoreChoice, text: string | undefined): StoreChoice {
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

/** Names that differ in capitals alone are one: https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions */
function isSameDatabase(store: MongoChoice, keystore: MongoChoice): boolean {
  const [one, other] = [partsOf(store, databaseNames.store), partsOf(keystore, databaseNames.keys)]
  return isSameServers(one, other) && one.database.toLowerCase() === other.database.toLowerCase()
}

type Lying = Pick<Config, 'store' | 'keystore' | 'dataDirectory' | 'keysDirectory'>

export function liesBeside({ store, keystore, dataDirectory, keysDirectory }: Lying): boolean {
  if (store.kind === 'mongodb' && keystore.kind === 'mongodb')
    return isSameServers(partsOf(store, ''), partsOf(keystore, ''))
  if (store.kind !== keystore.kind) return false
  return isWithin(dataDirectory, keysDirectory) || isWithin(keysDirectory, dataDirectory)
}

/** Whether a folder is the other one, or lies in it. */
function isWithin(outer: string, inner: string): boolean {
  const way = relative(outer, inner)
  return way === '' || !(way.startsWith('..') || way === resolve(way))
}
