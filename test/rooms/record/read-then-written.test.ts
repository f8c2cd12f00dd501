/**
 * What a transaction writes of a resource builds on what it has read of it: whoever writes in between loses nothing –
 * https://hl7.org/fhir/R4/http.html#concurrency, https://hl7.org/fhir/R4/http.html#trules.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseResource, type Resource } from '#fhir'
import type { Record, Txn } from '#record'
import { openMemoryKeys, openMemoryStore, openSqliteKeys, openSqliteStore } from '#store'
import { create, everything, grantOf, heartRate, ids, openTestRecord, patient, remove, update } from './family.ts'

const all = everything()
const folder = mkdtempSync(join(tmpdir(), 'kinhold-read-then-written-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const stores = {
  memory: async () => [openMemoryStore(), openMemoryKeys()] as const,
  SQLite: async () => {
    const path = (name: string) => join(folder, `${name}.sqlite`)
    return [await openSqliteStore({ path: path('data') }), await openSqliteKeys({ path: path('keys') })] as const
  },
}

const noteOf = (resource: Resource): string[] =>
  ((resource as { note?: { text: string }[] }).note ?? []).map(({ text }) => text)

const withNote = (resource: Resource, text: string): Resource =>
  ({ ...resource, note: [...noteOf(resource), text].map(each => ({ text: each })) }) as Resource

describe.each(Object.keys(stores) as (keyof typeof stores)[])('what is read, and then written, %s', kind => {
  let here: Record
  let beside: Record
  let who: string
  let other: string
  let closing: () => Promise<unknown>
  beforeAll(async () => {
    const [store, keys] = await stores[kind]()
    const house = await openTestRecord(store, keys)
    here = house.record
    beside = await house.beside()
    who = (await create(here, all, patient('Amsel'))).id
    other = (await create(here, all, patient('Drossel'))).id
    closing = async () => {
      for (const each of [beside, here, store, keys]) await each.close()
    }
  })
  afterAll(() => closing())

  /** Does something when it is called for the first time; then this process has taken in what came of it, for somebody searches. */
  function onceOnly(work: () => Promise<unknown>): () => Promise<void> {
    let isDone = false
    return async () => {
      if (isDone) return
      isDone = true
      await work()
      for (const type of ['Observation', 'AuditEvent']) await ids(here, all, type, '_count=1')
    }
  }

  const account = () => grantOf('user/*.cruds', { account: 'family', patients: [who, other] })
  const read = async (id: string) => parseResource((await here.reader(all).read('Observation', id)).json)

  /** Adds a note to what it reads; meanwhile something is done, once. */
  const note = (meanwhile = async () => {}) => {
    return async (txn: Txn, id: string, text: string) => {
      const stored = await txn.read('Observation', id)
      await meanwhile()
      if (stored === undefined) throw new RangeError('nothing to be noted on')
      return txn.update('Observation', id, withNote(parseResource(stored.json), text))
    }
  }

  it.each([
    ['this process', () => here, () => all],
    ['another process', () => beside, () => all],
    ['another process, under the terms of an account', () => beside, account],
  ])('keeps what %s has written in between', async (_whose, by, grant) => {
    const { id } = await create(here, all, heartRate(who, 60))
    const meanwhile = onceOnly(() =>
      by()
        .writer(grant())
        .transact(txn => note()(txn, id, 'theirs')),
    )
    const { version } = await here.writer(grant()).transact(txn => note(meanwhile)(txn, id, 'ours'))
    expect([version, noteOf(await read(id))]).toEqual([3, ['theirs', 'ours']])
  })

  it.each([['update'], ['delete']] as const)('keeps it where it was read once more before the %s', async verb => {
    const { id } = await create(here, all, heartRate(who, 60))
    const meanwhile = onceOnly(() => beside.writer(all).transact(txn => note()(txn, id, 'theirs')))
    await here.writer(all).transact(async txn => {
      const stored = await txn.read('Observation', id)
      await meanwhile()
      const again = await txn.read('Observation', id)
      if (stored === undefined || again === undefined) return
      const said = parseResource(stored.json)
      if (verb === 'update') await txn.update('Observation', id, withNote(said, 'ours'))
      else if (noteOf(said).length === 0) await txn.delete('Observation', id)
    })
    expect(noteOf(await read(id))).toEqual(verb === 'update' ? ['theirs', 'ours'] : ['theirs'])
  })

  it('keeps it of each of several that one transaction reads first and then writes', async () => {
    const made: string[] = []
    for (let n = 0; n < 3; n++) made.push((await create(here, all, heartRate(who, n))).id)
    const meanwhile = onceOnly(() => beside.writer(all).transact(txn => note()(txn, made[2] ?? '', 'theirs')))
    await here.writer(all).transact(async txn => {
      const before = []
      for (const id of made) before.push(await txn.read('Observation', id))
      await meanwhile()
      for (const stored of before)
        if (stored !== undefined)
          await txn.update('Observation', stored.id, withNote(parseResource(stored.json), 'ours'))
    })
    expect(await Promise.all(made.map(async id => noteOf(await read(id))))).toEqual([
      ['ours'],
      ['ours'],
      ['theirs', 'ours'],
    ])
  })

  it('does not delete what says something else by now', async () => {
    const { id } = await create(here, all, heartRate(who, 60))
    const meanwhile = onceOnly(() => beside.writer(all).transact(txn => note()(txn, id, 'keep')))
    const gone = await here.writer(all).transact(async txn => {
      const stored = await txn.read('Observation', id)
      await meanwhile()
      const isKept = stored === undefined || noteOf(parseResource(stored.json)).includes('keep')
      return isKept ? undefined : txn.delete('Observation', id)
    })
    expect([gone, noteOf(await read(id))]).toEqual([undefined, ['keep']])
  })

  it('does not write over what was not there yet, or was deleted, when it was looked for', async () => {
    const unlessThere = (id: string, meanwhile: () => Promise<void>) => async (txn: Txn) => {
      const stored = await txn.read('Observation', id)
      await meanwhile()
      return stored === undefined ? txn.update('Observation', id, { ...heartRate(who, 1), id }) : undefined
    }
    const value = async (id: string) => ((await read(id)) as { valueQuantity?: { value: number } }).valueQuantity?.value
    const { id: deleted } = await create(here, all, heartRate(who, 60))
    await remove(here, all, 'Observation', deleted)
    for (const id of [`new-${kind}`, deleted]) {
      const meanwhile = onceOnly(() => update(beside, all, { ...heartRate(who, 2), id }))
      expect(await here.writer(all).transact(unlessThere(id, meanwhile))).toBeUndefined()
      expect(await value(id)).toBe(2)
    }
  })

  it('is what its owners are now, if it became somebody else’s in between', async () => {
    const { id } = await create(here, all, heartRate(who, 60))
    const move = onceOnly(() => update(beside, all, { ...heartRate(other, 60), id }))
    await here.writer(all).transact(txn => note(move)(txn, id, 'ours'))
    const now = (await read(id)) as { subject?: { reference: string } } & Resource
    expect([now.subject?.reference, noteOf(now)]).toEqual([`Patient/${other}`, ['ours']])
  })

  it('is run once where nobody writes, and where somebody writes what it did not read', async () => {
    const { id } = await create(here, all, heartRate(who, 60))
    let runs = 0
    await here.writer(all).transact(async txn => {
      runs++
      const stored = await txn.read('Observation', id)
      if (runs === 1) await create(here, all, heartRate(other, 70))
      if (stored !== undefined) await txn.update('Observation', id, withNote(parseResource(stored.json), 'ours'))
    })
    expect(runs).toBe(1)
  })
})
