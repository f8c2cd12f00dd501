import fc from 'fast-check'
import { beginsWord } from '../../../src/search/kinds/fold.ts'
import { standsIn } from '../../../src/search/kinds/standing.ts'
import { growth, mostGrowth } from '../../computing.ts'

const letters = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'é', '𝔸'), maxLength: 12 })

/** As it is defined, place by place. */
function places(text: string, sought: string): readonly number[] {
  return Array.from({ length: text.length + 1 }, (_, at) => at).filter(at => text.startsWith(sought, at))
}

describe('a text that is sought in another', () => {
  it('is found where it stands, each place in turn', () => {
    const repeated = fc.tuple(letters, fc.constantFrom(1, 300)).map(([text, times]) => text.repeat(times))
    fc.assert(
      fc.property(repeated, repeated, letters, (text, sought, more) => {
        const asked: number[] = []
        const all = more + text + sought + text
        standsIn(all, sought, at => asked.push(at) === 0)
        const stands = places(all, sought)
        expect(standsIn(all, sought)).toBe(stands.length > 0)
        expect(asked).toEqual(stands)
      }),
      { numRuns: 300 },
    )
  })

  const hostile: Readonly<Record<string, (size: number) => readonly [text: string, sought: string]>> = {
    'differs in the middle': size => ['a'.repeat(8 * size), `${'a'.repeat(size)}b${'a'.repeat(size)}`],
    'differs at the end': size => ['a'.repeat(8 * size), `${'a'.repeat(size)}b`],
    'differs at the beginning': size => ['a'.repeat(8 * size), `b${'a'.repeat(size)}`],
    'stands everywhere within one word': size => [`b${'a'.repeat(8 * size)}`, 'a'.repeat(size)],
    'stands in every word': size => ['xa '.repeat(3 * size), 'a xa x'.repeat(size / 6)],
    'is one letter': size => [`b${'a'.repeat(8 * size)}`, 'a'],
  }
  it.each(Object.entries(hostile))('takes as long as both are where it %s', async (_, of) => {
    expect(await growth(size => standsIn(...of(size)), 6_000)).toBeLessThan(mostGrowth)
    expect(await growth(size => beginsWord(...of(size)), 6_000)).toBeLessThan(mostGrowth)
  })
})

describe('what begins a word', () => {
  it.each([
    ['sugar in blood', 'blood', true],
    ['sugar in blood', 'lood', false],
    ['bloodblood blood', 'blood', true],
    ['xblood', 'blood', false],
    ['x-blood', 'blood', true],
    ['éblood', 'blood', false],
    ['𝔸blood', 'blood', false],
    ['😀blood', 'blood', true],
    ['(blood)', '(blood', true],
    ['x(blood)', '(blood', false],
    [`x${'blood '.repeat(400)}`, 'blood '.repeat(400), false],
    [`x${'blood '.repeat(401)}`, 'blood '.repeat(400), true],
  ])('%s: %s is %p', (text, sought, begins) => {
    expect(beginsWord(text, sought)).toBe(begins)
  })
})
