import { single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import { isChallenge } from '../token/pkce.ts'

/** The S256 challenge that every request must bring. `plain` protects nothing and is refused. */
export function checkPkce(params: URLSearchParams): string {
  const challenge = single(params, 'code_challenge')
  if (challenge === undefined) throw oauthProblem('invalid_request', 'The parameter code_challenge is missing.')
  if (single(params, 'code_challenge_method') !== 'S256')
    throw oauthProblem('invalid_request', 'code_challenge_method must be S256.')
  if (!isChallenge(challenge)) throw oauthProblem('invalid_request', 'code_challenge is not the S256 of anything.')
  return challenge
}
