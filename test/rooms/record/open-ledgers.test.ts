import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMemoryStore, openSqliteKeys, openSqliteStore } from '#store'
import { collectGarbage } from '../../garbage.ts'
import { create, everything, heartRate, openTestRecord, patient } from './family.ts'

const all = everything()
const folder = mkdtempSync(join(tmpdir(), 'kinhold-open-ledgers-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const many = 100
const kibibyte = 1024
/** Small buffers of Node share pieces of so many bytes. */
const piece = Buffer.poolSize

/** What others do meanwhile: the rest of the piece that is begun is used, and another one is begun. */
function others(): void {
  for (let used = 0; used < piece; used += 4 * kibibyte) Buffer.allocUnsafe(4 * kibibyte)
}

/** Bytes outside of the heap that are held. */
async function heldBytes(): Promise<number> {
  await collectGarbage()
  return process.memoryUsage().arrayBuffers
}

/** How much more is held than before, for each of many. */
async function heldOfEach(work: (n: number) => Promise<unknown>): Promise<number> {
  await work(0)
  const before = await heldBytes()
  for (let n = 1; n <= many; n++) {
    await work(n)
    others()
  }
  return ((await heldBytes()) - before) / many
}

describe('a ledger that stays open does not hold a piece of memory of which it needs eight bytes', () => {
  it('when it was written', async () => {
    const store = await openSqliteStore({ path: join(folder, 'written.sqlite') })
    const keyStore = await openSqliteKeys({ path: join(folder, 'keys-of-written.sqlite') })
    const { record } = await openTestRecord(store, keyStore)
    const held = await heldOfEach(async n => {
      const { id } = await create(record, all, patient(`Amsel${n}`))
      await create(record, all, heartRate(id, 60))
    })
    expect(held).toBeLessThan(8 * kibibyte)
    await record.close()
    for (const each of [store, keyStore]) await each.close()
  })

  it('when it was read by another process', async () => {
    const store = await openSqliteStore({ path: join(folder, 'read.sqlite') })
    const keyStore = await openSqliteKeys({ path: join(folder, 'keys-of-read.sqlite') })
    const first = await openTestRecord(store, keyStore)
    const patients: string[] = []
    for (let n = 0; n <= many; n++) patients.push((await create(first.record, all, patient(`Amsel${n}`))).id)
    await first.record.flush()
    const record = await first.beside()
    const reader = record.reader(all)
    expect(await heldOfEach(n => reader.read('Patient', patients[n] ?? ''))).toBeLessThan(8 * kibibyte)
    for (const each of [record, first.record]) await each.close()
    for (const each of [store, keyStore]) await each.close()
  })

  it('nor do keys that were made, or read', async () => {
    const keyStore = await openSqliteKeys({ path: join(folder, 'keys.sqlite') })
    const { vault, record } = await openTestRecord(openMemoryStore(), keyStore)
    const kept: unknown[] = []
    const held = await heldOfEach(async n => {
      const keys = await vault.createCompartment('patient')
      const at = { locator: 'a'.repeat(32), version: 1, seq: n + 1 }
      keys.openEntry({ compartment: keys.compartment, ...at, sealed: keys.sealEntry(Buffer.alloc(100), at) })
      keys.sealSegment(Buffer.alloc(100), { fromSeq: 1, untilSeq: 2 })
      kept.push(keys)
    })
    expect(kept).toHaveLength(many + 1)
    expect(held).toBeLessThan(8 * kibibyte)
    await record.close()
    await keyStore.close()
  })
})
