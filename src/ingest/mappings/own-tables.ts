import type { Log } from '#kernel'
import { Edition, withEdition } from '../tables.ts'
import { checkTables } from './check.ts'
import type { Finding, Table } from './read-table.ts'
import { shippedTables, stampOf, type TableFolder, tablesIn } from './table-files.ts'

/** So often, at most, a folder is looked at for tables that changed. */
const lookEveryMs = 2000

/** Does work with the tables as they are now. What has begun keeps the tables that it began with. */
export type WithTables = <T>(work: () => T) => T

/** An object of functions, and of such objects, each of which does its work with the tables of the moment when it is called. */
export function eachWith<T extends object>(ways: T, within: WithTables): T {
  const entries = Object.entries(ways).map(([name, way]: [string, unknown]) => [name, oneWith(way, within)])
  return Object.fromEntries(entries) as T
}

function oneWith(way: unknown, within: WithTables): unknown {
  if (typeof way === 'function') return (...given: unknown[]) => within(() => way(...given) as unknown)
  return typeof way === 'object' && way !== null ? eachWith(way, within) : way
}

/**
 * Tables of one's own, laid over those of the server: a file takes the place of the whole table of its name. One in which anything is
 * wrong is not taken; the one before stays, and the log says so. The folder is looked at again when work begins.
 *
 * @param folder     none when it is not said
 * @param everyMs    how often, at most, it is looked at
 */
export function openOwnTables(folder: string | undefined, log: Log, everyMs = lookEveryMs): WithTables {
  if (folder === undefined) return work => work()
  let edition = new Edition(new Map())
  let taken: ReadonlyMap<string, Table> = new Map()
  let stamp: string | undefined
  let lookedAt = Number.NEGATIVE_INFINITY
  const look = () => {
    if (performance.now() - lookedAt < everyMs) return
    lookedAt = performance.now()
    const now = stampOf(folder)
    if (now === stamp) return
    stamp = now
    const chosen = takeFolder(folder, taken, log)
    if (chosen === undefined) return
    taken = chosen
    edition = new Edition(new Map([...taken].map(([file, { value }]) => [file, value])))
  }
  look()
  return work => {
    look()
    return withEdition(edition, work)
  }
}

function takeFolder(
  folder: string,
  before: ReadonlyMap<string, Table>,
  log: Log,
): ReadonlyMap<string, Table> | undefined {
  try {
    const read = tablesIn(folder)
    const chosen = choose(read, before)
    for (const [file, count] of refusedOf(read, chosen))
      log.warn('a mapping table is not taken; the one before stays', {
        room: 'ingest',
        code: 'ingest.mapping-refused',
        detail: `${file}: kinhold mapping check says why`,
        count,
      })
    log.info('mapping tables of its own are in use', { room: 'ingest', count: chosen.size })
    return chosen
  } catch (cause) {
    log.warn('the folder of mapping tables cannot be read; the tables before stay', {
      room: 'ingest',
      code: 'ingest.mappings-unreadable',
      errorName: cause instanceof Error ? cause.name : 'unknown',
    })
    return undefined
  }
}

/**
 * The tables to use of a folder: each as it is now, else as it was before, else none – so that all of them together, and those of the
 * server, have nothing wrong in them.
 */
function choose({ tables, findings }: TableFolder, before: ReadonlyMap<string, Table>): ReadonlyMap<string, Table> {
  const shipped = shippedTables().tables
  const faulty = new Set(findings.map(({ file }) => file))
  const ways = new Map<string, Table[]>()
  for (const file of new Set([...tables.keys(), ...faulty])) {
    const now = faulty.has(file) ? undefined : tables.get(file)
    ways.set(
      file,
      [now, before.get(file)].filter(table => table !== undefined),
    )
  }
  for (;;) {
    const chosen = new Map(
      [...ways].flatMap(([file, [first]]) => (first === undefined ? [] : [[file, first] as const])),
    )
    const wrong = checkTables(new Map([...shipped, ...chosen]))
    if (wrong.length === 0 || chosen.size === 0) return chosen
    const guilty = new Set(wrong.flatMap(finding => guiltyOf(finding, chosen)))
    for (const file of guilty.size === 0 ? chosen.keys() : guilty) ways.get(file)?.shift()
  }
}

/** The table that is at fault: the one in which it is found, else the one that lacks what a table of the server refers to. */
function guiltyOf({ file, missingIn = '' }: Finding, chosen: ReadonlyMap<string, Table>): readonly string[] {
  return [file, missingIn].filter(one => chosen.has(one)).slice(0, 1)
}

/** The tables of a folder that are not taken as they are, with how much was found in each by itself. */
function refusedOf(
  { tables, findings }: TableFolder,
  chosen: ReadonlyMap<string, Table>,
): readonly (readonly [string, number])[] {
  const all = new Set([...tables.keys(), ...findings.map(({ file }) => file)])
  return [...all]
    .filter(file => chosen.get(file) === undefined || chosen.get(file) !== tables.get(file))
    .map(file => [file, Math.max(1, findings.filter(one => one.file === file).length)])
}
