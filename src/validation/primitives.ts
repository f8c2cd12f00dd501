import { Decimal, isDate, isDateTime, isId, isInstant, isTime } from '#fhir'
import { hasScriptLink } from './script-links.ts'

/** Strings SHALL NOT exceed 1 MB: https://hl7.org/fhir/R4/datatypes.html#string */
const longestString = 1024 * 1024

const controlCharacter = /[^\t\n\r -\u{10ffff}]/u
// Every pattern below has only disjoint neighbours, so it cannot backtrack more than once per character.
// White space is what XML has of it, as in the regular expressions of the specification: HL7's own codes have other spaces.
const codeGrammar = /^[^ \t\n\r]+(?:[ \t\n\r][^ \t\n\r]+)*$/
const uriGrammar = /^\S+$/
const oidGrammar = /^urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+$/
const uuidGrammar = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const base64Grammar = /^[A-Za-z0-9+/\s]*(?:=\s*){0,2}$/
const activeElement = /<\s*(?:script|style|iframe|object|embed|form|link|meta|base|svg)[\s/>]|<!(?!--)|<\?/i
// Quoted values are passed over as a whole, so that ` on x=` in a title is text.
const handler = /<(?:[^<>"']|"[^<"]*"|'[^<']*')*\son[a-z]+\s*=/i

function isString(text: string): boolean {
  return text.length > 0 && text.length <= longestString && !controlCharacter.test(text)
}

function isBase64(text: string): boolean {
  if (!base64Grammar.test(text)) return false
  const length = /\s/.test(text) ? unspacedLength(text) : text.length
  return length > 0 && length % 4 === 0
}

/** Counted, not taken out: a text of a million lines would be made anew line by line. */
function unspacedLength(text: string): number {
  let length = 0
  for (let at = 0; at < text.length; at++) if (isBase64Letter(text.charCodeAt(at))) length++
  return length
}

/** Of what the grammar allows, the rest is white space. */
function isBase64Letter(code: number): boolean {
  return code > 0x20 && code < 0x80
}

/**
 * A `div` without plainly active content; https://hl7.org/fhir/R4/narrative.html
 * This refuses what no narrative has; it is no sanitiser, and whoever shows narratives needs one.
 */
function isNarrative(text: string): boolean {
  const trimmed = text.trim()
  const isDiv = /^<div[\s>]/.test(trimmed) && trimmed.endsWith('</div>')
  return isDiv && !activeElement.test(trimmed) && !handler.test(trimmed) && !hasScriptLink(trimmed)
}

/** Formats of the primitives that JSON writes as strings; the name is the FHIR type code. */
export const stringFormats: Readonly<Record<string, (text: string) => boolean>> = {
  base64Binary: isBase64,
  canonical: text => uriGrammar.test(text),
  code: text => codeGrammar.test(text),
  date: isDate,
  dateTime: isDateTime,
  id: isId,
  instant: isInstant,
  markdown: isString,
  oid: text => oidGrammar.test(text),
  string: isString,
  time: isTime,
  uri: text => uriGrammar.test(text),
  url: text => uriGrammar.test(text),
  uuid: text => uuidGrammar.test(text),
  xhtml: isNarrative,
}

/** Ranges of the integer types: 32 bits, https://hl7.org/fhir/R4/datatypes.html#integer */
export const integerRanges: Readonly<Record<string, { readonly minimum: number; readonly maximum: number }>> = {
  integer: { minimum: -2147483648, maximum: 2147483647 },
  unsignedInt: { minimum: 0, maximum: 2147483647 },
  positiveInt: { minimum: 1, maximum: 2147483647 },
}

/** A finite number, or one that kept its digits. */
export function isDecimal(value: unknown): boolean {
  return typeof value === 'number' ? Number.isFinite(value) : value instanceof Decimal
}
