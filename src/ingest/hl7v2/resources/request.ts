import type { Segment } from '../message.ts'
import { applied, type Elements, emit, inEncounter, join, type Scene } from '../scene.ts'

/** ORC and OBR → ServiceRequest: the order is known when somebody numbered it. */
export function mapRequest(
  scene: Scene,
  orc: Segment | undefined,
  obr: Segment | undefined,
  key: string,
): string | undefined {
  const elements: Elements = { ...applied(scene, orc, 'ServiceRequest'), ...applied(scene, obr, 'ServiceRequest') }
  const segment = orc ?? obr
  if (orc !== undefined && obr !== undefined) join(scene, orc, obr)
  if (segment === undefined || elements.identifier === undefined) return undefined
  return emit(scene, segment, 'ServiceRequest', [key], {
    status: 'unknown',
    ...elements,
    intent: 'order',
    subject: scene.context.subject,
    ...inEncounter(scene),
  })
}
