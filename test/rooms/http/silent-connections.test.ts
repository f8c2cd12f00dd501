import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { type App, createServer } from '#http'
import { createLog } from '#kernel'
import { openAddresses } from '../../../src/http/admission/addresses.ts'
import { Connections } from '../../../src/http/admission/connections.ts'

interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

let server: Server
let asked: Asked[]
const clients: Socket[] = []

beforeEach(async () => {
  asked = []
  const log = createLog('error', { write: () => undefined })
  const connections = new Connections({ addresses: openAddresses([]), log })
  const take = (request: IncomingMessage, response: ServerResponse) => {
    if (!connections.takes(request, response)) return
    asked.push({ request, response })
    server.emit('asked')
  }
  const app: App = Object.assign(take, {
    drain: () => undefined,
    connect: (socket: Socket) => connections.add(socket),
    awaitsAnswer: (socket: Socket) => connections.awaitsAnswer(socket),
    upgrades: () => false,
    upgrade: () => undefined,
  })
  server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
  server.closeAllConnections()
  server.close()
})

/** A connection, from both ends. */
async function dial(): Promise<{ readonly client: Socket; readonly socket: Socket }> {
  const accepted = once(server, 'connection')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined)
  clients.push(client)
  const [socket] = (await accepted) as [Socket]
  return { client, socket }
}

async function nthAsked(count: number): Promise<Asked> {
  while (asked.length < count) await once(server, 'asked')
  return asked[count - 1] as Asked
}

/** What the clock of a connection says when its time is over. */
function isKept(socket: Socket): boolean {
  socket.emit('timeout')
  return !socket.destroyed
}

const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

describe('a connection on which nothing has been said for long', () => {
  it.each([
    ['a question', get],
    ['a body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}'],
  ])('is kept while the answer to %s is due, and answered', async (_what, sent) => {
    const { client, socket } = await dial()
    client.write(sent)
    const { request, response } = await nthAsked(1)
    for await (const _chunk of request);
    expect(isKept(socket)).toBe(true)
    response.end('late')
    const [answer] = await once(client, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 .*late$/s)
  })

  it('is kept while the second of two answers is due', async () => {
    const { client, socket } = await dial()
    client.write(get + get)
    const second = await nthAsked(2)
    asked[0]?.response.end('one')
    await once(client, 'data')
    expect(isKept(socket)).toBe(true)
    second.response.end('two')
    expect(String((await once(client, 'data'))[0])).toMatch(/two$/)
  })

  it('is kept in the middle of an answer of which all so far has been taken', async () => {
    const { client, socket } = await dial()
    client.write(get)
    const { response } = await nthAsked(1)
    response.write('so far')
    await once(client, 'data')
    expect(isKept(socket)).toBe(true)
  })

  it('is cut when nothing was asked', async () => {
    const { socket } = await dial()
    expect(isKept(socket)).toBe(false)
  })

  it('is cut when what was asked has been answered', async () => {
    const { client, socket } = await dial()
    client.write(get)
    const { response } = await nthAsked(1)
    const closed = once(response, 'close')
    response.end('all')
    await closed
    expect(isKept(socket)).toBe(false)
  })

  it('is cut when a body does not go on, of the second request too', async () => {
    const { client, socket } = await dial()
    client.write(`${get}POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{`)
    await nthAsked(2)
    expect(isKept(socket)).toBe(false)
  })

  it('is cut when an answer lies untaken', async () => {
    const { client, socket } = await dial()
    client.pause().write(get)
    const { response } = await nthAsked(1)
    response.write(Buffer.alloc(50_000_000))
    await turn()
    expect(socket.writableLength).toBeGreaterThan(0)
    expect(isKept(socket)).toBe(false)
  })
})
