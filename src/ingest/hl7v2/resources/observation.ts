import { type Segment, value } from '../message.ts'
import { readValue } from '../observation-value.ts'
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

/** OBX that stands in no order → Observation */
export const mapLooseObservation: Mapper = (scene, group) => {
  const within = visitNumber(scene) ?? value(scene.message.msh, 10)
  mapObservation(scene, group, { within, effective: {} })
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

/** The order or visit, what was measured, and which of several. */
function keyOf(scene: Scene, obx: Segment, { within }: ObservationPlace): readonly string[] {
  scene.ledger.keep(obx, 4)
  const key = `${value(obx, 3) || value(obx, 3, 2)}|${value(obx, 3, 3)}|${value(obx, 4)}`
  return [within, key, String(nth(scene, `${within} ${key}`))]
}
