import { tmpdir } from 'node:os'
import type { Config } from '#config'
import { isProblem, type Log, Problem } from '#kernel'
import {
  type KeyStore,
  openMemoryKeys,
  openMemoryStore,
  openMongoKeys,
  openMongoStore,
  openSpace,
  openSqliteKeys,
  openSqliteStore,
  type Space,
  type Store,
  type WatchedFolder,
} from '#store'
import { isPaired } from '#vault'
import { inFolder } from './folder-faults.ts'
import { checkHouse, holdsKeys, houseFiles, houseState, keysAbsent, makeFolders, prepareFolders } from './folders.ts'

/** What the rooms stand on. */
interface Stores {
  readonly store: Store
  readonly keys: KeyStore
  /** The room on the disks of this machine. */
  readonly space: Space
  /** Whether both can be written to at this moment, as far as is known without asking. */
  isReady(): boolean
}

interface How {
  readonly make: boolean
  readonly alone: boolean
  readonly log: Log
  /** Whether data without keys are taken as they are: they are those of a copy that goes on. */
  readonly bare?: boolean
}

const always = () => true

const openings: Readonly<Record<Config['store']['kind'], (config: Config, how: How) => Promise<Stores>>> = {
  memory: inMemory,
  sqlite: inFolders,
  mongodb: inDatabases,
}

/** Opens store and keystore where the configuration says, and makes them when a server starts that has none. */
export async function openStores(config: Config, how: How): Promise<Stores> {
  if (!how.make) await checkHouse(config)
  return openings[config.store.kind](config, how)
}

async function inMemory(_config: Config, { make, log }: How): Promise<Stores> {
  const space = await openSpace({ folders: [temporary], keeps: make, log })
  return { store: openMemoryStore(), keys: openMemoryKeys(), space, isReady: always }
}

async function inFolders(config: Config, { make, alone, log }: How): Promise<Stores> {
  const state = await houseState(config)
  // A start makes the data first, so keys without data are those of a house whose data lie elsewhere.
  if (state === 'keys-alone') await checkHouse(config)
  if (state !== 'whole') await prepareFolders(config)
  const files = houseFiles(config)
  const space = await openSpace({ folders: foldersOf(config), keeps: make, log })
  const opening: (() => Promise<void> | void)[] = [() => space.close()]
  try {
    const store = await inFolder('KINHOLD_DATA', config.dataDirectory, () =>
      unlessInUse(alone, how => openSqliteStore({ path: files.data, space, log, ...how })),
    )
    opening.push(() => store.close())
    if (state === 'data-alone' && (await isPaired(store))) throw keysAbsent(config)
    const keys = await inFolder('KINHOLD_KEYS', config.keysDirectory, () =>
      unlessInUse(alone, how => openSqliteKeys({ path: files.keys, space, log, ...how })),
    )
    return { store, keys, space, isReady: always }
  } catch (error) {
    for (const step of opening.toReversed()) await step()
    throw error
  }
}

/**
 * The keys come first: where there are some, the data are there as well, and none are made in the place of those that lie elsewhere.
 *
 * @throws Problem `not-found` · `command.house-absent`, `command.keys-absent`, `command.data-absent`; of `store`, naming the variable
 */
async function inDatabases(config: Config, how: How): Promise<Stores> {
  const { make, alone, log, bare = false } = how
  const opening: (() => Promise<void> | void)[] = []
  try {
    const opened = await openKeystore(config, how)
    if (opened !== undefined) opening.push(() => opened.keys.close())
    const hasKeys = ((await opened?.keys.all()) ?? []).length > 0
    const store = await namingVariable('KINHOLD_STORE', () =>
      unlessInUse(alone, waiting =>
        openMongoStore({ ...mongoOf(config.store), make: make && !hasKeys, log, ...waiting }),
      ),
    ).catch(error => {
      throw isAbsent(error) ? absentIn('KINHOLD_STORE', hasKeys) : error
    })
    opening.push(() => store.close())
    if (opened === undefined || (!bare && !hasKeys && (await isPaired(store))))
      throw absentIn('KINHOLD_KEYSTORE', false)
    // Who is refused gets no folders.
    if (make) await ((await isPaired(store)) ? makeFolders(config) : prepareFolders(config))
    const space = await openSpace({
      folders: make ? foldersOf({ ...config, reserveBytes: 0 }) : [temporary],
      keeps: make,
      log,
    })
    return { store, keys: opened.keys, space, isReady: () => store.isReady() && opened.isReady() }
  } catch (error) {
    for (const step of opening.toReversed()) await step()
    throw error
  }
}

type OpenedKeys = Pick<Stores, 'keys' | 'isReady'>

/** The keystore of a house; undefined where there is none and none is to be made. */
export async function openKeystore(config: Config, { make, alone, log }: How): Promise<OpenedKeys | undefined> {
  if (config.keystore.kind === 'mongodb') return mongoKeystore(config, { make, alone, log })
  if (!make && !(await holdsKeys(config))) return undefined
  const keys = await inFolder('KINHOLD_KEYS', config.keysDirectory, () =>
    unlessInUse(alone, waiting => openSqliteKeys({ path: houseFiles(config).keys, log, ...waiting })),
  )
  return { keys, isReady: always }
}

async function mongoKeystore(config: Config, { make, alone, log }: How): Promise<OpenedKeys | undefined> {
  try {
    const keys = await namingVariable('KINHOLD_KEYSTORE', () =>
      unlessInUse(alone, waiting => openMongoKeys({ ...mongoOf(config.keystore), make, log, ...waiting })),
    )
    return { keys, isReady: () => keys.isReady() }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function mongoOf(choice: Config['store']) {
  return choice.kind === 'mongodb'
    ? { uri: choice.uri, ...(choice.database && { database: choice.database }) }
    : { uri: '' }
}

const isAbsent = (error: unknown) => isProblem(error) && error.code === 'store.database-absent'

/** What is wrong with a database, with the variable that names it: its address may hold a password. */
async function namingVariable<T>(variable: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    if (!isProblem(error) || !error.code.startsWith('store.')) throw error
    const { kind, code, detail, retryAfterSeconds } = error
    const more = {
      ...(detail !== undefined && { detail }),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    }
    throw new Problem(kind, code, `${variable}: ${error.text}`, { expression: variable, cause: error, ...more })
  }
}

/** @param hasKeys  whether the keys of a house are there without it */
function absentIn(variable: 'KINHOLD_STORE' | 'KINHOLD_KEYSTORE', hasKeys: boolean): Problem {
  const how = { expression: variable }
  if (variable === 'KINHOLD_KEYSTORE') {
    const text =
      'The data that KINHOLD_STORE names have keys, but not where KINHOLD_KEYSTORE says; nothing is made in their place.'
    return new Problem('not-found', 'command.keys-absent', text, how)
  }
  if (hasKeys) {
    const text =
      'The keys of a house lie where KINHOLD_KEYSTORE says, but there are no data in the database that KINHOLD_STORE names.'
    return new Problem('not-found', 'command.data-absent', text, how)
  }
  const text =
    'There is no house in the database that KINHOLD_STORE names. Only serve makes one: start it there once, or name yours.'
  return new Problem('not-found', 'command.house-absent', text, how)
}

const temporary: WatchedFolder = { name: 'temporary', path: tmpdir() }

function foldersOf({ dataDirectory, keysDirectory, reserveBytes }: Config): readonly WatchedFolder[] {
  return [
    { name: 'data', path: dataDirectory, reserveBytes },
    { name: 'keys', path: keysDirectory, reserveBytes },
    temporary,
  ]
}

/** Who wants a house alone need not wait long: a server does not go away by itself. */
const aloneWaitMs = 2_000

/** @throws Problem `busy` · `command.house-in-use` when it must be alone, and another process has the file open */
async function unlessInUse<T>(
  alone: boolean,
  open: (how: { readonly alone?: boolean; readonly waitMs?: number }) => Promise<T>,
): Promise<T> {
  if (!alone) return open({})
  try {
    return await open({ alone, waitMs: aloneWaitMs })
  } catch (cause) {
    if (!isProblem(cause, 'busy')) throw cause
    const text = 'The house is in use. This must have it alone: stop the server and other commands, and try again.'
    throw new Problem('busy', 'command.house-in-use', text, { cause })
  }
}

/** The start that made this was cut off before they were a house. */
export function unfinished({ dataDirectory, store }: Config): Problem {
  const [place, expression] =
    store.kind === 'mongodb' ? ['the database', 'KINHOLD_STORE'] : [dataDirectory, 'KINHOLD_DATA']
  const text = `The house in ${place} (${expression}) was never finished: its first start was cut off. Start it again.`
  return new Problem('not-found', 'command.house-unfinished', text, { expression })
}
