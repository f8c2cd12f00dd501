/** What lies in the databases of a home, as somebody who has got hold of them reads it: in files, or in a MongoDB. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onDatabase, rowsIn } from '../../contracts/mongo-rows.ts'
import type { Home } from './home.ts'

type Row = Readonly<Record<string, unknown>>

/** Table and columns, and what a MongoDB calls the columns. */
const tables = {
  entries: { lies: 'data', columns: { sealed: 'b' } },
  keys: { lies: 'keys', columns: { owner: 'o', version: 'v', params: 'p' } },
  tombstones: { lies: 'keys', columns: {} },
} as const

type Table = keyof typeof tables
type Lies = 'data' | 'keys'

/** Where a MongoDB has them; undefined for a home of files. */
function addressOf(home: Home, lies: Lies): string | undefined {
  const address = lies === 'data' ? home.env.KINHOLD_STORE : home.env.KINHOLD_KEYSTORE
  return address?.startsWith('mongodb') === true ? address : undefined
}

const fileOf = (home: Home, lies: Lies) =>
  lies === 'data' ? join(home.data, 'kinhold.sqlite') : join(home.keys, 'keystore.sqlite')

/** All rows of a table, under the names that files have for its columns. */
export async function rowsOf(home: Home, table: Table): Promise<readonly Row[]> {
  const { lies, columns } = tables[table]
  const address = addressOf(home, lies)
  if (address === undefined)
    return onFile(fileOf(home, lies), file => file.prepare(`SELECT * FROM "${table}"`).all() as Row[])
  const rows = (await rowsIn(address)).get(table) ?? []
  return rows.map(row => Object.fromEntries(Object.entries(columns).map(([name, short]) => [name, row[short]])))
}

function onFile<T>(path: string, work: (file: DatabaseSync) => T): T {
  const file = new DatabaseSync(path, { readOnly: true })
  try {
    return work(file)
  } finally {
    file.close()
  }
}

/** Each value of each row of both databases, whatever its table. */
export async function everyValueOf(home: Home): Promise<readonly { readonly where: string; readonly bytes: Buffer }[]> {
  return Promise.all((['data', 'keys'] as const).map(lies => valuesIn(home, lies)))
}

async function valuesIn(home: Home, lies: Lies) {
  const address = addressOf(home, lies)
  const values = address === undefined ? onFile(fileOf(home, lies), valuesOfFile) : await valuesOfMongo(address)
  const gap = Buffer.from('\n')
  return { where: `rows of ${lies}`, bytes: Buffer.concat(values.flatMap(value => [bytesOf(value), gap])) }
}

function valuesOfFile(file: DatabaseSync): unknown[] {
  const names = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
  return names.flatMap(({ name }) => file.prepare(`SELECT * FROM "${name}"`).all().flatMap(Object.values))
}

async function valuesOfMongo(address: string): Promise<unknown[]> {
  return [...(await rowsIn(address)).values()].flatMap(rows => rows.flatMap(leavesOf))
}

function leavesOf(value: unknown): unknown[] {
  const isPlain = value?.constructor === Object || Array.isArray(value)
  return isPlain ? Object.values(value as object).flatMap(leavesOf) : [value]
}

const bytesOf = (value: unknown) => (value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(String(value)))

/** What an erasure that goes on does to the databases, looked at again and again. */
export interface Watching {
  /** Changes with each commit of others to the data. */
  commits(): Promise<number>
  tombstones(): Promise<number>
  entries(): Promise<number>
}

/** Gives `work` what to look with. */
export async function watching<T>(home: Home, work: (watching: Watching) => Promise<T>): Promise<T> {
  const [data, keys] = [addressOf(home, 'data'), addressOf(home, 'keys')]
  if (data === undefined || keys === undefined) return watchingFiles(home, work)
  return onDatabase(data, ofData =>
    onDatabase(keys, ofKeys =>
      work({
        commits: () => ofData.collection('commits').countDocuments(),
        tombstones: () => ofKeys.collection('tombstones').countDocuments(),
        entries: () => ofData.collection('entries').countDocuments(),
      }),
    ),
  )
}

async function watchingFiles<T>(home: Home, work: (watching: Watching) => Promise<T>): Promise<T> {
  const data = new DatabaseSync(fileOf(home, 'data'), { readOnly: true })
  const keys = new DatabaseSync(fileOf(home, 'keys'), { readOnly: true })
  const counted = (file: DatabaseSync, sql: string) => Number(Object.values(file.prepare(sql).get() ?? {})[0])
  try {
    return await work({
      commits: async () => counted(data, 'PRAGMA data_version'),
      tombstones: async () => counted(keys, 'SELECT count(*) FROM tombstones'),
      entries: async () => counted(data, 'SELECT count(*) FROM entries'),
    })
  } finally {
    data.close()
    keys.close()
  }
}
