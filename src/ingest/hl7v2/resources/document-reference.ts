import { toConcept } from '../data-types.ts'
import { field, type Segment, value } from '../message.ts'
import { type Elements, emit, type Scene } from '../scene.ts'

/** A document in an OBX of no order → DocumentReference, beside the Observation that says what it is. */
export function mapDocument(scene: Scene, obx: Segment, attachment: Elements, observation: string | undefined): void {
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
    content: [{ attachment }],
    ...(Object.keys({ ...related, ...visit }).length === 0 ? {} : { context: { ...visit, ...related } }),
  })
}
