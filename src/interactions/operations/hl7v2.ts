import { requirePermission } from '#access'
import { Problem } from '#kernel'
import { granted } from '../perform.ts'
import { checkBodyType } from '../rest/negotiate.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'

/** The media type of HL7 v2 messages in vertical-bar form. */
export const er7 = 'x-application/hl7-v2+er7'

/**
 * Takes an HL7 v2 message, or a batch of them. Its sender gets an HL7 acknowledgement of each, positive or negative.
 *
 * @throws Problem `unsupported-media` · `body.type-unsupported`; `invalid` · `body.missing`; `forbidden` · `scope.missing`
 * @see https://hapifhir.github.io/hapi-hl7v2/hapi-hl7overhttp/specification.html
 */
export async function receiveHl7v2(request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { grant } = granted(request)
  requirePermission(grant, 'c', 'Observation')
  checkBodyType(request, [er7, 'application/hl7-v2', 'application/hl7-v2+er7'])
  const message = await request.body()
  if (message.length === 0)
    throw new Problem('invalid', 'body.missing', 'This interaction needs a message as its body.')
  const { status, ack, retryAfterSeconds: seconds } = await rooms.ingest.hl7v2({ grant, message })
  const retry: Record<string, string> = seconds === undefined ? {} : { 'retry-after': String(seconds) }
  return { status, headers: { 'content-type': `${er7}; charset=utf-8`, ...retry }, body: ack }
}
