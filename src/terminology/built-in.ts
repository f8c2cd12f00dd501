import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { atOnce } from '#kernel'
import {
  type CodeSystemDefinition,
  type ConceptMapDefinition,
  joinCanonical,
  splitCanonical,
  type ValueSetDefinition,
} from './definitions.ts'
import { type Definitions, Membership } from './sets/membership.ts'
import { type CodeSystem, readCodeSystem } from './systems/code-system.ts'
import { grammarOf, grammarUrls, list } from './systems/grammars.ts'

/** The types whose resources are held in terminology/. */
export type TerminologyType = 'CodeSystem' | 'ValueSet' | 'ConceptMap'

type Place = readonly [version: string, offset: number, length: number]
type Index = Readonly<Record<TerminologyType, Readonly<Record<string, Place>>>>

const files: Readonly<Record<TerminologyType, string>> = {
  CodeSystem: 'code-systems.ndjson',
  ValueSet: 'value-sets.ndjson',
  ConceptMap: 'concept-maps.ndjson',
}

const folder = new URL('../../terminology/', import.meta.url)
let read: Index | undefined

/** A resource is a line of a file; only the index is read as a whole, by the first question (about a millisecond). */
function index(): Index {
  read ??= JSON.parse(readFileSync(new URL('index.json', folder), 'utf8')) as Index
  return read
}

function readLine(type: TerminologyType, [, offset, length]: Place): unknown {
  const bytes = Buffer.alloc(length)
  const file = openSync(new URL(files[type], folder), 'r')
  try {
    readSync(file, bytes, 0, length, offset)
  } finally {
    closeSync(file)
  }
  return JSON.parse(bytes.toString('utf8'))
}

/** @param canonical  with a version only if that is the one held */
function placeOf(
  type: TerminologyType,
  canonical: string,
): { readonly url: string; readonly place: Place } | undefined {
  const places = index()[type]
  const { url, version } = Object.hasOwn(places, canonical)
    ? { url: canonical, version: undefined }
    : splitCanonical(canonical)
  const place = Object.hasOwn(places, url) ? places[url] : undefined
  return place === undefined || (version !== undefined && version !== place[0]) ? undefined : { url, place }
}

const made = new Map<string, unknown>()

function once<T>(type: TerminologyType, canonical: string, make: (line: unknown) => T): T | undefined {
  const found = placeOf(type, canonical)
  if (found === undefined) return undefined
  const key = `${type} ${found.url}`
  if (!made.has(key)) made.set(key, make(readLine(type, found.place)))
  return made.get(key) as T
}

/** R4 has no code system of ISO's countries, but lists their codes of two letters in a value set; the others are not known here. */
const countries = list(
  'urn:iso:std:iso:3166',
  'Countries',
  () =>
    (builtInValueSet('http://hl7.org/fhir/ValueSet/iso3166-1-2')?.compose?.include ?? []).flatMap(({ concept = [] }) =>
      concept.map(({ code, display }) => [code, display] as const),
    ),
  false,
)

/** A code system of R4, or one that is a rule. */
export function builtInCodeSystem(canonical: string): CodeSystem | undefined {
  const ruled = canonical === countries.url ? countries : grammarOf(canonical)
  if (ruled !== undefined) return ruled
  return once('CodeSystem', canonical, line => atOnce(readCodeSystem(line as CodeSystemDefinition)))
}

/** A value set of R4. */
export function builtInValueSet(canonical: string): ValueSetDefinition | undefined {
  return once('ValueSet', canonical, line => line as ValueSetDefinition)
}

/** A concept map of R4. */
export function builtInConceptMap(canonical: string): ConceptMapDefinition | undefined {
  return once('ConceptMap', canonical, line => line as ConceptMapDefinition)
}

/** Canonicals of all that is held of a type, with versions, sorted. */
export function builtInCanonicals(type: TerminologyType): readonly string[] {
  const listed = Object.entries(index()[type]).map(([url, [version]]) => joinCanonical(url, version || undefined))
  return [...listed, ...(type === 'CodeSystem' ? [...grammarUrls, countries.url] : [])].sort()
}

/** What R4 itself defines, and nothing else. */
export const builtIn: Definitions = { codeSystem: builtInCodeSystem, valueSet: builtInValueSet }

let membership: Membership | undefined

/**
 * Whether a code belongs to a value set of R4, answered at once: `unknown` for value sets, and code systems, that are not held, and
 * for what only a whole code system could tell. The first question about a value set reads it and its code systems (about a
 * millisecond); each further one is a few look-ups.
 *
 * @param valueSet  canonical, with or without `|version`
 * @param system    undefined for an element of type code, which means the system that the value set has
 * @see https://hl7.org/fhir/R4/terminologies.html#strength
 */
export function isMember(valueSet: string, system: string | undefined, code: string): 'in' | 'out' | 'unknown' {
  const definition = builtInValueSet(valueSet)
  if (definition === undefined) return 'unknown'
  membership ??= new Membership(builtIn)
  return membership.find(definition, { ...(system === undefined ? {} : { system }), code }).is
}
