import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { WebSocket } from 'ws'
import { type Listening, listen } from '#http'
import { freePort } from '../../free-port.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

let house: WebHouse
let server: Listening
let port: number
let token: string

beforeAll(async () => {
  port = await freePort()
  house = await openWebHouse({ baseUrl: `http://127.0.0.1:${port}` })
  server = await listen(house.app, { host: '127.0.0.1', port })
  token = await house.token('system/*.cruds')
})
afterAll(async () => {
  await server.close()
  await house.close()
})

const opened: WebSocket[] = []
afterEach(() => {
  for (const socket of opened.splice(0)) socket.terminate()
})

interface Ended {
  readonly status?: number
  /** Of the Problem, or of the close. */
  readonly code?: number | string
}

/** A real websocket; `ended` resolves when it is refused or closed. */
function open(headers: Record<string, string> = {}, path = '/ws/subscriptions') {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers })
  opened.push(socket)
  const came: string[] = []
  socket.on('message', data => came.push(String(data)))
  socket.on('error', () => undefined)
  const ended = new Promise<Ended>(resolve => {
    socket.on('unexpected-response', async (_request, answer) => {
      const body = await text(answer)
      const code = body.startsWith('{') ? JSON.parse(body).issue?.[0].details.coding[0].code : undefined
      resolve({ status: answer.statusCode ?? 0, code })
    })
    socket.on('close', code => resolve({ code }))
  })
  const isOpen = once(socket, 'open')
  // Of one that is refused nobody waits for this.
  isOpen.catch(() => undefined)
  return { socket, came, ended, isOpen }
}

const bearer = () => ({ authorization: `Bearer ${token}` })
const next = async (socket: WebSocket) => String((await once(socket, 'message'))[0])

async function fhir(method: string, path: string, body?: object) {
  const answer = await fetch(`http://127.0.0.1:${port}/fhir${path}`, {
    method,
    headers: { ...bearer(), 'content-type': 'application/fhir+json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return (await answer.json()) as ReturnType<typeof JSON.parse>
}

const weight = {
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'weight' },
  subject: { reference: 'Patient/p' },
}

describe('a websocket – https://www.rfc-editor.org/rfc/rfc6455', () => {
  it('tells of what happens, and the CapabilityStatement says where it is', async () => {
    const { rest } = await fhir('GET', '/metadata')
    expect(rest[0].extension).toEqual([
      {
        url: 'http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket',
        valueUri: `ws://127.0.0.1:${port}/ws/subscriptions`,
      },
    ])
    await fhir('PUT', '/Patient/p', { resourceType: 'Patient', id: 'p' })
    const channel = { type: 'websocket' }
    const criteria = 'Observation?'
    const asked = { resourceType: 'Subscription', status: 'requested', reason: 'x', criteria, channel }
    const { id } = await fhir('POST', '/Subscription', asked)
    await house.subscriptions.round()
    const [named, shown] = [open(bearer()), open()]
    await Promise.all([named.isOpen, shown.isOpen])
    const { parameter } = await fhir('GET', `/Subscription/${id}/$get-ws-binding-token`)
    named.socket.send(`bind ${id}`)
    shown.socket.send(`bind-with-token ${parameter[0].valueString}`)
    expect(await Promise.all([next(named.socket), next(shown.socket)])).toEqual([`bound ${id}`, `bound ${id}`])
    const pings = [next(named.socket), next(shown.socket)]
    await fhir('POST', '/Observation', weight)
    await house.subscriptions.round()
    expect(await Promise.all(pings)).toEqual([`ping ${id}`, `ping ${id}`])
  })

  it.each<[what: string, headers: Record<string, string>, status: number, code: string]>([
    ['a page of nobody’s app', { origin: 'https://evil.example' }, 403, 'socket.origin-foreign'],
    ['a page without an origin of its own', { origin: 'null' }, 403, 'socket.origin-foreign'],
    [
      'a page of nobody’s app with a token',
      { origin: 'https://evil.example', authorization: 'Bearer x' },
      403,
      'socket.origin-foreign',
    ],
    ['a token that is none', { authorization: 'Bearer nothing' }, 401, 'token.unknown'],
    ['what is no token', { authorization: 'Basic eDp5' }, 401, 'token.malformed'],
  ])('is not opened to %s', async (_, headers, status, code) => {
    expect(await open(headers).ended).toEqual({ status, code })
  })

  it('is opened to a page of this server', async () => {
    await open({ origin: `http://127.0.0.1:${port}` }).isOpen
  })

  it.each(['/ws/other', '/fhir/metadata', '/'])('is not opened at %s, which answers as it always does', async path => {
    const { status = 0 } = await open({}, path).ended
    expect([200, 404, 401]).toContain(status)
  })

  it('is asked for in no other way: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.5', async () => {
    expect((await fetch(`http://127.0.0.1:${port}/ws/subscriptions`)).status).toBe(404)
  })

  it('is not opened to a request that can be read in two ways', async () => {
    const socket = connect(port, '127.0.0.1')
    const lines = ['GET /ws/subscriptions HTTP/1.1', 'Host: a', 'Host: b', 'Connection: Upgrade', 'Upgrade: websocket']
    const keys = ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', '', '']
    socket.write([...lines, ...keys].join('\r\n'))
    expect(String((await once(socket, 'data'))[0]).slice(0, 12)).toBe('HTTP/1.1 400')
    socket.destroy()
  })

  it.each<[what: string, sends: (socket: WebSocket) => void, code: number]>([
    ['bytes', socket => socket.send(Buffer.from([1])), 1003],
    ['more than 4 KiB', socket => socket.send('x'.repeat(5_000)), 1009],
    ['a message in crumbs', socket => Array.from({ length: 65 }, () => socket.send('x', { fin: false })), 1008],
    ['too much at once', socket => Array.from({ length: 300 }, () => socket.send('bind x')), 1008],
    ['nothing that is understood', socket => Array.from({ length: 5 }, () => socket.send('?')), 1008],
  ])('of somebody who sends %s is closed', async (_, sends, code) => {
    const { socket, isOpen, ended } = open(bearer())
    await isOpen
    sends(socket)
    expect(await ended).toEqual({ code })
  })

  it('answers a ping, and tells a client that offers protocols that there is none', async () => {
    const { socket, isOpen } = open()
    await isOpen
    socket.ping('x')
    expect(String((await once(socket, 'pong'))[0])).toBe('x')
    expect(socket.protocol).toBe('')
  })
})

it('so many websockets of one network are open at once, and when the server ends all are told', async () => {
  const own = await freePort()
  const small = await openWebHouse({ baseUrl: `http://127.0.0.1:${own}` })
  const listening = await listen(small.app, { host: '127.0.0.1', port: own })
  const sockets = Array.from({ length: 64 }, () => new WebSocket(`ws://127.0.0.1:${own}/ws/subscriptions`))
  await Promise.all(sockets.map(socket => once(socket, 'open')))
  const refused = new WebSocket(`ws://127.0.0.1:${own}/ws/subscriptions`)
  refused.on('error', () => undefined)
  const [, answer] = await once(refused, 'unexpected-response')
  expect([answer.statusCode, await text(answer)]).toEqual([429, expect.stringContaining('socket.too-many')])
  sockets[0]?.close()
  await once(sockets[0] as WebSocket, 'close')
  const codes = Promise.all(sockets.slice(1).map(async socket => (await once(socket, 'close'))[0]))
  await listening.close()
  expect(new Set(await codes)).toEqual(new Set([1001]))
  await small.close()
})

it.each<[what: string, before: string]>([
  ['at once', ''],
  ['behind a request that was answered', 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'],
])(
  'whoever is refused a websocket %s and does not hang up is no reason to wait for when the server ends',
  async (_, before) => {
    const own = await freePort()
    const small = await openWebHouse({ baseUrl: `http://127.0.0.1:${own}` })
    const listening = await listen(small.app, { host: '127.0.0.1', port: own })
    const socket = connect({ port: own, host: '127.0.0.1', allowHalfOpen: true })
    const head = ['GET /ws/subscriptions HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: websocket']
    socket.write(before + [...head, 'Origin: https://evil.example', '', ''].join('\r\n'))
    let came = ''
    socket.on('data', data => {
      came += String(data)
    })
    await once(socket, 'end')
    expect(came).toContain('socket.origin-foreign')
    await listening.close()
    socket.destroy()
    await small.close()
  },
)
