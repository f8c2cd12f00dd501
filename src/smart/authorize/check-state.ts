import { single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'

const maxStateLength = 2048
const maxNonceLength = 512

/** `state`, which comes back as it was. PKCE protects apps that send none. */
export function checkState(params: URLSearchParams): string | undefined {
  const state = single(params, 'state')
  if (state !== undefined && state.length > maxStateLength) throw oauthProblem('invalid_request', 'state is too long.')
  return state
}

/** `nonce`, which comes back in the id_token. */
export function checkNonce(params: URLSearchParams): string | undefined {
  const nonce = single(params, 'nonce')
  if (nonce !== undefined && nonce.length > maxNonceLength) throw oauthProblem('invalid_request', 'nonce is too long.')
  return nonce
}
