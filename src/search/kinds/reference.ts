import { isId, isResourceType, parseReference } from '#fhir'
import { Problem } from '#kernel'
import { unescaped } from '../query/split.ts'
import type { Comparison, Modifier, ReferenceOperand, TokenOperand } from '../query/types.ts'
import { parseReferenceEntry } from './entries.ts'
import { beginsWord, fold } from './fold.ts'
import type { StringOperand } from './string.ts'
import { isCanonicalBelow, isSameCanonical } from './uri.ts'

/** Where a stored reference leads within this server. */
export interface LocalTarget {
  readonly type: string
  readonly id: string
  readonly version: string | undefined
}

/** The resource of this server that a stored reference means; undefined for any other reference. */
export function localTarget(reference: string, baseUrl: string): LocalTarget | undefined {
  const parsed = parseReference(reference, baseUrl)
  if (parsed.kind !== 'local' || parsed.type === undefined || parsed.id === undefined) return undefined
  return { type: parsed.type, id: parsed.id, version: parsed.version }
}

/**
 * `Type/id`, `Type/id/_history/v`, `id`, an absolute URL, or a urn.
 *
 * @param types  that the parameter may point to, or the one of a `:[type]` modifier; a single one binds references with type too
 * @throws Problem `invalid` · `search.reference-malformed`
 * @see https://hl7.org/fhir/R4/search.html#reference
 */
export function parseReferenceOperand(
  text: string,
  name: string,
  types: readonly string[],
  baseUrl: string,
): ReferenceOperand {
  const plain = unescaped(text)
  // A word alone may also be the whole text of a canonical.
  if (isId(plain)) return { kind: 'reference', types, id: plain, url: plain }
  const { kind, type, id, version } = parseReference(plain, baseUrl)
  if (kind === 'local' && type !== undefined && id !== undefined)
    return {
      kind: 'reference',
      types: types.length === 1 && types[0] !== type ? [] : [type],
      id,
      ...(version === undefined ? {} : { version }),
    }
  if (kind === 'absolute' || kind === 'urn' || plain.includes(':')) return { kind: 'reference', types, url: plain }
  throw new Problem('invalid', 'search.reference-malformed', 'The value is neither an id nor a reference.', {
    expression: name,
  })
}

/** The type that a reference names, in whatever form; for `where(resolve() is Patient)`. */
function typeOf(entry: string, baseUrl: string): string | undefined {
  const { reference, type } = parseReferenceEntry(entry)
  const parsed = parseReference(reference, baseUrl).type
  return parsed ?? (isResourceType(type) ? type : undefined)
}

/** Whether a dictionary entry points to a resource of one type. */
export function resolvesTo(type: string, baseUrl: string): (entry: string) => boolean {
  return entry => typeOf(entry, baseUrl) === type
}

function key(type: string, id: string): string {
  return `${type}/${id}`
}

/** Whether a dictionary entry is one of the references sought. */
export function referenceTest(
  operands: readonly ReferenceOperand[],
  baseUrl: string,
  modifier?: Modifier | Comparison,
): (entry: string) => boolean {
  const isSame = modifier === 'below' ? isCanonicalBelow : isSameCanonical
  const versions = new Map<string, Set<string | undefined>>()
  for (const { types, id, version } of operands) {
    for (const type of id === undefined ? [] : types) {
      const place = key(type, id ?? '')
      versions.set(place, (versions.get(place) ?? new Set()).add(version))
    }
  }
  const urls = operands.flatMap(({ url }) => (url === undefined ? [] : [url]))
  return entry => {
    const { reference } = parseReferenceEntry(entry)
    const target = localTarget(reference, baseUrl)
    if (target === undefined) return urls.some(url => isSame(reference, url))
    const sought = versions.get(key(target.type, target.id))
    return sought !== undefined && (sought.has(undefined) || sought.has(target.version))
  }
}

/** The place, or else the text, under which an entry is looked up. */
export function referenceKeys(entry: string): readonly string[] {
  const { reference } = parseReferenceEntry(entry)
  const { type, id } = parseReference(reference)
  const text = reference.split('|')[0] ?? ''
  return type !== undefined && id !== undefined ? [key(type, id), text] : [text]
}

/** The places and texts sought. */
export function soughtReferenceKeys(operands: readonly ReferenceOperand[]): readonly string[] {
  return operands.flatMap(({ types, id, url }) =>
    id === undefined ? [(url ?? '').split('|')[0] ?? ''] : [...types.map(type => key(type, id)), url ?? ''],
  )
}

/** `:identifier`: compares Reference.identifier as a token. */
export function identifierTest(operands: readonly TokenOperand[]): (entry: string) => boolean {
  return entry => {
    const { system, value } = parseReferenceEntry(entry)
    if (system === '' && value === '') return false
    return operands.some(
      operand =>
        (operand.system === undefined || operand.system === system) &&
        (operand.code === undefined || operand.code === value),
    )
  }
}

/** `:text`: compares Reference.display, from the beginning of a word. */
export function displayTest(operands: readonly StringOperand[]): (entry: string) => boolean {
  return entry => {
    const { display } = parseReferenceEntry(entry)
    return display !== '' && operands.some(({ folded }) => beginsWord(fold(display), folded))
  }
}

/** What a reference is sorted by. */
export function referenceSortText(entry: string): string {
  return parseReferenceEntry(entry).reference
}
