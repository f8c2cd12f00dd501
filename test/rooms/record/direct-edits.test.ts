import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '#kernel'
import { openRecord, type Record } from '#record'
import { openSqliteKeys, openSqliteStore } from '#store'
import { openVault } from '#vault'
import { silentLog } from '../../../src/kernel/index.ts'
import { create, everything, heartRate, ids, patient, testRoot, update } from './family.ts'

const all = everything()
/** Within which a process that runs must have seen it; slow machines get more than the seconds that are promised. */
const soonMs = 240_000
const perCompartment = 2 ** 28

const folder = mkdtempSync(join(tmpdir(), 'kinhold-edits-'))
afterAll(() => rmSync(folder, { recursive: true }))

type Sql = (sql: string, ...values: SQLInputValue[]) => Readonly<globalThis.Record<string, SQLInputValue>>[]

interface Edited {
  /** A statement on the database, as somebody else's connection runs it. */
  readonly data: Sql
  readonly keys: Sql
  /** First row ids of the two patients' ledgers. */
  readonly from: readonly [number, number]
  /** Rows as they were before the last writes. */
  readonly older: { readonly entries: ReturnType<Sql>; readonly documents: ReturnType<Sql> }
}

const swap = (data: Sql, table: string, column: string, one: number, other: number) => {
  const [a, b] = [one, other].map(id => data(`SELECT ${column} AS v FROM ${table} WHERE id = ?`, id)[0]?.v ?? null)
  data(`UPDATE ${table} SET ${column} = ? WHERE id = ?`, b ?? null, one)
  data(`UPDATE ${table} SET ${column} = ? WHERE id = ?`, a ?? null, other)
}

/** Each table and column: swapped, removed, doubled, put back. */
const edits: Readonly<globalThis.Record<string, (house: Edited) => void>> = {
  'the ids of two compartments are swapped': ({ data, from: [one, other] }) => {
    const [a, b] = [one / perCompartment, other / perCompartment]
    const id = (number: number) => data('SELECT id FROM compartments WHERE number = ?', number)[0]?.id ?? null
    const [ida, idb] = [id(a), id(b)]
    data('UPDATE compartments SET id = zeroblob(16) WHERE number = ?', a)
    data('UPDATE compartments SET id = ? WHERE number = ?', ida, b)
    data('UPDATE compartments SET id = ? WHERE number = ?', idb, a)
  },
  'a compartment gets another id': ({ data, from: [one] }) =>
    data('UPDATE compartments SET id = randomblob(16) WHERE number = ?', one / perCompartment),
  'a compartment is removed, and its entries are left': ({ data, from: [one] }) =>
    data('DELETE FROM compartments WHERE number = ?', one / perCompartment),
  'two entries of a patient are swapped': ({ data, from: [one] }) => swap(data, 'entries', 'sealed', one + 1, one + 2),
  'entries of two patients are swapped': ({ data, from: [one, other] }) =>
    swap(data, 'entries', 'sealed', one + 1, other + 1),
  'the locators of two entries are swapped': ({ data, from: [one] }) =>
    swap(data, 'entries', 'locator', one + 1, one + 2),
  'an entry gets another version': ({ data, from: [one] }) =>
    data('UPDATE entries SET version = 7 WHERE id = ?', one + 2),
  'an entry is put back': ({ data, older: { entries } }) => {
    const [row] = entries
    data('UPDATE entries SET sealed = ? WHERE id = ?', row?.sealed ?? null, Number(row?.id) + 1)
  },
  'an entry in the middle is removed': ({ data, from: [one] }) => data('DELETE FROM entries WHERE id = ?', one + 2),
  'the newest entry is removed': ({ data, from: [one] }) =>
    data('DELETE FROM entries WHERE id = (SELECT max(id) FROM entries WHERE id < ?)', one + perCompartment),
  'an entry is doubled at the end': ({ data, from: [one] }) =>
    data(
      `INSERT INTO entries SELECT (SELECT max(id) + 1 FROM entries WHERE id < ?1), locator, version, sealed
       FROM entries WHERE id = ?2`,
      one + perCompartment,
      one + 1,
    ),
  'places are removed': ({ data, from: [one] }) =>
    data('DELETE FROM newest WHERE entry >= ? AND entry < ?', one, one + perCompartment),
  'an older version stands among the newest': ({ data, from: [one] }) => {
    data(
      'INSERT INTO newest SELECT bucket, entry FROM superseded WHERE entry >= ? AND entry < ?',
      one,
      one + perCompartment,
    )
    data('DELETE FROM superseded WHERE entry >= ? AND entry < ?', one, one + perCompartment)
  },
  'the places of older versions are removed': ({ data, from: [one] }) =>
    data('DELETE FROM superseded WHERE entry >= ? AND entry < ?', one, one + perCompartment),
  'a document is removed': ({ data }) => data("DELETE FROM documents WHERE collection = 'tokens'"),
  'a document is put back': ({ data, older: { documents } }) => {
    const { key, revision, sealed } = documents[0] ?? {}
    data('UPDATE documents SET revision = ?, sealed = ? WHERE key = ?', revision ?? null, sealed ?? null, key ?? null)
  },
  'a document gets another revision': ({ data }) =>
    data("UPDATE documents SET revision = revision + 1 WHERE collection = 'tokens'"),
  'a document lives longer': ({ data }) => data("UPDATE documents SET expires = 9e15 WHERE collection = 'tokens'"),
  'a document belongs to nobody': ({ data }) => data("UPDATE documents SET belongs = NULL WHERE collection = 'tokens'"),
  'a document is doubled': ({ data }) =>
    data(
      `INSERT INTO documents SELECT 'tokens', randomblob(16), revision, belongs, expires, sealed
       FROM documents WHERE collection = 'tokens'`,
    ),
  'a document moves to another collection': ({ data }) =>
    data("UPDATE documents SET collection = 'others' WHERE collection = 'tokens'"),
  'the census is damaged': ({ data }) =>
    data("UPDATE documents SET sealed = zeroblob(120) WHERE collection = 'census'"),
  'a trigger passes over what is written to documents': ({ data }) =>
    data('CREATE TRIGGER kept BEFORE UPDATE ON documents BEGIN SELECT raise(ignore); END'),
  'a trigger takes away what is written to a ledger': ({ data }) =>
    data('CREATE TRIGGER taken AFTER INSERT ON newest BEGIN DELETE FROM newest WHERE entry = NEW.entry; END'),
  'a trigger passes over what is written to the keystore': ({ keys }) =>
    keys('CREATE TRIGGER kept BEFORE INSERT ON notes BEGIN SELECT raise(ignore); END'),
  'two keys are swapped': ({ keys }) => {
    const [a, b] = keys("SELECT owner, wrapped FROM keys WHERE kind = 'patient'")
    keys('UPDATE keys SET wrapped = ? WHERE owner = ?', b?.wrapped ?? null, a?.owner ?? null)
    keys('UPDATE keys SET wrapped = ? WHERE owner = ?', a?.wrapped ?? null, b?.owner ?? null)
  },
}

async function house(name: string) {
  const path = (file: string) => join(folder, name.replaceAll(' ', '-'), file)
  const store = await openSqliteStore({ path: path('data.sqlite') })
  const keyStore = await openSqliteKeys({ path: path('keys.sqlite') })
  const vault = await openVault({ keys: keyStore, root: testRoot, clock: systemClock })
  const rooms = { store, vault, clock: systemClock, log: silentLog, baseUrl: 'http://localhost/fhir' }
  const record = await openRecord(rooms)
  const statement =
    (file: string): Sql =>
    (sql, ...values) => {
      const database = new DatabaseSync(path(file), { timeout: 10_000 })
      try {
        return database.prepare(sql).all(...values) as ReturnType<Sql>
      } finally {
        database.close()
      }
    }
  const [data, keys] = [statement('data.sqlite'), statement('keys.sqlite')]
  const from: number[] = []
  let entries: ReturnType<Sql> = []
  for (const family of ['Amsel', 'Drossel']) {
    const { id, holder } = await create(record, all, patient(family))
    const compartment = Buffer.from(holder.compartment, 'hex')
    const number = data('SELECT number FROM compartments WHERE id = ?', compartment)[0]?.number
    from.push(Number(number) * perCompartment)
    const rate = await create(record, all, heartRate(id, 60))
    if (family === 'Amsel') entries = data('SELECT * FROM entries ORDER BY id DESC LIMIT 1')
    await update(record, all, { ...heartRate(id, 61), id: rate.id })
    await create(record, all, heartRate(id, 62))
  }
  const token = (uses: number) =>
    record.documents.put('tokens', 'a', { uses }, { group: 'amsel', expiresAtMs: Date.now() + 9e8 })
  await token(1)
  const documents = data("SELECT * FROM documents WHERE collection = 'tokens'")
  await token(2)
  await record.flush()
  entries = data('SELECT * FROM entries WHERE id = ?', (from[0] ?? 0) + 2)
  const close = async () => {
    await record.close()
    vault.close()
    await Promise.all([store.close(), keyStore.close()])
  }
  const again = () => openRecord(rooms)
  return {
    record,
    data,
    keys,
    from: [from[0] ?? 0, from[1] ?? 0] as const,
    older: { entries, documents },
    again,
    close,
  }
}

async function seenSoon(record: Record): Promise<boolean> {
  const deadline = performance.now() + soonMs
  while (record.faults().length === 0 && performance.now() < deadline) await sleep(50)
  return record.faults().length > 0
}

const isSame = (one: SQLInputValue | undefined, other: SQLInputValue | undefined) =>
  Buffer.compare(one as Uint8Array, other as Uint8Array) === 0

async function findings(record: Record): Promise<number> {
  let count = 0
  for await (const _ of record.verify()) count++
  return count
}

describe('a row of the database that somebody else changes while the house is open', () => {
  it('is seen by the process that runs, and by verify: whatever it is', async () => {
    const outcomes = await Promise.all(
      Object.entries(edits).map(async ([name, edit]) => {
        const home = await house(name)
        const sound = [home.record.faults(), await findings(home.record)]
        edit(home)
        const seen = await seenSoon(home.record)
        const named = (await findings(home.record)) > 0
        await home.close()
        return { name, sound, seen, named }
      }),
    )
    const expected = Object.keys(edits).map(name => ({ name, sound: [[], 0], seen: true, named: true }))
    expect(outcomes).toEqual(expected)
  })

  it.each(['two entries of a patient are swapped', 'entries of two patients are swapped'])(
    'is seen in the first second too: %s',
    async name => {
      const home = await house(`soon ${name}`)
      edits[name]?.(home)
      expect(await seenSoon(home.record)).toBe(true)
      await home.close()
    },
  )

  it('is seen when it holds again what an erasure took out of the audit', async () => {
    const { record, data, close } = await house('texts')
    const entries = () => new Map(data('SELECT id, sealed FROM entries').map(({ id, sealed }) => [Number(id), sealed]))
    const star = await create(record, all, patient('Star'))
    for (const query of ['name=Star', 'family=Star']) await ids(record, all, 'Patient', query)
    await record.flush()
    const before = entries()
    expect(await record.shred(star.id)).toBe('whole')
    await ids(record, all, 'Patient', 'name=Amsel')
    await record.flush()
    const rewritten = [...entries()].filter(([id, sealed]) => before.has(id) && !isSame(before.get(id), sealed))
    expect(rewritten.length).toBeGreaterThan(0)
    expect([record.faults(), await findings(record)]).toEqual([[], 0])
    const [id = 0] = rewritten.at(-1) ?? []
    data('UPDATE entries SET sealed = ? WHERE id = ?', before.get(id) ?? null, id)
    expect(await seenSoon(record)).toBe(true)
    expect(await findings(record)).toBe(1)
    await close()
  })

  it.each(['the ids of two compartments are swapped', 'two keys are swapped', 'the census is damaged'])(
    'is seen by one that starts later: %s',
    async name => {
      const home = await house(`later ${name}`)
      await home.record.close()
      edits[name]?.(home)
      const record = await home.again()
      expect(await seenSoon(record)).toBe(true)
      await record.close()
      await home.close()
    },
  )
})
