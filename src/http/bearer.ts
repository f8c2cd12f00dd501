import { Problem } from '#kernel'

/**
 * The access token of an Authorization header; undefined without one.
 *
 * @throws Problem `unauthenticated` · `token.malformed`
 * @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1
 */
export function parseBearer(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const token = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(header)?.[1]
  if (token === undefined)
    throw new Problem('unauthenticated', 'token.malformed', 'The Authorization header must be: Bearer and one token.')
  return token
}
