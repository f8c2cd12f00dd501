import { oauthProblem } from '../oauth-problem.ts'

/**
 * `aud` (or RFC 8707's `resource`) must name this FHIR base, with or without a slash at its end, so that a false server
 * cannot have tokens made for it here.
 *
 * @see https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#request-4
 */
export function checkAudience(params: URLSearchParams, fhirBase: string): void {
  const named = [...params.getAll('aud'), ...params.getAll('resource')]
  if (named.length === 0) throw oauthProblem('invalid_request', 'The parameter aud is missing.')
  if (!named.every(audience => audience === fhirBase || audience === `${fhirBase}/`))
    throw oauthProblem('invalid_request', 'aud must be the address of this FHIR server.')
}
