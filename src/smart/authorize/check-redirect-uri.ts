import { Problem } from '#kernel'
import type { Client } from '../clients/clients.ts'
import { single } from '../form.ts'

/**
 * The redirect URI, which must be one of the registered ones, character for character: no prefix, no other port, no
 * decoding. It may be left out when only one is registered.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-2.1
 */
export function checkRedirectUri(params: URLSearchParams, client: Client): string {
  const asked = single(params, 'redirect_uri')
  const uri = asked ?? (client.redirectUris.length === 1 ? client.redirectUris[0] : undefined)
  if (uri === undefined || !client.redirectUris.includes(uri))
    throw new Problem('invalid', 'smart.redirect-unknown', 'The app wants you sent to an address it did not register.')
  return uri
}
