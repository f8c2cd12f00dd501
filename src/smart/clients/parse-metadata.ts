import { isPublicUrl } from '#web'
import { isDeceptive } from '../accounts/account-names.ts'
import { oauthProblem } from '../oauth-problem.ts'
import { parseScopeRequest, printScopeRequest } from '../scopes.ts'
import type { AuthMethod, ClientMetadata, GrantType } from './clients.ts'
import { parseKeySet } from './key-sets.ts'
import { isRedirectUri } from './redirect-uris.ts'
import { isKeySetUrl } from './urls.ts'

type Fields = Readonly<Record<string, unknown>>

const authMethods: readonly AuthMethod[] = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']
const grantTypes: readonly GrantType[] = ['authorization_code', 'refresh_token', 'client_credentials']
const maxRedirectUris = 10
const maxUrlLength = 2048

const refusal = (text: string) => oauthProblem('invalid_client_metadata', text)

function parseText(fields: Fields, name: string, maxLength: number): string | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value.trim() === '' || value.length > maxLength || isDeceptive(value))
    throw refusal('A text is empty, too long, or holds characters that are not seen.')
  return value.normalize('NFKC').trim()
}

function parseTexts(fields: Fields, name: string): readonly string[] | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length > maxRedirectUris || !value.every(item => typeof item === 'string'))
    throw refusal('A list must hold at most ten texts.')
  return value
}

/** Shown to people at most; never fetched. */
function parsePublicUrl(fields: Fields, name: string): string | undefined {
  const url = parseText(fields, name, maxUrlLength)
  if (url !== undefined && !isPublicUrl(url)) throw refusal('Addresses of an app must be public and https.')
  return url
}

function parseOneOf<T extends string>(value: unknown, allowed: readonly T[], text: string): T {
  const found = allowed.find(item => item === value)
  if (found === undefined) throw refusal(text)
  return found
}

function parseGrantTypes(fields: Fields): readonly GrantType[] {
  const asked = parseTexts(fields, 'grant_types') ?? ['authorization_code']
  return asked.map(item => parseOneOf(item, grantTypes, 'A grant type is not supported.'))
}

function parseRedirectUris(fields: Fields, needed: boolean, isPublicClient: boolean): readonly string[] {
  const uris = fields.redirect_uris
  if (uris === undefined && !needed) return []
  if (!Array.isArray(uris) || uris.length > maxRedirectUris || (needed && uris.length === 0))
    throw oauthProblem('invalid_redirect_uri', 'One to ten redirect URIs are needed.')
  if (
    !uris.every(uri => typeof uri === 'string' && uri.length <= maxUrlLength && isRedirectUri(uri, { isPublicClient }))
  )
    throw oauthProblem(
      'invalid_redirect_uri',
      'A redirect URI is https, http on 127.0.0.1, [::1] or localhost, or has a private scheme of an app without a secret.',
    )
  return uris
}

function parseKeys(fields: Fields, method: AuthMethod, canFetch: boolean): Pick<ClientMetadata, 'jwks' | 'jwksUri'> {
  if (method !== 'private_key_jwt') return {}
  const jwksUri = parseText(fields, 'jwks_uri', maxUrlLength)
  if ((jwksUri === undefined) === (fields.jwks === undefined)) throw refusal('Give either jwks or jwks_uri.')
  if (jwksUri !== undefined) {
    if (!canFetch || !isKeySetUrl(jwksUri)) throw refusal('jwks_uri is not an address this server fetches keys from.')
    return { jwksUri }
  }
  const jwks = parseKeySet(fields.jwks)
  if (jwks === undefined) throw refusal('jwks must hold public RSA or P-384 keys, each with a kid.')
  return { jwks }
}

/** Scopes beyond what this server knows are dropped, as RFC 7591 §2 allows. */
function parseRegisteredScope(fields: Fields): string | undefined {
  const text = parseText(fields, 'scope', 8192)
  return text === undefined ? undefined : printScopeRequest(parseScopeRequest(text))
}

function withoutUndefined<T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Partial<T>
}

/**
 * The metadata with which an app registers, checked and brought into our form.
 *
 * @param canFetch  whether this server fetches key sets, so that `jwks_uri` means something
 * @throws Problem `invalid` · `smart.invalid-client-metadata`, `smart.invalid-redirect-uri`
 * @see https://www.rfc-editor.org/rfc/rfc7591#section-2
 */
export function parseMetadata(fields: Fields, canFetch: boolean): ClientMetadata {
  const types = parseGrantTypes(fields)
  const authMethod = parseOneOf(
    fields.token_endpoint_auth_method ?? 'client_secret_basic',
    authMethods,
    'The token endpoint authentication method is not supported.',
  )
  if (types.includes('client_credentials') && authMethod !== 'private_key_jwt')
    throw refusal('Only clients with their own key may act without a person.')
  const responseTypes = parseTexts(fields, 'response_types') ?? ['code']
  if (responseTypes.some(type => type !== 'code')) throw refusal('The only response type is code.')
  return {
    name: parseText(fields, 'client_name', 100) ?? 'An app without a name',
    redirectUris: parseRedirectUris(fields, types.includes('authorization_code'), authMethod === 'none'),
    authMethod,
    grantTypes: types,
    ...parseKeys(fields, authMethod, canFetch),
    ...withoutUndefined<ClientMetadata>({
      scope: parseRegisteredScope(fields),
      clientUri: parsePublicUrl(fields, 'client_uri'),
      logoUri: parsePublicUrl(fields, 'logo_uri'),
      policyUri: parsePublicUrl(fields, 'policy_uri'),
      tosUri: parsePublicUrl(fields, 'tos_uri'),
      contacts: parseTexts(fields, 'contacts'),
      softwareId: parseText(fields, 'software_id', 200),
      softwareVersion: parseText(fields, 'software_version', 100),
    } as ClientMetadata),
  }
}
