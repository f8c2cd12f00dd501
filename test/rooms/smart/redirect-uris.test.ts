import fc from 'fast-check'
import { isPrivateScheme, isRedirectUri, isRegistered } from '../../../src/smart/clients/redirect-uris.ts'
import {
  addApp,
  addFamily,
  authorizeParams,
  codeOf,
  decide,
  type House,
  openConsent,
  openHouse,
  postForm,
  Visitor,
  verifier,
} from './house.ts'

const publicClient = { isPublicClient: true }
const confidential = { isPublicClient: false }

describe('A50, A56: addresses in registrations – https://www.rfc-editor.org/rfc/rfc8252#section-7', () => {
  it.each([
    'https://app.example/cb',
    'https://app.example/cb?x=1',
    'https://App.Example:8443/cb',
    'http://127.0.0.1:4000/cb',
    'http://127.0.0.1/cb',
    'http://127.0.0.1',
    'http://127.0.0.1:65535/cb?a=b',
    'http://[::1]/cb',
    'http://[::1]:9/cb',
    'http://localhost/cb',
  ])('may lead back to %s', uri => {
    expect([isRedirectUri(uri, confidential), isRedirectUri(uri, publicClient)]).toEqual([true, true])
  })

  it.each(['com.example.app:/cb', 'myapp:/cb', 'myapp://callback', 'org.example.heart-diary:/oauth2/redirect?x=1'])(
    'may lead a public app back to %s, and no app that keeps a secret',
    uri => {
      expect([isRedirectUri(uri, publicClient), isRedirectUri(uri, confidential)]).toEqual([true, false])
      expect(isPrivateScheme(uri)).toBe(true)
    },
  )

  it.each([
    'javascript:alert(1)',
    'javascript:/alert(1)',
    'JavaScript:/alert(1)',
    'java\nscript:/alert(1)',
    'vbscript:/x',
    'data:/text/html,x',
    'data:text/html,x',
    'blob:https://app.example/x',
    'filesystem:https://app.example/x',
    'file:///etc/passwd',
    'file:/etc/passwd',
    'c:/windows',
    'about:/blank',
    'view-source:/x',
    'intent://x#Intent;end',
    'intent://x',
    'ms-settings:/x',
    'ms-msdt:/id',
    'search-ms:/x',
    'chrome://settings',
    'chrome-extension://abc/x',
    'moz-extension://abc/x',
    'itms-services://x',
    'mailto:/somebody@app.example',
    'tel:/112',
    'urn:ietf:wg:oauth:2.0:oob',
    'web+app:/cb',
    'ws://app.example/cb',
    'ftp://app.example/cb',
    'myapp:',
    'myapp:cb',
    'MyApp:/cb',
    'myapp://user@host/cb',
    'myapp:/cb#x',
    'myapp:/c\\b',
    'my app:/cb',
    '1app:/cb',
    'http://app.example/cb',
    'http://127.0.0.1.evil.example/cb',
    'http://127.0.0.1:80@evil.example/cb',
    'http://user@127.0.0.1/cb',
    'http://127.0.0.1/cb#x',
    'http://127.0.0.1\\cb',
    'http://127.0.0.1:0/cb',
    'http://127.0.0.1:65536/cb',
    'http://127.0.0.1:/cb',
    'http://127.0.0.1:09999/cb',
    'http://127.0.0.2/cb',
    'http://127.1/cb',
    'http://2130706433/cb',
    'http://0x7f.0.0.1/cb',
    'http://0177.0.0.1/cb',
    'http://[0:0:0:0:0:0:0:1]/cb',
    'http://[::ffff:127.0.0.1]/cb',
    'http://0.0.0.0/cb',
    'HTTP://127.0.0.1/cb',
    'http://LOCALHOST/cb',
    'http://localhost./cb',
    'http://localhost.evil.example/',
    'https://user@app.example/cb',
    'https://app.example/cb#x',
    'https://app.example/cb#',
    'https:\\\\app.example/cb',
    '//app.example/cb',
    'app.example/cb',
    ' https://app.example/cb',
    'https://app.example/c b',
    '',
  ])('may not lead back to "%s"', uri => {
    expect([isRedirectUri(uri, publicClient), isRedirectUri(uri, confidential)]).toEqual([false, false])
  })
})

describe('41: the port of a loopback address is the app’s to choose – https://www.rfc-editor.org/rfc/rfc8252#section-7.3', () => {
  it.each([
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:51234/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.1:51234/cb'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1/cb'],
    ['http://127.0.0.1:9999/cb?a=b', 'http://127.0.0.1:51234/cb?a=b'],
    ['http://127.0.0.1', 'http://127.0.0.1:51234'],
    ['http://[::1]:9999/cb', 'http://[::1]:51234/cb'],
    ['http://localhost:3000/cb', 'http://localhost:51234/cb'],
    ['https://app.example/cb', 'https://app.example/cb'],
    ['com.example.app:/cb', 'com.example.app:/cb'],
  ])('who registered %s may ask for %s', (registered, asked) => {
    expect(isRegistered(asked, ['https://other.example/cb', registered])).toBe(true)
  })

  it.each([
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:51234/cb/'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:51234/cb?x=1'],
    ['http://127.0.0.1:9999/cb?a=b', 'http://127.0.0.1:51234/cb'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:51234/cb#x'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:51234/%63b'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:51234//cb'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:51234/CB'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:51234@evil.example/cb'],
    ['http://127.0.0.1:9999/cb', 'http://user@127.0.0.1:51234/cb'],
    ['http://127.0.0.1:9999/cb', 'http://user:9@127.0.0.1:51234/cb'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:0/cb'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:65536/cb'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.1:51234\\cb'],
    ['http://127.0.0.1:9999/cb', 'HTTP://127.0.0.1:51234/cb'],
    ['http://127.0.0.1:9999/cb', 'https://127.0.0.1:51234/cb'],
    ['http://127.0.0.1:9999/cb', 'http://localhost:51234/cb'],
    ['http://127.0.0.1:9999/cb', 'http://[::1]:51234/cb'],
    ['http://127.0.0.1:9999/cb', 'http://2130706433:51234/cb'],
    ['http://127.0.0.1:9999/cb', 'http://127.1:51234/cb'],
    ['http://127.0.0.1:9999/cb', 'http://127.0.0.2:51234/cb'],
    ['http://[::1]:9999/cb', 'http://[0:0:0:0:0:0:0:1]:51234/cb'],
    ['http://localhost:9999/cb', 'http://127.0.0.1:51234/cb'],
    ['http://localhost:9999/cb', 'http://localhost.evil.example:51234/cb'],
    ['https://127.0.0.1:9999/cb', 'https://127.0.0.1:51234/cb'],
    ['https://app.example:9999/cb', 'https://app.example:51234/cb'],
    ['com.example.app:/cb', 'com.example.app:/other'],
    ['com.example.app:/cb', 'com.example.app2:/cb'],
  ])('who registered %s may not ask for %s', (registered, asked) => {
    expect(isRegistered(asked, [registered])).toBe(false)
  })

  it('leads nowhere but to the person’s own machine, whatever is asked for', () => {
    const piece = fc.constantFrom(
      'http://',
      'https://',
      '127.0.0.1',
      '[::1]',
      '@',
      ':',
      '9999',
      '/cb',
      '#',
      'evil.example',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), pieces => {
        const asked = pieces.join('')
        if (!isRegistered(asked, ['http://127.0.0.1:9999/cb'])) return
        const { hostname, pathname, username } = new URL(asked)
        expect([hostname, pathname, username]).toEqual(['127.0.0.1', '/cb', ''])
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a native app', () => {
  let house: House
  beforeAll(async () => {
    house = await openHouse()
  })
  afterAll(() => house.close())

  async function codeFor(registered: string, asked: string, name: string) {
    const { patients } = await addFamily(house, name)
    const visitor = new Visitor(house)
    await visitor.logIn(name)
    const clientId = await addApp(house, { redirect_uris: [registered] })
    const page = await openConsent(visitor, authorizeParams(house, clientId, { redirect_uri: asked }))
    const sent = await decide(visitor, page, { patient: patients[0] ?? '' })
    return { clientId, page, location: sent.location, code: sent.location?.searchParams.get('code') ?? '' }
  }
  const redeemAt = (clientId: string, code: string, redirect_uri: string) =>
    postForm(house, '/auth/token', {
      grant_type: 'authorization_code',
      code,
      redirect_uri,
      client_id: clientId,
      code_verifier: verifier,
    })

  it('gets its code at the port it listens on, and redeems it with the very address of its request', async () => {
    const registered = 'http://127.0.0.1:9999/cb'
    const asked = 'http://127.0.0.1:51234/cb'
    const { clientId, page, location, code } = await codeFor(registered, asked, 'Loop')
    expect(page.text).toContain('as a program on your device at <code>127.0.0.1:51234</code>')
    expect(page.headers.get('content-security-policy')).toContain('http://127.0.0.1:51234')
    expect(location?.href.startsWith(`${asked}?code=`)).toBe(true)
    expect((await redeemAt(clientId, code, registered)).json.error).toBe('invalid_grant')
    const second = await codeFor(registered, asked, 'Loop2')
    expect((await redeemAt(second.clientId, second.code, asked)).status).toBe(200)
  })

  // A policy that names an IPv6 address names nothing, and a browser would stay on the page: https://www.w3.org/TR/CSP3/#grammardef-host-part
  it.each([
    ['http://[::1]/cb', 'http://[::1]:51234/cb', 'http:'],
    ['http://[::1]:9999/cb', 'http://[::1]/cb', 'http:'],
    ['http://localhost/cb', 'http://localhost:51234/cb', 'http://localhost:51234'],
  ])('registered as %s is led to %s by a page that lets a browser go there', async (registered, asked, source) => {
    const { clientId, page, code } = await codeFor(registered, asked, `Loop at ${asked} of ${registered}`)
    expect(page.headers.get('content-security-policy')).toContain(`form-action 'self' https: ${source};`)
    expect((await redeemAt(clientId, code, asked)).status).toBe(200)
  })

  it('gets its code by a scheme of its own', async () => {
    const uri = 'com.example.app:/cb'
    const { clientId, page, location, code } = await codeFor(uri, uri, 'Scheme')
    expect(page.text).toContain('the app on your device that answers to <code>com.example.app:</code>')
    expect(page.headers.get('content-security-policy')).toContain("form-action 'self' https: com.example.app:;")
    expect(location?.href.startsWith(`${uri}?code=`)).toBe(true)
    expect((await redeemAt(clientId, code, uri)).status).toBe(200)
    expect(await house.smart.allowsOrigin('null')).toBe(false)
  })

  it('that keeps a secret may register no scheme of its own', async () => {
    const metadata = { redirect_uris: ['com.example.app:/cb'], token_endpoint_auth_method: 'client_secret_post' }
    expect(await codeOf(house.smart.registerClient(metadata))).toBe('smart.invalid-redirect-uri')
  })
})
