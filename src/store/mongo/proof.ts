import { setTimeout as pause } from 'node:timers/promises'
import type { Connection, mongo } from 'mongoose'
import { Problem, randomId16 } from '#kernel'
import { isConflict, isDuplicate, isUnreachable, toProblem } from './failures.ts'
import { durable } from './transactions.ts'

interface ProbeRow {
  readonly _id: Buffer
  readonly u: string
  readonly n: number
  readonly at: Date
}

type Probes = mongo.Collection<ProbeRow>
type Trial = (probes: Probes, connection: Connection) => Promise<boolean>

const snapshot = { readConcern: { level: 'snapshot' }, writeConcern: durable, readPreference: 'primary' } as const

/** What is left of a start that was cut off goes by itself. */
const probesKeptSeconds = 3_600

/** So soon, at the latest, what was acknowledged must be told to whoever follows the changes; it is asked so often. */
const toldWithinMs = 10_000
const toldPauseMs = 10

/** The oldest of each line without CVE-2025-14847, by which whoever reaches the port reads the server's memory. */
const floors: readonly (readonly [major: number, minor: number, patch: number])[] = [
  [7, 0, 28],
  [8, 0, 17],
  [8, 2, 3],
]

/**
 * What the store needs, each tried by doing it. A server that only says that it can – a standalone with an open mouth, a translator to
 * another database – is refused before it has lost anything.
 */
const trials: readonly (readonly [name: string, trial: Trial])[] = [
  ['what most members have written to disk is acknowledged', majority],
  ['a unique index refuses what is there already', uniqueness],
  ['what a transaction wrote is not there when it was aborted', abortion],
  ['what a transaction wrote is seen by nobody before it was committed, and by all after', isolation],
  ['a transaction does not write over what came after its beginning', conflict],
  ['what was committed is told to whoever follows the changes, in its order', following],
]

/**
 * @throws Problem `unsupported` · `store.mongodb-standalone` | `store.mongodb-too-old` | `store.mongodb-unfit`
 */
export async function prove(connection: Connection): Promise<void> {
  const database = connection.getClient().db(connection.name)
  try {
    checkTopology(await database.admin().command({ hello: 1 }))
    checkVersion(String((await database.admin().command({ buildInfo: 1 })).version))
    const probes = await probesOf(database)
    for (const [name, trial] of trials) if (!(await holds(trial, probes, connection))) throw unfit(name)
  } catch (error) {
    throw toProblem(error)
  }
}

async function probesOf(database: mongo.Db): Promise<Probes> {
  const probes = database.collection<ProbeRow>('probes')
  await probes.createIndex({ u: 1 }, { unique: true })
  await probes.createIndex({ at: 1 }, { expireAfterSeconds: probesKeptSeconds })
  return probes
}

/** What fails in the middle has failed; only a server that is gone has proven nothing. */
async function holds(trial: Trial, probes: Probes, connection: Connection): Promise<boolean> {
  try {
    return await trial(probes, connection)
  } catch (error) {
    if (isUnreachable(error)) throw error
    return false
  }
}

function checkTopology(hello: mongo.Document): void {
  if (hello.setName !== undefined || hello.msg === 'isdbgrid') return
  throw new Problem(
    'unsupported',
    'store.mongodb-standalone',
    'The MongoDB is a standalone, which has no transactions: make it a replica set, of one member if need be.',
  )
}

function checkVersion(version: string): void {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(part => Number.parseInt(part, 10))
  const known = floors.find(floor => floor[0] === major && floor[1] === minor)
  const newest = floors.at(-1) ?? [0, 0, 0]
  const isNewer = major > newest[0] || (major === newest[0] && minor > newest[1])
  if (isNewer || (known !== undefined && patch >= known[2])) return
  throw new Problem('unsupported', 'store.mongodb-too-old', 'This MongoDB is older than 7.0.28, 8.0.17 or 8.2.3.', {
    detail: `mongodb ${version}`,
  })
}

function unfit(what: string): Problem {
  const text = `The database does not do what a MongoDB does: it was tried whether ${what}.`
  return new Problem('unsupported', 'store.mongodb-unfit', text)
}

function probe(): ProbeRow {
  return { _id: randomId16(), u: randomId16().toString('hex'), n: 0, at: new Date() }
}

async function majority(probes: Probes): Promise<boolean> {
  const row = probe()
  const { acknowledged } = await probes.insertOne(row, { writeConcern: durable })
  const there = await probes.findOne({ _id: row._id }, { readConcern: 'majority' })
  await probes.deleteOne({ _id: row._id })
  return acknowledged && there !== null
}

async function uniqueness(probes: Probes): Promise<boolean> {
  const row = probe()
  await probes.insertOne(row)
  const refused = await refusal(() => probes.insertOne({ ...probe(), u: row.u }))
  await probes.deleteMany({ u: row.u })
  return isDuplicate(refused)
}

async function abortion(probes: Probes, connection: Connection): Promise<boolean> {
  const row = probe()
  await inSession(connection, async session => {
    await probes.insertOne(row, { session })
    await session.abortTransaction()
  })
  return (await probes.findOne({ _id: row._id })) === null
}

async function isolation(probes: Probes, connection: Connection): Promise<boolean> {
  const rows = [probe(), probe()]
  const ids = { _id: { $in: rows.map(({ _id }) => _id) } }
  const seen: number[] = []
  await inSession(connection, async session => {
    for (const row of rows) await probes.insertOne(row, { session })
    seen.push(await probes.countDocuments(ids))
    await session.commitTransaction()
    seen.push(await probes.countDocuments(ids))
  })
  await probes.deleteMany(ids)
  return seen[0] === 0 && seen[1] === 2
}

async function conflict(probes: Probes, connection: Connection): Promise<boolean> {
  const row = probe()
  await probes.insertOne(row)
  let refused: unknown
  await inSession(connection, async session => {
    await probes.findOne({ _id: row._id }, { session })
    await probes.updateOne({ _id: row._id }, { $inc: { n: 1 } })
    refused = await refusal(async () => {
      await probes.updateOne({ _id: row._id }, { $inc: { n: 10 } }, { session })
      await session.commitTransaction()
    })
  })
  const left = await probes.findOne({ _id: row._id })
  await probes.deleteOne({ _id: row._id })
  return isConflict(refused) && left?.n === 1
}

async function following(probes: Probes): Promise<boolean> {
  const rows = [probe(), probe()]
  const written = rows.map(({ u }) => u)
  const stream = probes.watch<ProbeRow>([{ $match: { operationType: 'insert' } }], { maxAwaitTimeMS: 1 })
  try {
    await stream.tryNext()
    for (const row of rows) await probes.insertOne(row)
    return (await toldOf(written, stream)).join() === written.join()
  } finally {
    await stream.close()
    await probes.deleteMany({ _id: { $in: rows.map(({ _id }) => _id) } })
  }
}

/**
 * Which of these rows a stream tells of, in its order, until it has told as many or the patience ends: a server may keep back for a moment
 * what lies behind somebody else's write that is under way.
 */
async function toldOf(written: readonly string[], stream: mongo.ChangeStream<ProbeRow>): Promise<readonly string[]> {
  const deadline = performance.now() + toldWithinMs
  const told: string[] = []
  while (told.length < written.length && performance.now() < deadline) {
    const next = await stream.tryNext()
    if (next === null) await pause(toldPauseMs)
    else if ('fullDocument' in next && written.includes(next.fullDocument?.u ?? ''))
      told.push(next.fullDocument?.u ?? '')
  }
  return told
}

async function refusal(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error
  }
}

async function inSession(connection: Connection, work: (session: mongo.ClientSession) => Promise<void>): Promise<void> {
  const session = connection.getClient().startSession()
  try {
    session.startTransaction(snapshot)
    await work(session)
  } finally {
    await session.endSession()
  }
}
