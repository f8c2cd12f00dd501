import type { Grant } from '#access'
import { isProblem } from '#kernel'
import type { WebRequest } from '#web'
import { oauthProblem } from '../oauth-problem.ts'
import type { Parts } from '../parts.ts'

/** The bearer token of a request to the authorisation server itself. RFC 6750 §2.1 */
export function bearerOf(request: WebRequest): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.header('authorization') ?? '')?.[1]
}

/** What it allows. @throws Problem `unauthenticated` · `smart.invalid-token` */
export async function bearerGrant(bearer: string, { authenticate }: Pick<Parts, 'authenticate'>): Promise<Grant> {
  try {
    return await authenticate(bearer)
  } catch (error) {
    if (isProblem(error, 'unauthenticated')) throw oauthProblem('invalid_token', 'The bearer token is not valid.')
    throw error
  }
}
