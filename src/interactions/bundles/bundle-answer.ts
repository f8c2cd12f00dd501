import { printJson, type Resource, toInstant } from '#fhir'
import type { Matcher } from '../match.ts'
import type { FhirResponse, GrantedRequest, Rooms } from '../types.ts'

/** Answers each of a Bundle's entries, alone or all together. */
export type BundleInteraction = (
  entries: readonly unknown[],
  request: GrantedRequest,
  matcher: Matcher,
  rooms: Rooms,
) => Promise<FhirResponse>

/**
 * The text of one entry of the answer.
 *
 * @param outcome  what went wrong, or what the caller preferred to get instead of the resource
 */
export function printAnswer(response: FhirResponse, outcome?: Resource): (Buffer | string)[] {
  const { status, headers, body, lastUpdatedMs } = response
  const { etag, location } = headers
  const told = {
    status: String(status),
    ...(location === undefined ? {} : { location }),
    ...(etag === undefined ? {} : { etag }),
    ...(lastUpdatedMs === undefined ? {} : { lastModified: toInstant(lastUpdatedMs) }),
    ...(outcome === undefined ? {} : { outcome }),
  }
  const end = `"response":${printJson(told)}}`
  if (body === undefined) return [`{${end}`]
  return ['{"resource":', typeof body === 'string' || Buffer.isBuffer(body) ? body : printJson(body), `,${end}`]
}

/**
 * What a write answers within a Bundle: its resource only to those who ask, because its author has what was written.
 *
 * @param wanted  the Bundle's `Prefer: return=`
 */
export function printWrite(response: FhirResponse, wanted: string | undefined): (Buffer | string)[] {
  const { body, ...told } = response
  if (wanted === 'OperationOutcome' && isResource(body)) return printAnswer(told, body)
  return printAnswer(wanted === undefined ? told : response)
}

function isResource(body: FhirResponse['body']): body is Resource {
  return typeof body === 'object' && !Buffer.isBuffer(body)
}
