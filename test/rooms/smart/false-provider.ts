/** A provider of identities that can lie in all that it says; and one that says who somebody is as GitHub does. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { importJWK, SignJWT } from 'jose'
import { collect } from '#kernel'
import type { ProviderSettings } from '#smart'
import { clientId, newKey, secret } from './identity-provider.ts'

/** What is false; nothing unless told. */
export interface Lies {
  /** Of the ID token; undefined ones are left out. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** How it is signed. */
  readonly signed?: 'by another key' | 'by nobody' | 'with the secret' | 'under an unknown key id'
  /** Of its own configuration. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** Of the answer to a code. */
  readonly tokens?: Readonly<Record<string, unknown>>
  /** What one of its addresses does in place of answering. */
  readonly does?: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>>
}

export interface FalseProvider {
  readonly issuer: string
  lies: Lies
  /** What the ID tokens say unless it is a lie. */
  truth: { nonce: string; subject: string }
  /** What was asked for, with its form. */
  readonly asked: {
    readonly path: string
    readonly form: URLSearchParams
    readonly headers: IncomingMessage['headers']
  }[]
  settings(more?: Partial<ProviderSettings>): ProviderSettings
  close(): Promise<void>
}

type Answers = (path: string, provider: FalseProvider) => Promise<unknown>

async function open(answers: Answers, kind: ProviderSettings['kind']): Promise<FalseProvider> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider: FalseProvider = {
    issuer,
    lies: {},
    truth: { nonce: '', subject: 'anna' },
    asked: [],
    settings: more => ({ n: 1, kind, issuer, clientId, proof: { secret }, label: 'A false one', ...more }),
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    const form = new URLSearchParams((await collect(request, 100_000)).toString())
    provider.asked.push({ path, form, headers: request.headers })
    const does = provider.lies.does?.[path]
    if (does !== undefined) return does(request, response)
    const said = await answers(path, provider)
    response.writeHead(said === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(said))
  }
  server.on('request', (request, response) => {
    answer(request, response).catch(error => response.writeHead(500).end(String(error)))
  })
  return provider
}

/** OpenID Connect. */
export function openFalseProvider(): Promise<FalseProvider> {
  const [own, other] = [newKey('own'), newKey('own')]

  async function idToken({ issuer, lies, truth }: FalseProvider): Promise<string> {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: issuer, aud: clientId, sub: truth.subject, nonce: truth.nonce, iat: now, exp: now + 300 }
    const said = Object.fromEntries(
      Object.entries({ ...claims, ...lies.claims }).filter(([, value]) => value !== undefined),
    )
    if (lies.signed === 'by nobody') {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      return `${part({ alg: 'none' })}.${part(said)}.`
    }
    if (lies.signed === 'with the secret')
      return new SignJWT(said).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret))
    const kid = lies.signed === 'under an unknown key id' ? 'unknown' : 'own'
    const { jwk } = lies.signed === 'by another key' ? other : own
    return new SignJWT(said).setProtectedHeader({ alg: 'ES256', kid }).sign(await importJWK(jwk, 'ES256'))
  }

  return open(async (path, provider) => {
    const { issuer, lies } = provider
    if (path === '/.well-known/openid-configuration')
      return {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        userinfo_endpoint: `${issuer}/userinfo`,
        jwks_uri: `${issuer}/keys`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256', 'HS256', 'none'],
        authorization_response_iss_parameter_supported: true,
        ...lies.metadata,
      }
    if (path === '/keys') return { keys: [{ ...own.publicJwk, alg: 'ES256' }] }
    if (path === '/userinfo') return { sub: 'somebody-else' }
    if (path === '/token')
      return {
        access_token: 'an-access-token',
        token_type: 'Bearer',
        id_token: await idToken(provider),
        ...lies.tokens,
      }
    return undefined
  }, 'openid')
}

/** What GitHub answers: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps */
export function openFalseGithub(): Promise<FalseProvider> {
  return open(async (path, { lies, truth }) => {
    if (path === '/login/oauth/access_token')
      return { access_token: 'gho_an-access-token', scope: '', token_type: 'bearer', ...lies.tokens }
    if (path === '/api/v3/user') return { login: 'anna', id: Number(truth.subject), ...lies.claims }
    return undefined
  }, 'github')
}
