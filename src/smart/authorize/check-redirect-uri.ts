import { Problem } from '#kernel'
import type { Client } from '../clients/clients.ts'
import { isRegistered } from '../clients/redirect-uris.ts'
import { single } from '../form.ts'

/**
 * The redirect URI, which must be one of the registered ones, character for character: no prefix, no decoding, and another
 * port only on the person's own machine. It may be left out when only one is registered.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-2.1 and https://www.rfc-editor.org/rfc/rfc8252#section-7.3
 */
export function checkRedirectUri(params: URLSearchParams, client: Client): string {
  const asked = single(params, 'redirect_uri')
  const uri = asked ?? (client.redirectUris.length === 1 ? client.redirectUris[0] : undefined)
  if (uri === undefined || !isRegistered(uri, client.redirectUris))
    throw new Problem('invalid', 'smart.redirect-unknown', 'The app wants you sent to an address it did not register.')
  return uri
}
