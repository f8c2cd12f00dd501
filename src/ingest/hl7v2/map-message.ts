import { Problem } from '#kernel'
import type { MapContext, Outcome, WriteMode } from '../outcome.ts'
import { applyRules } from './apply-rules.ts'
import { amendPatient, patientElements } from './map-patient.ts'
import { field, isEmpty, type Message, part, type Segment, value } from './message.ts'
import { readValue } from './observation-value.ts'
import { isMessageType, type MessageRow, messageRow, rulesOf } from './tables.ts'
import { zoneOfMessage } from './times.ts'

type Elements = Readonly<Record<string, unknown>>

/** What the segments of one message are mapped with. */
interface Scene {
  readonly message: Message
  readonly row: MessageRow
  readonly context: MapContext
  readonly zone: string
  /** The sending facility: its numbers are its own, whichever of its systems sends them. */
  readonly sender: string
  readonly outcomes: Outcome[]
  /** Segments that were made use of. */
  readonly used: Set<Segment>
}

/** @throws Problem `unsupported` · `ingest.hl7-type-unsupported`, `ingest.hl7-event-unsupported` */
export function messageRowOf(message: Message): MessageRow {
  const type = value(message.msh, 9, 1)
  const row = messageRow(type, value(message.msh, 9, 2))
  if (row !== undefined) return row
  if (isMessageType(type))
    throw new Problem('unsupported', 'ingest.hl7-event-unsupported', 'Messages of this event are not taken in.', {
      expression: 'MSH-9.2',
    })
  throw new Problem('unsupported', 'ingest.hl7-type-unsupported', 'Messages of this type are not taken in.', {
    expression: 'MSH-9.1',
  })
}

/**
 * What one message says about the patient of `context`.
 *
 * @throws Problem `unsupported` · `ingest.hl7-type-unsupported`, `ingest.hl7-event-unsupported`;
 *   `unprocessable` · `ingest.hl7-segment-missing`
 */
export function mapMessage(message: Message, context: MapContext): readonly Outcome[] {
  const row = messageRowOf(message)
  const pid = message.segments.find(segment => segment.name === 'PID')
  if (pid === undefined)
    throw new Problem('unprocessable', 'ingest.hl7-segment-missing', 'The message has no PID segment.', {
      expression: 'PID',
    })
  const scene: Scene = {
    message,
    row,
    context,
    zone: zoneOfMessage(value(message.msh, 7)),
    sender: value(message.msh, 4) || value(message.msh, 3),
    outcomes: [],
    used: new Set(message.segments.filter(segment => silent.has(segment.name))),
  }
  scene.used.add(pid)
  if (row.type === 'ADT') mapAdt(scene)
  else mapOru(scene)
  return [...scene.outcomes, ...leftOver(scene)]
}

/** Segments that say something about the message or about a neighbour, not by themselves. */
const silent = new Set(['MSH', 'EVN', 'SFT', 'PD1', 'PV2', 'NTE', 'UAC'])

function leftOver(scene: Scene): Outcome[] {
  return scene.message.segments.flatMap((segment): Outcome[] => {
    if (silent.has(segment.name)) return [{ kind: 'folded', row: segment.name }]
    return scene.used.has(segment) ? [] : [{ kind: 'unmapped', row: segment.name }]
  })
}

function segmentsOf(scene: Scene, name: string): readonly Segment[] {
  return scene.message.segments.filter(segment => segment.name === name)
}

/** Counts what could not be read, by the name of the field. */
function applied(scene: Scene, segment: Segment, resource: string): Elements {
  const { elements, lost } = applyRules(rulesOf(segment.name, resource), segment, scene.zone)
  for (const place of lost)
    scene.outcomes.push({ kind: 'warning', text: `${place} could not be read and was left out.` })
  scene.used.add(segment)
  return elements
}

/** Puts a resource among the outcomes. `key` is what it is known by to the sender. */
function emit(
  scene: Scene,
  row: string,
  resourceType: string,
  key: readonly string[],
  elements: Elements,
  mode: WriteMode = 'upsert',
): string {
  const { context } = scene
  const id = context.fingerprint('hl7v2', scene.sender, resourceType, ...key)
  const resource = { resourceType, id, meta: { source: context.source }, ...elements }
  scene.outcomes.push({ kind: 'mapped', row, resource, mode })
  return `${resourceType}/${id}`
}

function mapAdt(scene: Scene): void {
  const { message, row, context, zone } = scene
  const { lost } = patientElements(message, zone)
  for (const place of lost)
    scene.outcomes.push({ kind: 'warning', text: `${place} could not be read and was left out.` })
  scene.outcomes.push(amendPatient(message, row, zone, context))
  const encounter = mapEncounter(scene)
  for (const nk1 of segmentsOf(scene, 'NK1')) mapRelatedPerson(scene, nk1)
  for (const al1 of segmentsOf(scene, 'AL1')) mapAllergy(scene, al1)
  for (const dg1 of segmentsOf(scene, 'DG1')) mapCondition(scene, dg1, encounter)
  for (const in1 of segmentsOf(scene, 'IN1')) mapCoverage(scene, in1)
  const obx = segmentsOf(scene, 'OBX')
  mapObservations(scene, obx, { group: visitNumber(scene) ?? value(message.msh, 10), encounter, effective: undefined })
}

/** PV1-19 with its authority: what an encounter is known by. */
function visitNumber(scene: Scene): string | undefined {
  const [pv1] = segmentsOf(scene, 'PV1')
  const [first] = field(pv1, 19)
  const number = part(first, 1)
  return number === '' ? undefined : `${number}|${part(first, 4)}|${part(first, 4, 2)}`
}

const unknownClass = { system: 'http://terminology.hl7.org/CodeSystem/v3-NullFlavor', code: 'UNK' }

function mapEncounter(scene: Scene): string | undefined {
  const [pv1] = segmentsOf(scene, 'PV1')
  const [pv2] = segmentsOf(scene, 'PV2')
  if (pv1 === undefined) return undefined
  scene.used.add(pv1)
  const number = visitNumber(scene)
  // A result needs no visit of its own; a visit without number and time cannot be told from another.
  if (number === undefined && (scene.row.encounter === undefined || isEmpty(field(pv1, 44)))) return undefined
  const elements = { ...applied(scene, pv1, 'Encounter'), ...(pv2 && applied(scene, pv2, 'Encounter')) }
  const ended = !isEmpty(field(pv1, 45))
  const encounter = {
    class: unknownClass,
    ...elements,
    status: ended ? 'finished' : (scene.row.encounter ?? 'unknown'),
    subject: scene.context.subject,
  }
  // What a result says about the visit in passing must not replace what the admission said.
  const mode = scene.row.encounter === undefined ? 'create' : 'merge'
  return emit(scene, 'PV1', 'Encounter', [number ?? value(pv1, 44)], encounter, mode)
}

function mapRelatedPerson(scene: Scene, nk1: Segment): void {
  const elements = applied(scene, nk1, 'RelatedPerson')
  if (elements.name === undefined) {
    scene.outcomes.push({ kind: 'rejected', row: 'NK1', reason: 'element-missing', expression: 'NK1-2' })
    return
  }
  const key = [JSON.stringify(elements.name), value(nk1, 3)]
  emit(scene, 'NK1', 'RelatedPerson', key, { ...elements, patient: scene.context.subject })
}

const activeAllergy = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
}

function mapAllergy(scene: Scene, al1: Segment): void {
  const elements = applied(scene, al1, 'AllergyIntolerance')
  if (elements.code === undefined) {
    scene.outcomes.push({ kind: 'rejected', row: 'AL1', reason: 'element-missing', expression: 'AL1-3' })
    return
  }
  emit(scene, 'AL1', 'AllergyIntolerance', [value(al1, 3), value(al1, 3, 2), value(al1, 3, 3)], {
    ...elements,
    clinicalStatus: activeAllergy,
    patient: scene.context.subject,
  })
}

const diagnosis = [
  {
    coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-category', code: 'encounter-diagnosis' }],
  },
]

function mapCondition(scene: Scene, dg1: Segment, encounter: string | undefined): void {
  const elements = applied(scene, dg1, 'Condition')
  if (elements.code === undefined) {
    scene.outcomes.push({ kind: 'rejected', row: 'DG1', reason: 'element-missing', expression: 'DG1-3' })
    return
  }
  const key = [visitNumber(scene) ?? '', value(dg1, 3) || value(dg1, 4), value(dg1, 3, 3), value(dg1, 5)]
  emit(scene, 'DG1', 'Condition', key, {
    ...elements,
    category: diagnosis,
    subject: scene.context.subject,
    ...(encounter === undefined ? {} : { encounter: { reference: encounter } }),
  })
}

function mapCoverage(scene: Scene, in1: Segment): void {
  const elements = applied(scene, in1, 'Coverage')
  if (elements.payor === undefined) {
    scene.outcomes.push({ kind: 'rejected', row: 'IN1', reason: 'element-missing', expression: 'IN1-4' })
    return
  }
  const key = [value(in1, 3), value(in1, 4), value(in1, 36), value(in1, 2)]
  emit(scene, 'IN1', 'Coverage', key, { ...elements, status: 'active', beneficiary: scene.context.subject })
}

interface ObservationGroup {
  /** What the observations' numbers count within: the order, the visit, or the message. */
  readonly group: string
  readonly encounter: string | undefined
  readonly effective: string | undefined
}

interface MappedObservations {
  readonly references: readonly string[]
  readonly attachments: readonly Elements[]
}

function mapObservations(scene: Scene, segments: readonly Segment[], at: ObservationGroup): MappedObservations {
  const seen = new Map<string, number>()
  const references: string[] = []
  const attachments: Elements[] = []
  for (const obx of segments) {
    const key = `${value(obx, 3) || value(obx, 3, 2)}|${value(obx, 3, 3)}|${value(obx, 4)}`
    const nth = seen.get(key) ?? 0
    seen.set(key, nth + 1)
    const given = readValue(obx, scene.zone)
    if (given?.attachment !== undefined) attachments.push(given.attachment)
    const reference = mapObservation(scene, obx, [at.group, key, String(nth)], at, given?.elements ?? {})
    if (reference !== undefined) references.push(reference)
  }
  return { references, attachments }
}

function mapObservation(
  scene: Scene,
  obx: Segment,
  key: readonly string[],
  at: ObservationGroup,
  given: Elements,
): string | undefined {
  const elements = applied(scene, obx, 'Observation')
  if (elements.code === undefined) {
    scene.outcomes.push({ kind: 'rejected', row: 'OBX', reason: 'element-missing', expression: 'OBX-3' })
    return undefined
  }
  const note = notesAfter(scene, obx)
  return emit(scene, 'OBX', 'Observation', key, {
    status: 'unknown',
    ...(at.effective === undefined ? {} : { effectiveDateTime: at.effective }),
    ...elements,
    subject: scene.context.subject,
    ...(at.encounter === undefined ? {} : { encounter: { reference: at.encounter } }),
    ...given,
    ...(note.length === 0 ? {} : { note }),
  })
}

/** NTE segments that follow directly belong to the segment before them. */
function notesAfter(scene: Scene, segment: Segment): readonly { text: string }[] {
  const { segments } = scene.message
  const lines: string[] = []
  for (let at = segments.indexOf(segment) + 1; segments[at]?.name === 'NTE'; at++)
    lines.push(
      field(segments[at], 3)
        .map(repetition => part(repetition, 1))
        .join('\n'),
    )
  const text = lines.join('\n').trim()
  return text === '' ? [] : [{ text }]
}

/** An order with its results: what stands from one OBR, or the ORC before it, to the next. */
interface OrderGroup {
  readonly orc: Segment | undefined
  readonly obr: Segment
  readonly obx: Segment[]
  readonly spm: Segment[]
}

function orderGroups(message: Message): readonly OrderGroup[] {
  const groups: OrderGroup[] = []
  let orc: Segment | undefined
  for (const segment of message.segments) {
    const current = groups.at(-1)
    if (segment.name === 'ORC') orc = segment
    else if (segment.name === 'OBR') {
      groups.push({ orc, obr: segment, obx: [], spm: [] })
      orc = undefined
    } else if (segment.name === 'OBX') current?.obx.push(segment)
    else if (segment.name === 'SPM') current?.spm.push(segment)
  }
  return groups
}

function mapOru(scene: Scene): void {
  scene.outcomes.push({ kind: 'folded', row: 'PID' })
  const encounter = mapEncounter(scene)
  for (const group of orderGroups(scene.message)) mapOrder(scene, group, encounter)
}

/** Filler's number, else placer's, else what was ordered and when. */
function orderKey({ orc, obr }: OrderGroup, controlId: string): string {
  const number = (segment: Segment | undefined, at: number) => {
    const [first] = field(segment, at)
    return part(first, 1) === '' ? '' : [1, 2, 3].map(component => part(first, component)).join('|')
  }
  const own = number(obr, 3) || number(orc, 3) || number(obr, 2) || number(orc, 2)
  return `${own || controlId}|${value(obr, 4) || value(obr, 4, 2)}|${own === '' ? value(obr, 1) : ''}`
}

function mapOrder(scene: Scene, group: OrderGroup, encounter: string | undefined): void {
  const { context, message } = scene
  const key = orderKey(group, value(message.msh, 10))
  const report = applied(scene, group.obr, 'DiagnosticReport')
  const inEncounter = encounter === undefined ? {} : { encounter: { reference: encounter } }
  const request = mapRequest(scene, group, key, inEncounter)
  const specimen = group.spm.map((spm, nth) => mapSpecimen(scene, spm, [key, value(spm, 2, 2), String(nth)]))
  const effective = typeof report.effectiveDateTime === 'string' ? report.effectiveDateTime : undefined
  const { references, attachments } = mapObservations(scene, group.obx, { group: key, encounter, effective })
  const note = notesAfter(scene, group.obr)
  emit(scene, 'OBR', 'DiagnosticReport', [key], {
    status: 'unknown',
    code: { text: 'Result' },
    ...report,
    subject: context.subject,
    ...inEncounter,
    ...(request === undefined ? {} : { basedOn: [{ reference: request }] }),
    ...(specimen.length === 0 ? {} : { specimen: specimen.map(reference => ({ reference })) }),
    ...(references.length === 0 ? {} : { result: references.map(reference => ({ reference })) }),
    ...(attachments.length === 0 ? {} : { presentedForm: attachments }),
    ...(note[0] === undefined ? {} : { conclusion: note[0].text }),
  })
}

/** The order is known when somebody numbered it. */
function mapRequest(scene: Scene, group: OrderGroup, key: string, inEncounter: Elements): string | undefined {
  const { orc, obr } = group
  const fromOrc = orc === undefined ? {} : applied(scene, orc, 'ServiceRequest')
  const fromObr = applyRules(rulesOf('OBR', 'ServiceRequest'), obr, scene.zone).elements
  const elements: Elements = { ...fromOrc, ...fromObr }
  if (elements.identifier === undefined) return undefined
  return emit(scene, orc === undefined ? 'OBR' : 'ORC', 'ServiceRequest', [key], {
    status: 'unknown',
    ...elements,
    intent: 'order',
    subject: scene.context.subject,
    ...inEncounter,
  })
}

function mapSpecimen(scene: Scene, spm: Segment, key: readonly string[]): string {
  const elements = applied(scene, spm, 'Specimen')
  return emit(scene, 'SPM', 'Specimen', key, { ...elements, subject: scene.context.subject })
}
