import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'fhir-kit-client'
import { type App, createServer, type Listening, listen } from '#http'
import { refuseUnreadable } from '../../../src/http/unreadable.ts'
import { freePort } from '../../free-port.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

describe('a FHIR client – https://hl7.org/fhir/R4/http.html', () => {
  let house: WebHouse
  let server: Listening
  let client: Client
  beforeAll(async () => {
    const port = await freePort()
    const baseUrl = `http://127.0.0.1:${port}`
    house = await openWebHouse({ baseUrl })
    server = await listen(house.app, { host: '127.0.0.1', port })
    client = new Client({ baseUrl: `${baseUrl}/fhir`, bearerToken: await house.token('system/*.cruds') })
  })
  afterAll(async () => {
    await server.close()
    await house.close()
  })

  it.each([
    ['/fhir/metadata', 200],
    ['/fhir/metadata?_format=json', 200],
    ['http://elsewhere.example/fhir/metadata', 200],
    ['http://elsewhere.example/healthz', 200],
    ['/fhir/Patient', 401],
    ['/fhir', 401],
    ['/fhir/', 401],
    ['/fhir?_summary=count', 401],
    ['/fhirx', 404],
    ['/fhir.json', 404],
    ['/FHIR/metadata', 404],
    ['//fhir/metadata', 404],
    ['http://', 404],
    ['*', 404],
  ])('takes the request target %s as RFC 9112 section 3.2 says', async (target, status) => {
    const answer = await raw(server.port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(answer.slice(0, 12)).toBe(`HTTP/1.1 ${status}`)
  })

  it('finds out what the server can do and where tokens come from', async () => {
    const statement = await client.capabilityStatement()
    expect(statement.resourceType).toBe('CapabilityStatement')
    const metadata = await client.smartAuthMetadata()
    expect(String(metadata.tokenUrl)).toContain('/auth/token')
  })

  it('creates, reads, updates, searches page by page, and deletes', async () => {
    const patient = await client.create({
      resourceType: 'Patient',
      body: { resourceType: 'Patient', name: [{ family: 'Kit' }] },
    })
    const id = String(patient.id)
    for (const value of [1, 2, 3])
      await client.create({
        resourceType: 'Observation',
        body: {
          resourceType: 'Observation',
          status: 'final',
          code: { text: 'weight' },
          subject: { reference: `Patient/${id}` },
          valueQuantity: { value },
        },
      })
    const first = await client.search({
      resourceType: 'Observation',
      searchParams: { patient: id, _count: 2 },
    })
    const second = await client.nextPage({ bundle: first as never })
    expect([first, second].map(bundle => [bundle?.entry].flat().length)).toEqual([2, 1])
    const updated = await client.update({ resourceType: 'Patient', id, body: { ...patient, active: true } as never })
    expect(updated.meta).toMatchObject({ versionId: '2' })
    const history = await client.resourceHistory({ resourceType: 'Patient', id })
    expect(history.total).toBe(2)
    expect((await client.vread({ resourceType: 'Patient', id, version: '1' })).active).toBeUndefined()
    await client.delete({ resourceType: 'Patient', id })
    await expect(client.read({ resourceType: 'Patient', id })).rejects.toMatchObject({ response: { status: 410 } })
  })

  it('is not read on when it is refused while it sends much', async () => {
    const { port } = server
    const head =
      'POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: 1000000000\r\n\r\n'
    const answer = await raw(port, `${head}{`)
    expect(answer).toMatch(/^HTTP\/1\.1 401 /)
    expect(answer.toLowerCase()).toContain('connection: close')
  })

  it('sends a transaction', async () => {
    const answer = await client.transaction({
      body: {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [
          {
            fullUrl: 'urn:uuid:1f5a2b3c-0000-4000-8000-000000000001',
            resource: { resourceType: 'Organization', name: 'Clinic' },
            request: { method: 'POST', url: 'Organization' },
          },
        ],
      } as never,
    })
    expect(answer).toMatchObject({ type: 'transaction-response', entry: [{ response: { status: '201' } }] })
  })
})

/** Sends raw bytes and gathers what comes back until the other side closes. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined)
  socket.write(bytes)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

describe('a server on the network', () => {
  let server: Listening
  let draining = false
  let begun = false
  let accepted = 0
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    begun = request.url === '/slow'
    if (begun) await delay(600)
    response.end(request.url === '/slow' ? 'done' : 'ok')
  }
  const app: App = Object.assign((...of: Parameters<App>) => void answer(...of), {
    drain: () => {
      draining = true
    },
    connect: () => {
      accepted++
    },
    awaitsAnswer: () => false,
    upgrades: () => false,
    upgrade: () => undefined,
  })
  beforeEach(async () => {
    server = await listen(app, { host: '127.0.0.1', port: 0 })
  })
  afterEach(() => server.close(0))

  it('tells the port that it got', async () => {
    expect(server.port).toBeGreaterThan(0)
    expect(await (await fetch(`http://127.0.0.1:${server.port}/`)).text()).toBe('ok')
  })

  it('says when the address is taken', async () => {
    await expect(listen(app, { host: '127.0.0.1', port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  it.each([
    ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a header that is too large', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['no HTTP at all', 'hello\r\n\r\n'],
  ])('refuses a request with %s and closes', async (_what, bytes) => {
    expect(await raw(server.port, bytes)).toMatch(/^HTTP\/1\.1 4(00|31) /)
  })

  it('waits for nobody who sends slowly or not at all', () => {
    const { headersTimeout, maxHeadersCount, timeout } = createServer(app)
    expect([headersTimeout, maxHeadersCount, timeout]).toEqual([10_000, 0, 120_000])
  })

  it('closes by answering what was asked and taking nothing new', async () => {
    const asked = fetch(`http://127.0.0.1:${server.port}/slow`)
    while (!begun) await delay(5)
    const closed = server.close()
    expect(draining).toBe(true)
    const isTaken = () => fetch(`http://127.0.0.1:${server.port}/`).then(Boolean, () => false)
    while (await isTaken()) await delay(10)
    expect(await (await asked).text()).toBe('done')
    await closed
  })

  it('cuts off those who do not finish in time, and nobody before', async () => {
    const patient = await listen(app, { host: '127.0.0.1', port: 0 })
    const closed: string[] = []
    const before = accepted
    const sockets = [server, patient].map(({ port }) => connect(port, '127.0.0.1'))
    for (const socket of sockets) {
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Le')
    }
    while (accepted < before + sockets.length) await delay(5)
    // Unless told, a server waits for 25 seconds.
    const last = patient.close().then(() => closed.push('patient'))
    await server.close(50)
    expect(closed).toEqual([])
    sockets[1]?.destroy()
    await last
  })

  it('can be closed twice', async () => {
    await server.close()
    await server.close()
  })
})

describe('what never becomes a request – https://www.rfc-editor.org/rfc/rfc9110#section-15.5', () => {
  const refusalOf = async (code: string) => {
    const { PassThrough } = await import('node:stream')
    const socket = new PassThrough()
    refuseUnreadable(Object.assign(new Error('of the parser'), { code }), socket)
    return String(socket.read() ?? '')
  }

  it.each([
    ['HPE_INVALID_METHOD', 400, 'request.malformed'],
    ['HPE_HEADER_OVERFLOW', 431, 'request.headers-too-large'],
    ['ERR_HTTP_REQUEST_TIMEOUT', 408, 'request.headers-too-slow'],
  ])('is refused (%s) with %i and an OperationOutcome', async (cause, status, code) => {
    const answer = await refusalOf(cause)
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(head).toContain(`content-length: ${Buffer.byteLength(body)}`)
    expect(JSON.parse(body).issue[0].details.coding[0].code).toBe(code)
  })

  it('is not answered when nobody is there any more', async () => {
    expect(await refusalOf('ECONNRESET')).toBe('')
  })
})
