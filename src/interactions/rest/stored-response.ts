import type { Resource } from '#fhir'
import type { Stored } from '#record'
import type { FhirResponse } from '../types.ts'
import { printEtag } from './etag.ts'
import type { Preferences } from './prefer.ts'

/** What tells which version an answer is. */
export function versionOf({ version, lastUpdatedMs }: Pick<Stored, 'version' | 'lastUpdatedMs'>) {
  const headers: Record<string, string> = {
    etag: printEtag(version),
    'last-modified': new Date(lastUpdatedMs).toUTCString(),
  }
  return { headers, lastUpdatedMs }
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
  const { headers, lastUpdatedMs } = versionOf(stored)
  const answer = { status, headers: { ...headers, location: versionUrl(options.baseUrl, stored) }, lastUpdatedMs }
  if (options.prefer.return === 'minimal') return answer
  if (options.prefer.return === 'OperationOutcome')
    return { ...answer, body: allIsWell(status === 201 ? 'Created.' : 'Updated.') }
  return { ...answer, body: stored.json }
}
