import type { Append, DocumentWrite, Entry, Store } from '#store'
import {
  anna,
  append,
  ben,
  codeOf,
  entry,
  type Held,
  id,
  lost,
  pulse,
  pulseNeighbour,
  put,
  sealedForTest,
  weight,
  won,
} from './store-fixtures.ts'

/** The part of the store contract that is about entries. */
export function ledgerContract(held: Held<Store>, many: number): void {
  describe('appending', () => {
    it('keeps an entry as it was given', async () => {
      expect(await held.subject.commit({ appends: [append(anna, 0, [pulse])] })).toEqual(won)
      expect(await held.subject.newest(pulse, [anna])).toEqual(entry(anna, 1, pulse))
    })

    it('keeps what nobody waits for in its place among the others, and tells when it has lost as always', async () => {
      const commits = [
        { appends: [append(anna, 0, [pulse])], unhurried: true },
        { appends: [append(anna, 1, [weight])] },
        { appends: [append(anna, 1, [id('3')])], unhurried: true },
        { appends: [append(anna, 2, [id('4')])], unhurried: true },
      ]
      const together = await Promise.all(commits.map(commit => held.subject.commit(commit)))
      expect(together).toEqual([won, won, lost({ heads: [anna] }), won])
      const others = [append(anna, 3, [id('5')]), append(anna, 4, [id('6')]), append(anna, 4, [id('7')])]
      const alone = await Promise.all(others.map(one => held.subject.commit({ appends: [one], unhurried: true })))
      expect(alone).toEqual([won, won, lost({ heads: [anna] })])
      await held.subject.durable()
      const kept = (await held.subject.entriesFrom(anna, 1, 10)).map(({ locator }) => locator)
      expect(kept).toEqual([pulse, weight, id('4'), id('5'), id('6')])
    })

    it('is waited for before it is closed by what nobody else waits for', async () => {
      const committing = held.subject.commit({ appends: [append(anna, 0, [pulse])], unhurried: true })
      await held.subject.close()
      expect(await committing).toEqual(won)
      expect(await codeOf(held.subject.durable())).toBe('store.closed')
    })

    it('keeps its own copy of the bytes', async () => {
      const given = entry(anna, 1, pulse)
      await held.subject.commit({ appends: [{ compartment: anna, expectedHead: 0, entries: [given] }] })
      given.sealed.fill(0)
      expect(await held.subject.newest(pulse, [anna])).toEqual(entry(anna, 1, pulse))
    })

    it('counts the head of each compartment on its own', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse], [weight]), append(ben, 0, [id('3')])] })
      expect(await held.subject.heads([anna, ben, id('f')])).toEqual(
        new Map([
          [anna, 2],
          [ben, 1],
          [id('f'), 0],
        ]),
      )
      expect(await held.subject.allHeads()).toEqual(
        new Map([
          [anna, 2],
          [ben, 1],
        ]),
      )
    })

    it('refuses an append that was decided at another head, and writes none of the commit', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      const stale = { appends: [append(ben, 0, [id('3')]), append(anna, 0, [weight])], documents: [put('aa', 'x')] }
      expect(await held.subject.commit(stale)).toEqual(lost({ heads: [anna] }))
      expect(await held.subject.allHeads()).toEqual(new Map([[anna, 1]]))
      expect(await held.subject.newest(id('3'), undefined)).toBeUndefined()
      expect(await held.subject.document('tokens', 'aa', 0)).toBeUndefined()
    })

    it('takes an append without entries as the claim that the head has not moved', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      expect(await held.subject.commit({ appends: [append(anna, 1), append(ben, 0, [id('3')])] })).toEqual(won)
      expect(await held.subject.commit({ appends: [append(anna, 0), append(ben, 1, [id('4')])] })).toEqual(
        lost({ heads: [anna] }),
      )
      expect(await held.subject.heads([anna, ben])).toEqual(
        new Map([
          [anna, 1],
          [ben, 1],
        ]),
      )
    })

    it('is refused when another entry lies at the head than the one it was decided on', async () => {
      const at = (content: string) => ({
        appends: [{ ...append(anna, 0), entries: [entry(anna, 1, pulse, 1, content)] }],
      })
      const next = (headTag: string, more: object = {}) => ({
        appends: [{ ...append(anna, 1, [weight]), headTag: Buffer.from(headTag), ...more }],
        documents: [put('aa', 'x')],
      })
      await held.subject.commit(at('what somebody else wrote: 0123456789abcdef'))
      expect(await held.subject.commit(next('fedcba9876543210'))).toEqual(lost({ heads: [anna] }))
      expect(await held.subject.commit(next('fedcba9876543210', { entries: [] }))).toEqual(lost({ heads: [anna] }))
      expect(await held.subject.document('tokens', 'aa', 0)).toBeUndefined()
      expect(await held.subject.commit(next('0123456789abcdef'))).toEqual(won)
      expect(await held.subject.heads([anna])).toEqual(new Map([[anna, 2]]))
    })

    it('knows the head also when it was sealed anew', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      const sealed = sealedForTest('sealed anew: 0123456789abcdef')
      await held.subject.reseal(anna, [{ seq: 1, sealed }])
      const next = { ...append(anna, 1, [weight]), headTag: Buffer.from('0123456789abcdef') }
      expect(await held.subject.commit({ appends: [next] })).toEqual(won)
    })

    it('lets exactly one of many that race for a head win', async () => {
      const racers = Array.from({ length: 20 }, (_, index) => append(anna, 0, [id('5', index)]))
      const results = await Promise.all(racers.map(one => held.subject.commit({ appends: [one] })))
      expect(results.filter(result => result.ok)).toHaveLength(1)
      expect(results.filter(result => !result.ok)).toEqual(Array(19).fill(lost({ heads: [anna] })))
      expect(await held.subject.allHeads()).toEqual(new Map([[anna, 1]]))
    })

    it('does not let the loser of a race harm those beside it', async () => {
      const others = Array.from({ length: 10 }, (_, index) => append(id('c', index), 0, [id('6', index)]))
      const appends = [append(anna, 7, [pulse]), ...others]
      const results = await Promise.all(appends.map(one => held.subject.commit({ appends: [one] })))
      expect(results).toEqual([lost({ heads: [anna] }), ...others.map(() => won)])
    })

    it('takes commits that follow each other in one turn', async () => {
      const results = await Promise.all(
        [0, 1, 2].map(head => held.subject.commit({ appends: [append(anna, head, [id('7', head)])] })),
      )
      expect(results).toEqual([won, won, won])
      expect((await held.subject.entriesFrom(anna, 1, 9)).map(({ seq }) => seq)).toEqual([1, 2, 3])
    })

    it('takes many entries at once', async () => {
      const locators = Array.from({ length: many }, (_, index) => [id('8', index)] as const)
      expect(await held.subject.commit({ appends: [append(anna, 0, ...locators)] })).toEqual(won)
      expect(await held.subject.heads([anna])).toEqual(new Map([[anna, many]]))
      expect(await held.subject.newest(id('8', many - 1), [anna])).toMatchObject({ seq: many })
    })
  })

  describe('versions', () => {
    it('go on from the newest one', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      expect(await held.subject.commit({ appends: [append(anna, 1, [pulse, 2])] })).toEqual(won)
      expect(await held.subject.newest(pulse, [anna])).toEqual(entry(anna, 2, pulse, 2))
    })

    it.each([
      ['again the first', 1],
      ['one left out', 3],
    ])('refuses %s', async (_, version) => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      expect(await held.subject.commit({ appends: [append(anna, 1, [pulse, version])] })).toEqual(
        lost({ locators: [pulse] }),
      )
    })

    it('refuses a first version that is not 1', async () => {
      expect(await held.subject.commit({ appends: [append(anna, 0, [pulse, 2])] })).toEqual(lost({ locators: [pulse] }))
    })

    it('refuses a resource that another compartment has', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      expect(await held.subject.commit({ appends: [append(ben, 0, [pulse])] })).toEqual(lost({ locators: [pulse] }))
      expect(await held.subject.allHeads()).toEqual(new Map([[anna, 1]]))
    })

    it('names heads, locators and documents of one lost race together', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])], documents: [put('aa', 'x')] })
      const stale = { appends: [append(ben, 3, [pulse])], documents: [put('aa', 'y', { ifRevision: 0 })] }
      const expected = { heads: [ben], locators: [pulse], documents: ['tokens/aa'] }
      expect(await held.subject.commit(stale)).toEqual(lost(expected))
    })

    it('finds each of them, newest first', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse], [weight], [pulse, 2])] })
      await held.subject.commit({ appends: [append(anna, 3, [pulse, 3])] })
      expect(await held.subject.versions(pulse, [anna])).toEqual([
        entry(anna, 4, pulse, 3),
        entry(anna, 3, pulse, 2),
        entry(anna, 1, pulse, 1),
      ])
      expect(await held.subject.version(pulse, 2, [anna])).toEqual(entry(anna, 3, pulse, 2))
      expect(await held.subject.version(pulse, 3, [anna])).toEqual(entry(anna, 4, pulse, 3))
      expect(await held.subject.version(pulse, 4, [anna])).toBeUndefined()
      expect(await held.subject.version(weight, 2, [anna])).toBeUndefined()
      expect(await held.subject.versions(pulse, [ben])).toEqual([])
      expect(await held.subject.version(pulse, 2, [ben])).toBeUndefined()
    })

    it('moves a resource by a removal here and its next version there', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      // The append with the later version comes first on purpose.
      expect(await held.subject.commit({ appends: [append(ben, 0, [pulse, 3]), append(anna, 1, [pulse, 2])] })).toEqual(
        won,
      )
      expect(await held.subject.newest(pulse, [anna])).toBeUndefined()
      expect(await held.subject.newest(pulse, [ben])).toEqual(entry(ben, 1, pulse, 3))
      expect(await held.subject.versions(pulse, [anna])).toEqual([entry(anna, 2, pulse, 2), entry(anna, 1, pulse, 1)])
      expect(await held.subject.versions(pulse, [anna, ben])).toHaveLength(3)
      expect(await held.subject.version(pulse, 1, [ben])).toBeUndefined()
    })

    it('of several owners have a copy in each compartment, which each of them finds', async () => {
      const both = { appends: [append(anna, 0, [weight], [pulse]), append(ben, 0, [pulse])] }
      expect(await held.subject.commit(both)).toEqual(won)
      expect(await held.subject.newest(pulse, [anna])).toEqual(entry(anna, 2, pulse))
      expect(await held.subject.newest(pulse, [ben])).toEqual(entry(ben, 1, pulse))
      expect(await held.subject.newest(pulse, [id('c')])).toBeUndefined()
      expect(await held.subject.newest(pulse, undefined)).toMatchObject({ locator: pulse, version: 1 })
      const places = (await held.subject.places([pulse], undefined)).get(pulse) ?? []
      expect(places.map(({ compartment }) => compartment).sort()).toEqual([anna, ben].sort())
      expect((await held.subject.places([pulse], [ben])).get(pulse)).toEqual([
        { locator: pulse, compartment: ben, seq: 1, version: 1 },
      ])
      expect(await held.subject.versions(pulse, [anna, ben])).toHaveLength(2)
      expect(await held.subject.version(pulse, 1, [ben])).toEqual(entry(ben, 1, pulse))
      expect(await held.subject.check()).toEqual([])
    })

    it('of several owners are written to all of them or to none', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse]), append(ben, 0, [pulse])] })
      const stale = { appends: [append(anna, 1, [pulse, 2]), append(ben, 0, [pulse, 2])] }
      expect(await held.subject.commit(stale)).toEqual(lost({ heads: [ben] }))
      expect(await held.subject.newest(pulse, [anna])).toEqual(entry(anna, 1, pulse))
      expect(await held.subject.commit({ appends: [append(id('c'), 0, [pulse])] })).toEqual(lost({ locators: [pulse] }))
    })

    it('may gain and lose owners', async () => {
      const cleo = id('c')
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      await held.subject.commit({ appends: [append(ben, 0, [pulse, 2]), append(anna, 1, [pulse, 2])] })
      expect(await held.subject.newest(pulse, [ben])).toEqual(entry(ben, 1, pulse, 2))
      const change = { appends: [append(cleo, 0, [pulse, 4]), append(anna, 2, [pulse, 3]), append(ben, 1, [pulse, 4])] }
      expect(await held.subject.commit(change)).toEqual(won)
      expect(await held.subject.newest(pulse, [anna])).toBeUndefined()
      expect(await held.subject.newest(pulse, [ben])).toEqual(entry(ben, 2, pulse, 4))
      expect(await held.subject.newest(pulse, [cleo])).toEqual(entry(cleo, 1, pulse, 4))
      expect((await held.subject.versions(pulse, [anna, ben, cleo])).map(({ version }) => version)).toEqual([
        4, 4, 3, 2, 2, 1,
      ])
      expect(await held.subject.check()).toEqual([])
    })

    it.each([1, 2, 3, 10])('come in pages of %i, of the last version all copies', async limit => {
      const cleo = id('c')
      await held.subject.commit({ appends: [append(anna, 0, [pulse], [weight])] })
      await held.subject.commit({ appends: [append(ben, 0, [pulse, 2]), append(anna, 2, [pulse, 2])] })
      const change = { appends: [append(cleo, 0, [pulse, 4]), append(anna, 3, [pulse, 3]), append(ben, 1, [pulse, 4])] }
      expect(await held.subject.commit(change)).toEqual(won)
      const within = [anna, ben, cleo]
      const pages: (readonly Entry[])[] = []
      for (let page = await held.subject.versions(pulse, within, { limit }); page.length > 0; ) {
        pages.push(page)
        page = await held.subject.versions(pulse, within, { limit, below: page.at(-1)?.version ?? 0 })
      }
      expect(pages.flat().map(({ version }) => version)).toEqual([4, 4, 3, 2, 2, 1])
      const fewest = { 1: [2, 1, 2, 1], 2: [2, 3, 1], 3: [3, 3], 10: [6] }
      expect(pages.map(page => page.length)).toEqual(fewest[limit as 1 | 2 | 3 | 10])
    })

    it('are the same where very many compartments are asked, of which hardly any holds some', async () => {
      const cleo = id('c')
      await held.subject.commit({ appends: [append(anna, 0, [pulse], [pulseNeighbour])] })
      await held.subject.commit({ appends: [append(ben, 0, [pulse, 2]), append(anna, 2, [pulse, 2])] })
      const change = { appends: [append(cleo, 0, [pulse, 4]), append(anna, 3, [pulse, 3]), append(ben, 1, [pulse, 4])] }
      expect(await held.subject.commit(change)).toEqual(won)
      const others = Array.from({ length: 300 }, (_, at) => (0x1000 + at).toString(16).padStart(32, 'f'))
      const namesOf = (entries: readonly Entry[]) =>
        entries.map(({ compartment, version }) => `${version} ${compartment}`).sort()
      for (const within of [[anna, ben, cleo], [anna, cleo], [ben], []])
        for (const page of [{}, { limit: 1 }, { below: 3 }, { below: 4, limit: 2 }])
          expect(namesOf(await held.subject.versions(pulse, [...others, ...within], page))).toEqual(
            namesOf(await held.subject.versions(pulse, within, page)),
          )
    })

    it('does not take one resource for another whose locator is nearly the same', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      expect(await held.subject.newest(pulseNeighbour, [anna])).toBeUndefined()
      expect(await held.subject.commit({ appends: [append(anna, 1, [pulseNeighbour], [pulseNeighbour, 2])] })).toEqual(
        won,
      )
      await held.subject.commit({ appends: [append(anna, 3, [pulse, 2])] })
      expect(await held.subject.newest(pulseNeighbour, [anna])).toEqual(entry(anna, 3, pulseNeighbour, 2))
      expect(await held.subject.versions(pulse, [anna])).toEqual([entry(anna, 4, pulse, 2), entry(anna, 1, pulse)])
      expect(await held.subject.version(pulse, 1, [anna])).toEqual(entry(anna, 1, pulse))
      expect(await held.subject.version(pulseNeighbour, 1, [anna])).toEqual(entry(anna, 2, pulseNeighbour))
    })
  })

  describe('looking up', () => {
    beforeEach(async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse], [weight]), append(ben, 0, [id('3')])] })
      await held.subject.commit({ appends: [append(anna, 2, [pulse, 2])] })
    })

    it('answers only from the named compartments', async () => {
      expect(await held.subject.newest(pulse, [ben])).toBeUndefined()
      expect(await held.subject.newest(pulse, [])).toBeUndefined()
      expect(await held.subject.newest(pulse, [ben, anna])).toEqual(entry(anna, 3, pulse, 2))
      expect(await held.subject.newest(pulse, undefined)).toEqual(entry(anna, 3, pulse, 2))
    })

    it('tells the places of many at once', async () => {
      const asked = [pulse, weight, id('3'), id('9')]
      const places = new Map([
        [pulse, [{ locator: pulse, compartment: anna, seq: 3, version: 2 }]],
        [weight, [{ locator: weight, compartment: anna, seq: 2, version: 1 }]],
        [id('3'), [{ locator: id('3'), compartment: ben, seq: 1, version: 1 }]],
      ])
      expect(await held.subject.places(asked, undefined)).toEqual(places)
      places.delete(id('3'))
      expect(await held.subject.places(asked, [anna])).toEqual(places)
      expect(await held.subject.places(asked, [])).toEqual(new Map())
    })

    it('reads entries by seq and leaves out what there is not', async () => {
      const found = await held.subject.entriesAt(anna, [3, 1, 99])
      expect([...found].sort((a, b) => a.seq - b.seq)).toEqual([entry(anna, 1, pulse), entry(anna, 3, pulse, 2)])
      expect(await held.subject.entriesAt(id('f'), [1])).toEqual([])
    })

    it('reads entries by seq unless they are too much together', async () => {
      const bytes = (await held.subject.entriesAt(anna, [1, 2, 3])).reduce((sum, { sealed }) => sum + sealed.length, 0)
      const found = await held.subject.entriesWithin(anna, [3, 1, 2, 99], bytes)
      expect(found?.map(({ seq }) => seq).sort()).toEqual([1, 2, 3])
      expect(await held.subject.entriesWithin(anna, [1, 2, 3], bytes - 1)).toBeUndefined()
      expect(await held.subject.entriesWithin(anna, [1], 0)).toBeUndefined()
      expect(await held.subject.entriesWithin(id('f'), [1], 0)).toEqual([])
    })

    it('reads few entries at a time where they are large, and always goes on', async () => {
      const large = Buffer.alloc(5_000_000, 'x')
      const entries = [1, 2, 3, 4].map(seq => ({ ...entry(id('e'), seq, id('6', seq)), sealed: sealedForTest(large) }))
      for (const [at, one] of entries.entries())
        await held.subject.commit({ appends: [{ compartment: id('e'), expectedHead: at, entries: [one] }] })
      const pages: number[][] = []
      for (let from = 1; from <= 4; from = (pages.at(-1)?.at(-1) ?? 9) + 1)
        pages.push((await held.subject.entriesFrom(id('e'), from, 9)).map(({ seq }) => seq))
      expect(pages).toEqual([
        [1, 2],
        [3, 4],
      ])
      const stretches = await Array.fromAsync(held.subject.stretches([id('e')]))
      expect(stretches.flat().flatMap(stretch => stretch.entries.map(({ seq }) => seq))).toEqual([1, 2, 3, 4])
      expect(stretches.at(-1)?.at(-1)?.last).toBe(true)
    })

    it('reads entries in order, from a seq, up to a limit', async () => {
      expect((await held.subject.entriesFrom(anna, 2, 9)).map(({ seq }) => seq)).toEqual([2, 3])
      expect((await held.subject.entriesFrom(anna, 0, 2)).map(({ seq }) => seq)).toEqual([1, 2])
      expect(await held.subject.entriesFrom(anna, 4, 9)).toEqual([])
      expect(await held.subject.entriesFrom(id('f'), 1, 9)).toEqual([])
    })
  })

  describe('sealing anew', () => {
    it('puts other bytes in the place of an entry, and changes nothing else', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse], [weight], [pulse, 2])] })
      const again = entry(anna, 1, pulse, 1, 'the same under another key')
      const newest = entry(anna, 3, pulse, 2, 'and another')
      await held.subject.reseal(anna, [again, newest])
      expect(await held.subject.entriesFrom(anna, 1, 9)).toEqual([again, entry(anna, 2, weight), newest])
      expect(await held.subject.newest(pulse, undefined)).toEqual(newest)
      expect(await held.subject.version(pulse, 1, [anna])).toEqual(again)
      expect(await held.subject.heads([anna])).toEqual(new Map([[anna, 3]]))
    })

    it('leaves out what is not there, and other compartments', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse]), append(ben, 0, [weight])] })
      await held.subject.reseal(anna, [entry(anna, 2, pulse, 2, 'x')])
      await held.subject.reseal(id('f'), [entry(id('f'), 1, pulse, 1, 'x')])
      expect(await held.subject.entriesFrom(anna, 1, 9)).toEqual([entry(anna, 1, pulse)])
      expect(await held.subject.entriesFrom(ben, 1, 9)).toEqual([entry(ben, 1, weight)])
    })
  })

  describe('a commit that nobody could store', () => {
    const first = entry(anna, 1, pulse)
    it.each<[string, readonly Append[], readonly DocumentWrite[]]>([
      ['names a compartment twice', [append(anna, 0), append(anna, 0)], []],
      ['leaves a seq out', [{ compartment: anna, expectedHead: 1, entries: [first] }], []],
      ['puts an entry into another compartment', [{ compartment: ben, expectedHead: 0, entries: [first] }], []],
      ['leaves a version out', [append(anna, 0, [pulse, 1], [pulse, 3])], []],
      ['has a version twice in a compartment', [append(anna, 0, [pulse, 1], [pulse, 1])], []],
      ['has a version 0', [append(anna, 0, [pulse, 0])], []],
      ['has a head that is no number', [append(anna, -1)], []],
      ['names a document twice', [], [put('aa', 'x'), put('aa', 'y')]],
      ['names no collection', [], [put('aa', 'x', { collection: '' })]],
    ])('is refused: it %s', async (_, appends, documents) => {
      expect(await codeOf(held.subject.commit({ appends, documents }))).toBe('store.commit-malformed')
      expect(await held.subject.allHeads()).toEqual(new Map())
    })

    it('is refused: an id is not in hex', async () => {
      expect(await codeOf(held.subject.commit({ appends: [append('Patient/1', 0)] }))).toBe('store.id-malformed')
      expect(await codeOf(held.subject.commit({ appends: [append(anna, 0, ['Observation/1'])] }))).toBe(
        'store.id-malformed',
      )
      expect(await codeOf(held.subject.commit({ appends: [], documents: [put('name', 'x')] }))).toBe(
        'store.id-malformed',
      )
      const grouped = put('aa', 'x', { group: 'account' })
      expect(await codeOf(held.subject.commit({ appends: [], documents: [grouped] }))).toBe('store.id-malformed')
      expect(await codeOf(held.subject.newest('Observation/1', undefined))).toBe('store.id-malformed')
      expect(await codeOf(held.subject.document('tokens', 'name', 0))).toBe('store.id-malformed')
    })

    it('is refused: a compartment would hold more entries than row ids have room for', async () => {
      expect(await codeOf(held.subject.commit({ appends: [append(anna, 2 ** 28, [pulse])] }))).toBe(
        'store.compartment-full',
      )
    })
  })
}
