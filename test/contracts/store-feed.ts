import type { Changes, Store } from '#store'
import {
  anna,
  append,
  ben,
  type Held,
  id,
  lost,
  type Opening,
  pulse,
  put,
  sealedForTest,
  weight,
  won,
} from './store-fixtures.ts'

/** Follows the feed of a store as whoever keeps something beside it does: what it knows must be what the store holds. */
export class Follower {
  readonly heads = new Map<string, number>()
  mark: string | undefined
  /** While an answer that began anew goes on: whom it has not named. */
  #unnamed: Set<string> | undefined
  #limit: number

  constructor(limit = 100) {
    this.#limit = limit
  }

  /** Asks until there is no more, and tells all the answers. */
  async follow(store: Store): Promise<readonly Changes[]> {
    const answers: Changes[] = []
    do answers.push(await this.#ask(store))
    while (answers.at(-1)?.more === true)
    for (const left of this.#unnamed ?? []) this.heads.delete(left)
    this.#unnamed = undefined
    return answers
  }

  async #ask(store: Store): Promise<Changes> {
    const answer = await store.changesSince(this.mark, this.#limit)
    if (answer.anew) this.#unnamed = new Set(this.heads.keys())
    this.mark = answer.mark
    for (const [compartment, head] of answer.moved) this.#take(compartment, head)
    return answer
  }

  #take(compartment: string, head: number): void {
    this.#unnamed?.delete(compartment)
    if (head === 0) this.heads.delete(compartment)
    else this.heads.set(compartment, head)
  }
}

/** What is told of everybody from the beginning, and of nobody again. */
async function movedSince(store: Store, mark: string | undefined): Promise<Map<string, number>> {
  return new Map((await store.changesSince(mark, 100)).moved)
}

/** The part of the store contract that is about what moved. */
export function feedContract(held: Held<Store>, open: Opening<Store>): void {
  describe('telling what moved', () => {
    it('begins with every compartment that has entries', async () => {
      const first = await held.subject.changesSince(undefined, 10)
      expect(first).toMatchObject({ moved: new Map(), more: false, anew: true })
      await held.subject.commit({ appends: [append(anna, 0, [pulse], [weight]), append(ben, 0), append(id('c'), 0)] })
      await held.subject.putSegment({
        compartment: id('d'),
        fromSeq: 1,
        untilSeq: 1,
        sealed: sealedForTest('rows'),
      })
      const answer = await held.subject.changesSince(undefined, 10)
      expect(answer).toMatchObject({ moved: new Map([[anna, 2]]), more: false, anew: true })
    })

    it('goes on from a mark, with the head that is there now', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse]), append(ben, 0, [id('3')])] })
      const { mark } = await held.subject.changesSince(undefined, 10)
      expect(await held.subject.changesSince(mark, 10)).toEqual({ mark, moved: new Map(), more: false, anew: false })
      await held.subject.commit({ appends: [append(anna, 1, [weight])] })
      await held.subject.commit({ appends: [append(anna, 2, [pulse, 2], [pulse, 3])] })
      const next = await held.subject.changesSince(mark, 10)
      expect(next).toMatchObject({ moved: new Map([[anna, 4]]), more: false, anew: false })
      expect(await movedSince(held.subject, next.mark)).toEqual(new Map())
      expect(await movedSince(held.subject, mark)).toEqual(new Map([[anna, 4]]))
    })

    it('says nothing of a lost race, of documents, or of a claim that a head has not moved', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      const { mark } = await held.subject.changesSince(undefined, 10)
      expect(await held.subject.commit({ appends: [append(ben, 0, [id('3')]), append(anna, 0, [weight])] })).toEqual(
        lost({ heads: [anna] }),
      )
      expect(await held.subject.commit({ appends: [append(anna, 1)], documents: [put('aa', 'x')] })).toEqual(won)
      expect(await movedSince(held.subject, mark)).toEqual(new Map())
    })

    it('says of what was sealed anew that it did not move', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      const { mark } = await held.subject.changesSince(undefined, 10)
      await held.subject.reseal(anna, append(anna, 0, [pulse]).entries)
      expect(await movedSince(held.subject, mark)).toEqual(new Map())
    })

    it('tells of a removal, once, and of what begins under the same id', async () => {
      await held.subject.commit({ appends: [append(anna, 0, [pulse]), append(ben, 0, [id('3')])] })
      const { mark } = await held.subject.changesSince(undefined, 10)
      await held.subject.dropCompartment(anna)
      await held.subject.dropCompartment(id('f'))
      const dropped = await held.subject.changesSince(mark, 10)
      expect(dropped).toMatchObject({ moved: new Map([[anna, 0]]), anew: false })
      expect(await movedSince(held.subject, undefined)).toEqual(new Map([[ben, 1]]))
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      expect(await movedSince(held.subject, dropped.mark)).toEqual(new Map([[anna, 1]]))
      expect((await movedSince(held.subject, mark)).get(anna)).toBe(1)
    })

    it('gives no more than was asked for at once, and leaves nobody out', async () => {
      const all = Array.from({ length: 25 }, (_, index) => id('c', index))
      await held.subject.commit({ appends: all.map((each, index) => append(each, 0, [id('1', index)])) })
      const follower = new Follower(4)
      const answers = await follower.follow(held.subject)
      expect(answers.every(({ moved }) => moved.size <= 4)).toBe(true)
      expect(answers.map(({ anew }) => anew)).toEqual([true, ...answers.slice(1).map(() => false)])
      expect(follower.heads).toEqual(new Map(all.map(each => [each, 1])))
      for (const each of all.slice(5))
        await held.subject.commit({ appends: [append(each, 1, [id('2', all.indexOf(each))])] })
      const next = await follower.follow(held.subject)
      expect(next.some(({ anew }) => anew)).toBe(false)
      expect(next.every(({ moved }) => moved.size <= 4)).toBe(true)
      expect(follower.heads).toEqual(await held.subject.allHeads())
    })

    it('misses nothing that happens between two pages', async () => {
      const all = Array.from({ length: 12 }, (_, index) => id('c', index))
      await held.subject.commit({ appends: all.map((each, index) => append(each, 0, [id('1', index)])) })
      const known = new Map<string, number>()
      let mark: string | undefined
      let next = 0
      for (let more = true; more; ) {
        const answer = await held.subject.changesSince(mark, 3)
        for (const [compartment, head] of answer.moved) known.set(compartment, head)
        ;({ mark, more } = answer)
        // What was told already moves, goes, and comes anew.
        if (next < 4) await held.subject.commit({ appends: [append(id('c', next), 1, [id('2', next)])] })
        if (next === 1) await held.subject.dropCompartment(id('c', 10))
        if (next === 2) await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
        next++
      }
      for (const [compartment, head] of known) if (head === 0) known.delete(compartment)
      expect(known).toEqual(await held.subject.allHeads())
    })

    it('follows many who write at once', async () => {
      const follower = new Follower(7)
      const writers = Array.from({ length: 10 }, async (_, of) => {
        for (let head = 0; head < 12; head++)
          await held.subject.commit({ appends: [append(id('c', of), head, [id('1', of * 100 + head)])] })
      })
      let writing = true
      const written = Promise.all(writers).then(() => (writing = false))
      while (writing) {
        await follower.follow(held.subject)
        await new Promise(setImmediate)
      }
      await written
      await follower.follow(held.subject)
      expect(follower.heads).toEqual(await held.subject.allHeads())
    })

    it.each(['', 'of another kind of store', '1', '7.9', '1.2.3', '999999999999.1'])(
      'begins anew for a mark that it did not give: "%s"',
      async mark => {
        await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
        const answer = await held.subject.changesSince(mark, 10)
        expect(answer).toMatchObject({ moved: new Map([[anna, 1]]), more: false, anew: true })
      },
    )

    it('begins anew for a mark of another store', async () => {
      const other = await open()
      await held.subject.commit({ appends: [append(anna, 0, [pulse])] })
      await other.subject.commit({ appends: [append(ben, 0, [pulse], [weight])] })
      const { mark } = await held.subject.changesSince(undefined, 10)
      const answer = await other.subject.changesSince(mark, 10)
      await other.dispose()
      expect(answer).toMatchObject({ moved: new Map([[ben, 2]]), more: false, anew: true })
    })
  })
}
