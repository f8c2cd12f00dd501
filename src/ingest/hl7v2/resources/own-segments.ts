import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { type Segment, value } from '../message.ts'
import { type Elements, inEncounter, nth, type Scene, visitNumber } from '../scene.ts'
import { type Group, segmentsOf } from '../structure.ts'
import { ownSegments } from '../tables.ts'
import { join, reject } from '../telling.ts'

/** The sender's own segments of a patient of which a table says that they add to a type of resource. */
export function ownOf(patient: Group, resource: string): readonly Segment[] {
  return ownSegments(resource).flatMap(name => segmentsOf(patient, name))
}

/** What they add; each is counted with the segment that the resource is made of. */
export function ownElements(scene: Scene, patient: Group, into: Segment, resource: string): Elements {
  const parts = ownOf(patient, resource).map(segment => {
    if (!scene.said.has(segment)) join(scene, segment, into)
    return applied(scene, segment, resource)
  })
  return combined(...parts)
}

/**
 * A sender's own segment → Observation, by `mappings/hl7v2/own-segments.json`: what was observed in the visit, at the time that a row
 * gives.
 *
 * @see HL7 v2.5.1, 2.11
 */
export function mapOwnSegments(scene: Scene, patient: Group): void {
  for (const segment of ownOf(patient, 'Observation')) {
    const elements = applied(scene, segment, 'Observation')
    const { code, effectiveDateTime = '' } = elements
    if (code === undefined) {
      reject(scene, segment, segment.name)
      continue
    }
    const said = { status: 'final', ...elements, subject: scene.context.subject, ...inEncounter(scene) }
    // What has neither visit nor time is told from others by the message alone.
    const visit = visitNumber(scene) ?? ''
    const where = visit === '' && effectiveDateTime === '' ? value(scene.message.msh, 10) : visit
    const key = `${where}|${segment.name}|${String(effectiveDateTime)}`
    emit(scene, segment, 'Observation', ['own', key, String(nth(scene, key))], said, { updates: [segment] })
  }
}
