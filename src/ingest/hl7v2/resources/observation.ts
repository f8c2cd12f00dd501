import { asVitalSign, withoutUnknowns, withUnknowns } from '../../measures/vital-signs.ts'
import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, part, type Segment, value } from '../message.ts'
import {
  hasOffset,
  hasUndecodable,
  hasUnitOf,
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

/** Where an observation was made. */
export interface ObservationPlace {
  /** What its number counts within: the order, the visit, or the message. */
  readonly within: string
  /** The time of the order, for what has none of its own. */
  readonly effective: Elements
  /** What it is a part of: `{ partOf: … }`. */
  readonly about?: Elements
  /** A report takes its documents. */
  readonly isReported?: true
}

export interface MappedObservation {
  readonly reference?: string | undefined
  /** Of a result that was deleted or posted as wrong: a report lists it no more. */
  readonly withdrawn?: string | undefined
  /** It was known to who ordered, and is no result of the order. */
  readonly supports?: boolean
  /** Documents in OBX-5: those of its report. */
  readonly attachments: readonly Elements[]
}

/** OBX that stands in no order → Observation */
export const mapLooseObservation: Mapper = (scene, group) => {
  mapObservation(scene, group, { within: visitNumber(scene) ?? '', effective: {} })
}

/** OBX → Observation, and a DocumentReference for a document in it that no report takes */
export function mapObservation(scene: Scene, group: Group, at: ObservationPlace): MappedObservation {
  const [obx] = group.segments
  if (obx === undefined) return { attachments: [] }
  const mapped = mapResult(scene, group, { obx, at })
  const { reference, withdrawn, attachments } = mapped
  if (at.isReported !== true && attachments.length > 0) mapDocument(scene, obx, attachments, reference ?? withdrawn)
  return mapped
}

interface Observed {
  readonly obx: Segment
  readonly at: ObservationPlace
}

function mapResult(scene: Scene, group: Group, { obx, at }: Observed): MappedObservation {
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
  const said = asVitalSign({
    status: 'unknown',
    ...(elements.effectiveDateTime === undefined ? at.effective : {}),
    ...combined(elements, observers(scene, group, obx), notesOf(scene, group)),
    subject: scene.context.subject,
    ...inEncounter(scene),
    ...at.about,
    ...rangesOf(scene, obx),
    ...given?.elements,
  })
  const unsaid = { told: withUnknowns, untold: withoutUnknowns }
  const reference = emit(scene, obx, 'Observation', keyOf(scene, obx, at), said, { updates: [obx], unsaid })
  const told = { attachments, supports: isAnswer(obx) }
  return isWithdrawn(obx) ? { withdrawn: reference, ...told } : { reference, ...told }
}

/** HL7 table 0936: the answer to a question at order entry, or what else supports the order. */
export function isAnswer(obx: Segment | undefined): boolean {
  return ['QST', 'SCI'].includes(value(obx, 29))
}

/** HL7 table 0085: D deletes the record, W posts it as wrong. */
export function isWithdrawn(obx: Segment): boolean {
  return ['D', 'W'].includes(value(obx, 11))
}

/** OBX-5 by its components, and OBX-6 where the value says it, which text does not, but for what SN could not say otherwise. */
function resultOf(scene: Scene, obx: Segment, code: unknown): ObservationValue | undefined {
  const { ledger, zone } = scene
  const [look, unit] = [ledger.look(obx, 5), ledger.look(obx, 6)]
  const given = readValue(obx, zone, code, { note: look.note, keep: () => ledger.keep(obx, 5) })
  look.keep()
  ledger.keep(obx, 2)
  const isText = !hasUnitOf(obx, given?.elements)
  if (isText && value(obx, 2) !== 'SN') return given
  for (const at of usedOfUnit(obx, isText)) unit.note(0)(at)
  unit.keep()
  return given
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
