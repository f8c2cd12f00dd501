import { unescaped } from '../query/split.ts'
import type { Modifier, Operand } from '../query/types.ts'
import { parseParts } from './entries.ts'
import { fold } from './fold.ts'

type StringOperand = Extract<Operand, { kind: 'string' }>

/** @see https://hl7.org/fhir/R4/search.html#string */
export function parseStringOperand(text: string): StringOperand {
  const plain = unescaped(text)
  return { kind: 'string', text: plain, folded: fold(plain) }
}

type PartTest = (operand: StringOperand, part: string, folded: string) => boolean

const partTests: Readonly<Partial<Record<Modifier, PartTest>>> = {
  exact: (operand, part) => part === operand.text,
  contains: (operand, _part, folded) => folded.includes(operand.folded),
}

const startsWith: PartTest = (operand, _part, folded) => folded.startsWith(operand.folded)

/** Whether any part of an element (a name has several) is what is sought: from its start, unless the modifier says otherwise. */
export function stringTest(
  operands: readonly StringOperand[],
  modifier: Modifier | undefined,
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
