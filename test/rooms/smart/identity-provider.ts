/** A real OpenID provider on the loopback, at which somebody logs in by saying who they are. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collect } from '#kernel'
import type { ProviderSettings } from '#smart'
import { openGuardedFetch } from '#web'
import { type Answer, type House, hidden, password, Visitor } from './house.ts'

export const origin = 'https://family.example'
export const clientId = 'kinhold'
export const secret = 'a secret of forty visible characters: + & %'

/** What fetches from providers on the loopback, however long a busy machine takes. */
export const loopbackFetch = openGuardedFetch(['127.0.0.1'], { timeoutMs: 300_000 })

export interface IdentityProvider {
  readonly issuer: string
  settings(more?: Partial<ProviderSettings>): ProviderSettings
  close(): Promise<void>
}

/** It says on the console that it is not set up as one in production would be. */
function silenceProvider(): void {
  for (const kind of ['warn', 'info'] as const) {
    const say = console[kind].bind(console)
    console[kind] = (...words: unknown[]) => {
      if (!String(words[0]).includes('oidc-provider')) say(...words)
    }
  }
}

/** A new key to sign with, as JWK. */
export function newKey(kid: string, type: 'ES256' | 'RS256' | 'Ed25519' = 'ES256') {
  const { privateKey } =
    type === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : type === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519')
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...rest } = privateKey.export({ format: 'jwk' })
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  return { pem, jwk: { ...privateKey.export({ format: 'jwk' }), kid }, publicJwk: { ...rest, kid, use: 'sig' } }
}

/** What it clones of its settings would else be objects of jest's own realm, which it takes for none. */
function inOneRealm<T>(work: () => T): T {
  const { structuredClone: clone } = globalThis
  globalThis.structuredClone = value => JSON.parse(JSON.stringify(value))
  try {
    return work()
  } finally {
    globalThis.structuredClone = clone
  }
}

function loginForm(path: string): string {
  return `<!doctype html><title>Provider</title><form method="post" action="${path}"><input name="login"><button>Go</button></form>`
}

/** @param options.originOf  the origin of the house that people come back to, once they go there */
export async function openIdentityProvider(
  options: {
    readonly originOf?: () => string
    readonly clientKeys?: readonly object[]
    readonly methods?: readonly string[]
  } = {},
): Promise<IdentityProvider> {
  silenceProvider()
  const { Provider } = await import('oidc-provider')
  // Before anybody waits for an answer: it takes a while.
  const signing = newKey('of-the-provider', 'RS256').jwk
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const made = () => {
    const redirect_uris = [1, 2].map(n => `${options.originOf?.() ?? origin}/auth/login/provider/${n}`)
    const client = { redirect_uris, grant_types: ['authorization_code'], response_types: ['code'] }
    const provider = inOneRealm(
      () =>
        new Provider(issuer, {
          clients: [
            {
              ...client,
              client_id: clientId,
              client_secret: secret,
              token_endpoint_auth_method: options.methods?.[0] ?? 'client_secret_basic',
            },
            ...(options.clientKeys ?? []).map((key, at) => ({
              ...client,
              client_id: `keyed-${at}`,
              token_endpoint_auth_method: 'private_key_jwt',
              token_endpoint_auth_signing_alg: (key as { alg?: string }).alg,
              jwks: { keys: [key] },
            })),
          ],
          ...(options.methods === undefined ? {} : { clientAuthMethods: options.methods }),
          jwks: { keys: [signing] },
          cookies: { keys: ['a key for the cookies of a test'] },
          features: { devInteractions: { enabled: false } },
          interactions: { url: (_: unknown, { uid }: { uid: string }) => `/login/${uid}` },
          findAccount: (_: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId }) }),
          async loadExistingGrant({
            oidc,
          }: {
            oidc: { client: { clientId: string }; session: { accountId: string } }
          }) {
            const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
            grant.addOIDCScope('openid')
            await grant.save()
            return grant
          },
        }),
    )
    return provider
  }
  let opened: ReturnType<typeof made> | undefined
  const provider = () => {
    opened ??= made()
    return opened
  }
  async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') {
      response.writeHead(200, { 'content-type': 'text/html' }).end(loginForm(request.url ?? ''))
      return
    }
    const form = new URLSearchParams((await collect(request, 10_000)).toString())
    const accountId = form.get('login') ?? ''
    const refused = { error: 'access_denied', error_description: 'a word of the provider' }
    await provider().interactionFinished(request, response, accountId === '' ? refused : { login: { accountId } })
  }
  server.on('request', (request, response) => {
    if (!request.url?.startsWith('/login/')) return provider().callback()(request, response)
    interact(request, response).catch(error => response.writeHead(500).end(String(error)))
  })
  return {
    issuer,
    settings: more => ({ n: 1, kind: 'openid', issuer, clientId, proof: { secret }, label: 'Our Keycloak', ...more }),
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** Where the page leads by itself. */
export function leadsTo({ headers }: Pick<Answer, 'headers'>): URL {
  const [, url = ''] = /^0; url=(.+)$/.exec(headers.get('refresh') ?? '') ?? []
  return new URL(url)
}

/** A person's browser goes to the provider, from the login page. */
export async function depart(visitor: Visitor, { n = 1, request = '' } = {}): Promise<Answer> {
  const page = await visitor.ask(request === '' ? '/auth/login' : `/auth/login?request=${request}`)
  const fields = { csrf: hidden(page.text, 'csrf'), ...(request === '' ? {} : { request }) }
  return visitor.post(`/auth/login/provider/${n}`, fields)
}

/** Logs in at the provider as somebody, or as nobody with an empty name; resolves to where that leads back to. */
export async function walk(start: URL, who: string): Promise<string> {
  const cookies = new Map<string, string>()
  let url = start
  let init: RequestInit = {}
  for (let step = 0; step < 10; step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie }, ...init })
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = line.split(';', 1)[0]?.split(/=(.*)/s) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null && response.status === 200) {
      init = { method: 'POST', body: new URLSearchParams({ login: who }) }
      continue
    }
    init = {}
    if (location === null) throw new Error(`the provider answers ${response.status}: ${await response.text()}`)
    url = new URL(location, url)
    if (url.origin !== start.origin) return `${url.pathname}${url.search}`
  }
  throw new Error('the provider leads around in circles')
}

/** A whole login by the provider, as far as it goes. */
export async function logInAt(
  visitor: Visitor,
  who: string,
  more: { n?: number; request?: string } = {},
): Promise<Answer> {
  return visitor.ask(await walk(leadsTo(await depart(visitor, more)), who))
}

export const codeIn = ({ text }: Answer) =>
  /data-code="([^"]+)"/.exec(text)?.[1] ?? text.match(/smart\.[a-z-]+/)?.[0] ?? ''
export const doneOf = ({ location }: Answer) => location?.searchParams.get('done')
export const isIn = async (visitor: Visitor) => (await visitor.ask('/account')).status === 200
export const csrfOf = async (visitor: Visitor) => hidden((await visitor.ask('/account')).text, 'csrf')

/** The page on the way to the provider whose identity is to be linked. */
export async function beginLinking(visitor: Visitor, fields: Record<string, string> = {}): Promise<Answer> {
  return visitor.post('/account/links', { csrf: await csrfOf(visitor), provider: '1', current: password, ...fields })
}

export async function linkAs(visitor: Visitor, who: string, fields: Record<string, string> = {}): Promise<Answer> {
  return visitor.ask(await walk(leadsTo(await beginLinking(visitor, fields)), who))
}

/** A browser that is logged in to an account that there is. */
export async function visiting(house: House, name: string): Promise<Visitor> {
  const visitor = new Visitor(house)
  await visitor.logIn(name)
  return visitor
}
