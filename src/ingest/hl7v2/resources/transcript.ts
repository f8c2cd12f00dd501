import { printJson, type Resource } from '#fhir'
import type { Foretold } from '../../outcome.ts'
import type { Steps } from '../../turns.ts'
import { applied } from '../applied.ts'
import { mediaType } from '../attachments.ts'
import { toConcept } from '../codings.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, part, type Segment, value } from '../message.ts'
import { hasUndecodable, readValue } from '../observation-value.ts'
import { senderOf } from '../said-at.ts'
import { type Elements, idOf, type Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf } from '../structure.ts'
import { join, locationOf, say, tell } from '../telling.ts'
import { toDateTime } from '../times.ts'
import { orderKey } from './diagnostic-report.ts'
import { mapNotes } from './notes.ts'
import { mapObservation } from './observation.ts'
import { mapEdit } from './provenance.ts'
import { mapRequest } from './request.ts'

/** ORC and OBR behind which a document comes → ServiceRequest: the document is what came of it. */
export function mapDocumentOrder(scene: Scene, order: Group): void {
  const [orc, obr] = [segmentOf(order, 'ORC'), segmentOf(order, 'OBR')]
  mapRequest(scene, order, { orc, obr, key: orderKey(orc, obr, value(scene.message.msh, 10)) }, { more: {} })
}

/** Types of OBX-5 that are the text of a document, and those that are a file. */
const texts = new Set(['', 'FT', 'ST', 'TX'])
const files = new Set(['ED', 'RP'])

/**
 * TXA and the OBX behind it → DocumentReference. A notification without content says which document there is.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-txa-to-documentreference.html
 */
export function* mapTranscript(scene: Scene, group: Group): Steps<void> {
  const txa = segmentOf(group, 'TXA')
  if (txa === undefined) return
  const elements = applied(scene, txa, 'DocumentReference') as Elements & { readonly context?: Elements }
  const parts = groupsOf(group, 'OBSERVATION')
  const isPart = (one: Group) => [texts, files].some(types => types.has(value(one.segments[0], 2)))
  const { content, events } = contentOf(scene, parts.filter(isPart), txa)
  const related = [
    ...requestsOf(scene),
    ...observationsOf(
      scene,
      parts.filter(one => !isPart(one)),
    ),
  ]
  const { encounter } = scene
  const context = combined(
    elements.context ?? {},
    encounter === undefined ? {} : { encounter: [{ reference: encounter }] },
    events.length === 0 ? {} : { event: events },
    related.length === 0 ? {} : { related: related.map(reference => ({ reference })) },
  )
  const said = {
    status: 'current',
    ...(elements.type === undefined && events[0] !== undefined ? { type: events[0] } : {}),
    ...elements,
    ...(scene.row.document === undefined ? {} : { status: scene.row.document }),
    ...relationOf(scene, elements),
    subject: scene.context.subject,
    ...(Object.keys(context).length === 0 ? {} : { context }),
    ...(content.length === 0 ? {} : { content }),
  }
  const first = (whole: Resource) => (whole.content === undefined ? { ...whole, content: [unseen(txa)] } : whole)
  tellKind(scene, txa, content)
  const over = (stored: Resource, whole: Resource) =>
    content.length > 0 || stored.content === undefined ? whole : { ...whole, content: stored.content }
  const meeting = { updates: [txa], first, over, ...replacedBefore(scene, txa, elements) }
  const document = emit(scene, txa, 'DocumentReference', documentKey(scene, txa), said, meeting)
  if (document !== undefined) {
    mapEdit(scene, txa, document)
    supersede(scene, txa)
  }
  yield* mapNotes(scene, group, txa, document)
  for (const part of parts.filter(isPart)) yield* mapNotes(scene, part, part.segments[0], document)
}

/** What came late, and was replaced before it came: by its own sender, for another one's number is another's. */
function replacedBefore(
  { sender }: Scene,
  txa: Segment,
  { masterIdentifier }: Elements,
): { readonly foretold?: Foretold } {
  if (masterIdentifier === undefined) return {}
  const number = masterIdentifier as Foretold['number']
  const isThis = ({ code, target }: Relation) =>
    code === 'replaces' && target?.identifier?.value === number.value && target?.identifier?.system === number.system
  return {
    foretold: {
      by: 'relatesto',
      number,
      isSaid: other => {
        const { status, relatesTo } = other
        const relations = (Array.isArray(relatesTo) ? relatesTo : []) as readonly Relation[]
        return status !== 'entered-in-error' && (senderOf(other) ?? '') === sender && relations.some(isThis)
      },
      becomes: document => (document.status === 'current' ? { ...document, status: 'superseded' } : document),
      left: { text: 'TXA-12: the document was replaced before it came.', location: locationOf(txa, 'TXA-12') },
    },
  }
}

interface Relation {
  readonly code?: string
  readonly target?: { readonly identifier?: Foretold['number'] }
}

/** What is replaced is not what one reads any more: HL7 v2.5.1, 9.6.9. What was entered in error stays so. */
function supersede(scene: Scene, txa: Segment): void {
  const [own, replaced] = [numberIn(txa, 12), numberIn(txa, 13)]
  if (scene.row.relates !== 'replaces' || replaced === undefined || replaced === own) return
  const change = (stood: Resource) => (stood.status === 'current' ? { ...stood, status: 'superseded' } : undefined)
  const id = idOf(scene, 'DocumentReference', ['TXA', replaced])
  say(scene, txa, { kind: 'amend', row: 'TXA', rows: 0, type: 'DocumentReference', id, change })
}

/** The unique number of a document, else its file's name. */
function documentKey(scene: Scene, txa: Segment): readonly string[] {
  return ['TXA', numberIn(txa, 12) ?? (value(txa, 16) || value(scene.message.msh, 10))]
}

function numberIn(txa: Segment, at: number): string | undefined {
  const [number] = field(txa, at)
  const own = [1, 2, 3].map(component => part(number, component)).join('|')
  return own === '||' ? undefined : own
}

/** What is only announced has a name and a type at most; R4 wants content. */
function unseen(txa: Segment): Elements {
  const title = value(txa, 25) || value(txa, 16) || value(txa, 2, 2) || value(txa, 2) || 'Document'
  return { attachment: { title } }
}

/** TXA-3 says of what kind the content is (table 0191), where it is of that kind. */
function tellKind(scene: Scene, txa: Segment, content: readonly Elements[]): void {
  const [top] = mediaType(value(txa, 3), '').split('/')
  const types = content.map(({ attachment }) => (attachment as { readonly contentType?: string }).contentType ?? '')
  if (types.some(type => type.startsWith(`${top}/`))) scene.ledger.keep(txa, 3)
}

interface Content {
  readonly content: readonly Elements[]
  /** What the parts are called by their sender. */
  readonly events: readonly Elements[]
}

/** Lines that have one heading are one text; a file is one of its own. */
function contentOf(scene: Scene, groups: readonly Group[], txa: Segment): Content {
  const content: Elements[] = []
  const events = new Map<string, Elements>()
  let open: { heading: string; lines: string[]; at: number } | undefined
  for (const group of groups) {
    const [obx] = group.segments
    if (obx === undefined) continue
    join(scene, obx, txa)
    const heading = printJson(obx.fields[3] ?? [])
    const concept = headingOf(scene, obx)
    if (concept !== undefined) events.set(heading, concept)
    if (files.has(value(obx, 2))) {
      const given = filesOf(scene, obx, concept)
      content.push(...given.map(attachment => ({ attachment: { ...attachment, ...madeAt(scene, obx) } })))
      open = undefined
      continue
    }
    if (open?.heading !== heading) open = { heading, lines: [], at: content.push({}) - 1 }
    open.lines.push(linesOf(scene, obx))
    content[open.at] = { attachment: { ...textFile(open.lines, concept), ...madeAt(scene, obx) } }
  }
  return { content: content.filter(one => Object.keys(one).length > 0), events: [...events.values()] }
}

/** OBX-14 */
function madeAt(scene: Scene, obx: Segment): Elements {
  const { field: given, keep } = scene.ledger.look(obx, 14)
  const creation = toDateTime(part(given[0], 1), scene.zone)
  if (creation === undefined) return {}
  keep()
  return { creation }
}

function headingOf(scene: Scene, obx: Segment): Elements | undefined {
  const look = scene.ledger.look(obx, 3)
  const concept = toConcept(look.field[0] ?? [])
  look.keep()
  // The number of a line says where it stands.
  scene.ledger.keep(obx, 2, ...(/^\d*$/.test(value(obx, 4)) ? [4] : []))
  // Table 0085: final, corrected. Another status is named.
  if (/^[FC]$/.test(value(obx, 11))) scene.ledger.keep(obx, 11)
  return concept as Elements | undefined
}

function linesOf(scene: Scene, obx: Segment): string {
  const { field: given, keep } = scene.ledger.look(obx, 5)
  keep()
  return given.map(repetition => part(repetition, 1)).join('\n')
}

function textFile(lines: readonly string[], concept: Elements | undefined): Elements {
  const { text } = (concept ?? {}) as { readonly text?: string }
  const data = Buffer.from(lines.join('\n')).toString('base64')
  const title = text === undefined ? {} : { title: text }
  return { contentType: 'text/plain; charset=utf-8', ...(data === '' ? {} : { data }), ...title }
}

/** The files of an OBX; what it says in words, where no file is, is a text. */
function filesOf(scene: Scene, obx: Segment, concept: Elements | undefined): readonly Elements[] {
  const { ledger, zone } = scene
  const look = ledger.look(obx, 5)
  const given = readValue(obx, zone, undefined, { note: look.note, keep: () => ledger.keep(obx, 5) })
  look.keep()
  if (hasUndecodable(obx))
    tell(scene, obx, 'OBX-5', 'OBX-5 is not in the encoding that it names; it is kept as it came.')
  const { attachments = [], elements = {} } = given ?? {}
  return typeof elements.valueString === 'string'
    ? [...attachments, textFile([elements.valueString], concept)]
    : attachments
}

/** The orders of the message, of which the document came. */
function requestsOf(scene: Scene): readonly string[] {
  return scene.outcomes.flatMap(one =>
    one.kind === 'mapped' && one.resource.resourceType === 'ServiceRequest'
      ? [`ServiceRequest/${one.resource.id}`]
      : [],
  )
}

function observationsOf(scene: Scene, groups: readonly Group[]): readonly string[] {
  const within = value(scene.message.msh, 10)
  return groups.flatMap(group => mapObservation(scene, group, { within, effective: {} }).reference ?? [])
}

/** TXA-13 is the document to which this one is added, or which it replaces: that says the event. */
function relationOf({ row }: Scene, { relatesTo }: Elements): Elements {
  if (!Array.isArray(relatesTo)) return {}
  const related = relatesTo.map(({ code, target }: { code: string; target: Elements }) => {
    return { code: row.relates ?? code, target: { type: 'DocumentReference', ...target } }
  })
  return { relatesTo: related }
}
