import { toConcept } from '../codings.ts'
import { emit } from '../emit.ts'
import { field, type Segment, value } from '../message.ts'
import type { Elements, Scene } from '../scene.ts'

/**
 * Documents in an OBX of no report → DocumentReference, beside the Observation that says what they are.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-obx-to-documentreference.html
 */
export function mapDocument(
  scene: Scene,
  obx: Segment,
  attachments: readonly Elements[],
  observation: string | undefined,
): void {
  const type = toConcept(field(obx, 3)[0] ?? [])
  const withdrawn = ['D', 'W'].includes(value(obx, 11))
  const { encounter } = scene
  const related = observation === undefined ? {} : { related: [{ reference: observation }] }
  const visit = encounter === undefined ? {} : { encounter: [{ reference: encounter }] }
  const key = [observation ?? '', value(obx, 3), value(obx, 4)]
  emit(scene, obx, 'DocumentReference', key, {
    status: withdrawn ? 'entered-in-error' : 'current',
    ...(type === undefined ? {} : { type }),
    subject: scene.context.subject,
    content: attachments.map(attachment => ({ attachment })),
    ...(Object.keys({ ...related, ...visit }).length === 0 ? {} : { context: { ...visit, ...related } }),
  })
}
