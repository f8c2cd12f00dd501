/** Attacks by what is sent rather than by what is asked for: names, operators, markup, headers, methods, addresses to be fetched. */
import { connect, createServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Answer, Sent } from '../server/client.ts'
import { type AttackedHouse, baseUrl, openAttackedHouse, recordOf } from './house.ts'

let house: AttackedHouse
let anna: string
/** Something inside the house's network that must never be asked. */
let inner: Server
let visits = 0

beforeAll(async () => {
  house = await openAttackedHouse()
  await house.arrange(...recordOf('anna', 'Alphaname', 70), ...recordOf('bruno', 'Bravosecret', 98_765))
  anna = await house.token('patient/*.cruds', 'anna')
  inner = createServer(socket => {
    visits += 1
    socket.destroy()
  })
  await new Promise<void>(resolve => inner.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  inner.close()
  await house.close()
})

const ask = (path: string, headers: Record<string, string> = {}) => house.send(anna, { path: `/fhir/${path}`, headers })
const post = (path: string, body: Sent['body'], headers: Record<string, string> = {}) =>
  house.send(anna, { method: 'POST', path, headers, ...(body === undefined ? {} : { body }) })
const totalOf = (answer: Answer) => answer.json<{ total?: number }>().total

const forAnna = (more: object) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'x' },
  subject: { reference: 'Patient/anna' },
  ...more,
})

describe('A60: operators of other databases are parameters that nobody knows, or text', () => {
  it.each([
    'Patient?name[$ne]=x',
    'Patient?name[$where]=sleep(1)',
    'Patient?$nor=1',
    'Patient?_id[$gt]=',
    'Patient?name[$ne]=x&_summary=count',
    'Observation?code.$regex=.*',
  ])('%s is refused', async path => {
    expect((await ask(path.replaceAll('[', '%5B').replaceAll(']', '%5D'))).status).toBe(400)
  })

  it('{"$gt":""} as a value finds what is called so: nothing', async () => {
    for (const query of ['Patient?name=%7B%22$gt%22:%22%22%7D', 'Patient?_id=%7B%22$ne%22:1%7D&_summary=count'])
      expect(totalOf(await ask(query)) ?? 0).toBe(0)
  })
})

describe('A61: names of the prototype', () => {
  it.each([
    'Patient?__proto__=x',
    'Patient?a%5B__proto__%5D%5Bb%5D=1',
    'Patient?constructor.prototype=1',
    'Patient?toString=1',
  ])('%s is a parameter that nobody knows', async path => {
    expect((await ask(path)).status).toBe(400)
  })

  it.each(['__proto__', 'constructor', 'hasOwnProperty', 'valueOf'])(
    '%s is no type, no id of anything, no operation',
    async name => {
      expect([404, 400]).toContain((await ask(name)).status)
      expect((await ask(`Observation/${name}`)).status).toBe(404)
      expect([404, 405]).toContain((await post(`/fhir/$${name}`, '{}')).status)
    },
  )

  it('an extension may be called so, as text, and nothing inherits from it', async () => {
    const extension = [{ url: '__proto__', valueString: 'polluted' }]
    expect([201, 422]).toContain((await post('/fhir/Observation', forAnna({ extension }))).status)
    expect(({} as { polluted?: string }).polluted).toBeUndefined()
    expect(Reflect.ownKeys(Object.prototype)).not.toContain('valueString')
  })
})

describe('A63, A64: no expression of a stranger is evaluated', () => {
  it.each([
    ['_filter', `Observation?_filter=${encodeURIComponent("matches('(a+)+$')")}`],
    ['fhirpath', `Observation?fhirpath=${encodeURIComponent('repeat($this)')}`],
    ['_elements', `Observation?_elements=${encodeURIComponent('repeat($this)')}`],
  ])('%s', async (_, path) => {
    expect((await ask(path)).status).toBe(400)
  })

  it('a SearchParameter that is written is kept or refused, and never searched by', async () => {
    const body = {
      resourceType: 'SearchParameter',
      url: 'http://evil.example/sp',
      name: 'evil',
      status: 'active',
      description: 'x',
      code: 'evil',
      base: ['Observation'],
      type: 'string',
      expression: "Observation.code.text.matches('(a+)+$')",
    }
    expect((await post('/fhir/SearchParameter', body)).status).toBeGreaterThanOrEqual(400)
    await house.send(house.admin, { method: 'POST', path: '/fhir/SearchParameter', body })
    expect((await ask('Observation?evil=x')).status).toBe(400)
  })
})

describe('A65: what would mean something in an expression is text', () => {
  it.each(['.*', '(a+)+$', '[A-Z]', '%', '_', 'Alpha.ame', '\\\\w', "' OR '1'='1"])(
    'family:contains=%s',
    async text => {
      const answer = await ask(`Patient?family:contains=${encodeURIComponent(text)}`)
      expect(answer.status === 400 ? 0 : totalOf(answer)).toBe(0)
      expect(totalOf(await ask('Patient?family:contains=phan'))).toBe(1)
    },
  )
})

describe('A67, A80: what is stored is never run', () => {
  it.each([
    ['text/html', '<script>alert(1)</script>'],
    ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'],
    ['image/gif', 'GIF89a/*<script>*/=1;alert(1)//'],
    ['application/pdf', '%PDF-1.4 <script>alert(1)</script>'],
    ['application/xhtml+xml', '<html xmlns="http://www.w3.org/1999/xhtml"><script/></html>'],
  ])('an attachment that says it is %s', async (contentType, content) => {
    const data = Buffer.from(content).toString('base64')
    const body = { resourceType: 'Binary', contentType, data, securityContext: { reference: 'Patient/anna' } }
    const created = await post('/fhir/Binary', body)
    expect(created.status).toBe(201)
    const { id } = created.json<{ id: string }>()
    for (const accept of ['text/html', contentType, '*/*', 'application/fhir+json']) {
      const { headers, status } = await ask(`Binary/${id}`, { accept })
      expect(status).toBe(200)
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['content-security-policy']).toMatch(/default-src 'none';.*sandbox/)
      // As what it is, to be kept and never shown, or as a resource.
      if (accept === 'application/fhir+json') expect(headers['content-type']).toMatch(/json/)
      else
        expect(headers).toMatchObject({
          'content-type': contentType,
          'content-disposition': expect.stringMatching(/^attachment;/),
        })
    }
  })

  it.each([
    '<div xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></div>',
    '<div xmlns="http://www.w3.org/1999/xhtml"><p onclick="x()">a</p></div>',
    '<div xmlns="http://www.w3.org/1999/xhtml"><a href="javascript:x()">a</a></div>',
  ])('a narrative with a script (%s) is refused, or told as JSON under a policy that runs nothing', async div => {
    const created = await post('/fhir/Observation', forAnna({ text: { status: 'generated', div } }))
    if (created.status !== 201) return
    const { headers } = await ask(`Observation/${created.json<{ id: string }>().id}`, { accept: 'text/html' })
    expect(headers['content-security-policy']).toContain('sandbox')
    expect(headers['content-type']).toMatch(/json/)
  })
})

describe('A69, A70: formats and counts', () => {
  it.each([
    ['Patient?_format=../../etc/passwd', 406],
    ['Patient?_format=text/html', 406],
    ['Observation?_count=-1', 400],
    ['Observation?_count=1e9', 400],
    ['Observation?_count=NaN', 400],
    ['Observation?_count=0x10', 400],
    [`Observation?_id=${Array.from({ length: 5_000 }, (_, at) => at).join(',')}`, 431],
    [`Patient?family=${'x'.repeat(20_000)}`, 431],
    ['Observation?_offset=1000000000', 400],
  ])('%# is refused', async (path, status) => {
    const answer = await ask(path)
    expect(answer.status).toBe(status)
  })

  it('a huge _count gives a page of a bounded size', async () => {
    const { entry = [] } = (await ask('Observation?_count=999999')).json<{ entry?: unknown[] }>()
    expect(entry.length).toBeLessThanOrEqual(1_000)
  })

  it('an Accept of a thousand types is answered or refused', async () => {
    const accept = Array.from({ length: 1_000 }, (_, at) => `a/b;q=0.${at % 10}`).join()
    expect([200, 406, 431]).toContain((await ask('Patient/anna', { accept })).status)
  })
})

describe('A71: line breaks become no headers', () => {
  it.each([
    'Observation/a%0d%0aX-Injected:%201',
    'Observation?_id=a%0d%0aX-Injected:%201',
    'Observation/a%E5%98%8A%E5%98%8DX-Injected:1',
    'Observation/anna-w/_history/1%0d%0aX-Injected:1',
    '%0d%0aX-Injected:1',
  ])('%s', async path => {
    const { headers } = await ask(path)
    expect(headers['x-injected']).toBeUndefined()
  })

  it('nor does a value that comes back: state, file names, ids in Location', async () => {
    const state = await house.send(undefined, {
      path: '/auth/authorize?client_id=kinhold-api-page&state=a%0d%0aX-Injected:1',
    })
    expect(state.headers['x-injected']).toBeUndefined()
    const put = { ...forAnna({}), id: 'a\r\nX-Injected: 1' }
    const created = await house.send(house.admin, { method: 'PUT', path: '/fhir/Observation/a%0d%0aX', body: put })
    expect([created.status, created.headers['x-injected']]).toEqual([expect.any(Number), undefined])
    expect(created.status).toBeGreaterThanOrEqual(400)
  })
})

describe('A72: two lengths, or a length that is none', () => {
  it.each([
    ['Content-Length and Transfer-Encoding', 'Content-Length: 4\r\nTransfer-Encoding: chunked'],
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5'],
    ['a length with a sign', 'Content-Length: +4'],
    ['a coding that is none', 'Transfer-Encoding: xchunked'],
    ['a coding behind a tab', 'Transfer-Encoding:\tchunked\r\nContent-Length: 4'],
    ['chunked, but not last', 'Transfer-Encoding: chunked, identity'],
    ['a space before the colon', 'Transfer-Encoding : chunked\r\nContent-Length: 4'],
  ])('%s: what follows is never taken for another request', async (_, head) => {
    const { hostname, port } = new URL(house.url)
    const socket = connect(Number(port), hostname)
    const smuggled = 'GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n'
    socket.write(`POST /fhir/Patient HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n0\r\n\r\n${smuggled}`)
    setTimeout(() => socket.end(), 200).unref()
    const answered = await text(socket).catch(() => '')
    expect(answered).not.toContain('CapabilityStatement')
    expect(answered.match(/^HTTP\/1\.1 /gm) ?? []).toHaveLength(1)
    expect(answered).toMatch(/^HTTP\/1\.1 4\d\d /)
  })
})

describe('A73: links use the configured address, whatever a request says of itself', () => {
  const lies = {
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'ftp',
    'x-forwarded-prefix': '/evil',
    forwarded: 'host=evil.example;proto=ftp',
    'x-original-url': '/evil',
    'x-rewrite-url': '/evil',
    host: 'evil.example',
  }
  it.each([
    '/fhir/Observation?_count=1',
    '/fhir/metadata',
    '/fhir/.well-known/smart-configuration',
    '/openapi.json',
    '/',
    '/.well-known/openid-configuration',
  ])('%s', async path => {
    const { status, body } = await house.send(anna, { path, headers: lies })
    expect([status, body.toString()]).toEqual([200, expect.not.stringContaining('evil')])
    expect(body.toString()).toContain(baseUrl)
  })
})

describe('A75: what means something to SQL is text', () => {
  it.each(["1'--", "1' OR '1'='1", '1;DROP TABLE entries', 'a"b', 'a\u0000b', 'a%25b'])('id %s', async id => {
    const answer = await ask(`Observation/${encodeURIComponent(id)}`)
    expect([400, 404]).toContain(answer.status)
    expect(totalOf(await ask(`Observation?_id=${encodeURIComponent(id)}&_total=accurate`)) ?? 0).toBe(0)
  })
})

const app = { redirect_uris: ['https://app.example/cb'], token_endpoint_auth_method: 'none' }

describe('A79, A42, A56: nothing that is sent makes the server ask an address', () => {
  const addresses = () => {
    const { port } = inner.address() as { port: number }
    const hosts = ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433', '0177.0.0.1', '0x7f.1', '127.1']
    return hosts.map(host => `http://${host}:${port}/latest/meta-data`)
  }

  it('in attachments, references, documents, narratives, messages and registrations', async () => {
    for (const url of [...addresses(), 'http://169.254.169.254/latest/meta-data', 'file:///etc/passwd']) {
      const reference = { reference: url }
      await post('/fhir/Observation', forAnna({ performer: [reference], derivedFrom: [reference] }))
      await post('/fhir/DocumentReference', {
        resourceType: 'DocumentReference',
        status: 'current',
        subject: { reference: 'Patient/anna' },
        content: [{ attachment: { url, contentType: 'application/pdf' } }],
      })
      await post('/fhir', {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [{ fullUrl: url, resource: forAnna({}), request: { method: 'POST', url: 'Observation' } }],
      })
      await post('/fhir/Observation/$validate', { ...forAnna({}), meta: { profile: [url] } })
      await ask(`Observation?code:in=${encodeURIComponent(url)}`)
      await post(
        '/fhir/Patient/anna/$ingest',
        `<?xml version="1.0"?><!DOCTYPE HealthData SYSTEM "${url}"><HealthData/>`,
        { 'content-type': 'application/octet-stream' },
      )
      for (const more of [{ jwks_uri: url }, { logo_uri: url }, { client_uri: url }, { redirect_uris: [url] }])
        await house.smart.registerClient({ ...app, ...more }).catch(() => undefined)
    }
    expect(visits).toBe(0)
  })

  it.each([
    'http://good.example.evil/x',
    'javascript:alert(1)',
    'data:text/html,x',
    'https://user@evil.example/',
    'https://[::1]/',
  ])('a registration cannot show people %s as its own address', async url => {
    await expect(house.smart.registerClient({ ...app, logo_uri: url })).rejects.toMatchObject({
      code: 'smart.invalid-client-metadata',
    })
  })
})

describe('A95: an answer tells nothing of how the server is made', () => {
  it.each([
    '/fhir/Observation?colour=1',
    '/fhir/%',
    '/fhir/%ff',
    '/share/%ff',
    '/nothing',
    '/auth/authorize',
    '/docs/nothing',
    '/account/reset?code=x',
    '/claim?code=x',
  ])('%s', async path => {
    const { status, headers, body } = await house.send(undefined, { path })
    const told = `${JSON.stringify(headers)}${body}`
    expect(status).toBeLessThan(500)
    expect(told).not.toMatch(/\bat .*:\d+:\d+|node_modules|node:internal|\.ts\b|express|x-powered-by|sqlite/i)
    expect(headers.server).toBeUndefined()
  })
})

describe('A98: other methods ask for the same right', () => {
  it.each(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND'])(
    '%s without a token',
    async method => {
      const { status, body } = await house.send(undefined, { method, path: '/fhir/Observation/anna-w' })
      expect([401, 405, 400, 501]).toContain(status)
      expect(body.toString()).not.toContain('29463-7')
    },
  )

  it.each(['x-http-method-override', 'x-http-method', 'x-method-override'])('%s changes nothing', async header => {
    const reading = await house.token('patient/*.rs', 'anna')
    const sent = { method: 'GET', path: '/fhir/Observation/anna-w', headers: { [header]: 'DELETE' } }
    expect((await house.send(reading, sent)).status).toBe(200)
    expect((await ask('Observation/anna-w')).status).toBe(200)
  })

  it('TRACE shows no header', async () => {
    const answer = await house.send(anna, { method: 'TRACE', path: '/fhir/metadata' })
    expect([answer.status >= 400, answer.body.toString()]).toEqual([true, expect.not.stringContaining(anna)])
  })
})

describe('A99: what is open to all tells of nobody', () => {
  it.each([
    '/',
    '/healthz',
    '/readyz',
    '/fhir/metadata',
    '/openapi.json',
    '/auth/jwks',
    '/auth/login',
    '/.well-known/openid-configuration',
  ])('%s', async path => {
    const { status, body } = await house.send(undefined, { path })
    expect(status).toBeLessThan(400)
    expect(body.toString()).not.toMatch(/anna|bruno|Bravosecret|Alphaname/)
  })

  it.each(['/metrics', '/admin', '/debug', '/status', '/fhir/$metrics', '/.env', '/.git/config', '/server-status'])(
    '%s is not there',
    async path => {
      expect([401, 404]).toContain((await house.send(undefined, { path })).status)
    },
  )
})
