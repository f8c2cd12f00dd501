import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '#kernel'
import type { Record } from '#record'
import { openMemoryKeys, openSqliteStore, type Store } from '#store'
import { silentLog } from '../../../src/kernel/index.ts'
import { MovesWatch } from '../../../src/record/upkeep/moves-watch.ts'
import { create, everything, heartRate, ids, openTestRecord, patient, queryOf } from './family.ts'
import { storeWith } from './store-with.ts'

const all = everything()
/** Within which a process that runs must have seen it; slow machines get more than the seconds that are promised. */
const soonMs = 240_000
const folder = mkdtempSync(join(tmpdir(), 'kinhold-moves-'))
afterAll(() => rmSync(folder, { recursive: true }))

let houses = 0
let database: DatabaseSync
let own: Store
let other: Store
/** One that writes, and another process that has an index of all. */
let writes: Record
let reads: Record
let who: string
const said: string[] = []
const untold = /did not tell that something was written/
const log: Log = { ...silentLog, error: text => said.push(text) }

const countOf = async (record: Record, type: string) =>
  (await record.reader(all).search(queryOf(all, type, '_summary=count'))).total

async function until(is: () => Promise<boolean>): Promise<boolean> {
  for (const deadline = performance.now() + soonMs; performance.now() < deadline; await sleep(50))
    if (await is()) return true
  return false
}

beforeEach(async () => {
  const path = join(folder, `${houses++}.sqlite`)
  own = await openSqliteStore({ path })
  other = await openSqliteStore({ path })
  const opened = await openTestRecord(cutBehind(own), openMemoryKeys(), { searchedApart: 0 })
  writes = opened.record
  who = (await create(writes, all, patient('Amsel'))).id
  reads = await opened.beside({ store: other, searchedApart: 0, log })
  expect(await countOf(reads, 'Observation')).toBe(0)
  await Promise.all([writes.flush(), reads.flush()])
  await countOf(reads, 'Observation')
  database = new DatabaseSync(path)
  said.length = 0
})

afterEach(async () => {
  database.close()
  await Promise.all([writes.close(), reads.close()])
  await Promise.all([own.close(), other.close()])
})

/** What becomes of each row once it was written, in the same turn of the event loop, so that nobody here sees it as it was. */
const cuts: Readonly<globalThis.Record<string, string>> = {
  'are taken away': 'DELETE FROM moves WHERE at > :before',
  'name another compartment': 'UPDATE moves SET number = 1 WHERE at > :before',
  'are all taken away': 'DELETE FROM moves WHERE at > :before OR at <= :before',
}

let cutting: string | undefined

/** A store behind whose commits somebody cuts. */
const cutBehind = (store: Store): Store =>
  storeWith(store, {
    commit: async commit => {
      if (cutting === undefined) return store.commit(commit)
      const before = Number(database.prepare('SELECT max(at) AS at FROM moves').get()?.at ?? 0)
      const result = await store.commit(commit)
      database.prepare(cutting).run({ before })
      return result
    },
  })

async function hidden<T>(cut: string, work: () => Promise<T>): Promise<T> {
  cutting = cut
  try {
    return await work()
  } finally {
    cutting = undefined
  }
}

const taken = cuts['are taken away'] ?? ''

describe('what another process wrote while somebody took away that it moved', () => {
  it.each(Object.entries(cuts))('is found all the same, and told as an alarm: rows that %s', async (_name, cut) => {
    const { id } = await hidden(cut, () => create(writes, all, heartRate(who, 61)))
    expect(await until(async () => (await ids(reads, all, 'Observation', 'code=8867-4')).includes(id))).toBe(true)
    expect(await countOf(reads, 'Observation')).toBe(1)
  })

  it('is found when it is about somebody who has just come, and told as an alarm', async () => {
    await hidden(taken, async () => {
      const { id } = await create(writes, all, patient('Drossel'))
      await create(writes, all, heartRate(id, 61))
    })
    expect(await until(async () => (await countOf(reads, 'Patient')) === 2)).toBe(true)
    expect(await until(async () => (await countOf(reads, 'Observation')) === 1)).toBe(true)
    expect(await until(async () => said.some(text => untold.test(text)))).toBe(true)
  })

  it('is told again to whoever follows what is written, though nobody has an index', async () => {
    const watch = new MovesWatch({ store: other, log, populations: [] })
    await watch.look(true)
    const { mark } = await other.changesSince(undefined, 1_000)
    const { holder } = await hidden(taken, () => create(writes, all, heartRate(who, 61)))
    const isNamed = async () => {
      await watch.look(true)
      return (await other.changesSince(mark, 1_000)).moved.has(holder.compartment)
    }
    expect(await until(isNamed)).toBe(true)
    expect(said.join()).toMatch(untold)
  })

  it('stops nobody while no row is left, however many compartments there are', async () => {
    for (let at = 0; at < 20; at++) await create(writes, all, patient(`Amsel ${at}`))
    database.exec('DELETE FROM moves')
    const named = new Set<string>()
    let { mark, moved, more } = await own.changesSince(undefined, 3)
    for (; more; { mark, moved, more } = await own.changesSince(mark, 3))
      for (const each of moved.keys()) named.add(each)
    for (const each of moved.keys()) named.add(each)
    expect(named).toEqual(new Set((await own.allHeads()).keys()))
  })

  it('is no alarm where nothing was taken away', async () => {
    for (let at = 0; at < 30; at++) {
      await Promise.all([create(writes, all, heartRate(who, at)), countOf(reads, 'Observation')])
      if (at % 10 === 0) await sleep(1_100)
    }
    expect(await countOf(reads, 'Observation')).toBe(30)
    expect(said).toEqual([])
  })
})
