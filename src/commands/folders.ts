import { mkdir, readdir, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { Config } from '#config'
import { Problem } from '#kernel'
import { inFolder } from './folder-faults.ts'

/** The files of a house. */
export function houseFiles(config: Config) {
  return {
    data: join(config.dataDirectory, 'kinhold.sqlite'),
    /** A folder of files that are being imported, sealed; nothing in it outlives its process. */
    spool: join(config.dataDirectory, 'spool'),
    keys: join(config.keysDirectory, 'keystore.sqlite'),
    root: join(config.keysDirectory, 'root.key'),
    /** A folder of the code systems that were imported: of no person, and not sealed. */
    terminology: join(config.dataDirectory, 'terminology'),
    /** A folder of the authority and the certificates of the house. */
    tls: join(config.keysDirectory, 'tls'),
  }
}

/** What stands in the two folders: `whole` has data and keys, `none` neither. */
export type HouseState = 'whole' | 'none' | 'data-alone' | 'keys-alone'

const states: Readonly<Record<string, HouseState>> = {
  'true true': 'whole',
  'true false': 'data-alone',
  'false true': 'keys-alone',
  'false false': 'none',
}

/** Looks without making anything. A file of no bytes is what a start that was cut off at once leaves behind. */
export async function houseState(config: Config): Promise<HouseState> {
  const { data, keys } = houseFiles(config)
  const hasData = await inFolder('KINHOLD_DATA', config.dataDirectory, () => holdsBytes(data))
  const hasKeys = await inFolder('KINHOLD_KEYS', config.keysDirectory, () => holdsBytes(keys))
  return states[`${hasData} ${hasKeys}`] ?? 'none'
}

/** Whether there is a keystore in the folder of the keys. */
export function holdsKeys(config: Config): Promise<boolean> {
  return inFolder('KINHOLD_KEYS', config.keysDirectory, () => holdsBytes(houseFiles(config).keys))
}

/** What may not be looked at is not absent. */
async function holdsBytes(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size > 0
  } catch (error) {
    if (absences.has(String(Reflect.get(Object(error), 'code')))) return false
    throw error
  }
}

const absences: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR'])

/**
 * For everything but a start: there must be a house, because a mistyped folder must not become one.
 *
 * @throws Problem `not-found` · `command.house-absent`, `command.keys-absent`, `command.data-absent`
 */
export async function checkHouse(config: Config): Promise<void> {
  if (config.store.kind === 'memory')
    throw absent('KINHOLD_STORE', 'KINHOLD_STORE is memory: nothing is kept that a command could work on.')
  // A database says itself whether it is there, when it is opened.
  if (config.store.kind === 'mongodb') return
  const refusal = refusals[await houseState(config)]
  if (refusal !== undefined) throw refusal(config)
}

const refusals: Readonly<Record<HouseState, ((config: Config) => Problem) | undefined>> = {
  whole: undefined,
  none: ({ dataDirectory }) =>
    absent(
      'KINHOLD_DATA',
      `There is no house in ${dataDirectory} (KINHOLD_DATA). Only serve makes one: start it there once, or name the folder of yours.`,
    ),
  'data-alone': config => keysAbsent(config),
  'keys-alone': ({ dataDirectory, keysDirectory }) =>
    new Problem(
      'not-found',
      'command.data-absent',
      `The keys of a house lie in ${keysDirectory} (KINHOLD_KEYS), but there are no data in ${dataDirectory} (KINHOLD_DATA).`,
      { expression: 'KINHOLD_DATA' },
    ),
}

const absent = (variable: string, text: string): Problem =>
  new Problem('not-found', 'command.house-absent', text, { expression: variable })

/** The data are there and sealed, and what opens them is not. */
export function keysAbsent({ dataDirectory, keysDirectory }: Config): Problem {
  const text = `The data in ${dataDirectory} (KINHOLD_DATA) have keys, but not in ${keysDirectory} (KINHOLD_KEYS); nothing is made in their place.`
  return new Problem('not-found', 'command.keys-absent', text, { expression: 'KINHOLD_KEYS' })
}

/** What may lie in a folder that becomes a house: what file systems and version control put there by themselves. */
const harmless: readonly string[] = ['lost+found', '.gitkeep', '.gitignore', '.DS_Store']
const ours = /^(kinhold\.sqlite|keystore\.sqlite|root\.key|kinhold\.reserve|(spool|tls|terminology)$)/

/**
 * Makes the two folders ready for a house. Those that are new are closed to others; those that were there keep their
 * mode, and must be ours and hold nothing else.
 *
 * @throws Problem `conflict` · `command.folder-foreign`, `command.folder-unusable`
 */
export async function prepareFolders({ dataDirectory, keysDirectory }: Config): Promise<void> {
  await prepareFolder('KINHOLD_DATA', dataDirectory, keysDirectory)
  await prepareFolder('KINHOLD_KEYS', keysDirectory, dataDirectory)
}

/**
 * For a command that puts something beside the keys, perhaps before there is a house: not among things that are not ours, and
 * whoever keeps something of their own beside the keys goes on doing so.
 *
 * @throws Problem `conflict` · `command.folder-foreign`, `command.folder-unusable`
 */
export async function checkKeysFolder({ dataDirectory, keysDirectory }: Config): Promise<void> {
  const listed = await readdir(keysDirectory).catch(() => [])
  if (!listed.some(name => ours.test(name))) await prepareFolder('KINHOLD_KEYS', keysDirectory, dataDirectory)
}

/** Makes those of the two folders that are not there, for a house that is. */
export async function makeFolders({ dataDirectory, keysDirectory }: Config): Promise<void> {
  await makeFolder('KINHOLD_DATA', dataDirectory)
  await makeFolder('KINHOLD_KEYS', keysDirectory)
}

async function prepareFolder(variable: string, path: string, other: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return makeFolder(variable, path)
  if (!found.isDirectory()) throw foreign(variable, path, 'is no folder')
  const own = process.getuid?.()
  if (own !== undefined && found.uid !== own) throw foreign(variable, path, 'belongs to another user')
  const [way = ''] = relative(path, other).split(sep)
  const listed = await inFolder(variable, path, () => readdir(path))
  const others = listed.filter(name => !ours.test(name) && !harmless.includes(name) && name !== way)
  if (others.length > 0) throw foreign(variable, path, 'holds other things')
}

async function makeFolder(variable: string, path: string): Promise<void> {
  await inFolder(variable, path, () => mkdir(path, { recursive: true, mode: 0o700 }))
}

function foreign(variable: string, path: string, fault: string): Problem {
  const text = `${path} (${variable}) ${fault}: a house is made in an empty folder of your own. Name another.`
  return new Problem('conflict', 'command.folder-foreign', text, { expression: variable })
}
