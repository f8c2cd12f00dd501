import { type Grant, permits, restrict } from '#access'
import { printBundle, resourceTypes, toInstant } from '#fhir'
import { Problem } from '#kernel'
import type { Reader, Stored } from '#record'

type Query = Parameters<typeof restrict>[0]
type Restricted = ReturnType<typeof restrict>

/** The most that one link carries, as JSON text before it is encrypted. */
export const largestBundleBytes = 8 * 1024 * 1024

const pageSize = 1000

/** What was gathered for a link. */
export interface Gathered {
  /** A `collection` Bundle, UTF-8. */
  readonly json: Buffer
  /** The compartment the patient's part was read from. */
  readonly compartment: string
}

/** The audit trail is about those who look, and is never part of a link. */
function sharedTypes(grant: Grant): readonly string[] {
  return resourceTypes.filter(type => type !== 'AuditEvent' && permits(grant, 's', type))
}

/** Everything of these types, and what that refers to, directly or not. */
function everythingOf(types: readonly string[], baseUrl: string): Query {
  return {
    types,
    criteria: [],
    criteriaByType: new Map(types.map(type => [type, []])),
    includes: [{ reverse: false, iterate: true, type: '*', name: '*', target: undefined }],
    sort: [],
    count: pageSize,
    total: 'none',
    summary: 'false',
    elements: [],
    ignored: [],
    text: new URLSearchParams({ _type: types.join(','), '_include:iterate': '*', _count: String(pageSize) }).toString(),
    baseUrl,
  }
}

/** Of the commons only what the patient's own resources refer to, not whatever the types would match there. */
function withinCompartment(query: Restricted): Restricted {
  const { vision } = query
  return { ...query, vision: (type, holder) => (holder.kind === 'patient' ? vision(type, holder) : { kind: 'none' }) }
}

interface Collected {
  readonly own: Map<string, Stored>
  readonly referred: Map<string, Stored>
  sizeBytes: number
}

function take(into: Map<string, Stored>, found: readonly Stored[], collected: Collected): void {
  for (const stored of found) {
    const name = `${stored.type}/${stored.id}`
    if (collected.own.has(name) || collected.referred.has(name)) continue
    into.set(name, stored)
    collected.sizeBytes += stored.json.length
  }
  if (collected.sizeBytes > largestBundleBytes)
    throw new Problem('too-large', 'share.content-too-large', 'This is too much for one link; choose narrower scopes.')
}

async function collect(reader: Reader, query: Restricted): Promise<Collected> {
  const collected: Collected = { own: new Map(), referred: new Map(), sizeBytes: 0 }
  let cursor: string | undefined
  do {
    const page = await reader.search(query, cursor)
    take(collected.own, page.matches, collected)
    take(collected.referred, page.included, collected)
    cursor = page.next
  } while (cursor !== undefined)
  return collected
}

/** Viewers look for the Patient first. */
function patientFirst(one: Stored, other: Stored): number {
  return Number(other.type === 'Patient') - Number(one.type === 'Patient')
}

/**
 * All that a sub-grant may see of its patient, as of now, with what it refers to in the commons.
 *
 * @throws Problem `not-found` · `share.nothing-to-share`; `too-large` · `share.content-too-large`
 */
export async function gather(reader: Reader, grant: Grant, fhirBase: string, nowMs: number): Promise<Gathered> {
  const query = withinCompartment(restrict(everythingOf(sharedTypes(grant), fhirBase), grant))
  const { own, referred } = await collect(reader, query)
  const matches = [...own.values()].sort(patientFirst)
  const [first] = matches
  if (first === undefined)
    throw new Problem('not-found', 'share.nothing-to-share', 'There is nothing of this patient within these scopes.')
  const entries = [...matches, ...referred.values()].map(({ type, id, json }) => ({
    fullUrl: `${fhirBase}/${type}/${id}`,
    json,
  }))
  const json = Buffer.from(printBundle('collection', entries, { timestamp: toInstant(nowMs) }), 'utf8')
  return { json, compartment: first.holder.compartment }
}
