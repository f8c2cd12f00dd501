import { isProblem } from '#kernel'
import type {
  Append,
  BlobChunk,
  CommitResult,
  DocumentWrite,
  Entry,
  KeyStore,
  Sealed,
  Store,
  StoredDocument,
  WrappedKey,
} from '#store'

/** Opens a new, empty store or keystore, and says how to get rid of it. */
export type Opening<T> = () => Promise<{ subject: T; dispose(): Promise<void> }>

/** Stands in for the room vault: to a store, sealed bytes are just bytes. */
export function sealedForTest(content: string | Uint8Array): Sealed {
  return new Uint8Array(Buffer.from(content)) as Sealed
}

/** A 16-byte id in hex that a test can read: `id('a', 1)` is a000…0001. */
export function id(letter: string, number = 0): string {
  return letter + number.toString(16).padStart(31, '0')
}

export function entry(
  compartment: string,
  seq: number,
  locator: string,
  version = 1,
  content = `${locator}/${version}`,
): Entry {
  return { compartment, seq, locator, version, sealed: sealedForTest(content) }
}

export function append(
  compartment: string,
  expectedHead: number,
  ...rest: readonly (readonly [string, number?])[]
): Append {
  return {
    compartment,
    expectedHead,
    entries: rest.map(([locator, version], index) => entry(compartment, expectedHead + 1 + index, locator, version)),
  }
}

export function put(key: string, content: string, more: object = {}): DocumentWrite {
  return { op: 'put', collection: 'tokens', key, sealed: sealedForTest(content), ...more }
}

export async function* chunksOf(...contents: readonly string[]): AsyncGenerator<BlobChunk> {
  for (const [index, content] of contents.entries()) yield { index, sealed: sealedForTest(content) }
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'nothing was thrown'
  } catch (error) {
    return isProblem(error) ? error.code : `not a Problem: ${String(error)}`
  }
}

async function read(chunks: AsyncIterable<BlobChunk>): Promise<string[]> {
  const contents: string[] = []
  for await (const chunk of chunks) contents.push(`${chunk.index}:${text(chunk.sealed)}`)
  return contents
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const won: CommitResult = { ok: true }
const lost = (conflict: object) => ({ ok: false, heads: [], locators: [], documents: [], ...conflict })

const anna = id('a')
const ben = id('b')
const pulse = id('1', 1)
const weight = id('2', 2)
// Shares its first 31 digits with `pulse`: an index by a part of the locator must not take one for the other.
const pulseNeighbour = id('1', 2)

/** What every store must do. https://hl7.org/fhir/R4/http.html#transactional-integrity is what it serves. */
export function storeContract(name: string, open: Opening<Store>): void {
  describe(`${name} as a store`, () => {
    let store: Store
    let dispose: () => Promise<void>

    beforeEach(async () => {
      const opened = await open()
      store = opened.subject
      dispose = opened.dispose
    })
    afterEach(() => dispose())

    describe('appending', () => {
      it('keeps an entry as it was given', async () => {
        expect(await store.commit({ appends: [append(anna, 0, [pulse])] })).toEqual(won)
        expect(await store.newest(pulse, [anna])).toEqual(entry(anna, 1, pulse))
      })

      it('keeps its own copy of the bytes', async () => {
        const given = entry(anna, 1, pulse)
        await store.commit({ appends: [{ compartment: anna, expectedHead: 0, entries: [given] }] })
        given.sealed.fill(0)
        expect(await store.newest(pulse, [anna])).toEqual(entry(anna, 1, pulse))
      })

      it('counts the head of each compartment on its own', async () => {
        await store.commit({ appends: [append(anna, 0, [pulse], [weight]), append(ben, 0, [id('3')])] })
        expect(await store.heads([anna, ben, id('f')])).toEqual(
          new Map([
            [anna, 2],
            [ben, 1],
            [id('f'), 0],
          ]),
        )
        expect(await store.allHeads()).toEqual(
          new Map([
            [anna, 2],
            [ben, 1],
          ]),
        )
      })

      it('refuses an append that was decided at another head, and writes none of the commit', async () => {
        await store.commit({ appends: [append(anna, 0, [pulse])] })
        const stale = { appends: [append(ben, 0, [id('3')]), append(anna, 0, [weight])], documents: [put('aa', 'x')] }
        expect(await store.commit(stale)).toEqual(lost({ heads: [anna] }))
        expect(await store.allHeads()).toEqual(new Map([[anna, 1]]))
        expect(await store.newest(id('3'), undefined)).toBeUndefined()
        expect(await store.document('tokens', 'aa', 0)).toBeUndefined()
      })

      it('takes an append without entries as the claim that the head has not moved', async () => {
        await store.commit({ appends: [append(anna, 0, [pulse])] })
        expect(await store.commit({ appends: [append(anna, 1), append(ben, 0, [id('3')])] })).toEqual(won)
        expect(await store.commit({ appends: [append(anna, 0), append(ben, 1, [id('4')])] })).toEqual(
          lost({ heads: [anna] }),
        )
        expect(await store.heads([anna, ben])).toEqual(
          new Map([
            [anna, 1],
            [ben, 1],
          ]),
        )
      })

      it('lets exactly one of many that race for a head win', async () => {
        const racers = Array.from({ length: 20 }, (_, index) => append(anna, 0, [id('5', index)]))
        const results = await Promise.all(racers.map(one => store.commit({ appends: [one] })))
        expect(results.filter(result => result.ok)).toHaveLength(1)
        expect(results.filter(result => !result.ok)).toEqual(Array(19).fill(lost({ heads: [anna] })))
        expect(await store.allHeads()).toEqual(new Map([[anna, 1]]))
      })

      it('does not let the loser of a race harm those beside it', async () => {
        const others = Array.from({ length: 10 }, (_, index) => append(id('c', index), 0, [id('6', index)]))
        const appends = [append(anna, 7, [pulse]), ...others]
        const results = await Promise.all(appends.map(one => store.commit({ appends: [one] })))
        expect(results).toEqual([lost({ heads: [anna] }), ...others.map(() => won)])
      })

      it('takes commits that follow each other in one turn', async () => {
        const results = await Promise.all(
          [0, 1, 2].map(head => store.commit({ appends: [append(anna, head, [id('7', head)])] })),
        )
        expect(results).toEqual([won, won, won])
        expect((await store.entriesFrom(anna, 1, 9)).map(({ seq }) => seq)).toEqual([1, 2, 3])
      })

      it('takes thousands of entries at once', async () => {
        const locators = Array.from({ length: 3000 }, (_, index) => [id('8', index)] as const)
        expect(await store.commit({ appends: [append(anna, 0, ...locators)] })).toEqual(won)
        expect(await store.heads([anna])).toEqual(new Map([[anna, 3000]]))
        expect(await store.newest(id('8', 2999), [anna])).toMatchObject({ seq: 3000 })
      })
    })

    describe('versions', () => {
      it('go on from the newest one', async () => {
        await store.commit({ appends: [append(anna, 0, [pulse])] })
        expect(await store.commit({ appends: [append(anna, 1, [pulse, 2])] })).toEqual(won)
        expect(await store.newest(pulse, [anna])).toEqual(entry(anna, 2, pulse, 2))
      })

      it.each([
        ['again the first', 1],
        ['one left out', 3],
      ])('refuses %s', async (_, version) => {
        await store.commit({ appends: [append(anna, 0, [pulse])] })
        expect(await store.commit({ appends: [append(anna, 1, [pulse, version])] })).toEqual(
          lost({ locators: [pulse] }),
        )
      })

      it('refuses a first version that is not 1', async () => {
        expect(await store.commit({ appends: [append(anna, 0, [pulse, 2])] })).toEqual(lost({ locators: [pulse] }))
      })

      it('refuses a resource that another compartment has', async () => {
        await store.commit({ appends: [append(anna, 0, [pulse])] })
        expect(await store.commit({ appends: [append(ben, 0, [pulse])] })).toEqual(lost({ locators: [pulse] }))
        expect(await store.allHeads()).toEqual(new Map([[anna, 1]]))
      })

      it('names heads, locators and documents of one lost race together', async () => {
        await store.commit({ appends: [append(anna, 0, [pulse])], documents: [put('aa', 'x')] })
        const stale = { appends: [append(ben, 3, [pulse])], documents: [put('aa', 'y', { ifRevision: 0 })] }
        const expected = { heads: [ben], locators: [pulse], documents: ['tokens/aa'] }
        expect(await store.commit(stale)).toEqual(lost(expected))
      })

      it('finds each of them, newest first', async () => {
        await store.commit({ appends: [append(anna, 0, [pulse], [weight], [pulse, 2])] })
        await store.commit({ appends: [append(anna, 3, [pulse, 3])] })
        expect(await store.versions(pulse, [anna])).toEqual([
          entry(anna, 4, pulse, 3),
          entry(anna, 3, pulse, 2),
          entry(anna, 1, pulse, 1),
        ])
        expect(await store.version(pulse, 2, [anna])).toEqual(entry(anna, 3, pulse, 2))
        expect(await store.version(pulse, 3, [anna])).toEqual(entry(anna, 4, pulse, 3))
        expect(await store.version(pulse, 4, [anna])).toBeUndefined()
        expect(await store.version(weight, 2, [anna])).toBeUndefined()
        expect(await store.versions(pulse, [ben])).toEqual([])
        expect(await store.version(pulse, 2, [ben])).toBeUndefined()
      })

      it('moves a resource by a removal here and its next version there', async () => {
        await store.commit({ appends: [append(anna, 0, [pulse])] })
        // The append with the later version comes first on purpose.
        expect(await store.commit({ appends: [append(ben, 0, [pulse, 3]), append(anna, 1, [pulse, 2])] })).toEqual(won)
        expect(await store.newest(pulse, [anna])).toBeUndefined()
        expect(await store.newest(pulse, [ben])).toEqual(entry(ben, 1, pulse, 3))
        expect(await store.versions(pulse, [anna])).toEqual([entry(anna, 2, pulse, 2), entry(anna, 1, pulse, 1)])
        expect(await store.versions(pulse, [anna, ben])).toHaveLength(3)
        expect(await store.version(pulse, 1, [ben])).toBeUndefined()
      })

      it('does not take one resource for another whose locator is nearly the same', async () => {
        await store.commit({ appends: [append(anna, 0, [pulse])] })
        expect(await store.newest(pulseNeighbour, [anna])).toBeUndefined()
        expect(await store.commit({ appends: [append(anna, 1, [pulseNeighbour], [pulseNeighbour, 2])] })).toEqual(won)
        await store.commit({ appends: [append(anna, 3, [pulse, 2])] })
        expect(await store.newest(pulseNeighbour, [anna])).toEqual(entry(anna, 3, pulseNeighbour, 2))
        expect(await store.versions(pulse, [anna])).toEqual([entry(anna, 4, pulse, 2), entry(anna, 1, pulse)])
        expect(await store.version(pulse, 1, [anna])).toEqual(entry(anna, 1, pulse))
        expect(await store.version(pulseNeighbour, 1, [anna])).toEqual(entry(anna, 2, pulseNeighbour))
      })
    })

    describe('looking up', () => {
      beforeEach(async () => {
        await store.commit({ appends: [append(anna, 0, [pulse], [weight]), append(ben, 0, [id('3')])] })
        await store.commit({ appends: [append(anna, 2, [pulse, 2])] })
      })

      it('answers only from the named compartments', async () => {
        expect(await store.newest(pulse, [ben])).toBeUndefined()
        expect(await store.newest(pulse, [])).toBeUndefined()
        expect(await store.newest(pulse, [ben, anna])).toEqual(entry(anna, 3, pulse, 2))
        expect(await store.newest(pulse, undefined)).toEqual(entry(anna, 3, pulse, 2))
      })

      it('tells the places of many at once', async () => {
        const asked = [pulse, weight, id('3'), id('9')]
        const places = new Map([
          [pulse, { locator: pulse, compartment: anna, seq: 3, version: 2 }],
          [weight, { locator: weight, compartment: anna, seq: 2, version: 1 }],
          [id('3'), { locator: id('3'), compartment: ben, seq: 1, version: 1 }],
        ])
        expect(await store.places(asked, undefined)).toEqual(places)
        places.delete(id('3'))
        expect(await store.places(asked, [anna])).toEqual(places)
        expect(await store.places(asked, [])).toEqual(new Map())
      })

      it('reads entries by seq and leaves out what there is not', async () => {
        const found = await store.entriesAt(anna, [3, 1, 99])
        expect([...found].sort((a, b) => a.seq - b.seq)).toEqual([entry(anna, 1, pulse), entry(anna, 3, pulse, 2)])
        expect(await store.entriesAt(id('f'), [1])).toEqual([])
      })

      it('reads entries in order, from a seq, up to a limit', async () => {
        expect((await store.entriesFrom(anna, 2, 9)).map(({ seq }) => seq)).toEqual([2, 3])
        expect((await store.entriesFrom(anna, 0, 2)).map(({ seq }) => seq)).toEqual([1, 2])
        expect(await store.entriesFrom(anna, 4, 9)).toEqual([])
        expect(await store.entriesFrom(id('f'), 1, 9)).toEqual([])
      })
    })

    describe('a commit that nobody could store', () => {
      const first = entry(anna, 1, pulse)
      it.each<[string, readonly Append[], readonly DocumentWrite[]]>([
        ['names a compartment twice', [append(anna, 0), append(anna, 0)], []],
        ['leaves a seq out', [{ compartment: anna, expectedHead: 1, entries: [first] }], []],
        ['puts an entry into another compartment', [{ compartment: ben, expectedHead: 0, entries: [first] }], []],
        ['leaves a version out', [append(anna, 0, [pulse, 1], [pulse, 3])], []],
        ['has a version 0', [append(anna, 0, [pulse, 0])], []],
        ['has a head that is no number', [append(anna, -1)], []],
        ['names a document twice', [], [put('aa', 'x'), put('aa', 'y')]],
        ['names no collection', [], [put('aa', 'x', { collection: '' })]],
      ])('is refused: it %s', async (_, appends, documents) => {
        expect(await codeOf(store.commit({ appends, documents }))).toBe('store.commit-malformed')
        expect(await store.allHeads()).toEqual(new Map())
      })

      it('is refused: an id is not in hex', async () => {
        expect(await codeOf(store.commit({ appends: [append('Patient/1', 0)] }))).toBe('store.id-malformed')
        expect(await codeOf(store.commit({ appends: [append(anna, 0, ['Observation/1'])] }))).toBe('store.id-malformed')
        expect(await codeOf(store.commit({ appends: [], documents: [put('name', 'x')] }))).toBe('store.id-malformed')
        const grouped = put('aa', 'x', { group: 'account' })
        expect(await codeOf(store.commit({ appends: [], documents: [grouped] }))).toBe('store.id-malformed')
        expect(await codeOf(store.newest('Observation/1', undefined))).toBe('store.id-malformed')
        expect(await codeOf(store.document('tokens', 'name', 0))).toBe('store.id-malformed')
      })

      it('is refused: a compartment would hold more entries than row ids have room for', async () => {
        expect(await codeOf(store.commit({ appends: [append(anna, 2 ** 28, [pulse])] }))).toBe('store.compartment-full')
      })
    })

    describe('documents', () => {
      const write = (...documents: DocumentWrite[]) => store.commit({ appends: [], documents })
      const stored = (key: string, revision: number, content: string, more: object = {}): StoredDocument => ({
        collection: 'tokens',
        key,
        revision,
        sealed: sealedForTest(content),
        ...more,
      })

      it('count their revisions', async () => {
        await write(put('aa', 'x'))
        expect(await store.document('tokens', 'aa', 0)).toEqual(stored('aa', 1, 'x'))
        await write(put('aa', 'y'))
        expect(await store.document('tokens', 'aa', 0)).toEqual(stored('aa', 2, 'y'))
        expect(await store.document('clients', 'aa', 0)).toBeUndefined()
      })

      it('are written only at the revision they were decided on', async () => {
        expect(await write(put('aa', 'x', { ifRevision: 1 }))).toEqual(lost({ documents: ['tokens/aa'] }))
        expect(await write(put('aa', 'x', { ifRevision: 0 }))).toEqual(won)
        expect(await write(put('aa', 'y', { ifRevision: 0 }))).toEqual(lost({ documents: ['tokens/aa'] }))
        expect(await write(put('aa', 'y', { ifRevision: 1 }))).toEqual(won)
        expect(await store.document('tokens', 'aa', 0)).toEqual(stored('aa', 2, 'y'))
      })

      it('let exactly one of many that take the same one succeed', async () => {
        await write(put('aa', 'code'))
        const take = { op: 'delete', collection: 'tokens', key: 'aa', ifRevision: 1 } as const
        const results = await Promise.all(Array.from({ length: 10 }, () => write(take)))
        expect(results.filter(({ ok }) => ok)).toHaveLength(1)
        expect(await store.document('tokens', 'aa', 0)).toBeUndefined()
      })

      it('are deleted, and begin again at revision 1', async () => {
        await write(put('aa', 'x'), put('bb', 'y'))
        expect(await write({ op: 'delete', collection: 'tokens', key: 'aa' })).toEqual(won)
        expect(await write({ op: 'delete', collection: 'tokens', key: 'aa', ifRevision: 0 })).toEqual(won)
        expect(await store.documents('tokens', 0)).toEqual([stored('bb', 1, 'y')])
        await write(put('aa', 'z'))
        expect(await store.document('tokens', 'aa', 0)).toEqual(stored('aa', 1, 'z'))
      })

      it('are absent from the millisecond of their expiry on', async () => {
        await write(put('aa', 'x', { expiresAtMs: 1_800_000_000_000 }))
        const expected = stored('aa', 1, 'x', { expiresAtMs: 1_800_000_000_000 })
        expect(await store.document('tokens', 'aa', 1_799_999_999_999)).toEqual(expected)
        expect(await store.document('tokens', 'aa', 1_800_000_000_000)).toBeUndefined()
        expect(await store.documents('tokens', 1_799_999_999_999)).toEqual([expected])
        expect(await store.documents('tokens', 1_800_000_000_000)).toEqual([])
      })

      it('are purged when they have expired', async () => {
        await write(put('aa', 'x', { expiresAtMs: 10 }), put('bb', 'y', { expiresAtMs: 20 }), put('cc', 'z'))
        expect(await store.purgeDocuments(10)).toBe(1)
        expect(await store.purgeDocuments(10)).toBe(0)
        expect((await store.stats()).documents).toBe(2)
      })

      it('are listed by collection and by group', async () => {
        await write(
          put('aa', 'x', { group: 'f1' }),
          put('bb', 'y', { group: 'f2' }),
          put('cc', 'z'),
          put('dd', 'w', { collection: 'clients', group: 'f1' }),
        )
        expect(await store.documents('tokens', 0, 'f1')).toEqual([stored('aa', 1, 'x', { group: 'f1' })])
        expect((await store.documents('tokens', 0)).map(({ key }) => key).sort()).toEqual(['aa', 'bb', 'cc'])
        await write(put('aa', 'x'))
        expect(await store.documents('tokens', 0, 'f1')).toEqual([])
      })

      it('are committed together with entries, or not at all', async () => {
        const commit = { appends: [append(anna, 0, [pulse])], documents: [put('aa', 'x', { ifRevision: 5 })] }
        expect(await store.commit(commit)).toEqual(lost({ documents: ['tokens/aa'] }))
        expect(await store.newest(pulse, undefined)).toBeUndefined()
        expect(await store.commit({ ...commit, documents: [put('aa', 'x')] })).toEqual(won)
        expect(await store.newest(pulse, undefined)).toEqual(entry(anna, 1, pulse))
        expect(await store.document('tokens', 'aa', 0)).toEqual(stored('aa', 1, 'x'))
      })
    })

    describe('segments', () => {
      const segment = (fromSeq: number, untilSeq: number, content: string) => ({
        compartment: anna,
        fromSeq,
        untilSeq,
        sealed: sealedForTest(content),
      })

      it('come back in the order of their seqs', async () => {
        await store.putSegment(segment(4097, 8192, 'second'))
        await store.putSegment(segment(1, 4096, 'first'))
        expect(await store.segments(anna)).toEqual([segment(1, 4096, 'first'), segment(4097, 8192, 'second')])
        expect(await store.segments(ben)).toEqual([])
      })

      it('replace one that began at the same seq', async () => {
        await store.putSegment(segment(1, 10, 'short'))
        await store.putSegment(segment(1, 20, 'long'))
        expect(await store.segments(anna)).toEqual([segment(1, 20, 'long')])
      })

      it('are dropped by compartment', async () => {
        await store.putSegment(segment(1, 10, 'hers'))
        await store.putSegment({ ...segment(1, 10, 'his'), compartment: ben })
        await store.dropSegments(anna)
        expect(await store.segments(anna)).toEqual([])
        expect(await store.segments(ben)).toHaveLength(1)
      })
    })

    describe('attachments', () => {
      it('come back chunk by chunk', async () => {
        await store.putBlob(anna, 'scan', chunksOf('one', 'two', 'three'))
        expect(await read(store.blob(anna, 'scan'))).toEqual(['0:one', '1:two', '2:three'])
        expect(await read(store.blob(ben, 'scan'))).toEqual([])
        expect(await read(store.blob(anna, 'other'))).toEqual([])
      })

      it('may have more chunks than one transaction takes', async () => {
        const contents = Array.from({ length: 600 }, (_, index) => `chunk ${index}`)
        await store.putBlob(anna, 'film', chunksOf(...contents))
        expect(await read(store.blob(anna, 'film'))).toEqual(contents.map((content, index) => `${index}:${content}`))
        await store.dropBlob(anna, 'film')
        expect(await read(store.blob(anna, 'film'))).toEqual([])
      })

      it('are kept wholly or not at all', async () => {
        async function* failing(): AsyncGenerator<BlobChunk> {
          yield* chunksOf(...Array.from({ length: 40 }, (_, index) => `part ${index}`))
          throw new Error('the upload was cut')
        }
        await store.putBlob(anna, 'kept', chunksOf('before'))
        await expect(store.putBlob(anna, 'scan', failing())).rejects.toThrow('the upload was cut')
        await expect(store.putBlob(anna, 'kept', failing())).rejects.toThrow('the upload was cut')
        expect(await read(store.blob(anna, 'scan'))).toEqual([])
        expect(await read(store.blob(anna, 'kept'))).toEqual(['0:before'])
        expect((await store.stats()).blobs).toBe(1)
      })

      it('cannot be seen before the last chunk', async () => {
        const seen: string[][] = []
        async function* watched(): AsyncGenerator<BlobChunk> {
          yield* chunksOf('one', 'two')
          seen.push(await read(store.blob(anna, 'scan')))
        }
        await store.putBlob(anna, 'scan', watched())
        expect(seen).toEqual([[]])
        expect(await read(store.blob(anna, 'scan'))).toHaveLength(2)
      })

      it('are replaced and dropped', async () => {
        await store.putBlob(anna, 'scan', chunksOf('old', 'old'))
        await store.putBlob(anna, 'scan', chunksOf('new'))
        expect(await read(store.blob(anna, 'scan'))).toEqual(['0:new'])
        await store.dropBlob(anna, 'scan')
        await store.dropBlob(anna, 'scan')
        expect(await read(store.blob(anna, 'scan'))).toEqual([])
      })

      it('are refused when their chunks come out of order', async () => {
        async function* swapped(): AsyncGenerator<BlobChunk> {
          yield { index: 1, sealed: sealedForTest('two') }
        }
        expect(await codeOf(store.putBlob(anna, 'scan', swapped()))).toBe('store.blob-malformed')
      })
    })

    describe('dropping a compartment', () => {
      beforeEach(async () => {
        await store.commit({ appends: [append(anna, 0, [pulse], [weight], [pulse, 2]), append(ben, 0, [id('3')])] })
        await store.putSegment({ compartment: anna, fromSeq: 1, untilSeq: 3, sealed: sealedForTest('rows') })
        await store.putBlob(anna, 'scan', chunksOf('one', 'two'))
      })

      it('leaves nothing of it and all of the others', async () => {
        await store.dropCompartment(anna)
        expect(await store.allHeads()).toEqual(new Map([[ben, 1]]))
        expect(await store.places([pulse, weight, id('3')], undefined)).toHaveProperty('size', 1)
        expect(await store.versions(pulse, [anna])).toEqual([])
        expect(await store.segments(anna)).toEqual([])
        expect(await read(store.blob(anna, 'scan'))).toEqual([])
        expect(await store.stats()).toMatchObject({ compartments: 1, entries: 1, segments: 0, blobs: 0 })
        expect(await store.check()).toEqual([])
      })

      it('may be done twice, and to one that never was', async () => {
        await store.dropCompartment(anna)
        await store.dropCompartment(anna)
        await store.dropCompartment(id('f'))
        expect(await store.allHeads()).toEqual(new Map([[ben, 1]]))
      })

      it('lets a compartment of that id begin anew', async () => {
        await store.dropCompartment(anna)
        expect(await store.commit({ appends: [append(anna, 0, [pulse])] })).toEqual(won)
        expect(await store.newest(pulse, [anna])).toEqual(entry(anna, 1, pulse))
        expect(await store.versions(pulse, [anna])).toHaveLength(1)
      })

      it('makes the removal elsewhere the newest version of what had moved in', async () => {
        const move = { appends: [append(ben, 1, [id('3'), 2]), append(anna, 3, [id('3'), 3], [id('3'), 4])] }
        expect(await store.commit(move)).toEqual(won)
        await store.dropCompartment(anna)
        expect(await store.newest(id('3'), undefined)).toEqual(entry(ben, 2, id('3'), 2))
        expect(await store.versions(id('3'), [ben])).toHaveLength(2)
        expect(await store.check()).toEqual([])
        expect(await store.commit({ appends: [append(ben, 2, [id('3'), 3])] })).toEqual(won)
      })

      it('removes thousands of entries', async () => {
        const locators = Array.from({ length: 4500 }, (_, index) => [id('8', index)] as const)
        await store.commit({ appends: [append(anna, 3, ...locators)] })
        await store.dropCompartment(anna)
        expect(await store.stats()).toMatchObject({ compartments: 1, entries: 1 })
        expect(await store.check()).toEqual([])
      })
    })

    it('counts what it holds', async () => {
      await store.commit({
        appends: [append(anna, 0, [pulse], [pulse, 2]), append(ben, 0)],
        documents: [put('aa', 'x')],
      })
      await store.putSegment({ compartment: anna, fromSeq: 1, untilSeq: 2, sealed: sealedForTest('rows') })
      await store.putBlob(anna, 'scan', chunksOf('one'))
      const stats = await store.stats()
      expect(stats).toMatchObject({ compartments: 1, entries: 2, segments: 1, documents: 1, blobs: 1 })
      expect(stats.sizeBytes).toBeGreaterThan(0)
    })

    it('finds nothing wrong with itself', async () => {
      await store.commit({ appends: [append(anna, 0, [pulse], [weight], [pulse, 2], [pulseNeighbour])] })
      await store.putBlob(anna, 'scan', chunksOf('one', 'two'))
      expect(await store.check()).toEqual([])
    })

    it('finishes what was begun when it is closed, and refuses the rest', async () => {
      const begun = store.commit({ appends: [append(anna, 0, [pulse])] })
      await store.close()
      expect(await begun).toEqual(won)
      expect(await codeOf(store.commit({ appends: [] }))).toBe('store.closed')
      expect(await codeOf(store.newest(pulse, undefined))).toBe('store.closed')
      expect(
        await codeOf(store.putSegment({ compartment: anna, fromSeq: 1, untilSeq: 1, sealed: sealedForTest('') })),
      ).toBe('store.closed')
      expect(await codeOf(read(store.blob(anna, 'scan')))).toBe('store.closed')
      await store.close()
    })
  })
}

/** What every keystore must do. */
export function keysContract(name: string, open: Opening<KeyStore>): void {
  describe(`${name} as a keystore`, () => {
    let keys: KeyStore
    let dispose: () => Promise<void>

    beforeEach(async () => {
      const opened = await open()
      keys = opened.subject
      dispose = opened.dispose
    })
    afterEach(() => dispose())

    const key = (
      owner: string,
      kind: string,
      version: number,
      wrapped = `${owner} ${kind} ${version}`,
    ): WrappedKey => ({
      owner,
      kind,
      version,
      wrapped: new Uint8Array(Buffer.from(wrapped)),
      params: { salt: 'c2FsdA', cost: 3 },
    })
    const sorted = (list: readonly WrappedKey[]) =>
      [...list].sort((a, b) => (a.kind + a.version < b.kind + b.version ? -1 : 1))

    it('keeps a key as it was given', async () => {
      await keys.add(key(anna, 'patient', 1))
      await keys.add(key(anna, 'patient', 2))
      await keys.add(key('instance', 'instance:file', 1))
      expect(sorted(await keys.of(anna))).toEqual([key(anna, 'patient', 1), key(anna, 'patient', 2)])
      expect(await keys.all()).toHaveLength(3)
      expect(await keys.of(ben)).toEqual([])
    })

    it('refuses a key whose owner, kind and version are taken', async () => {
      await keys.add(key(anna, 'patient', 1))
      expect(await codeOf(keys.add(key(anna, 'patient', 1, 'another')))).toBe('keys.exists')
      expect(await keys.of(anna)).toEqual([key(anna, 'patient', 1)])
    })

    it('replaces the keys of one owner and kind together', async () => {
      await keys.add(key('instance', 'instance:file', 1))
      await keys.add(key('instance', 'instance:file', 2))
      await keys.add(key('instance', 'instance:recovery', 1))
      await keys.replace('instance', 'instance:file', [key('instance', 'instance:passphrase', 1)])
      expect(sorted(await keys.of('instance'))).toEqual([
        key('instance', 'instance:passphrase', 1),
        key('instance', 'instance:recovery', 1),
      ])
    })

    it('replaces all of them or none', async () => {
      await keys.add(key(anna, 'patient', 1))
      await keys.add(key(anna, 'audit', 1))
      const refused = keys.replace(anna, 'patient', [key(anna, 'patient', 2), key(anna, 'audit', 1)])
      expect(await codeOf(refused)).toBe('keys.exists')
      expect(sorted(await keys.of(anna))).toEqual([key(anna, 'audit', 1), key(anna, 'patient', 1)])
    })

    it('destroys every key of an owner and remembers that it did', async () => {
      await keys.add(key(anna, 'patient', 1))
      await keys.add(key(anna, 'patient', 2))
      await keys.add(key(ben, 'patient', 1))
      await keys.destroy(anna, 1_700_000_000_000)
      expect(await keys.of(anna)).toEqual([])
      expect(await keys.all()).toEqual([key(ben, 'patient', 1)])
      expect(await keys.tombstones()).toEqual([{ owner: anna, atMs: 1_700_000_000_000 }])
    })

    it('keeps the time of the first destruction when the shred ledger is replayed', async () => {
      await keys.destroy(anna, 5)
      await keys.destroy(anna, 9)
      expect(await keys.tombstones()).toEqual([{ owner: anna, atMs: 5 }])
    })

    it('does not let a re-wrapping bring a destroyed key back', async () => {
      await keys.add(key(anna, 'patient', 1))
      await keys.destroy(anna, 5)
      expect(await codeOf(keys.replace(anna, 'patient', [key(anna, 'patient', 1)]))).toBe('keys.destroyed')
      expect(await codeOf(keys.add(key(anna, 'patient', 2)))).toBe('keys.destroyed')
      expect(await keys.of(anna)).toEqual([])
    })

    it('keeps notes by name', async () => {
      expect(await keys.note('head')).toBeUndefined()
      await keys.setNote('head', Uint8Array.of(1, 2))
      await keys.setNote('head', Uint8Array.of(3))
      expect(await keys.note('head')).toEqual(Uint8Array.of(3))
    })

    it('answers nothing once it is closed', async () => {
      await keys.close()
      expect(await codeOf(keys.all())).toBe('store.closed')
      expect(await codeOf(keys.add(key(anna, 'patient', 1)))).toBe('store.closed')
      await keys.close()
    })
  })
}
