import type { Problem } from '#kernel'
import { redirectResponse, type WebResponse } from '#web'
import { type Client, isTrusted } from '../clients/clients.ts'
import { toWireError } from '../oauth-problem.ts'
import { strayPage } from '../pages/stray.ts'
import type { ReturnAddress } from './authorization-request.ts'

/** The URI is extended as text: printing it anew could change a query that the app compares. */
function answerUri(address: ReturnAddress, issuer: string, params: Readonly<Record<string, string>>): string {
  const answer = new URLSearchParams(params)
  if (address.state !== undefined) answer.append('state', address.state)
  // RFC 9207: an app that talks to several servers can tell whose answer this is.
  answer.append('iss', issuer)
  return `${address.redirectUri}${address.redirectUri.includes('?') ? '&' : '?'}${answer}`
}

/** Where an error goes: the app's address, with an error that OAuth has a name for, else a `server_error`. RFC 6749 §4.1.2.1 */
function errorUri(address: ReturnAddress, issuer: string, problem: Problem): string {
  const error = toWireError(problem)?.error ?? 'server_error'
  return answerUri(address, issuer, { error, error_description: problem.text })
}

/** Sends the person back to the app with a code. */
export function respondWithCode(address: ReturnAddress, issuer: string, code: string): WebResponse {
  return redirectResponse(answerUri(address, issuer, { code }))
}

/** Sends the person back to the app with what they decided. */
export function respondWithDenial(address: ReturnAddress, issuer: string, problem: Problem): WebResponse {
  return redirectResponse(errorUri(address, issuer, problem))
}

/**
 * Tells the app what is wrong with its request. Registration is open to everybody, so an app that nobody has let in could use
 * this server's name to lead people anywhere: they see where they would be sent, and go there by themselves or not.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-4.11.2
 */
export function respondWithError(
  client: Client,
  address: ReturnAddress,
  issuer: string,
  problem: Problem,
): WebResponse {
  const uri = errorUri(address, issuer, problem)
  return isTrusted(client, address.redirectUri)
    ? redirectResponse(uri)
    : strayPage({ redirectUri: address.redirectUri, uri, problem })
}
