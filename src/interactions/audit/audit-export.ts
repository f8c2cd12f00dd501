import { isAsNoted, noteReach, requirePermission } from '#access'
import { Problem } from '#kernel'
import { operationParameters } from '../operations/parameters.ts'
import { granted } from '../perform.ts'
import { parseSince } from '../rest/history.ts'
import { streamed } from '../rest/streamed.ts'
import { narrowToPatient, restrictToCompartments } from '../search/compartment.ts'
import type { FhirRequest, FhirResponse, GrantedRequest, PathParams, Rooms } from '../types.ts'
import { auditCsv } from './told.ts'

/** Of when records are asked for. */
export const auditParameters = ['_since', '_until'] as const
/** Media type of records of access as a table. */
export const csv = 'text/csv'

/**
 * Who did what with a patient's data, as a table: each record of access that a search of AuditEvents would find for whoever asks, as fast
 * as it is taken. Shares and links, what was refused, and what others have filed are among them.
 *
 * @throws Problem `not-found` · `record.unknown`; `forbidden` · `scope.missing`; `fault` · `record.ledger-damaged`; and what
 *   `operationParameters` and `parseSince` throw
 */
export async function auditExport(request: FhirRequest, { id = '' }: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asking = granted(request)
  const grant = await narrowToPatient(asking.grant, id, rooms.record)
  requirePermission(grant, 's', 'AuditEvent')
  const asked = await operationParameters(request, auditParameters)
  const [sinceMs, untilMs] = [parseSince(asked.get('_since')), parseSince(asked.get('_until'), '_until')]
  const about = {
    grant,
    restrict: restrictToCompartments,
    baseUrl: asking.baseUrl,
    check: () => checkStanding(asking, rooms),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
  }
  const headers = {
    'content-type': `${csv}; charset=utf-8; header=present`,
    'content-disposition': `attachment; filename="audit-${id}.csv"`,
  }
  if (asking.method === 'HEAD') return { status: 200, headers }
  return { status: 200, headers, stream: await streamed(() => auditCsv(about, rooms)) }
}

/** A token that has come to its time was not taken away. @throws Problem `forbidden` · `audit.withdrawn` */
async function checkStanding({ grant, renew }: GrantedRequest, { clock }: Rooms): Promise<void> {
  if (renew === undefined || grant.expiresAtMs <= clock.nowMs()) return
  const now = await renew()
  if (now !== grant && !isAsNoted(now, noteReach(grant)))
    throw new Problem('forbidden', 'audit.withdrawn', 'The access under which this was asked reaches elsewhere by now.')
}
