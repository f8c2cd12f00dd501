import fc from 'fast-check'

/** What happens to files on their way: something goes missing, comes twice, or something else comes in between. */
type Damage = (text: string) => string

const junk = [
  '"',
  '<',
  '>',
  '&',
  '/',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\\',
  '|',
  '^',
  '\r',
  '\n',
  '\0',
  '\u{1f9e1}',
  '-->',
  'null',
  '1e999',
]

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(40)).map(([at, size]): Damage => {
    return text => text.slice(0, at * text.length) + text.slice(at * text.length + size)
  }),
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(200)).map(([at, size]): Damage => {
    return text => text.slice(0, at * text.length + size) + text.slice(at * text.length)
  }),
  fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(...junk)).map(([at, what]): Damage => {
    return text => text.slice(0, at * text.length) + what + text.slice(at * text.length)
  }),
)

/** A little of it, in one to three places. */
export const damaged: fc.Arbitrary<Damage> = fc
  .array(damage, { minLength: 1, maxLength: 3 })
  .map(all => text => all.reduce((damaged, one) => one(damaged), text))
