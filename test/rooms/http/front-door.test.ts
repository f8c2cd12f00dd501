import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { type Listening, listen } from '#http'
import { budgetLeft, budgetTable, spend } from '#kernel'
import { openAddresses } from '../../../src/http/admission/addresses.ts'
import { frontDoor } from '../../../src/http/front-door.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

let house: WebHouse
let server: Listening
let token: string
beforeAll(async () => {
  house = await openWebHouse({ baseUrl: 'http://127.0.0.1:1' })
  server = await listen(house.app, { host: '127.0.0.1', port: 0 })
  token = await house.token('system/*.cruds')
})
afterAll(async () => {
  await server.close()
  await house.close()
})

/** Sends raw bytes and gathers what comes back until the other side closes. */
async function raw(bytes: string | Buffer): Promise<string> {
  const socket = connect(server.port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined)
  socket.write(bytes)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

const ask = (target: string, more = '', method = 'GET') =>
  raw(`${method} ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n${more}\r\n`)

const errorLines = () => house.lines.filter(line => line.includes('"level":50'))

describe('a path that means no text – https://www.rfc-editor.org/rfc/rfc3986#section-2.1', () => {
  const places = [
    '/share/',
    '/fhir/Patient/',
    '/fhir/',
    '/docs/',
    '/auth/',
    '/openapi.json/',
    '/.well-known/',
    '/hl7v2/',
    '/',
    '/fhir/Patient/a/_history/',
    '/fhir/Patient?name=',
    '/auth/login?request=',
    '/auth/authorize?client_id=',
  ]
  const texts = ['%ff', '%', '%zz', '%c0%af', '%ed%a0%80', '%f8', 'a%2', '%e2%82']
  it.each(places)('is refused below %s, however it is wrong, and nobody is woken by it', async place => {
    for (const text of texts) {
      const answer = await ask(`${place}${text}`)
      expect([text, answer.slice(0, 12)]).toEqual([text, 'HTTP/1.1 400'])
      expect(answer).toContain('request.malformed')
    }
    expect(errorLines()).toEqual([])
  })

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('is refused for %s too', async method => {
    expect(await ask('/fhir/Patient/%ff', 'Content-Length: 0\r\n', method)).toMatch(/^HTTP\/1.1 400 /)
  })

  it('is told to a browser as a page', async () => {
    const answer = await ask('/share/%ff', 'Accept: text/html\r\n')
    expect(answer).toMatch(/^HTTP\/1.1 400 [\s\S]*content-type: text\/html/)
  })

  it('may hold any text that is encoded well', async () => {
    for (const target of ['/fhir/Patient?name=%C3%A4%25', '/fhir/Patient?name=M%C3%BCller&_count=1'])
      expect(await ask(target)).toMatch(/^HTTP\/1.1 200 /)
  })

  it('may not hold bytes that stand in no URI', async () => {
    expect(await raw(Buffer.from('GET /fhir/Patient/\xff HTTP/1.1\r\nHost: x\r\n\r\n', 'latin1'))).toMatch(
      /^HTTP\/1.1 400 /,
    )
  })

  it.each(['/docs/%00', '/docs/..%2f..%2fpackage.json', '/docs/%5c', '/share/%00'])(
    'is no fault of the server: %s',
    async target => {
      expect(await ask(target)).toMatch(/^HTTP\/1.1 4\d\d /)
      expect(errorLines()).toEqual([])
    },
  )
})

describe('the head of a request – https://www.rfc-editor.org/rfc/rfc9112#section-3.2', () => {
  const head = (lines: string, version = '1.1') =>
    raw(`GET /fhir/metadata HTTP/${version}\r\n${lines}Connection: close\r\n\r\n`)

  it.each([
    ['one Host', 'Host: x\r\n', '1.1', 200],
    ['one empty Host', 'Host:\r\n', '1.1', 200],
    ['an address and a port', 'Host: [::1]:8080\r\n', '1.1', 200],
    ['two equal ones', 'Host: x\r\nHost: x\r\n', '1.1', 400],
    ['two different ones', 'Host: x\r\nhOST: y\r\n', '1.1', 400],
    ['none', '', '1.1', 400],
    ['none in HTTP/1.0', '', '1.0', 200],
    ['two in HTTP/1.0', 'Host: x\r\nHost: y\r\n', '1.0', 400],
    ['two names in one', 'Host: x, y\r\n', '1.1', 400],
    ['a blank in it', 'Host: x y\r\n', '1.1', 400],
    ['a path in it', 'Host: x/y\r\n', '1.1', 400],
    ['a user in it', 'Host: a@b\r\n', '1.1', 400],
  ])('with %s', async (_what, lines, version, status) => {
    expect((await head(lines, version)).slice(0, 12)).toBe(`HTTP/1.1 ${status}`)
  })

  it('has at most two hundred lines, none of which is left out in silence', async () => {
    const lines = (count: number) => Array.from({ length: count }, (_, at) => `X-${at}: 1\r\n`).join('')
    expect(await head(`Host: x\r\n${lines(190)}`)).toMatch(/^HTTP\/1.1 200 /)
    const answer = await head(`Host: x\r\n${lines(300)}`)
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
    expect(answer).toContain('request.headers-too-many')
    expect(await head(`${lines(190)}Host: x\r\nHost: y\r\n`)).toMatch(/^HTTP\/1.1 400 /)
  })

  it('is none of HTTP/2', async () => {
    expect(await raw('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
    const upgrade = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'
    const answer = raw(`GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`)
    expect(await answer).toMatch(/^HTTP\/1.1 200 /)
  })
})

describe('health', () => {
  it.each([
    ['GET', '/healthz', 200],
    ['HEAD', '/healthz', 200],
    ['GET', '/readyz?verbose', 200],
    ['POST', '/healthz', 405],
    ['GET', '/healthzz', 404],
    ['GET', '/readyz/', 405],
  ])('%s %s', async (method, target, status) => {
    const answer = await ask(target, 'Content-Length: 0\r\n', method)
    expect(answer.slice(0, 12)).toBe(`HTTP/1.1 ${status}`)
  })

  it.each([
    ['/healthz', '', 200],
    ['/healthz', 'Host: x\r\n', 200],
    ['/healthz', 'Host: x\r\nHost: y\r\n', 400],
    ['/readyz', 'Host: x\r\nHost: x\r\n', 400],
  ])('%s with %j', async (target, lines, status) => {
    const answer = await raw(`GET ${target} HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`)
    expect(answer.slice(0, 12)).toBe(`HTTP/1.1 ${status}`)
  })
})

describe('who is calling – https://www.rfc-editor.org/rfc/rfc7239', () => {
  const trusted = ['127.0.0.1', '10.0.0.0/8', 'fd00::/8']
  const callerOf = (peer: string, headers: Record<string, string>, proxies = trusted) =>
    openAddresses(proxies).of({ headers, socket: { remoteAddress: peer } } as never).address

  it.each([
    ['a proxy that nobody trusts', '192.0.2.1', { 'x-forwarded-for': '203.0.113.9' }, '192.0.2.1'],
    ['a proxy that says nothing', '127.0.0.1', {}, '127.0.0.1'],
    ['one proxy', '127.0.0.1', { 'x-forwarded-for': '203.0.113.9' }, '203.0.113.9'],
    ['a client that claims another', '127.0.0.1', { 'x-forwarded-for': '198.51.100.1, 203.0.113.9' }, '203.0.113.9'],
    ['two proxies', '::ffff:10.1.2.3', { 'x-forwarded-for': '1.1.1.1, 203.0.113.9,10.0.0.7' }, '203.0.113.9'],
    ['proxies alone', '10.0.0.1', { 'x-forwarded-for': '10.0.0.3, 10.0.0.2' }, '10.0.0.3'],
    ['a port', '127.0.0.1', { 'x-forwarded-for': '203.0.113.9:4711' }, '203.0.113.9'],
    ['IPv6 with a port', 'fd00::1', { 'x-forwarded-for': '[2001:db8::7]:4711' }, '2001:db8::7'],
    ['a name that is no address', '127.0.0.1', { 'x-forwarded-for': '203.0.113.9, unknown' }, '127.0.0.1'],
    ['nothing between commas', '127.0.0.1', { 'x-forwarded-for': '203.0.113.9, ,' }, '127.0.0.1'],
    ['Forwarded', '127.0.0.1', { forwarded: 'for=203.0.113.9;proto=https;by=10.0.0.1' }, '203.0.113.9'],
    ['Forwarded, quoted', '127.0.0.1', { forwarded: 'proto=https;For="[2001:db8::7]:4711"' }, '2001:db8::7'],
    ['Forwarded twice', '127.0.0.1', { forwarded: 'for=1.1.1.1, for=203.0.113.9, for="10.0.0.9:1"' }, '203.0.113.9'],
    [
      'Forwarded with a comma in quotes',
      '127.0.0.1',
      { forwarded: 'for=203.0.113.9;ext="a, for=1.1.1.1"' },
      '203.0.113.9',
    ],
    ['a hidden node', '127.0.0.1', { forwarded: 'for=203.0.113.9, for=_gazonk' }, '127.0.0.1'],
    [
      'both, of one mind',
      '127.0.0.1',
      { forwarded: 'for=203.0.113.9', 'x-forwarded-for': '203.0.113.9' },
      '203.0.113.9',
    ],
    ['both, of two minds', '127.0.0.1', { forwarded: 'for=1.1.1.1', 'x-forwarded-for': '203.0.113.9' }, '127.0.0.1'],
  ])('behind %s', (_what, peer, headers, address) => {
    expect(callerOf(peer, headers)).toBe(address)
  })

  it('is nobody but the other end of the connection when no proxy is named', () => {
    expect(callerOf('127.0.0.1', { 'x-forwarded-for': '203.0.113.9' }, [])).toBe('127.0.0.1')
  })

  it('reads a long header in a moment', () => {
    const long = '","'.repeat(5000)
    expect(callerOf('127.0.0.1', { forwarded: long, 'x-forwarded-for': long })).toBe('127.0.0.1')
  })
})

describe('every request', () => {
  it('is answered on a budget of its own, wherever it leads', async () => {
    const left: number[] = []
    const handler = () => {
      spend('work', 1000)
      left.push(budgetLeft('work'))
    }
    const door = frontDoor({
      takes: () => true,
      health: () => false,
      checkTrusted: () => undefined,
      fhir: handler,
      beside: handler,
      refuse: () => undefined,
    })
    for (const url of ['/fhir/Patient', '/fhir', '/auth/token', '/fhir/Patient'])
      door(
        { url, rawHeaders: ['host', 'a'], headers: { host: 'a' }, httpVersion: '1.1' } as IncomingMessage,
        {} as ServerResponse,
      )
    expect(left).toEqual(Array(4).fill(budgetTable.work.limit - 1000))
  })
})
