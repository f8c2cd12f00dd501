import { type Connection, type Model, Schema } from 'mongoose'

/**
 * The generic models of the store and of the keystore: none is about a resource type. mongoose makes their collections and indexes;
 * rows are read and written through the models' collections, since sealed bytes have nothing that could be cast.
 */
const bytes = { type: Schema.Types.Buffer, required: true } as const
const number = { type: Number, required: true } as const
const text = { type: String, required: true } as const
const plain = { versionKey: false, autoIndex: false, autoCreate: false, minimize: false, id: false } as const
const byBytes = { _id: bytes } as const

type Index = Parameters<Schema['index']>

function schema(fields: object, ...indexes: readonly Index[]): Schema {
  const made = new Schema(fields as Record<string, never>, plain)
  for (const index of indexes) made.index(...index)
  return made
}

const unique = { unique: true } as const
/** For how long it can be found out that a transaction was committed; a retry comes within seconds. */
const keptADay = { expireAfterSeconds: 86_400 } as const

/** Written in every transaction. */
const commits = schema({ ...byBytes, at: { type: Date, required: true } }, [{ at: 1 }, keptADay])
/** One for each opening, written anew when it must know how far the log of changes goes. */
const marks = schema({ ...byBytes, q: number, at: { type: Date, required: true } }, [{ at: 1 }, keptADay])
/** What a database is, and who has it open. */
const house = schema({ _id: text })
const openings = schema({
  _id: bytes,
  alone: Boolean,
  seen: { type: Date, required: true },
  w: Schema.Types.Buffer,
  sessions: [Schema.Types.Buffer],
})

/** Shard by `c` (heads and places: by `_id`; documents: by `n` and `k`), then each unique index begins with its shard key. */
const storeSchemas = {
  commits,
  house,
  openings,
  marks,
  heads: schema({ ...byBytes, n: number, t: Schema.Types.Buffer, w: bytes }),
  entries: schema(
    { c: bytes, s: number, l: bytes, v: number, b: bytes },
    [{ c: 1, s: 1 }, unique],
    [{ l: 1, c: 1, v: 1 }],
  ),
  places: schema({ ...byBytes, v: number, at: [{ c: bytes, s: number }] }),
  segments: schema({ c: bytes, f: number, u: number, b: bytes }, [{ c: 1, f: 1 }, unique]),
  documents: schema(
    { n: text, k: bytes, r: number, g: Schema.Types.Buffer, e: Number, b: bytes, w: bytes },
    [{ n: 1, k: 1 }, unique],
    [{ n: 1, g: 1 }, { partialFilterExpression: { g: { $exists: true } } }],
    [{ e: 1 }, { partialFilterExpression: { e: { $exists: true } } }],
  ),
  blobs: schema(
    { c: bytes, n: String, k: number, m: number },
    [
      { c: 1, n: 1 },
      { unique: true, partialFilterExpression: { n: { $exists: true } } },
    ],
    [{ m: 1 }],
  ),
  chunks: schema({ c: bytes, f: Schema.Types.ObjectId, i: number, b: bytes }, [{ c: 1, f: 1, i: 1 }, unique]),
} as const

const keysSchemas = {
  commits,
  house,
  openings,
  marks,
  gate: schema({ _id: text, w: bytes }),
  keys: schema({ o: text, k: text, v: number, b: bytes, p: text, m: Schema.Types.Buffer }, [
    { o: 1, k: 1, v: 1 },
    unique,
  ]),
  tombstones: schema({ _id: text, d: number, m: Schema.Types.Buffer }),
  notes: schema({ _id: text, b: bytes, m: Schema.Types.Buffer }),
} as const

/** The two kinds of database, each known by the row in its collection `house`. */
export const schemas = { store: storeSchemas, keys: keysSchemas } as const

export type DatabaseKind = keyof typeof schemas
export type Models<K extends DatabaseKind> = Readonly<Record<keyof (typeof schemas)[K], Model<object>>>

/** Counts up with each change of the rows; a database with a higher one was written by a later release. */
export const schemaVersion = 1

/** Gives a connection its models. */
export function modelsOn<K extends DatabaseKind>(connection: Connection, kind: K): Models<K> {
  const rows = Object.entries<Schema>(schemas[kind]).map(([name, of]) => [name, connection.model(name, of, name)])
  return Object.fromEntries(rows) as Models<K>
}
