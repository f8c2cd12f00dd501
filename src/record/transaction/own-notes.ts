import { isSameJson, parseJsonInSteps, type Resource, toInstant, toResource } from '#fhir'
import { inSlices } from '#kernel'
import type { Stored } from '../types.ts'

type Note = { readonly [name: string]: unknown } | null

/** Extensions of `meta` by which imports judge what comes late; whoever else writes can neither forge nor drop them. */
const prefix = 'urn:kinhold:'
/** Which elements of an imported resource were changed otherwise than by an import, and when. */
const editsUrl = 'urn:kinhold:edited'
/** What every import writes into `meta.source`. */
const ofImport = 'Provenance/'

/** When elements of an imported resource were changed by hand, Unix milliseconds, by name: `birthDate` for `_birthDate`, too. */
export type Edits = ReadonlyMap<string, number>

/** The edits that are noted of a resource. */
export function editsOf(resource: Resource): Edits {
  return new Map(
    notesOf(resource).flatMap(note => {
      const parts = note?.url === editsUrl && Array.isArray(note.extension) ? (note.extension as readonly Note[]) : []
      const said = (url: string, name: string) => parts.find(part => part?.url === url)?.[name]
      const atMs = Date.parse(String(said('at', 'valueInstant')))
      const names = String(said('elements', 'valueString') ?? '').split(' ')
      return Number.isNaN(atMs) ? [] : names.map(name => [name, atMs] as const)
    }),
  )
}

/** A resource that notes these edits and no others. */
export function withEdits(resource: Resource, edits: Edits): Resource {
  const noted = editNotes(edits)
  return withNotes(resource, [...notesOf(resource).filter(note => note?.url !== editsUrl), ...noted])
}

/** Whether an import has noted anything of a resource. */
export function hasOwnNotes(resource: Resource): boolean {
  return notesOf(resource).some(isOwn)
}

/** A resource without what only imports note. */
export function withoutOwnNotes(resource: Resource): Resource {
  return hasOwnNotes(resource)
    ? withNotes(
        resource,
        notesOf(resource).filter(note => !isOwn(note)),
      )
    : resource
}

/**
 * A resource as whoever is no import writes it in the place of another version: with the notes of that one, and, where an import has
 * brought it, with which elements are changed and when.
 */
export async function asEdited(sent: Resource, before: Stored, nowMs: number): Promise<Resource> {
  if (before.deleted || !mayBeImported(before.json)) return withoutOwnNotes(sent)
  const stood = toResource(await inSlices(parseJsonInSteps(before.json)))
  const own = notesOf(stood).filter(isOwn)
  if (own.length === 0 && !String(stood.meta?.source ?? '').startsWith(ofImport)) return withoutOwnNotes(sent)
  const changed = await changedNames(stood, sent)
  const edits = new Map([...editsOf(stood), ...changed.map(name => [name, nowMs] as const)])
  const kept = changed.length === 0 ? own : [...own.filter(note => note?.url !== editsUrl), ...editNotes(edits)]
  return withNotes(sent, inTheirPlaces(notesOf(sent), kept))
}

function mayBeImported(json: Buffer): boolean {
  return json.includes(prefix) || json.includes(`"source":"${ofImport}`)
}

/** What says nothing of the patient is edited without being told. */
const formal: ReadonlySet<string> = new Set(['resourceType', 'id', 'meta', 'text', 'implicitRules', 'language'])

async function changedNames(stood: Resource, sent: Resource): Promise<readonly string[]> {
  const names = new Set([...Object.keys(stood), ...Object.keys(sent)].filter(name => !formal.has(name)))
  const changed = new Set<string>()
  for (const name of names)
    if (!(await inSlices(isSameJson(stood[name], sent[name])))) changed.add(name.replace(/^_/, ''))
  return [...changed]
}

/** Elements by the time of their edit, earliest first. */
function editNotes(edits: Edits): readonly Note[] {
  const byTime = [...Map.groupBy(edits, ([, atMs]) => atMs)].toSorted(([one], [other]) => one - other)
  return byTime.map(([atMs, of]) => ({
    url: editsUrl,
    extension: [
      { url: 'at', valueInstant: toInstant(atMs) },
      { url: 'elements', valueString: of.map(([name]) => name).join(' ') },
    ],
  }))
}

/** What was sent back as it came stays in its order. */
function inTheirPlaces(sent: readonly Note[], own: readonly Note[]): readonly Note[] {
  const left = [...own]
  return [...sent.flatMap(note => (isOwn(note) ? left.splice(0, 1) : [note])), ...left]
}

function isOwn(note: Note): boolean {
  return typeof note?.url === 'string' && note.url.startsWith(prefix)
}

function notesOf({ meta }: Resource): readonly Note[] {
  const { extension } = (meta ?? {}) as { readonly extension?: unknown }
  return Array.isArray(extension) ? extension : []
}

function withNotes(resource: Resource, notes: readonly Note[]): Resource {
  const { extension, ...meta } = (resource.meta ?? {}) as { readonly [name: string]: unknown }
  if (notes.length > 0) return { ...resource, meta: { ...meta, extension: notes } }
  if (extension === undefined) return resource
  const { meta: _, ...rest } = resource
  return Object.keys(meta).length === 0 ? rest : { ...resource, meta }
}
