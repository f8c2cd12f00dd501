import type { BlobChunk, DocumentWrite, Store, StoredDocument } from '#store'
import {
  anna,
  append,
  ben,
  chunksOf,
  codeOf,
  entry,
  type Held,
  id,
  lost,
  pulse,
  pulseNeighbour,
  put,
  read,
  sealedForTest,
  weight,
  won,
} from './store-fixtures.ts'

/** The part of the store contract that is about what lies beside the entries, and about removing it all. */
export function shelvesContract(held: Held<Store>, many: number): void {
  describe('documents', () => {
    const write = (...documents: DocumentWrite[]) => held.subject.commit({ appends: [], documents })
    const stored = (key: string, revision: number, content: string, more: object = {}): StoredDocument => ({
      collection: 'tokens',
      key,
      revision,
      sealed: sealedForTest(content),
      ...more,
    })

    it('count their revisions', async () => {
      await write(put('aa', 'x'))
      expect(await held.subject.document('tokens', 'aa', 0)).toEqual(stored('aa', 1, 'x'))
      await write(put('aa', 'y'))
      expect(await held.subject.document('tokens', 'aa', 0)).toEqual(stored('aa', 2, 'y'))
      expect(await held.subject.document('clients', 'aa', 0)).toBeUndefined()
    })

    it('are written only at the revision they were decided on', async () => {
      expect(await write(put('aa', 'x', { ifRevision: 1 }))).toEqual(lost({ documents: ['tokens/aa'] }))
      expect(await write(put('aa', 'x', { ifRevision: 0 }))).toEqual(won)
      expect(await write(put('aa', 'y', { ifRevision: 0 }))).toEqual(lost({ documents: ['tokens/aa'] }))
      expect(await write(put('aa', 'y', { ifRevision: 1 }))).toEqual(won)
      expect(await held.subject.document('tokens', 'aa', 0)).toEqual(stored('aa', 2, 'y'))
    })

    it('let exactly one of many that take the same one succeed', async () => {
      await write(put('aa', 'code'))
      const take = { op: 'delete', collection: 'tokens', key: 'aa', ifRevision: 1 } as const
      const results = await Promise.all(Array.from({ length: 10 }, () => write(take)))
      expect(results.filter(({ ok }) => ok)).toHaveLength(1)
      expect(await held.subject.document('tokens', 'aa', 0)).toBeUndefined()
    })

    it('can be a condition of a commit that writes others', async () => {
      await write({ op: 'put', collection: 'tokens', key: 'aa', sealed: sealedForTest('1') })
      const put = { op: 'put', collection: 'tokens', key: 'bb', sealed: sealedForTest('2') } as const
      const given = (ifRevision: number) =>
        held.subject.commit({
          appends: [],
          documents: [{ op: 'check', collection: 'tokens', key: 'aa', ifRevision }, put],
        })
      expect(await given(2)).toEqual(lost({ documents: ['tokens/aa'] }))
      expect(await held.subject.document('tokens', 'bb', 0)).toBeUndefined()
      expect(await given(1)).toEqual(won)
      expect((await held.subject.document('tokens', 'aa', 0))?.revision).toBe(1)
    })

    it('are deleted, and begin again at revision 1', async () => {
      await write(put('aa', 'x'), put('bb', 'y'))
      expect(await write({ op: 'delete', collection: 'tokens', key: 'aa' })).toEqual(won)
      expect(await write({ op: 'delete', collection: 'tokens', key: 'aa', ifRevision: 0 })).toEqual(won)
      expect(await held.subject.documents('tokens', 0)).toEqual([stored('bb', 1, 'y')])
      await write(put('aa', 'z'))
      expect(await held.subject.document('tokens', 'aa', 0)).toEqual(stored('aa', 1, 'z'))
    })

    it('are absent from the millisecond of their expiry on', async () => {
      await write(put('aa', 'x', { expiresAtMs: 1_800_000_000_000 }))
      const expected = stored('aa', 1, 'x', { expiresAtMs: 1_800_000_000_000 })
      expect(await held.subject.document('tokens', 'aa', 1_799_999_999_999)).toEqual(expected)
      expect(await held.subject.document('tokens', 'aa', 1_800_000_000_000)).toBeUndefined()
      expect(await held.subject.documents('tokens', 1_799_999_999_999)).toEqual([expected])
      expect(await held.subject.documents('tokens', 1_800_000_000_000)).toEqual([])
    })

    it('are told of when they have expired, until they are deleted', async () => {
      await write(put('aa', 'x', { expiresAtMs: 10 }), put('bb', 'y', { expiresAtMs: 20 }), put('cc', 'z'))
      expect(await held.subject.expiredDocuments(9, 5)).toEqual([])
      expect(await held.subject.expiredDocuments(10, 5)).toEqual([stored('aa', 1, 'x', { expiresAtMs: 10 })])
      expect(await held.subject.expiredDocuments(30, 1)).toHaveLength(1)
      await write({ op: 'delete', collection: 'tokens', key: 'aa' })
      expect(await held.subject.expiredDocuments(10, 5)).toEqual([])
    })

    it('are gone through one after another, expired or not', async () => {
      await write(put('bb', 'y'), put('aa', 'x', { expiresAtMs: 1 }), put('aa', 'w', { collection: 'clients' }))
      const names: string[] = []
      for (let last: StoredDocument | undefined; ; ) {
        const [next] = await held.subject.everyDocument(last, 1)
        if (next === undefined) break
        names.push(`${next.collection}/${next.key}`)
        last = next
      }
      expect(names).toEqual(['clients/aa', 'tokens/aa', 'tokens/bb'])
      expect(await held.subject.everyDocument(undefined, 9)).toHaveLength(3)
      // Of one collection, from before all of its keys on.
      const tokens = await held.subject.everyDocument({ collection: 'tokens', key: '00' }, 1)
      expect(tokens.map(({ key }) => key)).toEqual(['aa'])
    })

    it('leave the mark of others as it is', async () => {
      const before = await held.subject.othersMark()
      await write(put('aa', 'x'))
      expect(await held.subject.othersMark()).toBe(before)
    })

    it('tell the names of their collections, expired or not', async () => {
      await write(put('aa', 'x', { expiresAtMs: 10 }), put('bb', 'y'), put('dd', 'w', { collection: 'clients' }))
      expect((await held.subject.collections()).toSorted()).toEqual(['clients', 'tokens'])
    })

    it('change their mark when one of them is written or deleted', async () => {
      const marks: number[] = [await held.subject.documentsMark()]
      const steps = [
        () => write(put('aa', 'x', { expiresAtMs: 10 })),
        () => write(put('aa', 'y', { expiresAtMs: 10 })),
        () => write(put('bb', 'z', { collection: 'clients' })),
        () => write({ op: 'delete', collection: 'clients', key: 'bb' }),
      ]
      for (const step of steps) {
        await step()
        marks.push(await held.subject.documentsMark())
      }
      expect(new Set(marks).size).toBe(steps.length + 1)
    })

    it('are listed by collection and by group', async () => {
      await write(
        put('aa', 'x', { group: 'f1' }),
        put('bb', 'y', { group: 'f2' }),
        put('cc', 'z'),
        put('dd', 'w', { collection: 'clients', group: 'f1' }),
      )
      expect(await held.subject.documents('tokens', 0, 'f1')).toEqual([stored('aa', 1, 'x', { group: 'f1' })])
      expect((await held.subject.documents('tokens', 0)).map(({ key }) => key).sort()).toEqual(['aa', 'bb', 'cc'])
      await write(put('aa', 'x'))
      expect(await held.subject.documents('tokens', 0, 'f1')).toEqual([])
    })

    it('are committed together with entries, or not at all', async () => {
      const commit = { appends: [append(anna, 0, [pulse])], documents: [put('aa', 'x', { ifRevision: 5 })] }
      expect(await held.subject.commit(commit)).toEqual(lost({ documents: ['tokens/aa'] }))
      expect(await held.subject.newest(pulse, undefined)).toBeUndefined()
      expect(await held.subject.commit({ ...commit, documents: [put('aa', 'x')] })).toEqual(won)
      expect(await held.subject.newest(pulse, undefined)).toEqual(entry(anna, 1, pulse))
      expect(await held.subject.document('tokens', 'aa', 0)).toEqual(stored('aa', 1, 'x'))
    })
  })

  describe('segments', () => {
    const segment = (fromSeq: number, untilSeq: number, content: string) => ({
      compartment: anna,
      fromSeq,
      untilSeq,
      sealed: sealedForTest(content),
    })

    /** A compartment with so many entries. */
    const grow = (compartment: string, letter: string, count: number) => {
      const locators = Array.from({ length: count }, (_, index) => [id(letter, index)] as const)
      return held.subject.commit({ appends: [append(compartment, 0, ...locators)] })
    }

    it('come back in the order of their seqs', async () => {
      await grow(anna, '8', 8192)
      await held.subject.putSegment(segment(4097, 8192, 'second'))
      await held.subject.putSegment(segment(1, 4096, 'first'))
      expect(await held.subject.segments(anna)).toEqual([segment(1, 4096, 'first'), segment(4097, 8192, 'second')])
      expect(await held.subject.segments(ben)).toEqual([])
    })

    it('replace one that began at the same seq', async () => {
      await grow(anna, '8', 30)
      await held.subject.putSegment(segment(1, 10, 'short'))
      await held.subject.putSegment(segment(1, 20, 'long'))
      expect(await held.subject.segments(anna)).toEqual([segment(1, 20, 'long')])
      await held.subject.putSegment(segment(1, 20, 'as long, sealed anew'))
      expect(await held.subject.segments(anna)).toEqual([segment(1, 20, 'as long, sealed anew')])
    })

    it('do not replace one that goes further, of whoever was faster', async () => {
      await grow(anna, '8', 30)
      await held.subject.putSegment(segment(1, 20, 'long'))
      await held.subject.putSegment(segment(1, 19, 'late'))
      expect(await held.subject.segments(anna)).toEqual([segment(1, 20, 'long')])
    })

    it('are not kept of what is not there, or not there any more', async () => {
      await grow(anna, '8', 10)
      await held.subject.putSegment(segment(1, 11, 'too long'))
      await held.subject.putSegment({ ...segment(1, 1, 'of nobody'), compartment: ben })
      expect(await held.subject.segments(anna)).toEqual([])
      await held.subject.dropCompartment(anna)
      await held.subject.putSegment(segment(1, 10, 'late'))
      expect(await held.subject.stats()).toMatchObject({ compartments: 0, segments: 0 })
    })

    it('of one turn are all written', async () => {
      await grow(anna, '8', 50)
      const all = Array.from({ length: 50 }, (_, index) => segment(index + 1, index + 1, `${index}`))
      await Promise.all(all.map(one => held.subject.putSegment(one)))
      expect(await held.subject.segments(anna)).toEqual(all)
    })

    it('are dropped by compartment', async () => {
      await grow(anna, '8', 10)
      await grow(ben, '9', 10)
      await held.subject.putSegment(segment(1, 10, 'hers'))
      await held.subject.putSegment({ ...segment(1, 10, 'his'), compartment: ben })
      await held.subject.dropSegments(anna)
      expect(await held.subject.segments(anna)).toEqual([])
      expect(await held.subject.segments(ben)).toHaveLength(1)
    })
  })

  describe('attachments', () => {
    it('come back chunk by chunk', async () => {
      await held.subject.putBlob(anna, 'scan', chunksOf('one', 'two', 'three'))
      expect(await read(held.subject.blob(anna, 'scan'))).toEqual(['0:one', '1:two', '2:three'])
      expect(await read(held.subject.blob(ben, 'scan'))).toEqual([])
      expect(await read(held.subject.blob(anna, 'other'))).toEqual([])
    })

    it('may have more chunks than one transaction takes', async () => {
      const contents = Array.from({ length: 600 }, (_, index) => `chunk ${index}`)
      await held.subject.putBlob(anna, 'film', chunksOf(...contents))
      expect(await read(held.subject.blob(anna, 'film'))).toEqual(
        contents.map((content, index) => `${index}:${content}`),
      )
      await held.subject.dropBlob(anna, 'film')
      expect(await read(held.subject.blob(anna, 'film'))).toEqual([])
    })

    it('are kept wholly or not at all', async () => {
      async function* failing(): AsyncGenerator<BlobChunk> {
        yield* chunksOf(...Array.from({ length: 40 }, (_, index) => `part ${index}`))
        throw new Error('the upload was cut')
      }
      await held.subject.putBlob(anna, 'kept', chunksOf('before'))
      await expect(held.subject.putBlob(anna, 'scan', failing())).rejects.toThrow('the upload was cut')
      await expect(held.subject.putBlob(anna, 'kept', failing())).rejects.toThrow('the upload was cut')
      expect(await read(held.subject.blob(anna, 'scan'))).toEqual([])
      expect(await read(held.subject.blob(anna, 'kept'))).toEqual(['0:before'])
      expect((await held.subject.stats()).blobs).toBe(1)
    })

    it('cannot be seen before the last chunk', async () => {
      const seen: string[][] = []
      async function* watched(): AsyncGenerator<BlobChunk> {
        yield* chunksOf('one', 'two')
        seen.push(await read(held.subject.blob(anna, 'scan')))
      }
      await held.subject.putBlob(anna, 'scan', watched())
      expect(seen).toEqual([[]])
      expect(await read(held.subject.blob(anna, 'scan'))).toHaveLength(2)
    })

    it('are replaced and dropped', async () => {
      await held.subject.putBlob(anna, 'scan', chunksOf('old', 'old'))
      await held.subject.putBlob(anna, 'scan', chunksOf('new'))
      expect(await read(held.subject.blob(anna, 'scan'))).toEqual(['0:new'])
      await held.subject.dropBlob(anna, 'scan')
      await held.subject.dropBlob(anna, 'scan')
      expect(await read(held.subject.blob(anna, 'scan'))).toEqual([])
    })

    it('are refused when their chunks come out of order', async () => {
      async function* swapped(): AsyncGenerator<BlobChunk> {
        yield { index: 1, sealed: sealedForTest('two') }
      }
      expect(await codeOf(held.subject.putBlob(anna, 'scan', swapped()))).toBe('store.blob-malformed')
    })
  })

  describe('dropping a compartment', () => {
    beforeEach(async () => {
      await held.subject.commit({
        appends: [append(anna, 0, [pulse], [weight], [pulse, 2]), append(ben, 0, [id('3')])],
      })
      await held.subject.putSegment({ compartment: anna, fromSeq: 1, untilSeq: 3, sealed: sealedForTest('rows') })
      await held.subject.putBlob(anna, 'scan', chunksOf('one', 'two'))
    })

    it('leaves nothing of it and all of the others', async () => {
      await held.subject.dropCompartment(anna)
      expect(await held.subject.allHeads()).toEqual(new Map([[ben, 1]]))
      expect(await held.subject.places([pulse, weight, id('3')], undefined)).toHaveProperty('size', 1)
      expect(await held.subject.versions(pulse, [anna])).toEqual([])
      expect(await held.subject.segments(anna)).toEqual([])
      expect(await read(held.subject.blob(anna, 'scan'))).toEqual([])
      expect(await held.subject.stats()).toMatchObject({ compartments: 1, entries: 1, segments: 0, blobs: 0 })
      expect(await held.subject.check()).toEqual([])
    })

    it('may be done twice, and to one that never was', async () => {
      await held.subject.dropCompartment(anna)
      await held.subject.dropCompartment(anna)
      await held.subject.dropCompartment(id('f'))
      expect(await held.subject.allHeads()).toEqual(new Map([[ben, 1]]))
    })

    it('lets a compartment of that id begin anew', async () => {
      await held.subject.dropCompartment(anna)
      expect(await held.subject.commit({ appends: [append(anna, 0, [pulse])] })).toEqual(won)
      expect(await held.subject.newest(pulse, [anna])).toEqual(entry(anna, 1, pulse))
      expect(await held.subject.versions(pulse, [anna])).toHaveLength(1)
    })

    it('makes the removal elsewhere the newest version of what had moved in', async () => {
      const move = { appends: [append(ben, 1, [id('3'), 2]), append(anna, 3, [id('3'), 3], [id('3'), 4])] }
      expect(await held.subject.commit(move)).toEqual(won)
      await held.subject.dropCompartment(anna)
      expect(await held.subject.newest(id('3'), undefined)).toEqual(entry(ben, 2, id('3'), 2))
      expect(await held.subject.versions(id('3'), [ben])).toHaveLength(2)
      expect(await held.subject.check()).toEqual([])
      expect(await held.subject.commit({ appends: [append(ben, 2, [id('3'), 3])] })).toEqual(won)
    })

    it('leaves what belongs to others too with all of its versions', async () => {
      const both = { appends: [append(ben, 1, [id('4')]), append(anna, 3, [id('4')])] }
      expect(await held.subject.commit(both)).toEqual(won)
      await held.subject.commit({ appends: [append(ben, 2, [id('4'), 2]), append(anna, 4, [id('4'), 2])] })
      await held.subject.dropCompartment(anna)
      expect(await held.subject.newest(id('4'), undefined)).toEqual(entry(ben, 3, id('4'), 2))
      expect(await held.subject.versions(id('4'), [anna, ben])).toEqual([
        entry(ben, 3, id('4'), 2),
        entry(ben, 2, id('4'), 1),
      ])
      expect(await held.subject.check()).toEqual([])
      expect(await held.subject.commit({ appends: [append(ben, 3, [id('4'), 3])] })).toEqual(won)
    })

    it('gives the copies of an older version back when all that were newer went', async () => {
      const cleo = id('c')
      await held.subject.commit({ appends: [append(ben, 1, [id('4')]), append(cleo, 0, [id('4')])] })
      await held.subject.commit({
        appends: [append(ben, 2, [id('4'), 2]), append(cleo, 1, [id('4'), 2]), append(anna, 3, [id('4'), 3])],
      })
      expect(await held.subject.newest(id('4'), [ben, cleo])).toBeUndefined()
      await held.subject.dropCompartment(anna)
      expect(await held.subject.newest(id('4'), [ben])).toEqual(entry(ben, 3, id('4'), 2))
      expect(await held.subject.newest(id('4'), [cleo])).toEqual(entry(cleo, 2, id('4'), 2))
      expect(await held.subject.check()).toEqual([])
    })

    it('removes many entries', async () => {
      const locators = Array.from({ length: many * 1.5 }, (_, index) => [id('8', index)] as const)
      await held.subject.commit({ appends: [append(anna, 3, ...locators)] })
      await held.subject.dropCompartment(anna)
      expect(await held.subject.stats()).toMatchObject({ compartments: 1, entries: 1 })
      expect(await held.subject.check()).toEqual([])
    })
  })

  it('counts what it holds', async () => {
    await held.subject.commit({
      appends: [append(anna, 0, [pulse], [pulse, 2]), append(ben, 0)],
      documents: [put('aa', 'x')],
    })
    await held.subject.putSegment({ compartment: anna, fromSeq: 1, untilSeq: 2, sealed: sealedForTest('rows') })
    await held.subject.putBlob(anna, 'scan', chunksOf('one'))
    const stats = await held.subject.stats()
    expect(stats).toMatchObject({ compartments: 1, entries: 2, segments: 1, documents: 1, blobs: 1 })
    expect(stats.sizeBytes).toBeGreaterThan(0)
  })

  it('finds nothing wrong with itself', async () => {
    await held.subject.commit({ appends: [append(anna, 0, [pulse], [weight], [pulse, 2], [pulseNeighbour])] })
    await held.subject.putBlob(anna, 'scan', chunksOf('one', 'two'))
    expect(await held.subject.check()).toEqual([])
  })

  it('finishes what was begun when it is closed, and refuses the rest', async () => {
    const begun = held.subject.commit({ appends: [append(anna, 0, [pulse])] })
    await held.subject.close()
    expect(await begun).toEqual(won)
    expect(await codeOf(held.subject.commit({ appends: [] }))).toBe('store.closed')
    expect(await codeOf(held.subject.newest(pulse, undefined))).toBe('store.closed')
    expect(
      await codeOf(held.subject.putSegment({ compartment: anna, fromSeq: 1, untilSeq: 1, sealed: sealedForTest('') })),
    ).toBe('store.closed')
    expect(await codeOf(read(held.subject.blob(anna, 'scan')))).toBe('store.closed')
    await held.subject.close()
  })
}
