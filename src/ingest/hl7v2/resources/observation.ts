import { field, part, type Segment, value } from '../message.ts'
import { readValue } from '../observation-value.ts'
import { instantMs } from '../said-at.ts'
import {
  applied,
  type Elements,
  emit,
  inEncounter,
  type Mapper,
  nth,
  reject,
  type Scene,
  visitNumber,
} from '../scene.ts'
import type { Group } from '../structure.ts'
import { mapDocument } from './document-reference.ts'
import { notesOf } from './notes.ts'

/** Where an observation was made. */
export interface ObservationPlace {
  /** What its number counts within: the order, the visit, or the message. */
  readonly within: string
  /** The time of the order, for what has none of its own. */
  readonly effective: Elements
}

export interface MappedObservation {
  readonly reference?: string | undefined
  /** A document in OBX-5, which belongs to the report. */
  readonly attachment?: Elements
}

/** OBX that stands in no order → Observation, and a DocumentReference for a document in it */
export const mapLooseObservation: Mapper = (scene, group) => {
  const [obx] = group.segments
  const { reference, attachment } = mapObservation(scene, group, { within: visitNumber(scene) ?? '', effective: {} })
  if (obx !== undefined && attachment !== undefined) mapDocument(scene, obx, attachment, reference)
}

/** OBX → Observation */
export function mapObservation(scene: Scene, group: Group, at: ObservationPlace): MappedObservation {
  const [obx] = group.segments
  if (obx === undefined) return {}
  const elements = applied(scene, obx, 'Observation')
  const given = readValue(obx, scene.zone)
  scene.ledger.keep(obx, 2, 5, 6)
  const attachment = given?.attachment === undefined ? {} : { attachment: given.attachment }
  if (elements.code === undefined) {
    reject(scene, obx, 'OBX-3')
    return attachment
  }
  const reference = emit(scene, obx, 'Observation', keyOf(scene, obx, at), {
    status: 'unknown',
    ...at.effective,
    ...elements,
    subject: scene.context.subject,
    ...inEncounter(scene),
    ...given?.elements,
    ...notesOf(scene, group),
  })
  return { reference, ...attachment }
}

/**
 * What an observation is known by: OBX-21 where the sender names it, else the order or visit, what was measured, when,
 * and which of several. Two measurements at two times are two; a corrected one has the time of the first.
 */
function keyOf(scene: Scene, obx: Segment, { within, effective }: ObservationPlace): readonly string[] {
  const [instance] = field(obx, 21)
  scene.ledger.keep(obx, 4, 21)
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
