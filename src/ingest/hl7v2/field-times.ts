import { type Resource, toInstant } from '#fhir'
import { type MetaExtension, metaExtensions, withMetaExtensions } from '../meta-extensions.ts'
import { saysTheSame } from '../same.ts'
import { parsePlace } from './message.ts'
import { isThere, overlap, type Removal, removalsOf } from './resources/removals.ts'
import { stampOf } from './said-at.ts'

/**
 * Names in `meta.extension` the fields of a resource that were not said when it was said last, and when they were: `PID-11 PID-13`.
 * What comes late is newer than those, and its `""` deletes them. Nothing is noted of a sender who says all of it each time.
 * With them stands the version that they are of: once it is changed by hand they count no more, for nothing that comes late is newer.
 */
const url = 'urn:kinhold:hl7v2:fields-said'
const urls = new Set([url])

/** The segments of which a resource is made that messages bring up to date one by one. */
const segmentsOf: Readonly<Record<string, readonly string[]>> = {
  Patient: ['PID', 'PD1'],
  Encounter: ['PV1', 'PV2'],
  ServiceRequest: ['ORC', 'OBR'],
  DiagnosticReport: ['OBR', 'ORC'],
  Specimen: ['SPM', 'OBR'],
  Observation: ['OBX'],
  AllergyIntolerance: ['IAM'],
  Condition: ['DG1'],
  Procedure: ['PR1'],
}

/** The fields, of those that a message says, that are known from before it was said; none where it did not come late. */
export function outdated(stored: Resource, saidMs: number | undefined, places: readonly string[]): readonly string[] {
  const lastMs = stampOf(stored, 'said')
  if (saidMs === undefined || lastMs === undefined || saidMs >= lastMs) return []
  const times = timesOf(stored)
  const kept = new Set(fieldsOf(stored.resourceType).map(([place]) => place))
  return places
    .filter(place => kept.has(place))
    .filter(place => (times.get(place) ?? lastMs) < saidMs && stands(stored, place))
}

/**
 * A resource with the times of the fields that a message leaves unsaid, or that it says late.
 *
 * @param stood   the version before it
 * @param places  the fields that the message says, and that stand now because it says them
 * @param saidMs  when it was said, Unix milliseconds
 */
export function withFieldTimes(
  next: Resource,
  { stood, places, saidMs }: { stood: Resource; places: readonly string[]; saidMs: number | undefined },
): Resource {
  const lastMs = stampOf(next, 'said')
  const beforeMs = stampOf(stood, 'said')
  const times = timesOf(stood)
  const isSaid = overlapping(next.resourceType, places)
  const found = fieldsOf(next.resourceType).flatMap(([place, removals]) => {
    const atMs = isSaid(removals) ? saidMs : (times.get(place) ?? beforeMs)
    return atMs === undefined || atMs === lastMs || !removals.some(one => isThere(next, one))
      ? []
      : [[place, atMs] as const]
  })
  const known = versionNoted(stood)
  if (found.length === 0 && known === undefined) return next
  // Nothing but the number of the version would differ: none is made.
  const same = withMetaExtensions(next, urls, notes(found, known))
  if (saysTheSame(same, stood)) return same
  const version = versionOf(stood)
  return withMetaExtensions(next, urls, notes(found, version === undefined ? (known ?? 1) : version + 1))
}

/** What a result or an order has come to goes by an order of its own: what is final is not preliminary again. */
const apart = new Set<string | undefined>(['status', 'intent'])

function fieldsOf(resourceType: string): readonly (readonly [string, readonly Removal[]])[] {
  const all = (segmentsOf[resourceType] ?? []).flatMap(segment => [...removalsOf(segment, resourceType)])
  return all.filter(([, removals]) => !removals.some(({ path: [step] }) => apart.has(step?.name)))
}

/** Whether a field gives what one of these fields gives, too: ORC-12 and OBR-16 name one orderer. */
function overlapping(resourceType: string, places: readonly string[]): (removals: readonly Removal[]) => boolean {
  const said = places.flatMap(place => removalsOf(parsePlace(place).segment, resourceType).get(place) ?? [])
  return removals => removals.some(one => said.some(other => overlap(one, other)))
}

/** Whether anything stands that a field gives: `PID-11`. */
export function stands(resource: Resource, place: string): boolean {
  const removals = removalsOf(parsePlace(place).segment, resource.resourceType).get(place) ?? []
  return removals.some(removal => isThere(resource, removal))
}

/** Fields by the time at which they were said, earliest first. */
function notes(
  found: readonly (readonly [place: string, atMs: number])[],
  version: number | undefined,
): readonly MetaExtension[] {
  const byTime = [...Map.groupBy(found, ([, atMs]) => atMs)].toSorted(([one], [other]) => one - other)
  return byTime.map(([atMs, of]) => ({
    url,
    extension: [
      { url: 'at', valueInstant: toInstant(atMs) },
      { url: 'fields', valueString: of.map(([place]) => place).join(' ') },
      { url: 'version', valueString: String(version) },
    ],
  }))
}

/** None where they are of another version; a batch makes the one after that which stands, and of what it has created there is none yet. */
function timesOf(resource: Resource): ReadonlyMap<string, number> {
  const [version, noted] = [versionOf(resource), versionNoted(resource)]
  if (version !== undefined && noted !== version && noted !== version + 1) return new Map()
  return new Map(
    notesOf(resource).flatMap(note => {
      const atMs = Date.parse(partOf(note, 'at')?.valueInstant ?? '')
      const fields = partOf(note, 'fields')?.valueString ?? ''
      return Number.isNaN(atMs) ? [] : fields.split(' ').map(place => [place, atMs] as const)
    }),
  )
}

function notesOf(resource: Resource): readonly MetaExtension[] {
  return metaExtensions(resource).filter(one => one.url === url)
}

function partOf({ extension = [] }: MetaExtension, name: string) {
  return extension.find(one => one.url === name)
}

function versionNoted(resource: Resource): number | undefined {
  const [note] = notesOf(resource)
  return note && Number(partOf(note, 'version')?.valueString)
}

function versionOf({ meta }: Resource): number | undefined {
  return meta?.versionId === undefined ? undefined : Number(meta.versionId)
}
