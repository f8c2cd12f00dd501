import { unescaped } from '../query/split.ts'
import type { Comparison, Modifier, Operand } from '../query/types.ts'
import { parseParts } from './entries.ts'
import { beginsWord, fold } from './fold.ts'
import { standsIn } from './standing.ts'

export type StringOperand = Extract<Operand, { kind: 'string' }>

/** @see https://hl7.org/fhir/R4/search.html#string */
export function parseStringOperand(text: string): StringOperand {
  const plain = unescaped(text)
  const folded = foldString(plain)
  return { kind: 'string', text: plain, folded, isPunctuated: punctuation.test(folded) }
}

/** Signs that are typed in several ways. */
const variants: readonly (readonly [RegExp, string])[] = [
  [/[\u2018\u2019\u02bc\u2032`\u00b4]/g, "'"],
  [/[\u2010-\u2015\u2212]/g, '-'],
  [/[\u201c-\u201f]/g, '"'],
]
const variant = /[\u2018\u2019\u02bc\u2032`\u00b4\u2010-\u2015\u2212\u201c-\u201f]/

function foldString(text: string): string {
  const folded = fold(text)
  return variant.test(folded) ? variants.reduce((one, [signs, sign]) => one.replace(signs, sign), folded) : folded
}

const punctuation = /\p{P}/u
const allPunctuation = /\p{P}+/gu

function withoutPunctuation(folded: string): string {
  return punctuation.test(folded) ? folded.replace(allPunctuation, '').replace(/\s+/g, ' ').trim() : folded
}

/** A part of an element: as it is, and as whoever seeks means it. */
interface Part {
  readonly text: string
  readonly folded: string
  /** The same for who typed no punctuation: as R4 says, it is ignored. */
  readonly bare: string
}

type PartTest = (operand: StringOperand, part: Part) => boolean

/** Who types signs means them: `J.` is not every J. */
function soughtIn({ isPunctuated }: StringOperand, { folded, bare }: Part): string {
  return isPunctuated ? folded : bare
}

const partTests: Readonly<Partial<Record<Modifier | Comparison, PartTest>>> = {
  exact: (operand, { text }) => text === operand.text,
  contains: (operand, part) => standsIn(soughtIn(operand, part), operand.folded),
  text: (operand, { folded }) => beginsWord(folded, operand.folded),
  is: (operand, part) => soughtIn(operand, part) === operand.folded,
  ends: (operand, part) => soughtIn(operand, part).endsWith(operand.folded),
  after: (operand, { folded }) => byCodePoints(folded, operand.folded) > 0,
  before: (operand, { folded }) => byCodePoints(folded, operand.folded) < 0,
  from: (operand, { folded }) => byCodePoints(folded, operand.folded) >= 0,
  until: (operand, { folded }) => byCodePoints(folded, operand.folded) <= 0,
}

/** UTF-8 keeps the order of code points, which UTF-16 does not. */
function byCodePoints(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

const startsWith: PartTest = (operand, part) => soughtIn(operand, part).startsWith(operand.folded)

/** Whether any part of an element (a name has several) is what is sought: from its start, unless the modifier says otherwise. */
export function stringTest(
  operands: readonly StringOperand[],
  modifier: Modifier | Comparison | undefined,
): (entry: string) => boolean {
  const test = (modifier === undefined ? undefined : partTests[modifier]) ?? startsWith
  return entry =>
    parseParts(entry).some(text => {
      const folded = foldString(text)
      const part = { text, folded, bare: withoutPunctuation(folded) }
      return operands.some(operand => test(operand, part))
    })
}

/** Lengths of the beginnings under which a text is looked up: of what is sought the longest one that it has is asked for. */
const keyLengths = [2, 4, 8, 16]
/** Longer texts are few, and are compared each time. */
const longestKeyed = 1_024
const keyOfLong = ''
const underAny: readonly string[] = [keyOfLong]

/** Beginnings under which an entry is looked up, of each of its parts. */
export function stringKeys(entry: string): readonly string[] {
  if (entry.length > longestKeyed) return underAny
  const keys = new Set<string>()
  for (const text of parseParts(entry)) {
    const folded = foldString(text)
    for (const each of [folded, withoutPunctuation(folded)])
      for (const length of keyLengths) if (each.length >= length) keys.add(each.slice(0, length))
  }
  return [...keys]
}

/** Where entries stand that may begin with what is sought; undefined when that says too little, or stands anywhere. */
export function soughtStringKeys(
  operands: readonly StringOperand[],
  modifier: Modifier | Comparison | undefined,
): readonly string[] | undefined {
  if (modifier !== undefined && !fromTheStart.has(modifier)) return undefined
  const keys: string[] = [keyOfLong]
  for (const { folded } of operands) {
    const length = keyLengths.findLast(each => each <= folded.length)
    if (length === undefined) return undefined
    keys.push(folded.slice(0, length))
  }
  return keys
}

/** By these a text has all of what is sought at its beginning, once both are folded. */
const fromTheStart: ReadonlySet<Modifier | Comparison> = new Set(['exact', 'is'])

/** What a string is sorted by. */
export function stringSortText(entry: string): string {
  return fold(parseParts(entry)[0] ?? '')
}
