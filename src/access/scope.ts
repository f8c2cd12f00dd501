/** The grammar of SMART resource scopes, versions 1 and 2. https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html */
import { isResourceType } from '#fhir'
import { isGranularParameter } from './granular.ts'
import type { Level, Term, TermParam, Verb } from './term.ts'

/** All verbs, in the only order the grammar knows. */
export const verbsInOrder: readonly Verb[] = ['c', 'r', 'u', 'd', 's']

const verbsOfVersion1: ReadonlyMap<string, string> = new Map([
  ['read', 'rs'],
  ['write', 'cud'],
  ['*', 'cruds'],
])

const maxScopeLength = 1024
/** scope-token of RFC 6749 §3.3: visible ASCII without the double quote and the backslash. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/
const resourceScope = /^(patient|user|system)\/(\*|[A-Z][A-Za-z]*)\.(read|write|\*|c?r?u?d?s?)(?:\?(.+))?$/
/** No `:modifier`, no `chained.name`. */
const parameterName = /^_?[a-z][A-Za-z0-9-]*$/
const percentEncoded = /%[0-9A-Fa-f]{2}/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const controlCharacter = /[\x00-\x1f\x7f-\x9f]/

/**
 * A SMART resource scope, v1 (`patient/Observation.read`) or v2 (`patient/Observation.rs?category=vital-signs`).
 *
 * Values of params are percent-decoded once; `+` stands for itself. Nothing is guessed: letters out of order, unknown
 * types, modifiers, chains, parameters unknown to the type, `_filter`, blanks, non-ASCII and `%2F` in the head are refused.
 *
 * @returns undefined for `openid`, `launch/patient` … and for everything malformed; it never throws
 */
export function parseScope(text: string): Term | undefined {
  if (text.length > maxScopeLength || !scopeToken.test(text)) return undefined
  const match = resourceScope.exec(text)
  if (match === null) return undefined
  const [, level, type = '', letters = '', query] = match
  if (type !== '*' && !isResourceType(type)) return undefined
  const verbs = verbsOf(letters, query !== undefined)
  const params = query === undefined ? [] : parseParams(type, query)
  if (verbs === undefined || params === undefined) return undefined
  return { level: level as Level, type, verbs, params, text }
}

function verbsOf(letters: string, granular: boolean): ReadonlySet<Verb> | undefined {
  const version1 = verbsOfVersion1.get(letters)
  if (letters === '' || (version1 !== undefined && granular)) return undefined
  return new Set((version1 ?? letters) as Iterable<Verb>)
}

function parseParams(type: string, query: string): readonly TermParam[] | undefined {
  const params: TermParam[] = []
  for (const pair of query.split('&')) {
    const param = parseParam(type, pair)
    if (param === undefined) return undefined
    params.push(param)
  }
  return params
}

function parseParam(type: string, pair: string): TermParam | undefined {
  const equals = pair.indexOf('=')
  if (equals < 1) return undefined
  const name = pair.slice(0, equals)
  const value = decodeValue(pair.slice(equals + 1))
  if (value === undefined || !parameterName.test(name)) return undefined
  return isGranularParameter(type, name, value) ? { name, value } : undefined
}

function decodeValue(text: string): string | undefined {
  if (text === '' || text.replace(percentEncoded, '').includes('%')) return undefined
  const bytes = Buffer.from(
    text.replace(percentEncoded, code => String.fromCharCode(Number.parseInt(code.slice(1), 16))),
    'latin1',
  )
  const value = bytes.toString('utf8')
  return !Buffer.from(value, 'utf8').equals(bytes) || controlCharacter.test(value) ? undefined : value
}

/** The scope as text: the spelling it came in, or for a composed term the v2 spelling. `parseScope` reads it back. */
export function printScope(term: Term): string {
  return term.text
}

/** A term in v2 spelling; the caller vouches for type and params. */
export function composeTerm(level: Level, type: string, verbs: ReadonlySet<Verb>, params: readonly TermParam[]): Term {
  const letters = verbsInOrder.filter(verb => verbs.has(verb)).join('')
  const query = params.map(param => `${param.name}=${encodeValue(param.value)}`).join('&')
  const text = `${level}/${type}.${letters}${query === '' ? '' : `?${query}`}`
  return { level, type, verbs, params, text }
}

/** Leaves what a scope may hold as it is: `http://…|vital-signs` must look as clients write it. */
function encodeValue(value: string): string {
  return value.replace(/[^\x21\x23-\x5b\x5d-\x7e]+|[%&]/g, text => encodeURIComponent(text))
}
