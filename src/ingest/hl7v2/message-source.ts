import type { MessageSource } from '../provenance.ts'
import { toAssigner } from './data-types.ts'
import { field, type Message, part, type Segment, value } from './message.ts'
import { toDateTime } from './times.ts'

/**
 * Which message it was, when it was sent and by whom: MSH-9, MSH-7, MSH-22 or MSH-4 or MSH-3.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-msh-to-provenance-source.html
 */
export function messageSource({ msh }: Message, zone: string): MessageSource {
  const kind = [1, 2, 3].map(component => part(field(msh, 9)[0], component)).filter(text => text !== '')
  const sentAt = toDateTime(value(msh, 7), zone)
  const application = toAssigner(field(msh, 3)[0] ?? [])
  return {
    kind: kind.join('^'),
    sender: senderOf(msh),
    ...(application === undefined ? {} : { application: { ...application, type: 'Device' } }),
    ...(sentAt === undefined ? {} : { sentAt }),
  }
}

/** Who answers for a message, as a Reference without an address. */
export function senderOf(msh: Segment): object {
  const organization = value(msh, 22)
  const facility = toAssigner(field(msh, 4)[0] ?? []) ?? toAssigner(field(msh, 3)[0] ?? [])
  return organization === '' ? (facility ?? { display: 'unknown' }) : { type: 'Organization', display: organization }
}
