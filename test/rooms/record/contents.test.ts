import { Problem, silentLog } from '#kernel'
import type { Holder } from '#search'
import { openMemoryStore } from '#store'
import { Contents } from '../../../src/record/contents/contents.ts'
import { Pieces } from '../../../src/record/contents/pieces.ts'
import { Shelf } from '../../../src/record/ledger/shelf.ts'
import { HeadNotes } from '../../../src/record/upkeep/head-notes.ts'
import { openTestRecord } from './family.ts'

const ample = {
  idleMs: 600_000,
  indexBytes: 1e9,
  ledgers: 1_000,
  rowBytes: 1e9,
  versionBytes: 1e9,
  segmentBytes: 1e9,
}
const hourMs = 3_600_000

async function openContents() {
  const { store, vault, clock, record } = await openTestRecord(openMemoryStore())
  const { documents } = record
  const begin = (work: () => Promise<void>) => void work()
  const notes = new HeadNotes({ vault, store, log: silentLog, begin, auditedBy: () => [] })
  const shelf = new Shelf(vault, { store, clock, log: silentLog, notes }, ample)
  const contents = new Contents({ store, documents, clock, log: silentLog, ledger: holder => shelf.open(holder) })
  const holderOf = async (patient: string): Promise<Holder> => {
    const { compartment } = await vault.createCompartment('patient')
    return { compartment, kind: 'patient', patient }
  }
  const blobs = async () => (await store.stats()).blobs
  const waiting = async () => (await documents.list('contents')).length
  return { store, vault, clock, documents, contents, holderOf, blobs, waiting }
}

async function* pieces(...texts: (string | Buffer)[]) {
  for (const text of texts) yield Buffer.from(text)
}

const textOf = async (bytes: AsyncIterable<Buffer>) => Buffer.concat(await Array.fromAsync(bytes)).toString()

describe('bytes that arrive', () => {
  it.each([1, 2, 3, 4, 7, 100])('are had in portions of %i, whatever their pieces are', async portion => {
    const all = new Pieces(pieces('ab', '', 'cdefg', 'h', '', ''))
    const taken: string[] = []
    while (await all.hasMore()) taken.push(Buffer.concat(await Array.fromAsync(all.take(portion))).toString())
    expect(taken.join('')).toBe('abcdefgh')
    expect(taken.slice(0, -1).every(({ length }) => length === portion)).toBe(true)
  })

  it('are none where nothing comes', async () => {
    expect(await new Pieces(pieces('', '')).hasMore()).toBe(false)
  })
})

describe('a content', () => {
  it('is read where it lies, and where it was copied', async () => {
    const { contents, holderOf, blobs } = await openContents()
    const [anna, ben] = [await holderOf('anna'), await holderOf('ben')]
    const received = await contents.receive(anna, pieces('hel', 'lo'))
    const [hers, his] = [await contents.within(anna, received), await contents.within(ben, received)]
    expect(hers.name).not.toBe(his.name)
    expect(await textOf(contents.read(anna, hers))).toBe('hello')
    expect(await textOf(contents.read(ben, his, 1, 3))).toBe('el')
    expect(await contents.within(ben, received)).toEqual(his)
    expect(await blobs()).toBe(2)
  })

  it('is damaged where it is shorter than it was', async () => {
    const { contents, holderOf } = await openContents()
    const anna = await holderOf('anna')
    const content = await contents.within(anna, await contents.receive(anna, pieces('hello')))
    const damaged = textOf(contents.read(anna, { ...content, sizeBytes: 6 }))
    await expect(damaged).rejects.toMatchObject({ kind: 'fault', code: 'record.content-damaged' })
  })

  it('leaves nothing where its source fails', async () => {
    const { contents, holderOf, blobs, waiting } = await openContents()
    async function* broken() {
      yield Buffer.alloc(5 * 1024 * 1024)
      throw new Problem('invalid', 'body.interrupted', 'It ended.')
    }
    await expect(contents.receive(await holderOf('anna'), broken())).rejects.toMatchObject({ code: 'body.interrupted' })
    expect([await blobs(), await waiting()]).toEqual([0, 0])
  })

  it('is not waited for without end', async () => {
    const { contents, holderOf, blobs } = await openContents()
    const late = contents.receive(await holderOf('anna'), pieces('a', 'b'), -1)
    await expect(late).rejects.toMatchObject({ kind: 'timeout', code: 'record.content-too-slow' })
    expect(await blobs()).toBe(0)
  })
})

describe('a content that no version names', () => {
  it('is swept after twelve hours and not before', async () => {
    const { contents, holderOf, clock, blobs, waiting } = await openContents()
    await contents.receive(await holderOf('anna'), pieces('hello'))
    await contents.sweep(clock.nowMs() + 11 * hourMs)
    expect([await blobs(), await waiting()]).toEqual([1, 1])
    await contents.sweep(clock.nowMs() + 12 * hourMs)
    expect([await blobs(), await waiting()]).toEqual([0, 0])
  })

  it('can be named no more once it is being dropped, and what was named is never dropped', async () => {
    const { contents, holderOf, documents, blobs } = await openContents()
    const anna = await holderOf('anna')
    const dropped = await contents.within(anna, await contents.receive(anna, pieces('one')))
    await contents.discard([dropped.name])
    expect(await documents.commit([contents.claim(dropped)])).toBe(false)
    const named = await contents.within(anna, await contents.receive(anna, pieces('two')))
    expect(await documents.commit([contents.claim(named)])).toBe(true)
    await contents.discard([named.name])
    expect(await textOf(contents.read(anna, named))).toBe('two')
    expect(await blobs()).toBe(1)
  })

  it('is dropped at once where dropping it was cut off', async () => {
    const { contents, holderOf, documents, clock, blobs, waiting } = await openContents()
    const anna = await holderOf('anna')
    const { name } = await contents.within(anna, await contents.receive(anna, pieces('one')))
    const found = await documents.get<object>('contents', name)
    await documents.put('contents', name, { ...found?.value, isDropped: true })
    await contents.sweep(clock.nowMs())
    expect([await blobs(), await waiting()]).toEqual([0, 0])
  })

  it('is swept also where whose it was has been erased', async () => {
    const { contents, holderOf, vault, clock, waiting } = await openContents()
    const anna = await holderOf('anna')
    const content = await contents.within(anna, await contents.receive(anna, pieces('one')))
    await vault.destroy(anna.compartment)
    await expect(textOf(contents.read(anna, content))).rejects.toMatchObject({ kind: 'gone' })
    await contents.sweep(clock.nowMs() + 12 * hourMs)
    expect(await waiting()).toBe(0)
  })
})
