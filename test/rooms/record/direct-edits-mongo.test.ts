import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { mongo } from 'mongoose'
import { silentLog, systemClock } from '#kernel'
import { openRecord, type Record } from '#record'
import { openMongoKeys, openMongoStore } from '#store'
import { openVault } from '#vault'
import { onDatabase, putRows, type Rows, rowsIn } from '../../contracts/mongo-rows.ts'
import { newMongoDatabase, stopSharedMongo, whereMongoIs } from '../../contracts/mongo-server.ts'
import { create, everything, heartRate, patient, testRoot, update } from './family.ts'

const all = everything()
/** Within which a process that runs must have seen it; slow machines get more than the seconds that are promised. */
const soonMs = 240_000
/** So many houses are open at once. */
const atOnce = 6
const touchedEveryMs = 3_000

type Row = mongo.Document

interface Edited {
  readonly data: mongo.Db
  readonly keys: mongo.Db
  /** The compartments of two patients. */
  readonly one: Buffer
  readonly other: Buffer
  /** All rows as they were before the last writes. */
  readonly older: { readonly data: Rows; readonly keys: Rows }
}

/** Exchanges a field of two rows. */
async function swap(rows: mongo.Collection, field: string, one: object, other: object): Promise<void> {
  const [a, b] = await Promise.all([rows.findOne(one), rows.findOne(other)])
  await rows.updateOne(byId(a?._id), { $set: { [field]: b?.[field] } })
  await rows.updateOne(byId(b?._id), { $set: { [field]: a?.[field] } })
}

async function lastOf(data: mongo.Db, c: Buffer): Promise<Row> {
  return (await data.collection('entries').findOne({ c }, { sort: { s: -1 } })) ?? {}
}

const placedIn = (c: Buffer) => ({ 'at.c': c })
const byId = (_id: unknown) => ({ _id: _id as never })
const tokens = { n: 'tokens' }

/** Puts back what rows of some collections were, those that match. */
async function putBack(database: mongo.Db, rows: Rows, collection: string, which: (row: Row) => boolean) {
  for (const row of (rows.get(collection) ?? []).filter(which))
    await database.collection(collection).replaceOne({ _id: row._id }, row, { upsert: true })
}

/** Each collection and field: swapped, removed, doubled, put back. */
const edits: Readonly<globalThis.Record<string, (house: Edited) => Promise<unknown>>> = {
  'the heads of two compartments are swapped': async ({ data, one, other }) => {
    await swap(data.collection('heads'), 'n', byId(one), byId(other))
    await swap(data.collection('heads'), 't', byId(one), byId(other))
  },
  'a head has the tag of another entry': ({ data, one }) =>
    data.collection('heads').updateOne(byId(one), { $set: { t: Buffer.alloc(16) } }),
  'a head is removed, and its entries are left': ({ data, one }) => data.collection('heads').deleteOne(byId(one)),
  'a head is lower than it was': ({ data, one }) => data.collection('heads').updateOne(byId(one), { $inc: { n: -1 } }),
  'two entries of a patient are swapped': ({ data, one: c }) =>
    swap(data.collection('entries'), 'b', { c, s: 1 }, { c, s: 2 }),
  'entries of two patients are swapped': ({ data, one, other }) =>
    swap(data.collection('entries'), 'b', { c: one, s: 1 }, { c: other, s: 1 }),
  'the locators of two entries are swapped': ({ data, one: c }) =>
    swap(data.collection('entries'), 'l', { c, s: 1 }, { c, s: 2 }),
  'an entry gets another version': ({ data, one: c }) =>
    data.collection('entries').updateOne({ c, s: 2 }, { $set: { v: 7 } }),
  'an entry is put in the place of a later one': async ({ data, one: c }) => {
    const before = await data.collection('entries').findOne({ c, s: 2 })
    await data.collection('entries').updateOne({ c, s: 3 }, { $set: { b: before?.b } })
  },
  'an entry in the middle is removed': ({ data, one: c }) => data.collection('entries').deleteOne({ c, s: 2 }),
  'the newest entry is removed': async ({ data, one: c }) =>
    data.collection('entries').deleteOne({ _id: (await lastOf(data, c))._id }),
  'the newest entry is removed, and head and place say so': async ({ data, one: c }) => {
    const { _id, l, s } = await lastOf(data, c)
    await data.collection('entries').deleteOne({ _id })
    await data.collection('places').deleteOne(byId(l))
    await data
      .collection('heads')
      .updateOne(byId(c), { $set: { n: s - 1, t: (await lastOf(data, c)).b.subarray(-16) } })
  },
  'an entry is doubled at the end': async ({ data, one: c }) => {
    const { _id, ...first } = (await data.collection('entries').findOne({ c, s: 1 })) ?? {}
    const { s } = await lastOf(data, c)
    await data.collection('entries').insertOne({ ...first, s: s + 1 })
    await data.collection('heads').updateOne(byId(c), { $set: { n: s + 1, t: (first as Row).b.subarray(-16) } })
  },
  'a ledger is what it was': async ({ data, one, older }) => {
    await data.collection('entries').deleteMany({ c: one })
    await data.collection('places').deleteMany(placedIn(one))
    const isOnes = ({ c, _id, at }: Row) => one.equals(c ?? at?.[0]?.c ?? _id)
    for (const collection of ['entries', 'places', 'heads']) await putBack(data, older.data, collection, isOnes)
  },
  'places are removed': ({ data, one }) => data.collection('places').deleteMany(placedIn(one)),
  'an older version stands where the newest is to be found': async ({ data, one }) => {
    const place = await data.collection('places').findOne({ ...placedIn(one), v: 2 })
    const before = await data.collection('entries').findOne({ c: one, l: place?._id, v: 1 })
    await data.collection('places').updateOne(byId(place?._id), { $set: { v: 1, at: [{ c: one, s: before?.s }] } })
  },
  'a document is removed': ({ data }) => data.collection('documents').deleteOne(tokens),
  'a document is put back': ({ data, older }) => putBack(data, older.data, 'documents', ({ n }) => n === 'tokens'),
  'a document gets another revision': ({ data }) => data.collection('documents').updateOne(tokens, { $inc: { r: 1 } }),
  'a document lives longer': ({ data }) => data.collection('documents').updateOne(tokens, { $set: { e: 9e15 } }),
  'a document belongs to nobody': ({ data }) => data.collection('documents').updateOne(tokens, { $unset: { g: '' } }),
  'a document is doubled': async ({ data }) => {
    const { _id, ...row } = (await data.collection('documents').findOne(tokens)) ?? {}
    await data.collection('documents').insertOne({ ...row, k: Buffer.alloc(16, 7) })
  },
  'a document moves to another collection': ({ data }) =>
    data.collection('documents').updateOne(tokens, { $set: { n: 'others' } }),
  'the census is damaged': ({ data }) =>
    data.collection('documents').updateMany({ n: 'census' }, { $set: { b: Buffer.alloc(120) } }),
  'two keys are swapped': async ({ keys, one, other }) =>
    swap(keys.collection('keys'), 'b', { o: one.toString('hex') }, { o: other.toString('hex') }),
  'a key is removed': ({ keys, one }) => keys.collection('keys').deleteMany({ o: one.toString('hex') }),
  'somebody is said to be erased': ({ keys, one }) =>
    keys.collection('tombstones').insertOne({ _id: one.toString('hex') as never, d: 1 }),
  'a note of a head is removed': ({ keys, one }) =>
    keys.collection('notes').deleteOne({ _id: `head:${one.toString('hex')}` as never }),
  'the keystore is what it was': async ({ keys, older }) => {
    for (const collection of ['keys', 'tombstones', 'notes']) {
      await keys.collection(collection).deleteMany({})
      await putBack(keys, older.keys, collection, () => true)
    }
  },
}

/** It leads nobody to anything else: whoever appends is refused. Only verify names it. */
const unseen: ReadonlySet<string> = new Set(['a head has the tag of another entry'])

async function open(at: Databases) {
  const store = await openMongoStore({ uri: at.data.uri })
  const keyStore = await openMongoKeys({ uri: at.keys.uri })
  const vault = await openVault({ keys: keyStore, root: testRoot, clock: systemClock })
  const record = await openRecord({
    store,
    vault,
    clock: systemClock,
    log: silentLog,
    baseUrl: 'http://localhost/fhir',
  })
  const close = async () => {
    await record.close()
    vault.close()
    await Promise.all([store.close(), keyStore.close()])
  }
  return { record, close }
}

type Database = Awaited<ReturnType<typeof newMongoDatabase>>

interface Databases {
  readonly data: Database
  readonly keys: Database
}

async function newDatabases(): Promise<Databases> {
  return { data: await newMongoDatabase(), keys: await newMongoDatabase() }
}

async function rowsOf({ data, keys }: Databases): Promise<Edited['older']> {
  return { data: await rowsIn(data.uri), keys: await rowsIn(keys.uri) }
}

async function remove({ data, keys }: Databases): Promise<void> {
  await data.remove()
  await keys.remove()
}

/** Two patients with a changed Observation each and a token, and all rows as they were before the last writes. */
async function tell() {
  const at = await newDatabases()
  const { record, close } = await open(at)
  const families = ['Amsel', 'Drossel'] as const
  const token = (uses: number) =>
    record.documents.put('tokens', 'a', { uses }, { group: 'amsel', expiresAtMs: Date.now() + 9e8 })
  const people = []
  for (const family of families) {
    const { id, holder } = await create(record, all, patient(family))
    const rate = await create(record, all, heartRate(id, 60))
    people.push({ id, rate, compartment: Buffer.from(holder.compartment, 'hex') })
  }
  await token(1)
  await record.flush()
  const older = await rowsOf(at)
  for (const { id, rate } of people) {
    await update(record, all, { ...heartRate(id, 61), id: rate.id })
    await create(record, all, heartRate(id, 62))
  }
  await create(record, all, heartRate(people[0]?.id ?? '', 63))
  await token(2)
  await close()
  const now = await rowsOf(at)
  await remove(at)
  const [one = Buffer.alloc(0), other = Buffer.alloc(0)] = people.map(({ compartment }) => compartment)
  return { one, other, older, now }
}

async function findings(record: Record): Promise<number> {
  let count = 0
  for await (const _ of record.verify()) count++
  return count
}

/**
 * What was changed before a process has looked for the first time it takes for what it found. So a row is touched again now and then, which
 * changes nothing in it.
 */
async function seen(record: Record, data: mongo.Db): Promise<boolean> {
  let touchedMs = performance.now()
  for (const deadline = touchedMs + soonMs; performance.now() < deadline; await sleep(50)) {
    if (record.faults().length > 0) return true
    if (performance.now() - touchedMs < touchedEveryMs) continue
    await data.collection('heads').updateOne({}, { $inc: { touched: 1 } })
    touchedMs = performance.now()
  }
  return false
}

whereMongoIs(() => {
  describe('a row of a MongoDB that somebody else changes while the house is open', () => {
    let told: Awaited<ReturnType<typeof tell>>

    beforeAll(async () => {
      told = await tell()
    })
    afterAll(stopSharedMongo)

    async function outcomeOf([name, edit]: [string, (house: Edited) => Promise<unknown>]) {
      const at = await newDatabases()
      await putRows(at.data.uri, told.now.data)
      await putRows(at.keys.uri, told.now.keys)
      const { record, close } = await open(at)
      const sound = [record.faults(), await findings(record)]
      const isSeen = await onDatabase(at.data.uri, data =>
        onDatabase(at.keys.uri, async keys => {
          await edit({ data, keys, ...told })
          return unseen.has(name) || seen(record, data)
        }),
      )
      const outcome = { name, sound, seen: isSeen, named: (await findings(record)) > 0 }
      await close()
      await remove(at)
      return outcome
    }

    it('is seen by the process that runs, and by verify: whatever it is', async () => {
      const left = Object.entries(edits)
      const outcomes: object[] = []
      const takeTurns = async () => {
        for (let next = left.shift(); next !== undefined; next = left.shift()) outcomes.push(await outcomeOf(next))
      }
      await Promise.all(Array.from({ length: atOnce }, takeTurns))
      const asItShould = { sound: [[], 0], seen: true, named: true }
      expect(outcomes.filter(outcome => !isDeepStrictEqual({ ...outcome, ...asItShould }, outcome))).toEqual([])
      expect(outcomes).toHaveLength(Object.keys(edits).length)
    }, 600_000)
  })
})
