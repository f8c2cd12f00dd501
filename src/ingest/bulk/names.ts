import { isId, parseReference, type Resource } from '#fhir'
import { serverOf } from '../fhir/clinic-records.ts'
import { ownersIn } from '../fhir/owners.ts'
import { identifierIn, unversioned, withoutRoot } from '../fhir/patient-names.ts'
import { linksOf } from '../fhir/references.ts'
import { identifierKey } from '../patient-merge.ts'

/**
 * By which one name a file calls what a reference leads to: `Patient/1`, or `Patient?system|value` where it asks for a number. Lines of
 * NDJSON have no addresses of their own: where it is not known from which base they come, an absolute reference is one below that.
 *
 * @param type    what a bare `urn:uuid:` leads to
 * @param server  the base of the files, if it is known; what lies below another one has no name in them
 */
export function nameOf(reference: string, type?: string, server?: string): string | undefined {
  const plain = unversioned(reference)
  if (server !== undefined && (baseOf(plain) ?? server) !== server) return undefined
  if (/^urn:uuid:/i.test(plain)) return type === undefined ? undefined : `${type}/${plain.slice('urn:uuid:'.length)}`
  const parsed = parseReference(withoutRoot(plain))
  if (parsed.type === undefined) return undefined
  if (parsed.kind !== 'conditional') return parsed.id === undefined ? undefined : ownName(parsed.type, parsed.id)
  const identifier = identifierIn(parsed.url)
  return identifier.value === undefined ? undefined : `${parsed.type}?${identifierKey(identifier)}`
}

/** The base below which an absolute reference leads; undefined for any other. */
export function baseOf(reference: string): string | undefined {
  return /^https?:/i.test(reference) ? (serverOf(reference) ?? '') : undefined
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Case tells no two UUIDs apart. */
function ownName(type: string, id: string): string {
  return `${type}/${uuid.test(id) ? id.toLowerCase() : id}`
}

/** The names by which others may call a resource. */
export function namesOf({ resourceType: type, id, identifier }: Resource): readonly string[] {
  const numbers = Array.isArray(identifier) ? identifier.filter(isNumbered) : []
  return [
    ...(typeof id === 'string' && isId(id) ? [ownName(type, id)] : []),
    ...numbers.map(one => `${type}?${identifierKey(one)}`),
  ]
}

interface Numbered {
  readonly system?: string
  readonly value: string
}

function isNumbered(one: unknown): one is Numbered {
  const { system, value } = (one ?? {}) as { readonly system?: unknown; readonly value?: unknown }
  return typeof value === 'string' && (system === undefined || typeof system === 'string')
}

/** References to the people whom a resource says that it is about where most types say so. */
export function subjectsOf(resource: Resource): readonly string[] {
  return ownersIn(resource).filter(reference => nameOf(reference, 'Patient')?.startsWith('Patient') === true)
}

/** All that a resource refers to, by name. @param server  as for `nameOf` */
export function referredBy(resource: Resource, server?: string): readonly string[] {
  return linksOf(resource).flatMap(link => nameOf(link, undefined, server) ?? [])
}
