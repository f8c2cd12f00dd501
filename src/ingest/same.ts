import { isSameJson, printJson, type Resource } from '#fhir'
import { atOnce, type Steps } from '#kernel'
import { isPlain } from './plain.ts'

/** Whether two versions differ in nothing but what the server or the import itself put there. */
export function saysTheSame(one: Resource, other: Resource): boolean {
  return atOnce(saysTheSameInSteps(one, other))
}

/** The same bit by bit, for versions that somebody sent. */
export function* saysTheSameInSteps(one: Resource, other: Resource): Steps<boolean> {
  return yield* isSameJson(bare(one), bare(other))
}

/** A part of a resource as text, the same in whatever order its elements stand. */
export function textOf(part: unknown): string {
  return printJson(sorted(part))
}

/** Entries whose texts are made in one go. */
const entriesAtATime = 256

/** The entries of a list as texts, bit by bit. */
export function* textsOf(entries: readonly unknown[]): Steps<readonly string[]> {
  const texts: string[] = []
  for (const entry of entries) {
    if (texts.length % entriesAtATime === 0) yield
    texts.push(textOf(entry))
  }
  return texts
}

function bare(resource: Resource): unknown {
  const { meta, id, ...rest } = resource
  const { versionId, lastUpdated, source, extension, ...kept } = (meta ?? {}) as { readonly [name: string]: unknown }
  const notes = Array.isArray(extension) ? { extension: extension.map(withoutVersion) } : {}
  return Object.keys(kept).length + Object.keys(notes).length === 0 ? rest : { ...rest, meta: { ...kept, ...notes } }
}

/** A note of an import may name the version that it is of, which is no more news than `meta.versionId`. */
function withoutVersion(note: unknown): unknown {
  if (!isPlain(note) || !String(note.url).startsWith('urn:kinhold:') || !Array.isArray(note.extension)) return note
  return { ...note, extension: note.extension.filter(part => !(isPlain(part) && part.url === 'version')) }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isPlain(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, part]) => [name, sorted(part)]),
  )
}
