/** Rows of a MongoDB as somebody who can write to it would keep, change and put back, beside a running server or without one. */
import mongoose, { type mongo } from 'mongoose'

/** Each collection's rows. */
export type Rows = ReadonlyMap<string, readonly mongo.Document[]>

/** Who has a database open, and what is needed while it is: these rows are nobody's data. */
const fleeting: ReadonlySet<string> = new Set(['openings', 'commits', 'probes'])

/** Works on a database by a connection of its own. */
export async function onDatabase<T>(uri: string, work: (database: mongo.Db) => Promise<T>): Promise<T> {
  const connection = await mongoose.createConnection(uri, { promoteBuffers: true } as object).asPromise()
  try {
    return await work(connection.getClient().db(connection.name))
  } finally {
    await connection.close()
  }
}

/** All rows of a database. */
export function rowsIn(uri: string): Promise<Rows> {
  return onDatabase(uri, async database => {
    const kept = (await database.collections()).filter(({ collectionName }) => !fleeting.has(collectionName))
    const rows = await Promise.all(kept.map(collection => collection.find({}, { promoteBuffers: true }).toArray()))
    return new Map(kept.map(({ collectionName }, at) => [collectionName, rows[at] ?? []]))
  })
}

/** Makes collections what they were: those that are named, or all. */
export function putRows(uri: string, rows: Rows, names: readonly string[] = [...rows.keys()]): Promise<void> {
  return onDatabase(uri, async database => {
    for (const name of names) {
      const kept = rows.get(name) ?? []
      await database.collection(name).deleteMany({})
      if (kept.length > 0) await database.collection(name).insertMany([...kept])
    }
  })
}
