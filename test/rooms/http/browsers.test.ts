import request from 'supertest'
import { openWebHouse, type WebHouse } from './web-house.ts'

const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
let house: WebHouse
beforeAll(async () => {
  house = await openWebHouse({ baseUrl: 'https://health.example.org' })
})
afterAll(() => house.close())

const http = () => request(house.app)

describe('the first page', () => {
  it('tells a browser what this is and leads on', async () => {
    const { headers, text } = await http().get('/').set('Accept', accept).expect(200)
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringContaining("default-src 'none'; style-src 'sha256-"),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'strict-transport-security': 'max-age=31536000',
      vary: 'Accept',
    })
    expect(headers['content-security-policy']).not.toContain('sandbox')
    for (const link of ['/account', '/docs/', '/readyz', '/openapi.json']) expect(text).toContain(`href="${link}"`)
    expect(text).toContain('https://health.example.org/fhir')
    for (const [, path = ''] of text.matchAll(/href="([^"]+)"/g))
      expect((await http().get(path)).status).toBeLessThan(400)
  })

  it('says that nobody owns the server yet, and how it gets an owner, without the secret', async () => {
    const fresh = await openWebHouse({ baseUrl: 'https://health.example.org' })
    const home = async () => [
      (await request(fresh.app).get('/').set('Accept', accept)).text,
      (await request(fresh.app).get('/')).body.claimed,
      (await request(fresh.app).get('/auth/login').set('Accept', accept)).text,
    ]
    const [secret = ''] = /(?<=code=).+/.exec((await fresh.smart.claimUrl()) ?? '') ?? []
    const [page, claimed, login] = await home()
    expect([page, claimed]).toEqual([expect.stringContaining('Nobody owns this server yet'), false])
    expect(login).toContain('Nobody owns this server yet')
    expect(`${page}${login}`).not.toContain(secret)
    await fresh.smart.createAccount({ name: 'Anna', password: 'seven purple kites' })
    const [after, owned, loginAfter] = await home()
    expect([`${after}${loginAfter}`, owned]).toEqual([expect.not.stringContaining('Nobody owns'), true])
    await fresh.close()
  })

  it('tells a program the same in JSON', async () => {
    for (const wanted of ['application/json', '*/*', 'application/fhir+json']) {
      const { body, headers } = await http().get('/').set('Accept', wanted).expect(200)
      expect(headers['content-type']).toBe('application/json; charset=utf-8')
      expect(body).toMatchObject({ name: 'Kinhold', fhir: 'https://health.example.org/fhir' })
    }
    await http().head('/').set('Accept', accept).expect(200)
  })
})

describe('what goes wrong is a page for a browser and an OperationOutcome for a program', () => {
  const cases = [
    ['GET', '/fhir/Patient/a', 401, 'token.missing', 'This needs an access token'],
    ['GET', '/fhir/Nonsense/1', 401, 'token.missing', 'This needs an access token'],
    ['GET', '/wp-login.php', 404, 'request.path-unknown', 'There is nothing here'],
    ['GET', '/share', 401, 'share.token-missing', 'This needs an access token'],
    ['GET', '/share/x/files/y', 404, 'share.unknown', 'There is nothing here'],
    ['GET', '/share/%ff', 400, 'request.malformed', 'This cannot go on'],
    ['GET', '/auth/token', 405, 'request.method-unsupported', 'This cannot be done here'],
    ['DELETE', '/account', 405, 'request.method-unsupported', 'This cannot be done here'],
    ['GET', '/hl7v2', 401, 'token.missing', 'This needs an access token'],
  ] as const

  it.each(cases)('%s %s', async (method, path, status, code, title) => {
    const ask = () => http()[method.toLowerCase() as 'get'](path)
    const shown = await ask().set('Accept', accept)
    expect([shown.status, shown.headers['content-type']]).toEqual([status, 'text/html; charset=utf-8'])
    expect(shown.text).toContain(`<h1>${title}</h1>`)
    expect(shown.text).toContain(`data-code="${code}"`)
    expect(shown.headers['content-security-policy']).toContain("style-src 'sha256-")
    const told = await ask().set('Accept', '*/*')
    expect([told.status, told.body.resourceType]).toEqual([status, 'OperationOutcome'])
    expect(told.body.issue[0].details.coding[0].code).toBe(code)
    for (const { headers } of [shown, told]) {
      expect(headers.vary).toContain('Accept')
      expect(headers['cache-control']).toContain('no-store')
      if (status === 401) expect(headers['www-authenticate']).toMatch(/^Bearer realm=/)
      if (status === 405) expect(headers.allow).not.toBe('')
    }
  })

  it('says with 405 what is allowed, and answers OPTIONS with it', async () => {
    expect((await http().get('/auth/token').expect(405)).headers.allow).toBe('POST')
    expect((await http().put('/auth/login').expect(405)).headers.allow).toBe('GET, HEAD, POST')
    expect((await http().options('/auth/login').expect(204)).headers.allow).toBe('GET, HEAD, POST')
  })

  it.each([
    '/',
    '/.well-known/oauth-protected-resource/fhir',
    '/openapi.json',
    '/docs',
    '/docs/',
    '/healthz',
    '/readyz',
  ])('says so of %s too', async path => {
    for (const method of ['post', 'put', 'patch', 'delete'] as const) {
      const { status, headers } = await http()[method](path)
      expect([method, status, headers.allow]).toEqual([method, 405, 'GET, HEAD'])
    }
    expect((await http().options(path)).headers.allow).toContain('GET')
    expect((await http().delete('/nowhere')).status).toBe(404)
  })

  it('with a token too: what is not there, and what cannot be done', async () => {
    const token = await house.token('system/*.cruds')
    const ask = (path: string) => http().get(path).set('Accept', accept).set('Authorization', `Bearer ${token}`)
    expect((await ask('/fhir/Patient/nobody').expect(404)).text).toContain('<h1>There is nothing here</h1>')
    const outcome = await ask('/fhir/Patient/nobody?_format=json').expect(404)
    expect(outcome.body.resourceType).toBe('OperationOutcome')
    const post = await http().post('/fhir/Patient/a').set('Accept', accept).set('Authorization', `Bearer ${token}`)
    expect([post.status, post.headers.allow]).toEqual([405, 'GET, HEAD, PUT, PATCH, DELETE'])
    const found = await ask('/fhir/metadata').expect(200)
    expect(found.headers['content-type']).toContain('application/fhir+json')
  })

  it('says 429 with when to come back', async () => {
    const metadata = { redirect_uris: ['https://a.example/'] }
    const register = () => http().post('/auth/register').set('Accept', accept).send(metadata)
    for (let n = 0; n < 20; n++) await register()
    const slowed = await register()
    expect([slowed.status, Number(slowed.headers['retry-after']) > 0]).toEqual([429, true])
  })

  it('says 500 without what was thrown', async () => {
    const { createApp } = await import('#http')
    const rooms = {
      ...house.rooms,
      record: {
        ...house.rooms.record,
        reader: () => {
          throw new TypeError('Canary Alder')
        },
      },
    }
    const app = createApp({
      rooms,
      smart: house.smart,
      log: house.log,
      config: { baseUrl: 'https://health.example.org' },
    })
    const token = await house.token('system/*.cruds')
    const shown = await request(app)
      .get('/fhir/Patient/a')
      .set('Accept', accept)
      .set('Authorization', `Bearer ${token}`)
    expect([shown.status, shown.headers['content-type']]).toEqual([500, 'text/html; charset=utf-8'])
    expect(shown.text).toContain('<h1>Something went wrong</h1>')
    expect(shown.text).not.toMatch(/Canary|TypeError|\.ts/)
  })
})
