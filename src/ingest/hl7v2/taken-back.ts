import { type Resource, toInstant } from '#fhir'
import { metaExtensions, withMetaExtensions } from '../meta-extensions.ts'
import { stampOf } from './said-at.ts'

/** Names in `meta.extension` what was taken back of a resource, and when: what was said before that and comes late does not bring it back. */
const url = 'urn:kinhold:hl7v2:taken-back'
const urls = new Set([url])

interface Note {
  /** A field that was said to be null (`PID-11`), or a reference that was deleted (`Condition/1`). */
  readonly what: string
  /** When that was said, Unix milliseconds. */
  readonly atMs: number
}

/** What was taken back of a resource after a version that comes late was said: `Note.what`. */
export function takenBackSince(stored: Resource, late: Resource): readonly string[] {
  const saidMs = stampOf(late, 'said')
  return saidMs === undefined ? [] : notesOf(stored).flatMap(({ what, atMs }) => (atMs > saidMs ? [what] : []))
}

/**
 * A resource with the notes of the version that stood before it, and of what a message takes back.
 *
 * @param what  as `Note.what`
 * @param atMs  when the message was said, Unix milliseconds; without it nothing comes late
 */
export function withTakenBack(
  resource: Resource,
  {
    stood,
    what,
    atMs,
  }: { readonly stood?: Resource; readonly what: readonly string[]; readonly atMs?: number | undefined },
): Resource {
  const before = stood === undefined ? [] : notesOf(stood)
  const notes = new Map(before.map(note => [note.what, note.atMs]))
  if (atMs !== undefined) for (const one of what) notes.set(one, Math.max(atMs, notes.get(one) ?? 0))
  return notes.size === 0 ? resource : noting(resource, notes)
}

function noting(resource: Resource, notes: ReadonlyMap<string, number>): Resource {
  const noted = [...notes].map(([what, atMs]) => ({
    url,
    extension: [
      { url: 'what', valueString: what },
      { url: 'at', valueInstant: toInstant(atMs) },
    ],
  }))
  return withMetaExtensions(resource, urls, noted)
}

function notesOf(resource: Resource): readonly Note[] {
  return metaExtensions(resource).flatMap(({ url: of, extension: [what, at] = [] }) => {
    const atMs = Date.parse(at?.valueInstant ?? '')
    return of === url && what?.valueString !== undefined && !Number.isNaN(atMs)
      ? [{ what: what.valueString, atMs }]
      : []
  })
}
