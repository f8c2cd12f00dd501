import type { Steps } from '#kernel'

/**
 * What a dictionary keeps for one element, as one text. An element is one entry, however many codings or name parts it has,
 * so a row needs one number per element, and a criterion is decided once per distinct element instead of once per row.
 */

export interface TokenEntry {
  readonly codings: readonly { readonly system: string; readonly code: string; readonly display: string }[]
  /** CodeableConcept.text, or the text of an Identifier's type. */
  readonly text: string
  /** Codings of an Identifier's type, for `:of-type`. */
  readonly types: readonly { readonly system: string; readonly code: string }[]
}

export interface ReferenceEntry {
  /** Empty when the reference has only an identifier. */
  readonly reference: string
  readonly system: string
  readonly value: string
  readonly type: string
  readonly display: string
}

export interface UnitEntry {
  readonly system: string
  readonly code: string
  readonly unit: string
}

const field = '\u001f'
const item = '\u001e'
const part = '\u001d'
const separators = [field, item, part]

function withoutSeparators(text: string): string {
  return separators.reduce((rest, separator) => rest.replaceAll(separator, ' '), text)
}

/** FHIR texts hold no control characters; what does nevertheless must not be taken for a separator. */
export function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : value === undefined || value === null ? '' : String(value)
  return separators.some(separator => text.includes(separator)) ? withoutSeparators(text) : text
}

function printCoding({ system, code, display }: TokenEntry['codings'][number]): string {
  return display === '' ? system + field + code : system + field + code + field + display
}

/** A concept, coding by coding: the same text as `printToken` makes of it. */
export function* printConceptInSteps(codings: Iterable<TokenEntry['codings'][number]>, text: string): Steps<string> {
  const printed: string[] = []
  for (const each of codings) {
    printed.push(printCoding(each))
    yield
  }
  const joined = printed.join(item)
  return text === '' ? joined : joined + part + text
}

export function printToken(entry: TokenEntry): string {
  const codings = entry.codings.map(printCoding).join(item)
  if (entry.text === '' && entry.types.length === 0) return codings
  const types = entry.types.map(({ system, code }) => system + field + code).join(item)
  return types === '' ? codings + part + entry.text : codings + part + entry.text + part + types
}

function coding(text: string): { system: string; code: string; display: string } {
  const [system = '', code = '', display = ''] = text.split(field)
  return { system, code, display }
}

/** The codings of an entry one by one: of some there are a hundred thousand, and the first ones may tell. */
export function* codingsOf(text: string): Generator<{ system: string; code: string; display: string }, undefined> {
  const parts = text.indexOf(part)
  const end = parts < 0 ? text.length : parts
  for (let at = 0; at < end; ) {
    const next = text.indexOf(item, at)
    const until = next < 0 || next > end ? end : next
    yield coding(text.slice(at, until))
    at = until + 1
  }
  return undefined
}

export function parseToken(text: string): TokenEntry {
  const [codings = '', words = '', types = ''] = text.split(part)
  return {
    codings: codings === '' ? [] : codings.split(item).map(coding),
    text: words,
    types: types === '' ? [] : types.split(item).map(coding),
  }
}

export function printReference({ reference, system, value, type, display }: ReferenceEntry): string {
  const more = system + field + value + field + type + (display === '' ? '' : field + display)
  return more.length === 2 ? reference : reference + field + more
}

export function parseReferenceEntry(text: string): ReferenceEntry {
  const [reference = '', system = '', value = '', type = '', display = ''] = text.split(field)
  return { reference, system, value, type, display }
}

export function printUnit({ system, code, unit }: UnitEntry): string {
  return system + field + code + field + unit
}

export function parseUnit(text: string): UnitEntry {
  const [system = '', code = '', unit = ''] = text.split(field)
  return { system, code, unit }
}

export function printParts(parts: readonly string[]): string {
  return parts.length === 1 ? (parts[0] ?? '') : parts.join(item)
}

export function parseParts(text: string): readonly string[] {
  return text.includes(item) ? text.split(item) : [text]
}
