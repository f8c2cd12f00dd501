import type { Resource } from '#fhir'
import { randomFrom } from '../../random.ts'
import { ask, Household, patientHolder } from './household.ts'

const ucum = 'http://unitsofmeasure.org'

/** A fraction of whole numbers. */
interface Ratio {
  readonly n: bigint
  readonly d: bigint
}

const zero: Ratio = { n: 0n, d: 1n }

/** One unit, another, and exactly how a number in the one becomes one in the other. */
const units: readonly (readonly [of: string, to: string, factor: Ratio, offset: Ratio])[] = [
  ['kg', '[lb_av]', { n: 100_000_000n, d: 45_359_237n }, zero],
  ['[lb_av]', 'kg', { n: 45_359_237n, d: 100_000_000n }, zero],
  ['g', '[oz_av]', { n: 1_000_000_000n, d: 28_349_523_125n }, zero],
  ['kg', 'mg', { n: 1_000_000n, d: 1n }, zero],
  ['cm', '[in_i]', { n: 100n, d: 254n }, zero],
  ['mm[Hg]', 'kPa', { n: 133_322n, d: 1_000_000n }, zero],
  ['g/L', 'mg/dL', { n: 100n, d: 1n }, zero],
  ['h', 's', { n: 3600n, d: 1n }, zero],
  ['kcal', 'kJ', { n: 4184n, d: 1000n }, zero],
  ['Cel', 'K', { n: 1n, d: 1n }, { n: 27_315n, d: 100n }],
  ['Cel', '[degF]', { n: 9n, d: 5n }, { n: 32n, d: 1n }],
]

function ratioOf(text: string): Ratio {
  const [whole = '', fraction = ''] = text.split('.')
  return { n: BigInt(whole + fraction), d: 10n ** BigInt(fraction.length) }
}

/** Rounded to digits behind the point. */
function printed({ n, d }: Ratio, places: number): string {
  const scaled = (2n * n * 10n ** BigInt(places) + d) / (2n * d)
  const text = String(scaled).padStart(places + 1, '0')
  return places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`
}

const added = (one: Ratio, other: Ratio): Ratio => ({ n: one.n * other.d + other.n * one.d, d: one.d * other.d })
const times = (one: Ratio, other: Ratio): Ratio => ({ n: one.n * other.n, d: one.d * other.d })

/** Places behind the point that make so many digits. */
const placesFor = ({ n, d }: Ratio, digits: number) =>
  Math.max(0, digits - Math.ceil(Math.log10(Number(n) / Number(d))))

function stored(text: string, code: string): Household {
  const value = { value: Number(text), system: ucum, code }
  const weight = { resourceType: 'Observation', id: 'w', status: 'final', code: { text: 'x' }, valueQuantity: value }
  return new Household(patientHolder('p'), [weight as Resource])
}

/** The prefixes by which what is kept is found. */
function findingPrefixes(household: Household, sought: string): string {
  const isFound = (prefix: string) =>
    ask(`Observation?value-quantity=${prefix}${sought}`, [household]).matches.length === 1
  return ['eq', 'ne', 'lt', 'gt', 'le', 'ge', 'sa', 'eb', 'ap'].filter(isFound).join(' ')
}

const seed = Number(process.env.SEARCH_SEED ?? Date.now() % 1_000_000)
const random = randomFrom(seed)
const drawn = Array.from({ length: 12 }, () => (1 + random() * 300).toPrecision(1 + Math.floor(random() * 15)))
const values = ['70', '0.1', '37', '98.6', '123.456', '0.003', '37.00', '70.12345678901234', ...drawn].filter(
  text => !text.includes('e'),
)

describe(`numbers are compared as decimals, also in other units – https://hl7.org/fhir/R4/search.html#quantity (seed ${seed})`, () => {
  it.each(units)('%s by what is asked in %s', (of, to, factor, offset) => {
    for (const text of values) {
      const household = stored(text, of)
      const exact = added(times(ratioOf(text), factor), offset)
      const inOther = (ratio: Ratio, digits: number) => `${printed(ratio, placesFor(ratio, digits))}|${ucum}|${to}`
      // As many digits as a number of JSON may have: it is what is kept.
      for (const digits of [16, 17, 20])
        expect([text, digits, findingPrefixes(household, inOther(exact, digits))]).toEqual([
          text,
          digits,
          'eq le ge ap',
        ])
      // With fewer it is in their range.
      for (const digits of [3, 6, 9, 12, 13, 14, 15])
        expect([text, digits, findingPrefixes(household, inOther(exact, digits))]).toEqual([
          text,
          digits,
          expect.stringMatching(/^eq .*ap$/),
        ])
      // What differs in the twelfth digit is something else.
      const less = added(exact, times(exact, { n: -1n, d: 100_000_000_000n }))
      const more = added(exact, times(exact, { n: 1n, d: 100_000_000_000n }))
      expect([text, findingPrefixes(household, inOther(less, 16))]).toEqual([text, 'ne gt ge sa ap'])
      expect([text, findingPrefixes(household, inOther(more, 16))]).toEqual([text, 'ne lt le eb ap'])
    }
  })

  it.each([
    ['0', 'Cel', '32', '[degF]'],
    ['0', 'Cel', '273.15', 'K'],
    ['-40', 'Cel', '-40.0000000000000', '[degF]'],
    ['-40', '[degF]', '-40.0000000000000', 'Cel'],
    ['0', 'kg', '0.0', '[lb_av]'],
  ])('%s %s is %s %s exactly', (text, of, sought, to) => {
    expect(findingPrefixes(stored(text, of), `${sought}|${ucum}|${to}`)).toBe('eq le ge ap')
  })

  it('the end of a range of digits belongs to the next one, in every unit', () => {
    // 70.5 kg: 70 kg are all from 69.5 to less than 70.5.
    const household = stored('70500', 'g')
    expect(findingPrefixes(household, `70|${ucum}|kg`)).toBe('ne gt ge sa ap')
    expect(findingPrefixes(household, `71|${ucum}|kg`)).toBe('eq lt le eb ap')
    const pounds = stored('0.680388555', 'kg')
    expect(findingPrefixes(pounds, `1|${ucum}|[lb_av]`)).toBe('ne gt ge sa ap')
    expect(findingPrefixes(pounds, `2|${ucum}|[lb_av]`)).toBe('eq lt le eb ap')
  })

  it('numbers of more digits than a double has are found as they were written', () => {
    expect(findingPrefixes(stored('5.4', 'mg'), `5.40000000000000000000|${ucum}|mg`)).toBe('eq le ge ap')
    expect(findingPrefixes(stored('5.4', 'mg'), '5.40000000000000000000')).toBe('eq le ge ap')
  })
})
