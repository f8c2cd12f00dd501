import { single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'

/** Only the code flow, answered in the query; no request objects, and no launch that this server has not started. */
export function checkResponseType(params: URLSearchParams): void {
  const type = single(params, 'response_type')
  if (type === undefined) throw oauthProblem('invalid_request', 'The parameter response_type is missing.')
  if (type !== 'code') throw oauthProblem('unsupported_response_type', 'The only response type is code.')
  if ((single(params, 'response_mode') ?? 'query') !== 'query')
    throw oauthProblem('invalid_request', 'The only response mode is query.')
}

/** OpenID Connect Core §6: a server that does not take request objects says so. */
export function checkNoRequestObject(params: URLSearchParams): void {
  if (params.has('request') || params.has('request_uri'))
    throw oauthProblem('request_not_supported', 'Request objects are not supported.')
}

/** A `launch` value would be one that this server gave to somebody's app; it gives none. */
export function checkNoLaunch(params: URLSearchParams): void {
  if (single(params, 'launch') !== undefined)
    throw oauthProblem(
      'invalid_request',
      'This launch is not known here; start without one and ask for launch/patient.',
    )
}
