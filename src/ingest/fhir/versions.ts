import { isInstant, type Resource } from '#fhir'
import { type MetaExtension, metaExtensions, withMetaExtensions } from '../meta-extensions.ts'
import type { SourceVersion } from '../outcome.ts'

export type Version = SourceVersion

/** Where our resource keeps which version of its source it is. */
const urls = { at: 'urn:kinhold:fhir:last-updated', version: 'urn:kinhold:fhir:version-id' } as const
const ours: ReadonlySet<string> = new Set(Object.values(urls))

/** What a resource of the file says of its version. */
export function versionOf({ meta }: Resource): Version {
  const { lastUpdated: at, versionId: version } = meta ?? {}
  return {
    ...(typeof at === 'string' && isInstant(at) ? { at } : {}),
    ...(typeof version === 'string' ? { version } : {}),
  }
}

/** A version as extensions of `meta`, where it outlives the import. */
export function stampsOf({ at, version }: Version): readonly MetaExtension[] {
  return [
    ...(at === undefined ? [] : [{ url: urls.at, valueInstant: at }]),
    ...(version === undefined ? [] : [{ url: urls.version, valueString: version }]),
  ]
}

/** When a version was said, for what the record may know better since. */
export function saidMsOf({ at }: Version): { readonly saidMs?: number } {
  return at === undefined ? {} : { saidMs: Date.parse(at) }
}

function stampedVersion(resource: Resource): Version {
  const stamps = metaExtensions(resource)
  const at = stamps.find(({ url }) => url === urls.at)?.valueInstant
  const version = stamps.find(({ url }) => url === urls.version)?.valueString
  return { ...(at === undefined ? {} : { at }), ...(version === undefined ? {} : { version }) }
}

/** What does not say which version it is, is at least what it replaces: what is older than that stays older. */
export function withStampsOf(stored: Resource, anew: Resource): Resource {
  const { at, version } = stampedVersion(anew)
  const stamps = at === undefined && version === undefined ? stampsOf(stampedVersion(stored)) : []
  return stamps.length === 0 ? anew : withMetaExtensions(anew, ours, stamps)
}

/** Positive when `one` is the newer version, negative when it is the older; 0 when that cannot be told. */
export function compareVersions(one: Version, other: Version): number {
  const times = one.at === undefined || other.at === undefined ? 0 : Date.parse(one.at) - Date.parse(other.at)
  if (times !== 0) return times
  const numbers = [one.version, other.version].map(text => (/^\d{1,15}$/.test(text ?? '') ? Number(text) : undefined))
  const [first, second] = numbers
  return first === undefined || second === undefined ? 0 : first - second
}

/** Whether a version of the source is older than the one that is stored. */
export function isOlder(version: Version, stored: Resource): boolean {
  return compareVersions(version, stampedVersion(stored)) < 0
}

/** One of the versions of a resource that a file holds. */
export interface Candidate extends Version {
  /** Where it stands among the rows. */
  readonly index: number
  /** The file has the newest first, as a history does. */
  readonly backwards: boolean
}

/** The newer of two versions; where they do not say which that is, their order does. */
export function newerOf(one: Candidate, other: Candidate): Candidate {
  const order = compareVersions(one, other)
  if (order !== 0) return order > 0 ? one : other
  const [first, last] = one.index < other.index ? [one, other] : [other, one]
  return first.backwards && last.backwards ? first : last
}
