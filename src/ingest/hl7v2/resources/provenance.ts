import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, isEmpty, part, type Segment, value } from '../message.ts'
import { senderOf } from '../message-source.ts'
import type { Elements, Scene } from '../scene.ts'
import { toInstantText } from '../times.ts'

const participants = 'http://terminology.hl7.org/CodeSystem/provenance-participant-type'

/**
 * EVN → Provenance, where it names who, why, where, or when it happened. That the message came, and when, the Provenance of the run
 * says.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-evn-to-provenance.html
 */
export function mapEvent(scene: Scene, evn: Segment): void {
  if ([4, 5, 6, 7].every(number => isEmpty(field(evn, number)))) return
  const { msh } = scene.message
  const elements = applied(scene, evn, 'Provenance')
  emit(scene, evn, 'Provenance', [value(msh, 10), 'EVN'], {
    target: [scene.context.subject],
    ...recordedOf(scene),
    activity: { coding: [{ display: `event - ${part(field(msh, 9)[0], 1)}^${part(field(msh, 9)[0], 2)}` }] },
    ...combined({ agent: [sender(scene)] }, elements),
  })
}

/** PID-33, PID-34: who changed the patient's data last → Provenance */
export function mapLastUpdate(scene: Scene, pid: Segment): void {
  if (isEmpty(field(pid, 34))) return
  const elements = applied(scene, pid, 'Provenance')
  if (elements.agent === undefined) return
  emit(scene, pid, 'Provenance', [value(pid, 33), value(pid, 34), 'PID'], {
    target: [scene.context.subject],
    ...recordedOf(scene),
    activity: operation('UPDATE'),
    ...elements,
  })
}

/** By ORC-1; other controls change nothing of what is known. */
const operations: Readonly<Record<string, string>> = { NW: 'CREATE', SC: 'UPDATE', OC: 'CANCEL', CA: 'CANCEL' }

/** ORC-10, ORC-11, ORC-19 …: who entered, verified and did the order → Provenance */
export function mapOrderEvent(scene: Scene, orc: Segment, request: string): void {
  const elements = applied(scene, orc, 'Provenance')
  if (elements.agent === undefined) return
  const operationCode = operations[value(orc, 1)]
  emit(scene, orc, 'Provenance', [request, value(orc, 1), value(orc, 9), 'ORC'], {
    target: [{ reference: request }, scene.context.subject],
    ...recordedOf(scene),
    ...(operationCode === undefined ? {} : { activity: operation(operationCode) }),
    ...combined(elements),
  })
}

/**
 * TXA-8, TXA-11, TXA-21, TXA-23: when and why a document was changed, who wrote it down, who got a copy → Provenance
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-txa-to-provenance.html
 */
export function mapEdit(scene: Scene, txa: Segment, document: string): void {
  if ([8, 11, 21, 23].every(number => isEmpty(field(txa, number)))) return
  const { agent = [sender(scene)], ...elements } = applied(scene, txa, 'Provenance')
  emit(scene, txa, 'Provenance', [document, value(scene.message.msh, 10), 'TXA'], {
    target: [{ reference: document }],
    ...recordedOf(scene),
    activity: operation('UPDATE'),
    agent,
    ...elements,
  })
}

function operation(code: string): Elements {
  return { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-DataOperation', code }] }
}

/** The message's time; R4 wants an instant. */
function recordedOf({ message, zone }: Scene): Elements {
  const sent = toInstantText(value(message.msh, 7), zone)
  return { recorded: sent ?? '1970-01-01T00:00:00Z' }
}

function sender({ message }: Scene): Elements {
  return { type: { coding: [{ system: participants, code: 'author' }] }, who: senderOf(message.msh) }
}
