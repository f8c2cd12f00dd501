import type { Problem } from '#kernel'
import { redirectResponse, type WebResponse } from '#web'
import { toWireError } from '../oauth-problem.ts'
import type { ReturnAddress } from './authorization-request.ts'

/** The URI is extended as text: printing it anew could change a query that the app compares. */
function redirectTo(address: ReturnAddress, issuer: string, params: Readonly<Record<string, string>>): WebResponse {
  const answer = new URLSearchParams(params)
  if (address.state !== undefined) answer.append('state', address.state)
  // RFC 9207: an app that talks to several servers can tell whose answer this is.
  answer.append('iss', issuer)
  return redirectResponse(`${address.redirectUri}${address.redirectUri.includes('?') ? '&' : '?'}${answer}`)
}

/** Sends the person back to the app with a code. */
export function respondWithCode(address: ReturnAddress, issuer: string, code: string): WebResponse {
  return redirectTo(address, issuer, { code })
}

/** Sends the person back to the app with an error; one that OAuth has no name for is a `server_error`. RFC 6749 §4.1.2.1 */
export function respondWithError(address: ReturnAddress, issuer: string, problem: Problem): WebResponse {
  const error = toWireError(problem)?.error ?? 'server_error'
  return redirectTo(address, issuer, { error, error_description: problem.text })
}
