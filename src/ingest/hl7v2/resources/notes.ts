import { printJson } from '#fhir'
import type { Steps } from '../../turns.ts'
import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { Ledger } from '../ledger.ts'
import { part, type Segment } from '../message.ts'
import type { Elements, Scene } from '../scene.ts'
import { type Group, segmentsOf } from '../structure.ts'
import { join } from '../telling.ts'

/** The text of a group's NTE segments, a line for each repetition; empty when it has none. */
export function noteText(scene: Scene, group: Group, owner = group.segments[0]): string {
  const lines = segmentsOf(group, 'NTE').map(nte => {
    if (owner !== undefined) join(scene, nte, owner)
    return [linesOf(scene, nte), signature(scene, nte)].filter(text => text !== '').join('\n')
  })
  return lines.join('\n').trim()
}

function linesOf(scene: Scene, nte: Segment): string {
  const { field, keep } = scene.ledger.look(nte, 3)
  keep()
  return field.map(repetition => part(repetition, 1)).join('\n')
}

/**
 * NTE behind what has no notes in R4 (Patient, Encounter, RelatedPerson, Coverage) → DocumentReference about the patient, in
 * its visit, of what the note stands behind. The same note again is the same document.
 *
 * @param owner  what the note stands behind
 * @param about  `Type/id` of what it became, where it is a resource of its own
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-nte-to-documentreference.html
 */
export function* mapNotes(scene: Scene, group: Group, owner = group.segments[0], about?: string): Steps<void> {
  const [first] = segmentsOf(group, 'NTE')
  if (first === undefined || owner === undefined) return
  const { note = [], contained } = notesOf(scene, group, first) as { note?: readonly Note[]; contained?: unknown }
  for (const { text, time, authorReference, extension } of note) {
    yield
    const context = { ...encounterOf(scene), ...(about === undefined ? {} : { related: [{ reference: about }] }) }
    emit(scene, first, 'DocumentReference', ['note', owner.name, about ?? '', text], {
      status: 'current',
      type: { text: `Note (${owner.name})` },
      ...(extension === undefined ? {} : { category: extension.map(one => one.valueCodeableConcept) }),
      subject: scene.context.subject,
      ...(time === undefined ? {} : { date: time }),
      ...(authorReference === undefined ? {} : { author: [authorReference], contained }),
      content: [
        { attachment: { contentType: 'text/plain; charset=utf-8', data: Buffer.from(text).toString('base64') } },
      ],
      ...(Object.keys(context).length === 0 ? {} : { context }),
    })
  }
}

interface Note {
  readonly text: string
  readonly time?: string
  readonly authorReference?: Elements
  /** NTE-4, what kind of note it is. */
  readonly extension?: readonly { readonly valueCodeableConcept: Elements }[]
}

function encounterOf({ encounter }: Scene): Elements {
  return encounter === undefined ? {} : { encounter: [{ reference: encounter }] }
}

/** Whether a line is one more of a note: nobody has signed either, and they are of one kind. */
function goesOn({ text: _, ...last }: Elements, line: Elements): boolean {
  const isSigned = [last, line].some(({ authorReference, time }) => authorReference !== undefined || time !== undefined)
  return !isSigned && printJson(last) === printJson(line)
}

/** What an NTE says beside its text, which may be lines of a longer one. */
function annotationOf(scene: Scene, nte: Segment): Elements {
  // Most say nothing else, and there may be thousands.
  if (nte.fields.length <= 4) return {}
  const { note, contained } = applied(scene, nte, 'Annotation') as { note?: readonly Elements[]; contained?: unknown }
  const { text, ...signed } = note?.[0] ?? {}
  return contained === undefined ? signed : { ...signed, contained }
}

/** Of an XCN what makes a name in words: surname, given names, suffix, prefix, degree; component and subcomponent. */
const nameParts = [
  [2, 1],
  [3, 1],
  [4, 1],
  [5, 1],
  [6, 1],
  [21, 1],
] as const

/** NTE-5 and NTE-6, where the text is all there is: of the author the name, which is what is read. */
function signature(scene: Scene, nte: Segment): string {
  if (nte.fields.length <= 4) return ''
  const aside = { ...scene, ledger: new Ledger() }
  const { authorReference, time } = annotationOf(aside, nte) as { authorReference?: Elements; time?: string }
  const look = scene.ledger.look(nte, 5)
  if (authorReference?.display !== undefined) for (const [at, below] of nameParts) look.note(0)(at, below)
  look.keep()
  if (time !== undefined) scene.ledger.keep(nte, 6)
  return [authorReference?.display, time].filter(text => text !== undefined).join(', ')
}

/** The notes of what is ordered, dispensed or given: those behind it, and those behind its ORC or TQ1. */
export function notesWithOrder(scene: Scene, group: Group, order: Group, owner: Segment): Elements {
  return combined(notesOf(scene, group, owner), order === group ? {} : notesOf(scene, order, owner))
}

/**
 * `{ note: … }` of a group's NTE segments. Lines of one kind that follow each other are one note until somebody signs.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-nte-to-observation.html
 */
export function notesOf(scene: Scene, group: Group, owner = group.segments[0]): Elements {
  const notes: Record<string, unknown>[] = []
  /** Who wrote several notes is contained once. */
  const contained: Elements[] = []
  for (const nte of segmentsOf(group, 'NTE')) {
    if (owner !== undefined) join(scene, nte, owner)
    const text = linesOf(scene, nte)
    const { contained: authors, ...signed } = annotationOf(scene, nte)
    const last = notes.at(-1)
    if (Array.isArray(authors)) contained.push(...(authors as Elements[]))
    if (last !== undefined && goesOn(last, signed)) last.text = `${last.text as string}\n${text}`
    else notes.push({ ...signed, text })
  }
  const written = notes.map(note => ({ ...note, text: (note.text as string).trim() })).filter(({ text }) => text !== '')
  const authors = [...new Map(contained.map(author => [author.id, author])).values()]
  return { ...(written.length === 0 ? {} : { note: written }), ...(authors.length === 0 ? {} : { contained: authors }) }
}
