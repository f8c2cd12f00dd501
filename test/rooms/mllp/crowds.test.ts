/** Whoever reaches a port and means it no good: sits there, fills it, knocks again and again. `net` is who connects. */
import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { authorityIn, openOwn } from '#certificates'
import { type Listener, type ListenerOptions, listenMllp } from '#mllp'

const er7 = 'x-application/hl7-v2+er7'
const message = 'MSH|^~\\&|A|B|C|D|20240310080000+0000||ADT^A01|M1|P|2.5.1\r'
const frame = (text: string) => `\x0b${text}\x1c\r`
/** As many as a port has. */
const places = 64

let server: Server
/** Messages that begin so are not answered. */
const unanswered = 'MSH|^~\\&|SLOW'
const handedOn: string[] = []
const bodies = new EventEmitter()
const open: Listener[] = []
const sockets: Socket[] = []

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString('latin1')
    handedOn.push(body)
    bodies.emit('body')
    if (!body.startsWith(unanswered)) response.writeHead(200, { 'content-type': er7 }).end('MSH|^~\\&|C\rMSA|AA|M1\r')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
beforeEach(() => {
  handedOn.length = 0
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const listener of open.splice(0)) await listener.close()
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

async function port(options: Partial<ListenerOptions> = {}) {
  const said: string[] = []
  const { port: at } = server.address() as AddressInfo
  const listener = await listenMllp({
    port: 0,
    host: '127.0.0.1',
    networks: [],
    delivery: { url: new URL(`http://127.0.0.1:${at}/hl7v2`), token: async () => 't', patienceMs: 60_000 },
    nowMs: () => 0,
    log: text => said.push(text),
    ...options,
  })
  open.push(listener)
  return { at: listener.port, said }
}

function kept<T extends Socket>(socket: T): T {
  sockets.push(socket)
  return socket.on('error', () => undefined)
}

async function connected(at: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = kept(connect({ port: at, host: '127.0.0.1', localAddress }))
  await once(socket, 'connect')
  return socket
}

/** What is heard of a message; `ended` where the connection is. */
async function heard(socket: Socket, text = frame(message)): Promise<string> {
  const answer = new Promise<string>(resolve => {
    socket.once('data', data => resolve(data.toString('latin1')))
    socket.once('close', () => resolve('ended'))
  })
  socket.write(text, 'latin1')
  return answer
}

const all = <T>(work: (at: number) => Promise<T>) => Promise.all(Array.from({ length: places }, (_, at) => work(at)))

/** All places of a port, taken by those who have done something first. */
async function taken(at: number, first: (socket: Socket) => unknown, from?: string): Promise<readonly Socket[]> {
  return all(async () => {
    const socket = await connected(at, from)
    await first(socket)
    return socket
  })
}

describe('a place', () => {
  it.each([
    ['say nothing', () => undefined],
    ['begin a message and do not end it', (socket: Socket) => socket.write('\x0bMSH|')],
    ['have sent one and are silent', (socket: Socket) => heard(socket)],
  ])('is found though as many as may be connected %s', async (_, first) => {
    const { at } = await port()
    await taken(at, first)
    expect(await heard(await connected(at))).toContain('MSA|AA')
  })

  it('is found behind TLS though as many have begun a handshake', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kinhold-mllp-'))
    const authority = await authorityIn(folder, [], new Date())
    const { current } = await openOwn(authority, new Date())
    const { at } = await port({ tls: current })
    await taken(at, () => undefined)
    const socket = kept(connectTls({ port: at, host: '127.0.0.1', servername: 'localhost', ca: authority.cert }))
    expect(await heard(socket)).toContain('MSA|AA')
    await rm(folder, { recursive: true })
  })

  it('is not taken from whoever has a message in hand by one of the same network, and is by one of another', async () => {
    const { at, said } = await port()
    const [oldest] = await taken(at, socket => socket.write(frame(`${unanswered}|B\r`), 'latin1'))
    while (handedOn.length < places) await once(bodies, 'body')
    expect(await heard(await connected(at))).toBe('ended')
    expect(said.join()).toContain('all places are taken')
    expect(oldest?.destroyed).toBe(false)
    expect(await heard(await connected(at, '127.0.0.2'))).toContain('MSA|AA')
  })

  it('is counted for each connection, though one comes from where another does', async () => {
    const { at } = await port({ host: '0.0.0.0', mostConnections: 2 })
    const first = await connected(at)
    const from = { localAddress: '127.0.0.1', localPort: first.localPort ?? 0 }
    await once(kept(connect({ port: at, host: '127.0.0.2', ...from })), 'connect')
    const [, answer] = await Promise.all([once(first, 'close'), heard(await connected(at))])
    expect(answer).toContain('MSA|AA')
  })

  it('is kept by another network while one takes all that there are', async () => {
    const { at } = await port()
    const other = await connected(at, '127.0.0.2')
    expect(await heard(other)).toContain('MSA|AA')
    await taken(at, socket => heard(socket))
    await taken(at, () => undefined)
    expect(await heard(other)).toContain('MSA|AA')
  })
})

describe('a frame that begins within another – HL7 MLLP, Release 1', () => {
  const half = 'MSH|^~\\&|A|B|C|D|20240310080000+0000||ADT^A01|M0|P|2.5.1\rPID|1||4711'
  const sent = async (text: string, piece = text.length) => {
    const { at, said } = await port()
    const socket = await connected(at)
    const answer = heard(socket, text.slice(0, piece))
    for (let from = piece; from < text.length; from += piece) {
      await new Promise(resolve => setImmediate(resolve))
      socket.write(text.slice(from, from + piece), 'latin1')
    }
    expect(await answer).toContain('MSA|AA')
    return { handed: [...handedOn], said }
  }

  it.each([undefined, 1, 7])('is the message: the one that did not end is nobody’s (in pieces of %s)', async piece => {
    const { handed, said } = await sent(`\x0b${half}\x0b${half}\r\x0b${message}\x1c\r`, piece)
    expect(handed).toEqual([message])
    expect(said).toEqual(['dropped a message of 127.0.0.1: another began within it'])
  })

  it.each(['FHS', 'BHS'])('may begin with %s', async head => {
    const { handed } = await sent(`\x0b${half}\x0b${head}|^~\\&\r${message}\x1c\r`)
    expect(handed).toEqual([`${head}|^~\\&\r${message}`])
  })

  it('is none where a text holds the byte, or it came twice', async () => {
    const text = `${message}NTE|1||one line\x0banother,\x0bMSHA Clinic\x0bMSH\r`
    const { handed, said } = await sent(`\x0b\x0b${text}\x1c\r`)
    expect([handed, said]).toEqual([[text], []])
  })
})

it('holds no more of messages than it may: whoever has most of one that did not end is ended', async () => {
  const { at, said } = await port({ mostHeldBytes: 1024 * 1024 })
  const [first, long, third] = [await connected(at), await connected(at), await connected(at)]
  for (const short of [first, third]) short.write(`\x0bMSH|${'x'.repeat(50_000)}`)
  expect(await heard(long, `\x0bMSH|${'x'.repeat(2_000_000)}`)).toBe('ended')
  expect(said).toEqual(['ended a connection of 127.0.0.1: there are too many long messages at once'])
  for (const short of [first, third]) expect(await heard(short, '\x1c\r')).toContain('MSA|AA')
})

it('holds what is in hand, however much it is', async () => {
  const { at } = await port({ mostHeldBytes: 300_000 })
  const socket = await connected(at)
  expect(await heard(socket, frame(`MSH|${'x'.repeat(200_000)}`))).toContain('MSA|AA')
  expect(await heard(socket, frame(`MSH|${'x'.repeat(200_000)}`))).toContain('MSA|AA')
})

it('says a few times that somebody is refused, and counts from then on', async () => {
  const { at, said } = await port({ networks: ['127.0.0.2'] })
  await all(async () => heard(kept(connect({ port: at, host: '127.0.0.1' })), ''))
  expect(said.length).toBeGreaterThan(0)
  expect(said.length).toBeLessThan(places / 2)
})
