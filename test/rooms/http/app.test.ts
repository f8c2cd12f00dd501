import { gzipSync } from 'node:zlib'
import request from 'supertest'
import { catalogue } from '#interactions'
import { openWebHouse, type WebHouse } from './web-house.ts'

const origin = 'https://health.example.org'
let house: WebHouse
let admin: string
let own: string

beforeAll(async () => {
  house = await openWebHouse({ baseUrl: origin, maxBodyBytes: 50_000, bodyDeadlineMs: 60_000 })
  admin = await house.token('system/*.cruds')
  for (const id of ['a', 'b'])
    await put(`/fhir/Patient/${id}`, { resourceType: 'Patient', id, name: [{ family: 'Canary' }] }).expect(201)
  own = await house.token('patient/*.rs', 'a')
})
afterAll(() => house.close())

const http = () => request(house.app)
const bearer = (token: string) => `Bearer ${token}`
const put = (url: string, body: object) =>
  http()
    .put(url)
    .set('Authorization', bearer(admin))
    .set('Content-Type', 'application/fhir+json')
    .send(JSON.stringify(body))
const get = (url: string, token = own) => http().get(url).set('Authorization', bearer(token))
const codeOf = (response: { body: { issue: { details: { coding: { code: string }[] } }[] } }) =>
  response.body.issue[0]?.details.coding[0]?.code

describe('a FHIR answer over HTTP – https://hl7.org/fhir/R4/http.html', () => {
  it('is FHIR JSON that nobody may keep', async () => {
    const response = await get('/fhir/Patient/a').expect(200)
    expect(response.headers).toMatchObject({
      'content-type': 'application/fhir+json; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'strict-transport-security': 'max-age=31536000',
      etag: 'W/"1"',
      vary: 'Origin, Accept',
    })
    expect(response.headers).not.toHaveProperty('x-powered-by')
    expect(response.headers['x-request-id']).toMatch(/^[\w-]{24}$/)
    expect(response.body.id).toBe('a')
  })

  it('has the same headers and no body for HEAD', async () => {
    const full = await get('/fhir/Patient/a')
    const head = await http().head('/fhir/Patient/a').set('Authorization', bearer(own)).expect(200)
    expect(head.headers['content-length']).toBe(full.headers['content-length'])
    expect(head.text).toBeUndefined()
    await http().head('/fhir/Patient/a').expect(401)
  })

  it('is 304 without a body, and 204 without a length', async () => {
    const response = await get('/fhir/Patient/a').set('If-None-Match', 'W/"1"').expect(304)
    expect(response.text).toBe('')
    await put('/fhir/Patient/gone', { resourceType: 'Patient', id: 'gone' })
    const deleted = await http().delete('/fhir/Patient/gone').set('Authorization', bearer(admin)).expect(204)
    expect(deleted.headers).not.toHaveProperty('content-length')
  })

  it('links to the configured base URL, whatever Host and X-Forwarded-* say', async () => {
    const response = await get('/fhir/Patient?_count=1')
      .set('Host', 'evil.example')
      .set('X-Forwarded-Host', 'evil.example')
      .set('X-Forwarded-Proto', 'http')
      .expect(200)
    expect(response.body.link[0].url).toBe(`${origin}/fhir/Patient?_count=1`)
    expect(response.text).not.toContain('evil')
  })

  it('has the base itself with and without a slash', async () => {
    await get('/fhir?_type=Patient').expect(200)
    await get('/fhir/?_type=Patient').expect(200)
  })
})

describe('languages of patches over HTTP – https://www.rfc-editor.org/rfc/rfc5789#section-3.1', () => {
  it('are told by OPTIONS, and to who speaks another one', async () => {
    const languages = expect.stringMatching(/application\/json-patch\+json, .*application\/fhir\+json/)
    const asked = await http().options('/fhir/Patient/a').set('Authorization', bearer(own)).expect(204)
    expect(asked.headers).toMatchObject({ allow: expect.stringContaining('PATCH'), 'accept-patch': languages })
    const patched = http()
      .patch('/fhir/Patient/a')
      .set('Authorization', bearer(admin))
      .set('Content-Type', 'text/plain')
    expect((await patched.send('x').expect(415)).headers).toMatchObject({ 'accept-patch': languages })
    const none = await http().options('/fhir/metadata').set('Authorization', bearer(own)).expect(204)
    expect(none.headers).not.toHaveProperty('accept-patch')
  })
})

describe('bytes over HTTP – https://hl7.org/fhir/R4/binary.html#rest', () => {
  const page = '<script>alert(document.domain)</script>'
  let url: string
  beforeAll(async () => {
    const sent = http().post('/fhir/Binary').set('Authorization', bearer(admin))
    const { body } = await sent
      .set('Content-Type', 'text/html')
      .set('X-Security-Context', 'Patient/a')
      .send(page)
      .expect(201)
    url = `/fhir/Binary/${body.id}`
  })

  it('are never a page of this server', async () => {
    const { headers, text } = await get(url).set('Accept', 'text/html,application/xhtml+xml,*/*;q=0.8').expect(200)
    expect([headers['content-type'], text]).toEqual(['text/html', page])
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-disposition': expect.stringMatching(/^attachment/),
      'content-security-policy': expect.stringMatching(/default-src 'none'.*sandbox$/),
      'cache-control': 'no-store',
      'x-security-context': 'Patient/a',
    })
  })

  it('have a length and parts, for HEAD as well', async () => {
    const head = await http().head(url).set('Authorization', bearer(own)).expect(200)
    expect(head.headers).toMatchObject({ 'content-length': `${page.length}`, 'accept-ranges': 'bytes', etag: '"1"' })
    const part = await get(url).set('Range', 'bytes=1-6').expect(206)
    expect([part.text, part.headers['content-length']]).toEqual(['script', '6'])
    expect(codeOf(await get(url).set('Range', `bytes=${page.length}-`).expect(416))).toBe('request.range-beyond')
  })

  it('may be asked for and seen by pages of other origins, with all that belongs to them', async () => {
    const preflight = http()
      .options(url)
      .set('Origin', 'https://app.example')
      .set('Access-Control-Request-Method', 'GET')
    const { headers } = await preflight.expect(204)
    for (const name of ['Range', 'If-Range', 'X-Security-Context'])
      expect(headers['access-control-allow-headers']).toContain(name)
    const answer = await get(url).set('Origin', 'https://app.example')
    for (const name of ['Content-Range', 'Content-Disposition', 'X-Security-Context'])
      expect(answer.headers['access-control-expose-headers']).toContain(name)
  })

  it('that are too many are refused with the figure', async () => {
    const sent = http().post('/fhir/Binary').set('Authorization', bearer(admin)).set('Content-Type', 'image/png')
    const answer = await sent.send(Buffer.alloc(50_001)).expect(413)
    expect(answer.body.issue[0].details.text).toContain('50000 bytes')
  })
})

describe('who may ask – https://hl7.org/fhir/R4/security.html', () => {
  it.each(catalogue.filter(row => row.public !== true).map(row => [row.method, row.path, row] as const))(
    '%s %s is not answered without a token',
    async (method, path, row) => {
      const url = path.replace(':type', 'Observation').replace(/:\w+/g, 'a')
      const response = await http()[method.toLowerCase() as 'get'](row.root === true ? url : `/fhir${url}`)
      expect([response.status, codeOf(response)]).toEqual([401, 'token.missing'])
      expect(response.headers['www-authenticate']).toMatch(/^Bearer realm="https:\/\/health\.example\.org\/fhir"/)
    },
  )

  it('refuses tokens that are none, before it says whether anything is there', async () => {
    for (const url of ['/fhir/Patient/a', '/fhir/Nonsense/1', '/fhir/a/b/c/d/e']) {
      const unknown = await get(url, 'nonsense')
      expect([unknown.status, unknown.headers['www-authenticate']]).toEqual([
        401,
        expect.stringContaining('invalid_token'),
      ])
      const malformed = await http().get(url).set('Authorization', 'Basic abc')
      expect([malformed.status, codeOf(malformed)]).toEqual([401, 'token.malformed'])
      await http().get(url).expect(401)
    }
  })

  it('does not take a token from the URL', async () => {
    await http().get(`/fhir/Patient/a?access_token=${own}`).expect(401)
  })

  it("answers byte for byte the same for somebody else's and for what never was", async () => {
    const foreign = await get('/fhir/Patient/b')
    const unknown = await get('/fhir/Patient/z')
    expect([foreign.status, foreign.text]).toEqual([404, unknown.text])
    const comparable = ({ 'x-request-id': _id, date: _date, ...headers }: Record<string, string>) => headers
    expect(comparable(foreign.headers)).toEqual(comparable(unknown.headers))
  })

  it('says which scope is missing', async () => {
    const narrow = await house.token('patient/Observation.rs', 'a')
    const response = await get('/fhir/Patient/a', narrow).expect(403)
    expect(response.body.issue[0].details.text).toContain('patient/Patient.r')
    expect(response.headers['www-authenticate']).toContain('insufficient_scope')
  })

  it('authorises OPTIONS like GET, and tells with a token what is allowed', async () => {
    await http().options('/fhir/Patient/a').expect(401)
    const response = await http().options('/fhir/Patient/a').set('Authorization', bearer(own)).expect(204)
    expect(response.headers.allow).toBe('OPTIONS, GET, HEAD, PUT, PATCH, DELETE')
  })

  it('ignores headers that pretend another method', async () => {
    const response = await get('/fhir/Patient/a').set('X-HTTP-Method-Override', 'DELETE').expect(200)
    expect(response.body.id).toBe('a')
  })
})

describe('XML over HTTP – https://hl7.org/fhir/R4/http.html#mime-type', () => {
  it('is read and answered, with its length for HEAD', async () => {
    const asked = (method: 'get' | 'head') =>
      http()
        [method]('/fhir/Patient/a')
        .set('Authorization', bearer(own))
        .set('Accept', 'application/fhir+xml')
        .expect(200)
    const full = await asked('get')
      .buffer(true)
      .parse((response, done) => {
        let text = ''
        response.on('data', chunk => {
          text += chunk
        })
        response.on('end', () => done(null, text))
      })
    expect(full.headers['content-type']).toBe('application/fhir+xml; charset=utf-8')
    expect(full.body).toContain('<Patient xmlns="http://hl7.org/fhir"><id value="a"/>')
    expect((await asked('head')).headers['content-length']).toBe(full.headers['content-length'])
  })

  it.each([
    ['/fhir/Patient/a?_format=xml', '', 401],
    ['/fhir/Patient/never?_format=xml', 'own', 404],
    ['/fhir/Patient/b', 'own', 404],
    ['/fhir/nowhere', 'own', 404],
    ['/fhir/Patient/a?colour=red', 'own', 400],
  ])('tells what is wrong in XML: %s', async (url, who, status) => {
    const asked = http().get(url).set('Accept', 'application/fhir+xml')
    const answer = await (who === '' ? asked : asked.set('Authorization', bearer(own)))
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/fhir+xml; charset=utf-8'])
    expect(String(answer.text ?? answer.body)).toContain(
      '<OperationOutcome xmlns="http://hl7.org/fhir"><issue><severity value="error"/>',
    )
  })
})

describe('what is refused, clearly', () => {
  it.each([
    ['GET', '/fhir/Patients/1', 404, 'type.unknown'],
    ['GET', '/fhir/Patient/a/$export', 404, 'request.operation-unknown'],
    ['GET', '/fhir/x%ZZ', 400, 'request.malformed'],
    ['PATCH', '/fhir/Patient/a/_history/1', 405, 'request.method-unsupported'],
    ['PATCH', '/fhir/Patient/a', 415, 'body.type-unsupported'],
    ['GET', '/fhir/Patient/a?_format=ttl', 406, 'format.unsupported'],
    ['GET', '/fhir/Patient/a?_format=../../x', 406, 'format.unsupported'],
    ['GET', '/fhir/Patient/a?colour=red', 400, 'request.parameter-unknown'],
    ['GET', '/fhir/Patient?name[$ne]=x', 400, 'search.parameter-unknown'],
  ])('%s %s is %d %s', async (method, url, status, code) => {
    const response = await http()[method.toLowerCase() as 'get'](url).set('Authorization', bearer(admin))
    expect([response.status, codeOf(response)]).toEqual([status, code])
    expect(response.headers['content-type']).toBe('application/fhir+json; charset=utf-8')
  })

  it('says with 405 what is allowed', async () => {
    const response = await http().post('/fhir/Patient/a').set('Authorization', bearer(admin)).expect(405)
    expect(response.headers.allow).toBe('GET, HEAD, PUT, PATCH, DELETE')
    const message = await http().get('/hl7v2').set('Authorization', bearer(admin)).expect(405)
    expect(message.headers.allow).toBe('POST')
  })

  it.each([
    ['{"resourceType":"Patient"', 400],
    [`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`, 400],
    ['{"resourceType":"Patient","__proto__":{"polluted":true}}', 400],
    ['{"resourceType":"Patient","active":"yes"}', 422],
    ['\ufeff{"resourceType":"Patient"}', 201],
    ['x'.repeat(60_000), 413],
  ])('a body %.40s is %d', async (body, status) => {
    const response = await http()
      .post('/fhir/Patient')
      .set('Authorization', bearer(admin))
      .set('Content-Type', 'application/fhir+json')
      .send(body)
    expect([response.status, response.body.resourceType]).toEqual([
      status,
      status < 300 ? 'Patient' : 'OperationOutcome',
    ])
    expect(Object.prototype).not.toHaveProperty('polluted')
  })

  it('a body that is small but unfolds to more than is taken is refused', async () => {
    const bomb = gzipSync(Buffer.alloc(5_000_000, ' '))
    const response = await http()
      .post('/fhir/Patient')
      .set('Authorization', bearer(admin))
      .set('Content-Type', 'application/fhir+json')
      .set('Content-Encoding', 'gzip')
      .serialize(data => data)
      .send(bomb)
    expect([response.status, codeOf(response)]).toEqual([413, 'body.too-large'])
  })

  it('a body may be gzip', async () => {
    const body = gzipSync(JSON.stringify({ resourceType: 'Organization', name: 'Clinic' }))
    const response = await http()
      .post('/fhir/Organization')
      .set('Authorization', bearer(admin))
      .set('Content-Type', 'application/fhir+json')
      .set('Content-Encoding', 'gzip')
      .serialize(data => data)
      .send(body)
    expect(response.status).toBe(201)
  })
})

describe('pages of other origins – https://hl7.org/fhir/smart-app-launch/app-launch.html', () => {
  it.each(['/fhir/metadata', '/fhir/.well-known/smart-configuration'])('may read %s', async path => {
    const response = await http().get(path).set('Origin', 'https://app.example').expect(200)
    expect(response.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      vary: 'Origin, Accept',
    })
    expect(response.headers).not.toHaveProperty('access-control-allow-credentials')
  })

  it('may call the API with a token, and read why they were refused', async () => {
    const allowed = await get('/fhir/Patient/a').set('Origin', 'https://app.example').expect(200)
    expect(allowed.headers['access-control-allow-origin']).toBe('https://app.example')
    expect(allowed.headers['access-control-expose-headers']).toContain('Location')
    const refused = await http().get('/fhir/Patient/a').set('Origin', 'https://app.example').expect(401)
    expect(refused.headers['access-control-allow-origin']).toBe('https://app.example')
    const opaque = await get('/fhir/Patient/a').set('Origin', 'null')
    expect(opaque.headers).not.toHaveProperty('access-control-allow-origin')
  })

  it('may ask first, and learn nothing by asking', async () => {
    const ask = (path: string) =>
      http()
        .options(path)
        .set('Origin', 'https://app.example')
        .set('Access-Control-Request-Method', 'PUT')
        .set('Access-Control-Request-Headers', 'authorization,if-match')
    const response = await ask('/fhir/Patient/a').expect(204)
    expect(response.headers['access-control-allow-headers']).toContain('If-Match')
    expect(response.headers['access-control-allow-methods']).toContain('PUT')
    await ask('/fhir/Nonsense/1').expect(204)
  })
})

describe('beside FHIR', () => {
  it('tells where tokens come from – https://www.rfc-editor.org/rfc/rfc9728', async () => {
    const response = await http().get('/.well-known/oauth-protected-resource/fhir').expect(200)
    expect(response.body).toMatchObject({ resource: `${origin}/fhir`, authorization_servers: [origin] })
  })

  it("mounts the authorization server's routes", async () => {
    const response = await http().post('/auth/token').type('form').send({ grant_type: 'nonsense' })
    expect(response.status).toBe(400)
    expect(response.headers['cache-control']).toContain('no-store')
    expect(response.body).toHaveProperty('error')
    await http().get('/auth/authorize').expect(400)
    await http().post('/auth/token').type('form').send('x'.repeat(70_000)).expect(413)
  })

  it('describes all of it in OpenAPI, derived from the tables', async () => {
    const { body } = await http().get('/openapi.json').expect(200)
    expect(body.openapi).toBe('3.1.0')
    for (const route of catalogue) {
      const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
      const full = route.root === true ? path : path === '/' ? '/fhir' : `/fhir${path}`
      expect(body.paths[full]).toHaveProperty(route.method.toLowerCase())
    }
    for (const route of house.smart.routes) expect(body.paths).toHaveProperty([route.path])
    const ids = Object.values(body.paths as Record<string, Record<string, { operationId: string }>>).flatMap(path =>
      Object.values(path).map(operation => operation.operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
    expect(body.components.securitySchemes.smart.flows.authorizationCode.tokenUrl).toBe(`${origin}/auth/token`)
  })

  it('shows it on a page that loads nothing from elsewhere', async () => {
    const page = await http().get('/docs/').expect(200)
    expect(page.headers['content-security-policy']).toContain("script-src 'self'")
    expect(page.text).toContain('swagger-ui')
    const scripts = [...page.text.matchAll(/<script([^>]*)>([^<]*)/g)].map(([, attributes = '', inline = '']) => [
      attributes,
      inline.trim(),
    ])
    expect(scripts.length).toBeGreaterThan(1)
    for (const [attributes, inline] of scripts) expect([/src="\.\//.test(attributes ?? ''), inline]).toEqual([true, ''])
    const script = await http().get('/docs/swagger-ui-init.js').expect(200)
    expect(script.text).toContain('/openapi.json')
    await http().get('/docs/swagger-ui-bundle.js').expect(200)
    await http().get('/docs').redirects(1).expect(200)
  })

  it('says that it lives, and whether it is ready', async () => {
    await http().get('/healthz').expect(200, { status: 'ok' })
    await http().get('/readyz').expect(200, { status: 'ready' })
  })

  it('says that it closes, and refuses what comes then', async () => {
    const closing = await openWebHouse({ baseUrl: origin })
    const token = await closing.token('system/*.rs')
    closing.app.drain()
    await request(closing.app).get('/healthz').expect(200, { status: 'ok' })
    await request(closing.app).get('/readyz').expect(503, { status: 'closing' })
    const refused = await request(closing.app).get('/fhir/Patient').set('Authorization', bearer(token)).expect(503)
    expect([codeOf(refused), Number(refused.headers['retry-after'])]).toEqual(['request.closing', expect.any(Number)])
    await closing.close()
  })

  it('knows nothing else', async () => {
    const response = await http().get('/wp-login.php').expect(404)
    expect(codeOf(response)).toBe('request.path-unknown')
    expect(response.headers['cache-control']).toBe('no-store')
    await http().get('/FHIR/metadata').expect(404)
  })
})

describe('imports', () => {
  const weighing = (value: number) => ({
    resourceType: 'Bundle',
    type: 'collection',
    entry: [
      {
        resource: {
          resourceType: 'Observation',
          status: 'final',
          code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
          subject: { reference: 'Patient/somebody' },
          effectiveDateTime: '2026-02-01T08:00:00Z',
          valueQuantity: { value, unit: 'kg', system: 'http://unitsofmeasure.org', code: 'kg' },
        },
      },
    ],
  })
  const send = (patient: string, body: object) =>
    http()
      .post(`/fhir/Patient/${patient}/$ingest`)
      .set('Content-Type', 'application/fhir+json')
      .send(JSON.stringify(body))

  it('answer with their report, and what was imported can be found', async () => {
    const token = await house.token('patient/*.cruds', 'a')
    const response = await send('a', weighing(61)).set('Authorization', bearer(token)).expect(200)
    expect(response.body.resourceType).toBe('Parameters')
    const found = await get('/fhir/Observation?value-quantity=61').expect(200)
    expect(found.body.entry).toHaveLength(1)
    expect(found.body.entry[0].resource.subject.reference).toBe('Patient/a')
  })

  it('take what Health Auto Export pushes, with a token in a header of its own choosing, and nothing without its scope', async () => {
    const date = '2026-01-05 08:00:00 +0100'
    const metrics = [{ name: 'weight_body_mass', units: 'kg', data: [{ date, qty: 63.5, source: 'Scale' }] }]
    const push = (token?: string) => {
      const sent = http().post('/fhir/Patient/a/$ingest').set('Content-Type', 'application/json')
      const named = sent.set('automation-name', 'To my server').set('session-id', 'A1')
      return (token === undefined ? named : named.set('Authorization', bearer(token))).send({ data: { metrics } })
    }
    await push().expect(401)
    await push(await house.token('patient/*.rs', 'a')).expect(403)
    const told = await push(await house.token('patient/*.cruds', 'a')).expect(200)
    expect(told.body.parameter).toContainEqual({ name: 'source', valueCode: 'auto-export' })
    const found = await get('/fhir/Observation?value-quantity=63.5').expect(200)
    expect(found.body.entry).toHaveLength(1)
  })

  it('may be polled', async () => {
    const token = await house.token('patient/*.cruds', 'a')
    const accepted = await send('a', weighing(62))
      .set('Authorization', bearer(token))
      .set('Prefer', 'respond-async')
      .expect(202)
    const job = new URL(accepted.headers['content-location'] ?? '')
    expect(job.origin).toBe(origin)
    for (;;) {
      const polled = await get(job.pathname, token)
      if (polled.status === 200) break
      expect([polled.status, polled.headers['x-progress']]).toEqual([
        202,
        expect.stringMatching(/^\d+ bytes, \d+ rows$/),
      ])
    }
    await get(job.pathname, own).expect(404)
  })

  it('are refused for others, and when the file is of no known kind', async () => {
    const token = await house.token('patient/*.cruds', 'a')
    await send('b', weighing(63)).set('Authorization', bearer(token)).expect(404)
    const unknown = await send('a', { nonsense: true }).set('Authorization', bearer(token))
    expect([unknown.status, unknown.body.resourceType]).toEqual([415, 'OperationOutcome'])
  })

  it('of HL7 v2 messages answer with an acknowledgement', async () => {
    const response = await http()
      .post('/hl7v2')
      .set('Authorization', bearer(admin))
      .set('Content-Type', 'x-application/hl7-v2+er7')
      .send('MSH|^~\\&|A|B|C|D|20260101||ZZZ^Z01|1|P|2.5\r')
      .buffer(true)
    expect(response.headers['content-type']).toBe('x-application/hl7-v2+er7; charset=utf-8')
    expect(response.text).toMatch(/^MSH\|.*\rMSA\|A[ER]\|1/)
  })
})

describe('logs', () => {
  it('name the route by its template, never what was asked for, by whom, or with what', async () => {
    house.lines.length = 0
    await get('/fhir/Patient/a').expect(200)
    await get('/fhir/Patient?family=Canary').expect(200)
    await get('/fhir/Patient?colour=Canary').expect(400)
    await get('/fhir/Patient/canary-id').expect(404)
    await put('/fhir/Patient/a', { resourceType: 'Patient', id: 'a', name: [{ family: 'Canary' }] }).expect(200)
    await http().get('/fhir/Patient/a').set('Authorization', 'Bearer canary-token').expect(401)
    const text = house.lines.join('')
    expect(text).toContain('"route":"/:type/:id"')
    expect(text).toContain('"code":"search.parameter-unknown"')
    expect(text).not.toMatch(/canary/i)
    expect(text).not.toContain(own)
    expect(text).not.toContain('Patient/a')
  })

  it('tell of what nobody foresaw, while the answer does not', async () => {
    house.lines.length = 0
    const { record } = house.rooms
    const broken = {
      ...house.rooms,
      record: {
        ...record,
        reader: () => {
          throw new TypeError('Canary Alder')
        },
      },
    }
    const { createApp } = await import('#http')
    const app = createApp({ rooms: broken, smart: house.smart, log: house.log, config: { baseUrl: origin } })
    const response = await request(app).get('/fhir/Patient/a').set('Authorization', bearer(own)).expect(500)
    expect(codeOf(response)).toBe('fault.unexpected')
    expect(response.text).not.toMatch(/Canary|TypeError|\.ts/)
    const text = house.lines.join('')
    expect(text).toContain('"errorName":"TypeError"')
    expect(text).not.toContain('Canary')
  })
})
