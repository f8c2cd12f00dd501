import { createPrivateKey } from 'node:crypto'
import type { ClientAuth, Configuration, CustomFetch, PrivateKey, ServerMetadata } from 'openid-client'
import type { GuardedFetch } from '#web'
import type { Protocol, ProtocolOptions, ProviderSettings, Tied } from './provider-protocol.ts'

const longestSubject = 255

/**
 * The subject, as it may be: halves of characters are all the same once they are bytes.
 *
 * @see https://openid.net/specs/openid-connect-core-1_0.html#IDToken
 */
function checked(subject: string | undefined): string {
  const isSound = subject !== undefined && subject !== '' && subject.length <= longestSubject && subject.isWellFormed()
  if (!isSound) throw new TypeError('an ID token without a subject')
  return subject
}

/** Read when somebody logs in there for the first time: no other house needs it. */
const library = () => import('openid-client')

const lifeMs = 60 * 60_000

/** As the library asks for it: redirects are answers that it refuses. */
export function toCustomFetch(fetch: GuardedFetch): CustomFetch {
  return (url, { method, headers, body, signal }) => {
    if (typeof body !== 'string' && !(body instanceof URLSearchParams) && body !== undefined && body !== null)
      throw new TypeError('only forms are sent to providers')
    return fetch(url, {
      method,
      headers,
      ...(body === undefined || body === null ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    })
  }
}

/** What is sent along, and what has to come back with the answer. */
export async function toParameters(redirectUri: string, { state, verifier }: Omit<Tied, 'nonce'>) {
  const { calculatePKCECodeChallenge } = await library()
  return {
    redirect_uri: redirectUri,
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }
}

const algorithms: Readonly<Record<string, string>> = {
  rsa: 'RS256',
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
  ed25519: 'Ed25519',
}

/** The key with which this server signs who it is; its algorithm and id are those that a JWK names. */
async function readKey(text: string): Promise<PrivateKey> {
  const { importJWK } = await import('jose')
  const told = text.trimStart().startsWith('{') ? JSON.parse(text) : undefined
  const key = told === undefined ? createPrivateKey(text) : createPrivateKey({ key: told, format: 'jwk' })
  const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? ''
  const { kid, alg = algorithms[kind] } = told ?? {}
  const imported = await importJWK(key.export({ format: 'jwk' }), alg)
  if (imported instanceof Uint8Array) throw new TypeError('not a private key')
  return { key: imported, ...(typeof kid === 'string' ? { kid } : {}) }
}

/** A secret goes in the header, as OpenID Connect has it where nothing is said, unless the provider takes it in the form alone. */
async function authenticationOf(proof: ProviderSettings['proof'], metadata: ServerMetadata): Promise<ClientAuth> {
  const { ClientSecretBasic, ClientSecretPost, PrivateKeyJwt } = await library()
  if ('key' in proof) return PrivateKeyJwt(await readKey(proof.key))
  const methods = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  return methods.includes('client_secret_basic') ? ClientSecretBasic(proof.secret) : ClientSecretPost(proof.secret)
}

/**
 * OpenID Connect, by the code flow with PKCE. Of the person nothing is asked but who they are (`openid`), and that stands in the ID
 * token, whose signature is checked although it came by TLS; the user info is never asked for.
 *
 * @see https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-2.1
 */
export function openOpenid({ settings, fetch, clock }: ProtocolOptions): Protocol {
  const { issuer, clientId, proof } = settings
  const isPlain = issuer.startsWith('http:')
  const customFetch = toCustomFetch(fetch)
  let kept: { readonly configuration: Configuration; readonly untilMs: number } | undefined
  let underWay: Promise<Configuration> | undefined

  async function discover(): Promise<Configuration> {
    const openid = await library()
    // What the provider says of itself tells how to show who we are, so that is known only afterwards.
    const found = await openid.discovery(new URL(issuer), clientId, undefined, openid.None(), {
      [openid.customFetch]: customFetch,
      execute: isPlain ? [openid.allowInsecureRequests] : [],
    })
    const metadata = found.serverMetadata()
    const configuration = new openid.Configuration(
      metadata,
      clientId,
      undefined,
      await authenticationOf(proof, metadata),
    )
    configuration[openid.customFetch] = customFetch
    if (isPlain) openid.allowInsecureRequests(configuration)
    openid.enableNonRepudiationChecks(configuration)
    kept = { configuration, untilMs: clock.nowMs() + lifeMs }
    return configuration
  }

  /** Asked for once at a time, and for an hour. */
  function configured(): Promise<Configuration> {
    if (kept !== undefined && clock.nowMs() < kept.untilMs) return Promise.resolve(kept.configuration)
    underWay ??= discover().finally(() => {
      underWay = undefined
    })
    return underWay
  }

  return {
    async addressOf(redirectUri, tied, isAnew) {
      const [{ buildAuthorizationUrl }, configuration] = [await library(), await configured()]
      const parameters = await toParameters(redirectUri, tied)
      const prompt = isAnew ? { prompt: 'login' } : {}
      return buildAuthorizationUrl(configuration, { ...parameters, ...prompt, scope: 'openid', nonce: tied.nonce })
    },

    async subjectOf(returned, { state, nonce, verifier }) {
      const [{ authorizationCodeGrant }, configuration] = [await library(), await configured()]
      const tokens = await authorizationCodeGrant(configuration, returned, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      })
      return checked(tokens.claims()?.sub)
    },
  }
}
