import type { Resource } from '#fhir'
import type { Stored } from '#record'
import type { FhirResponse } from '../types.ts'
import { printEtag } from './etag.ts'
import type { Preferences } from './prefer.ts'

/** The headers that tell which version an answer is. */
export function versionHeaders(stored: Pick<Stored, 'version' | 'lastUpdatedMs'>): Record<string, string> {
  return { etag: printEtag(stored.version), 'last-modified': new Date(stored.lastUpdatedMs).toUTCString() }
}

/** Where one version can be read for ever. */
export function versionUrl(baseUrl: string, stored: Pick<Stored, 'type' | 'id' | 'version'>): string {
  return `${baseUrl}/${stored.type}/${stored.id}/_history/${stored.version}`
}

/** An OperationOutcome that says that all is well. */
export function allIsWell(text: string): Resource {
  return {
    resourceType: 'OperationOutcome',
    issue: [{ severity: 'information', code: 'informational', diagnostics: text }],
  }
}

/**
 * The answer to a write: the stored bytes as they are, nothing, or an OperationOutcome, as the caller prefers.
 *
 * @see https://hl7.org/fhir/R4/http.html#return
 */
export function writeResponse(
  stored: Stored,
  status: 200 | 201,
  options: { readonly baseUrl: string; readonly prefer: Preferences },
): FhirResponse {
  const headers = { ...versionHeaders(stored), location: versionUrl(options.baseUrl, stored) }
  if (options.prefer.return === 'minimal') return { status, headers }
  if (options.prefer.return === 'OperationOutcome')
    return { status, headers, body: allIsWell(status === 201 ? 'Created.' : 'Updated.') }
  return { status, headers, body: stored.json }
}
