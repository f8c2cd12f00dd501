import { unescaped } from '../query/split.ts'
import type { Comparison, Modifier, Operand } from '../query/types.ts'
import { parseParts } from './entries.ts'
import { beginsWord, fold } from './fold.ts'
import { standsIn } from './standing.ts'

export type StringOperand = Extract<Operand, { kind: 'string' }>

/** @see https://hl7.org/fhir/R4/search.html#string */
export function parseStringOperand(text: string): StringOperand {
  const plain = unescaped(text)
  return { kind: 'string', text: plain, folded: fold(plain) }
}

type PartTest = (operand: StringOperand, part: string, folded: string) => boolean

const partTests: Readonly<Partial<Record<Modifier | Comparison, PartTest>>> = {
  exact: (operand, part) => part === operand.text,
  contains: (operand, _part, folded) => standsIn(folded, operand.folded),
  text: (operand, _part, folded) => beginsWord(folded, operand.folded),
  is: (operand, _part, folded) => folded === operand.folded,
  ends: (operand, _part, folded) => folded.endsWith(operand.folded),
  after: (operand, _part, folded) => byCodePoints(folded, operand.folded) > 0,
  before: (operand, _part, folded) => byCodePoints(folded, operand.folded) < 0,
  from: (operand, _part, folded) => byCodePoints(folded, operand.folded) >= 0,
  until: (operand, _part, folded) => byCodePoints(folded, operand.folded) <= 0,
}

/** UTF-8 keeps the order of code points, which UTF-16 does not. */
function byCodePoints(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

const startsWith: PartTest = (operand, _part, folded) => folded.startsWith(operand.folded)

/** Whether any part of an element (a name has several) is what is sought: from its start, unless the modifier says otherwise. */
export function stringTest(
  operands: readonly StringOperand[],
  modifier: Modifier | Comparison | undefined,
): (entry: string) => boolean {
  const test = (modifier === undefined ? undefined : partTests[modifier]) ?? startsWith
  return entry =>
    parseParts(entry).some(part => {
      const folded = fold(part)
      return operands.some(operand => test(operand, part, folded))
    })
}

/** What a string is sorted by. */
export function stringSortText(entry: string): string {
  return fold(parseParts(entry)[0] ?? '')
}
