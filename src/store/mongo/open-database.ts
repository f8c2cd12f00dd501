import type { mongo } from 'mongoose'
import { type Log, Problem, randomId16 } from '#kernel'
import { type Connected, connect, databaseNameOf } from './connection.ts'
import { toProblem } from './failures.ts'
import { type AtOneMoment, momentsOf } from './moment.ts'
import { Opening, type OpeningRow } from './openings.ts'
import { type MarkRow, marksName, Present } from './present.ts'
import { prove } from './proof.ts'
import type { CommitRow } from './rows.ts'
import { type DatabaseKind, type Models, modelsOn, schemaVersion } from './schema.ts'
import { Transactions } from './transactions.ts'

interface HouseRow {
  readonly _id: string
  readonly kind: DatabaseKind
  readonly version: number
  /** Tells this database from every other. */
  readonly id: string
}

/** How a database is opened. */
export interface MongoOptions {
  /** `mongodb://…` or `mongodb+srv://…`; without a name of a database in it, the fallback of its kind. */
  readonly uri: string
  /** The name of the database, if not the one that the address names. */
  readonly database?: string
  /** Whether a database that is not there is made; true unless told. */
  readonly make?: boolean
  /** How long a write is tried again when others write to the same; 10 s by default. */
  readonly waitMs?: number
  /** Whether no other process may have it open until this one closes it. */
  readonly alone?: boolean
  readonly log?: Log
}

/** A database of ours that is open. */
export interface OpenDatabase<K extends DatabaseKind> extends Connected {
  readonly database: mongo.Db
  /** Tells this database from every other. */
  readonly id: string
  /** Whether it was not there before. */
  readonly isNew: boolean
  /** 8 random bytes of this opening, with which the ids of its transactions begin. */
  readonly opening: Buffer
  readonly transactions: Transactions
  readonly atOneMoment: AtOneMoment
  /** How far its log of changes must be looked through to answer a question. */
  readonly present: Present
  /** Reads while it is open. @throws Problem as `Store` */
  read<T>(work: () => Promise<T>): Promise<T>
  collection<T extends mongo.Document>(name: keyof Models<K> & string): mongo.Collection<T>
  /** Lets what is under way end, does what is left to do, and leaves. Twice is harmless. */
  close(before?: () => Promise<unknown>): Promise<void>
}

const fallbackNames: Readonly<Record<DatabaseKind, string>> = { store: 'kinhold', keys: 'kinhold-keys' }
/** On a cluster each shard has a part of these. */
const spread: Readonly<Record<DatabaseKind, string>> = { store: 'heads', keys: 'keys' }
const defaultWaitMs = 10_000

/**
 * Opens a database of ours, making its collections when it is empty.
 *
 * @throws Problem `unsupported` · `store.mongodb-…`; `fault` · `store.not-ours` | `store.schema-newer` | `store.failed`;
 *         `busy` · `store.busy` | `store.unreachable`; `invalid` · `store.address-refused`
 */
export async function openDatabase<K extends DatabaseKind>(
  kind: K,
  { uri, database: name, waitMs = defaultWaitMs, alone = false, make = true }: MongoOptions,
  log: Log,
): Promise<OpenDatabase<K>> {
  const connected = await connect(uri, name ?? databaseNameOf(uri) ?? fallbackNames[kind], waitMs)
  const { connection } = connected
  try {
    const database = connection.getClient().db(connection.name)
    const isNew = await checkOurs(database, kind, make)
    await prove(connection)
    const models = modelsOn(connection, kind)
    const id = await makeCollections(database, kind, models)
    const openingId = randomId16().subarray(0, 8)
    const opening = new Opening({ rows: database.collection<OpeningRow>('openings'), connection, id: openingId, alone })
    await opening.enter(waitMs, log)
    const transactions = new Transactions({
      connection,
      commits: database.collection<CommitRow>('commits'),
      opening: openingId,
      ensureOpening: () => opening.ensure(waitMs, log),
      announce: session => opening.announce(session),
      waitMs,
    })
    const present = new Present({
      connection,
      rows: database.collection(spread[kind]),
      marks: database.collection<MarkRow>(marksName),
      opening: openingId,
    })
    return {
      ...connected,
      database,
      id,
      isNew,
      opening: openingId,
      transactions,
      atOneMoment: momentsOf(connection),
      present,
      read: async work => {
        transactions.checkOpen()
        try {
          return await work()
        } catch (error) {
          throw toProblem(error)
        }
      },
      collection: name => database.collection(models[name].collection.collectionName),
      close: async before => {
        await transactions.close()
        if (connection.readyState === 0) return
        await before?.()
        await Promise.all([present.close(), opening.leave(log)])
        await connection.close()
      },
    }
  } catch (error) {
    await connection.close()
    throw toProblem(error)
  }
}

async function houseOf(database: mongo.Db): Promise<HouseRow | null> {
  return database.collection<HouseRow>('house').findOne({ _id: 'house' })
}

/** Looked at before anything is made: a foreign database must not even get a collection. @returns whether there is none yet */
async function checkOurs(database: mongo.Db, kind: DatabaseKind, make: boolean): Promise<boolean> {
  const house = await houseOf(database)
  if (house === null) {
    const others = await database.listCollections({}, { nameOnly: true }).toArray()
    if (others.some(({ name }) => !beginnings.has(name))) throw notOurs()
    if (make) return true
    throw new Problem('not-found', 'store.database-absent', 'There is no such database of this program.')
  }
  if (house.kind !== kind) throw notOurs()
  if (house.version > schemaVersion)
    throw new Problem('fault', 'store.schema-newer', 'The database was written by a later release.')
  return false
}

function notOurs(): Problem {
  return new Problem('fault', 'store.not-ours', 'The database was not made by this program, or for another use.')
}

/** What a start that was cut off may have made before it said whose the database is. */
const beginnings: ReadonlySet<string> = new Set(['house', 'probes'])

/** Says first whose the database is, so that a start that is cut off can go on. @returns the id of the database */
async function makeCollections<K extends DatabaseKind>(
  database: mongo.Db,
  kind: K,
  models: Models<K>,
): Promise<string> {
  const { _id, ...made } = { _id: 'house', kind, version: schemaVersion, id: randomId16().toString('hex') }
  await database.collection<HouseRow>('house').updateOne({ _id }, { $setOnInsert: made }, { upsert: true })
  const house = await houseOf(database)
  if (house?.kind !== kind) throw notOurs()
  const there = new Set((await database.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name))
  const all = Object.values<Models<K>[keyof Models<K>]>(models)
  for (const model of all) if (!there.has(model.collection.collectionName)) await model.createCollection()
  await Promise.all(all.map(model => model.createIndexes()))
  return house.id
}
