import type { WebRequest } from '#web'
import { single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import { type AssertionVerifier, assertionType } from './assertions.ts'
import type { AuthMethod, Client, Clients } from './clients.ts'

/** The client that makes a request at the token, introspection or revocation endpoint; undefined when none is named. */
export type ClientAuthenticator = (request: WebRequest, form: URLSearchParams) => Promise<Client | undefined>

const refusal = () => oauthProblem('invalid_client', 'The client is unknown or did not show that it is who it says.')

function refuse(): never {
  throw refusal()
}

function decodeFormValue(text: string): string {
  const decoded = new URLSearchParams(`v=${text}`).get('v')
  if (decoded === null) throw refusal()
  return decoded
}

/** Id and secret of HTTP Basic, each form-encoded before. RFC 6749 §2.3.1 */
function readBasic(header: string): { readonly id: string; readonly secret: string } {
  const encoded = /^Basic +([A-Za-z0-9+/=_-]{1,1024})$/i.exec(header)?.[1]
  if (encoded === undefined) throw refusal()
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon < 1) throw refusal()
  return { id: decodeFormValue(pair.slice(0, colon)), secret: decodeFormValue(pair.slice(colon + 1)) }
}

/** A secret in Basic or in the form, an assertion, or (public clients) the bare `client_id`; never two at once. RFC 6749 §2.3 */
export function openClientAuthenticator(options: {
  clients: Clients
  verifyAssertion: AssertionVerifier
}): ClientAuthenticator {
  const { clients, verifyAssertion } = options

  /** Only in the way that the client registered: a secret that turns up elsewhere may have leaked there. */
  async function bySecret(id: string, secret: string, method: AuthMethod): Promise<Client> {
    const client = await clients.get(id)
    if (client?.authMethod !== method || !clients.isSecret(client, secret)) throw refusal()
    return client
  }

  async function byBasic(header: string, claimedId: string | undefined): Promise<Client> {
    const { id, secret } = readBasic(header)
    if (claimedId !== undefined && claimedId !== id) throw refusal()
    return bySecret(id, secret, 'client_secret_basic')
  }

  async function byName(id: string): Promise<Client> {
    const client = await clients.get(id)
    if (client?.authMethod !== 'none') throw refusal()
    return client
  }

  return async (request, form) => {
    const authorization = request.header('authorization')
    const basic = authorization?.toLowerCase().startsWith('basic') ? authorization : undefined
    const id = single(form, 'client_id')
    const type = single(form, 'client_assertion_type')
    const assertion = single(form, 'client_assertion')
    const asserts = type !== undefined || assertion !== undefined
    const secret = single(form, 'client_secret')
    if ([basic !== undefined, asserts, secret !== undefined].filter(Boolean).length > 1)
      throw oauthProblem('invalid_request', 'A client authenticates in one way, not in two.')
    if (basic !== undefined) return byBasic(basic, id)
    if (secret !== undefined) return id === undefined ? refuse() : bySecret(id, secret, 'client_secret_post')
    if (!asserts) return id === undefined ? undefined : byName(id)
    if (type !== assertionType || assertion === undefined) throw refusal()
    return verifyAssertion(assertion, id)
  }
}
