import { Problem } from '#kernel'
import { splitAt, unescaped } from '../query/split.ts'
import type { Modifier, TokenOperand } from '../query/types.ts'
import type { Words } from '../query/words.ts'
import { codingsOf, parseToken, type TokenEntry } from './entries.ts'
import { beginsWord, fold } from './fold.ts'

/** Code systems whose codes differ by case alone, or which declare themselves case sensitive. Others are compared without case. */
const caseSensitive =
  /^(?:http:\/\/unitsofmeasure\.org|http:\/\/hl7\.org\/fhir\/|http:\/\/terminology\.hl7\.org\/CodeSystem\/)/

function malformed(name: string): Problem {
  return new Problem('invalid', 'search.token-malformed', 'A token is code, system|code, |code or system|.', {
    expression: name,
  })
}

function ofType(parts: readonly string[], name: string): TokenOperand {
  const [system, code, value] = parts
  if (parts.length !== 3 || !value || !code) throw malformed(name)
  return { kind: 'token', system: system === '' ? undefined : system, code, value }
}

const mimeType = /^[\w.+-]+\/[\w.+-]+$/

/** `:below` on a media type: it, with whatever parameters. @see https://hl7.org/fhir/R4/search.html#mimetype */
function belowMimeType(text: string): TokenOperand {
  const base = text.toLowerCase()
  const isBelow = (code: string) => code === base || code.startsWith(`${base};`)
  const means = (_system: string, code: string) => isBelow(code.toLowerCase().replaceAll(' ', ''))
  return { kind: 'token', system: undefined, code: text, means }
}

/** @throws Problem `invalid` · `search.token-malformed`, `search.code-system-unknown` */
function hierarchical(text: string, name: string, direction: 'above' | 'below', words: Words): TokenOperand {
  const [system = '', code = '', ...more] = splitAt(text, '|').map(unescaped)
  if (direction === 'below' && code === '' && mimeType.test(system)) return belowMimeType(system)
  if (system === '' || code === '' || more.length > 0)
    throw new Problem('invalid', 'search.token-malformed', `:${direction} takes system|code.`, { expression: name })
  return { kind: 'token', system, code, means: words[direction](system, code, name) }
}

function inValueSet(text: string, name: string, modifier: 'in' | 'not-in', words: Words): TokenOperand {
  const valueSet = unescaped(text)
  const means = words.within(valueSet, modifier === 'not-in', name)
  return { kind: 'token', system: undefined, code: undefined, valueSet, means }
}

/**
 * `code`, `system|code`, `|code`, `system|`; for `:of-type` `system|code|value`; for `:text` any text; for `:in` a value set.
 *
 * @throws Problem `invalid` · `search.token-malformed`, `search.value-set-unknown`, `search.code-system-unknown`
 * @see https://hl7.org/fhir/R4/search.html#token
 */
export function parseTokenOperand(
  text: string,
  name: string,
  modifier: Modifier | undefined,
  words: Words,
): TokenOperand {
  if (modifier === 'text') return { kind: 'token', system: undefined, code: undefined, folded: fold(unescaped(text)) }
  if (modifier === 'in' || modifier === 'not-in') return inValueSet(text, name, modifier, words)
  if (modifier === 'above' || modifier === 'below') return hierarchical(text, name, modifier, words)
  const parts = splitAt(text, '|').map(unescaped)
  if (modifier === 'of-type') return ofType(parts, name)
  const [first = '', second] = parts
  if (parts.length > 2 || parts.every(part => part === '')) throw malformed(name)
  if (second === undefined) return { kind: 'token', system: undefined, code: first }
  return { kind: 'token', system: first, code: second === '' ? undefined : second }
}

function isCode(system: string, code: string, sought: string): boolean {
  return code === sought || (!caseSensitive.test(system) && code.toLowerCase() === sought.toLowerCase())
}

function isCoding(operand: TokenOperand, coding: { readonly system: string; readonly code: string }): boolean {
  if (operand.system !== undefined && operand.system !== coding.system) return false
  return operand.code === undefined || isCode(coding.system, coding.code, operand.code)
}

function hasWords(entry: TokenEntry, sought: string): boolean {
  const texts = [entry.text, ...entry.codings.map(coding => coding.display)]
  return texts.some(text => beginsWord(fold(text), sought))
}

function isOfType(operand: TokenOperand, entry: TokenEntry): boolean {
  return (
    entry.codings.some(coding => coding.code === operand.value) && entry.types.some(type => isCoding(operand, type))
  )
}

function passes(operand: TokenOperand, entry: TokenEntry): boolean {
  const { means } = operand
  if (means !== undefined) return entry.codings.some(({ system, code }) => code !== '' && means(system, code))
  if (operand.folded !== undefined) return hasWords(entry, operand.folded)
  if (operand.value !== undefined) return isOfType(operand, entry)
  return entry.codings.some(coding => (coding.code !== '' || coding.system !== '' ? isCoding(operand, coding) : false))
}

function byCode(operands: readonly TokenOperand[]): Map<string, TokenOperand[]> {
  const found = new Map<string, TokenOperand[]>()
  for (const operand of operands) {
    const key = operand.code?.toLowerCase() ?? ''
    const list = found.get(key)
    if (list === undefined) found.set(key, [operand])
    else list.push(operand)
  }
  return found
}

/** A thousand codes joined by OR are looked up, not tried one by one. */
function anyCoding(operands: readonly TokenOperand[]): (entry: string) => boolean {
  const sought = byCode(operands)
  const anyCode = sought.get('') ?? []
  return entry =>
    codingsOf(entry).some(
      coding =>
        (coding.code !== '' && sought.get(coding.code.toLowerCase())?.some(operand => isCoding(operand, coding))) ||
        anyCode.some(operand => isCoding(operand, coding)),
    )
}

/** Whether a dictionary entry is one of the tokens sought. */
export function tokenTest(operands: readonly TokenOperand[]): (entry: string) => boolean {
  const isPlain = operands.every(({ folded, value, means }) => (folded ?? value ?? means) === undefined)
  if (isPlain) return anyCoding(operands)
  return entry => {
    const parsed = parseToken(entry)
    return operands.some(operand => passes(operand, parsed))
  }
}

/** Codes under which an entry is looked up. */
export function tokenKeys(entry: string): readonly string[] {
  return parseToken(entry).codings.map(coding => coding.code.toLowerCase())
}

/** The codes sought; undefined when they do not say enough. */
export function soughtTokenKeys(operands: readonly TokenOperand[]): readonly string[] | undefined {
  const keys = operands.map(({ code, value, folded, means }) =>
    (folded ?? means) === undefined ? (value ?? code) : undefined,
  )
  return keys.every(key => key !== undefined) ? keys.map(key => key.toLowerCase()) : undefined
}

/** What a token is sorted by: of several codings the least, or the greatest for descending order; the text if there is none. */
export function tokenSortText(entry: string, descending: boolean): string {
  const { codings, text } = parseToken(entry)
  const codes = codings.flatMap(({ code }) => (code === '' ? [] : [fold(code)])).sort()
  return codes.at(descending ? -1 : 0) ?? fold(text)
}
