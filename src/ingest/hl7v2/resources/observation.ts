import { type CodeableConcept, categoryOf as categoryConcepts, systems } from '../../codes.ts'
import { lazyTable } from '../../tables.ts'
import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, part, type Segment, value } from '../message.ts'
import {
  hasOffset,
  hasUndecodable,
  type ObservationValue,
  readValue,
  referenceRange,
  unitOf,
  usedOfUnit,
} from '../observation-value.ts'
import { instantMs } from '../said-at.ts'
import { type Elements, inEncounter, type Mapper, nth, type Scene, visitNumber } from '../scene.ts'
import type { Group } from '../structure.ts'
import { reject, tell } from '../telling.ts'
import { mapDocument } from './document-reference.ts'
import { notesOf } from './notes.ts'
import { observers } from './participants.ts'

const vitalSigns = lazyTable<{ readonly loinc: readonly string[] }>('hl7v2/vital-signs.json')

/** Where an observation was made. */
export interface ObservationPlace {
  /** What its number counts within: the order, the visit, or the message. */
  readonly within: string
  /** The time of the order, for what has none of its own. */
  readonly effective: Elements
  /** What it is a part of: `{ partOf: … }`. */
  readonly about?: Elements
}

export interface MappedObservation {
  readonly reference?: string | undefined
  /** Of a result that was deleted or posted as wrong: a report lists it no more. */
  readonly withdrawn?: string | undefined
  /** Documents in OBX-5, which belong to the report, or do no more. */
  readonly attachments: readonly Elements[]
}

/** OBX that stands in no order → Observation, and a DocumentReference for a document in it */
export const mapLooseObservation: Mapper = (scene, group) => {
  const [obx] = group.segments
  const at = { within: visitNumber(scene) ?? '', effective: {} }
  const { reference, withdrawn, attachments } = mapObservation(scene, group, at)
  if (obx !== undefined && attachments.length > 0) mapDocument(scene, obx, attachments, reference ?? withdrawn)
}

/** OBX → Observation */
export function mapObservation(scene: Scene, group: Group, at: ObservationPlace): MappedObservation {
  const [obx] = group.segments
  if (obx === undefined) return { attachments: [] }
  const elements = applied(scene, obx, 'Observation')
  const given = resultOf(scene, obx, elements.code)
  if (hasOffset(obx)) tell(scene, obx, 'OBX-5', 'OBX-5 is a time with an offset, which a FHIR time does not have.')
  if (hasUndecodable(obx))
    tell(scene, obx, 'OBX-5', 'OBX-5 is not in the encoding that it names; it is kept as it came.')
  const attachments = given?.attachments ?? []
  if (elements.code === undefined) {
    reject(scene, obx, 'OBX-3')
    return { attachments }
  }
  const said = {
    status: 'unknown',
    ...categoryOf(elements),
    ...(elements.effectiveDateTime === undefined ? at.effective : {}),
    ...combined(elements, observers(scene, group, obx), notesOf(scene, group)),
    subject: scene.context.subject,
    ...inEncounter(scene),
    ...at.about,
    ...rangesOf(scene, obx),
    ...given?.elements,
  }
  const reference = emit(scene, obx, 'Observation', keyOf(scene, obx, at), said, { updates: [obx] })
  return isWithdrawn(obx) ? { withdrawn: reference, attachments } : { reference, attachments }
}

/** HL7 table 0085: D deletes the record, W posts it as wrong. */
export function isWithdrawn(obx: Segment): boolean {
  return ['D', 'W'].includes(value(obx, 11))
}

/** OBX-5 by its components, and OBX-6 where the value says it. */
function resultOf(scene: Scene, obx: Segment, code: unknown): ObservationValue | undefined {
  const { ledger, zone } = scene
  const [look, unit] = [ledger.look(obx, 5), ledger.look(obx, 6)]
  const given = readValue(obx, zone, code, { note: look.note, keep: () => ledger.keep(obx, 5) })
  look.keep()
  ledger.keep(obx, 2)
  const isText = !hasUnit(given?.elements)
  if (isText && value(obx, 2) !== 'SN') return given
  for (const at of usedOfUnit(obx, isText)) unit.note(0)(at)
  unit.keep()
  return given
}

const measures = ['valueQuantity', 'valueRange', 'valueRatio', 'valueSampledData']

/** Whether a value says its unit: text does not, but for what SN could not say otherwise. */
function hasUnit(elements: Elements | undefined): boolean {
  const { component = [elements ?? {}] } = (elements ?? {}) as { component?: readonly Elements[] }
  return component.some(one => measures.some(name => one[name] !== undefined))
}

/** https://hl7.org/fhir/R4/observation-vitalsigns.html: these codes are vital signs. */
function categoryOf({ code }: Elements): Elements {
  const { coding = [] } = code as CodeableConcept
  const isVital = coding.some(one => one.system === systems.loinc && vitalSigns().loinc.includes(one.code ?? ''))
  return isVital ? { category: categoryConcepts('vital-signs') } : {}
}

/** OBX-7 with the unit of OBX-6. */
function rangesOf(scene: Scene, obx: Segment): Elements {
  const unit = unitOf(obx)
  const { field: given, keep } = scene.ledger.look(obx, 7)
  const ranges = given
    .map(repetition => referenceRange(repetition[0]?.[0] ?? '', unit))
    .filter(one => one !== undefined)
  if (ranges.length === 0) return {}
  keep()
  return { referenceRange: ranges }
}

/**
 * What an observation is known by: OBX-21 where the sender names it, else the order or visit, what was measured, when,
 * and which of several. Two measurements at two times are two; a corrected one has the time of the first.
 */
function keyOf(scene: Scene, obx: Segment, { within, effective }: ObservationPlace): readonly string[] {
  const [instance] = field(obx, 21)
  if (part(instance, 1) !== '') return ['instance', ...[1, 2, 3].map(component => part(instance, component))]
  const at = timeOf(scene, obx) ?? startOf(effective)
  // What has neither number nor time is told from others by the message alone.
  const where = within === '' && at === '' ? value(scene.message.msh, 10) : within
  const key = `${value(obx, 3) || value(obx, 3, 2)}|${value(obx, 3, 3)}|${value(obx, 4)}|${at}`
  return [where, key, String(nth(scene, `${where} ${key}`))]
}

/** OBX-14 as an instant, so that the same time in another offset is the same; a day as it stands. */
function timeOf({ zone }: Scene, obx: Segment): string | undefined {
  const given = value(obx, 14)
  const atMs = instantMs(given, zone)
  return given === '' ? undefined : String(atMs ?? given)
}

function startOf({ effectiveDateTime, effectivePeriod }: Elements): string {
  const start = effectiveDateTime ?? (effectivePeriod as Elements | undefined)?.start
  if (typeof start !== 'string') return ''
  return start.includes('T') ? String(Date.parse(start)) : start
}
