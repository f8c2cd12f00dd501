import type { Segment, Store, Stretch } from '#store'
import { anna, append, ben, type Held, id, pulse, sealedForTest, weight } from './store-fixtures.ts'

/** All parts of each compartment together; they must come one behind the other. */
async function gather(pages: AsyncIterable<readonly Stretch[]>): Promise<Map<string, Omit<Stretch, 'last'>>> {
  const gathered = new Map<string, Omit<Stretch, 'last'>>()
  let open: string | undefined
  for await (const page of pages) {
    for (const { compartment, segments, entries, last } of page) {
      expect(open ?? compartment).toBe(compartment)
      const before = gathered.get(compartment)
      if (open === undefined) expect(before).toBeUndefined()
      open = last ? undefined : compartment
      const all = {
        segments: [...(before?.segments ?? []), ...segments],
        entries: [...(before?.entries ?? []), ...entries],
      }
      gathered.set(compartment, { compartment, ...all })
    }
  }
  expect(open).toBeUndefined()
  return gathered
}

/** The part of the store contract that is about opening the indexes of many compartments. */
export function stretchesContract(held: Held<Store>, many: number): void {
  const much = many / 3
  const beside = (many * 2) / 15
  const segment = (
    compartment: string,
    fromSeq: number,
    untilSeq: number,
    content = `${fromSeq}-${untilSeq}`,
  ): Segment => ({
    compartment,
    fromSeq,
    untilSeq,
    sealed: sealedForTest(content),
  })
  const seqsOf = (stretch: Omit<Stretch, 'last'> | undefined) => ({
    segments: stretch?.segments.map(({ fromSeq, untilSeq }) => `${fromSeq}-${untilSeq}`),
    seqs: stretch?.entries.map(({ seq }) => seq),
  })
  /** One compartment with so many entries. */
  const grow = (compartment: string, letter: string, count: number) =>
    held.subject.commit({
      appends: [append(compartment, 0, ...Array.from({ length: count }, (_, index) => [id(letter, index)] as const))],
    })

  describe('reading what many indexes are made of', () => {
    it('gives the segments, and the entries behind them as they were written', async () => {
      await held.subject.commit({
        appends: [append(anna, 0, [pulse], [weight], [pulse, 2]), append(ben, 0, [id('3')])],
      })
      await held.subject.putSegment(segment(anna, 1, 2))
      const found = await gather(held.subject.stretches([ben, anna]))
      expect(found.get(anna)).toEqual({
        compartment: anna,
        segments: [segment(anna, 1, 2)],
        entries: await held.subject.entriesFrom(anna, 3, 9),
      })
      expect(found.get(ben)).toEqual({
        compartment: ben,
        segments: [],
        entries: await held.subject.entriesFrom(ben, 1, 9),
      })
    })

    it('names each compartment that was asked for, once, and no other', async () => {
      await grow(anna, '1', 2)
      await grow(ben, '2', 2)
      await held.subject.putSegment(segment(anna, 1, 2))
      const found = await gather(held.subject.stretches([anna, id('f'), anna]))
      expect(new Set(found.keys())).toEqual(new Set([anna, id('f')]))
      expect(seqsOf(found.get(anna))).toEqual({ segments: ['1-2'], seqs: [] })
      expect(seqsOf(found.get(id('f')))).toEqual({ segments: [], seqs: [] })
      expect(await gather(held.subject.stretches([]))).toEqual(new Map())
    })

    it.each<[string, readonly (readonly [number, number])[], readonly string[], readonly number[]]>([
      ['without segments', [], [], [1, 2, 3, 4, 5, 6]],
      ['with all in one', [[1, 6]], ['1-6'], []],
      [
        'with several in a row',
        [
          [1, 2],
          [3, 5],
        ],
        ['1-2', '3-5'],
        [6],
      ],
      ['without the first of them', [[3, 5]], [], [1, 2, 3, 4, 5, 6]],
      [
        'without one in the middle',
        [
          [1, 1],
          [4, 5],
        ],
        ['1-1'],
        [2, 3, 4, 5, 6],
      ],
      [
        'with one that was made longer',
        [
          [1, 2],
          [1, 4],
        ],
        ['1-4'],
        [5, 6],
      ],
    ])('leaves nothing out: a compartment %s', async (_, kept, segments, seqs) => {
      await grow(anna, '1', 6)
      for (const [from, until] of kept) await held.subject.putSegment(segment(anna, from, until))
      expect(seqsOf((await gather(held.subject.stretches([anna]))).get(anna))).toEqual({ segments, seqs })
    })

    it('gives what is much in parts', async () => {
      await grow(anna, '1', much)
      await grow(ben, '2', much)
      const large = 'x'.repeat(300_000)
      for (let at = 0; at < 10; at++) await held.subject.putSegment(segment(ben, at * 10 + 1, at * 10 + 10, large))
      const found = await gather(held.subject.stretches([anna, ben, id('f')]))
      expect(found.get(anna)?.entries).toHaveLength(much)
      expect(found.get(ben)?.segments).toHaveLength(10)
      expect(found.get(ben)?.entries.map(({ seq }) => seq)).toEqual(
        Array.from({ length: much - 100 }, (_, at) => at + 101),
      )
    })

    it('reads many compartments, and may be left before the end', async () => {
      const count = (many * 7) / 30
      const all = Array.from({ length: count }, (_, index) => id('c', index))
      await held.subject.commit({ appends: all.map((each, index) => append(each, 0, [id('1', index)])) })
      for (const each of all.filter((_, index) => index % 2 === 0)) await held.subject.putSegment(segment(each, 1, 1))
      const found = await gather(held.subject.stretches(all.toReversed()))
      expect(found.size).toBe(count)
      expect([...found.values()].filter(({ segments }) => segments.length === 1)).toHaveLength(count / 2)
      expect([...found.values()].filter(({ entries }) => entries.length === 1)).toHaveLength(count / 2)
      for await (const page of held.subject.stretches(all)) {
        expect(page.length).toBeGreaterThan(0)
        break
      }
    })

    it('goes on beside writes: what is appended, sealed or removed meanwhile does harm to nothing', async () => {
      await grow(anna, '1', beside)
      await grow(ben, '2', beside)
      const cleo = id('c')
      await grow(cleo, '3', beside)
      const pages: (readonly Stretch[])[] = []
      for await (const page of held.subject.stretches([anna, ben, cleo])) {
        if (pages.push(page) > 1) continue
        await held.subject.putSegment(segment(anna, 1, beside))
        await held.subject.commit({ appends: [append(ben, beside, [id('4')])] })
        await held.subject.dropCompartment(cleo)
      }
      const of = (compartment: string) => pages.flat().filter(stretch => stretch.compartment === compartment)
      for (const one of [anna, ben]) {
        const covered =
          of(one)
            .flatMap(({ segments }) => segments)
            .at(-1)?.untilSeq ?? 0
        const seqs = of(one).flatMap(({ entries }) => entries.map(({ seq }) => seq))
        expect(seqs.slice(0, beside)).toEqual(Array.from({ length: beside - covered }, (_, at) => covered + at + 1))
      }
      expect(of(cleo).filter(({ last }) => last)).toHaveLength(1)
    })
  })
}
