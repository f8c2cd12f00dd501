import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { collect, isProblem } from '#kernel'
import { readBody, streamBody } from '../../../src/http/body.ts'

const limits = { maxBytes: 1000, deadlineMs: 60_000 }

/** A bare server that reads one body and says what came of it. */
let server: Server
let read: (request: IncomingMessage) => Promise<Buffer>

beforeAll(async () => {
  server = createServer((request, response) => {
    read(request).then(
      body => response.end(`${body.length} bytes`),
      error => response.writeHead(200, { connection: 'close' }).end(isProblem(error) ? error.code : String(error)),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  read = request => readBody(request, limits)
})

async function post(
  headers: Record<string, string>,
  write: (request: ReturnType<typeof send>) => void,
): Promise<string> {
  const { port } = server.address() as AddressInfo
  const request = send({ port, host: '127.0.0.1', method: 'POST', headers, agent: false })
  request.on('error', () => undefined)
  write(request)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const text = (await collect(response, 10_000)).toString()
  request.destroy()
  return text
}

function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

async function sendPieces(request: ReturnType<typeof send>): Promise<void> {
  for (let sent = 0; sent < 3; sent++) {
    request.write(Buffer.alloc(500_000))
    await turn()
  }
  request.end()
}

const whole = (bytes: Buffer, headers: Record<string, string> = {}) => post(headers, request => request.end(bytes))

describe('bodies that are held in memory', () => {
  it('are read whole, in one piece or in several', async () => {
    expect(await whole(Buffer.alloc(1000))).toBe('1000 bytes')
    expect(await whole(Buffer.alloc(0))).toBe('0 bytes')
    const inPieces = await post({}, request => {
      request.write(Buffer.alloc(400))
      setTimeout(() => request.end(Buffer.alloc(500)), 20)
    })
    expect(inPieces).toBe('900 bytes')
  })

  it('are held once, not in the pieces in which they came as well, however reading ended', async () => {
    const collectGarbage = collector()
    const held = async (limit: number) => {
      const pieces: WeakRef<Buffer>[] = []
      let kept = 0
      read = async request => {
        request.on('data', (piece: Buffer) => void pieces.push(new WeakRef(piece)))
        const body = await readBody(request, { ...limits, maxBytes: limit }).catch(() => Buffer.alloc(0))
        // What a WeakRef was made of stays until the turn ends.
        await turn()
        collectGarbage()
        kept = pieces.filter(piece => piece.deref() !== undefined).length
        return body
      }
      const answer = await post({ 'transfer-encoding': 'chunked' }, request => void sendPieces(request))
      return { answer, isMore: pieces.length > 1, kept }
    }
    expect(await held(2_000_000)).toEqual({ answer: '1500000 bytes', isMore: true, kept: 0 })
    expect(await held(1_000_000)).toMatchObject({ answer: '0 bytes', isMore: true, kept: 0 })
  })

  it('are refused by their announced length before they are read', async () => {
    const answer = await post({ 'content-length': '1000000000' }, request => request.write(Buffer.alloc(10)))
    expect(answer).toBe('body.too-large')
  })

  it('are refused once more has come than is taken, whatever was announced', async () => {
    expect(await post({ 'transfer-encoding': 'chunked' }, request => request.write(Buffer.alloc(1001)))).toBe(
      'body.too-large',
    )
  })

  it('may be gzip, and then what comes out is counted', async () => {
    const gzip = { 'content-encoding': 'gzip' }
    expect(await whole(gzipSync(Buffer.alloc(900)), gzip)).toBe('900 bytes')
    expect(await whole(gzipSync(Buffer.alloc(200_000)), gzip)).toBe('body.too-large')
    expect(gzipSync(Buffer.alloc(200_000)).length).toBeLessThan(1000)
  })

  it('are refused when they are not the gzip they say they are', async () => {
    expect(await whole(Buffer.from('plain text'), { 'content-encoding': 'gzip' })).toBe('body.encoding-broken')
    expect(await whole(gzipSync(Buffer.alloc(900)).subarray(0, 15), { 'content-encoding': 'gzip' })).toBe(
      'body.encoding-broken',
    )
  })

  it('are refused in any other encoding', async () => {
    expect(await whole(Buffer.from('x'), { 'content-encoding': 'br' })).toBe('body.encoding-unsupported')
  })

  it('must arrive in time', async () => {
    read = request => readBody(request, { ...limits, deadlineMs: 300 })
    expect(await post({ 'content-length': '100' }, request => request.write(Buffer.alloc(10)))).toBe('body.too-slow')
  })

  it('must not end early', async () => {
    const failed = new Promise<string>(resolve => {
      read = async request => {
        const body = readBody(request, limits)
        request.once('data', () => sent.destroy())
        body.then(
          () => resolve('whole'),
          error => resolve(isProblem(error) ? error.code : 'another error'),
        )
        return body
      }
    })
    const { port } = server.address() as AddressInfo
    const sent = send({ port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': '100' } })
    sent.on('error', () => undefined)
    sent.write('half')
    expect(await failed).toBe('body.interrupted')
  })
})

describe('bodies that are streamed', () => {
  it('are waited for no longer than others, but what is done with them may take its time', async () => {
    server.setTimeout(60_000)
    read = async request => {
      const during = request.socket.timeout
      await collect(streamBody(request, 5000), 5000)
      return Buffer.alloc(during === 60_000 && request.socket.timeout === 0 ? 1 : 0)
    }
    expect(await whole(Buffer.alloc(10))).toBe('1 bytes')
  })

  beforeEach(() => {
    read = request => collect(streamBody(request, 5000), 1_000_000)
  })

  it('pass through as they come', async () => {
    expect(await whole(Buffer.alloc(5000))).toBe('5000 bytes')
  })

  it('are cut off at the limit, compressed or not', async () => {
    expect(await post({ 'transfer-encoding': 'chunked' }, request => request.write(Buffer.alloc(5001)))).toBe(
      'body.too-large',
    )
    expect(await whole(gzipSync(Buffer.alloc(9_000_000)), { 'content-encoding': 'gzip' })).toBe('body.too-large')
  })

  it('may not unpack to more than two hundred times what was sent: body.unpacks-too-far', async () => {
    let passed = 0
    read = async request => {
      for await (const chunk of streamBody(request, 1_000_000_000)) passed += chunk.length
      return Buffer.alloc(0)
    }
    const gzip = { 'content-encoding': 'gzip' }
    expect(await whole(gzipSync(Buffer.alloc(50_000_000)), gzip)).toBe('body.unpacks-too-far')
    expect(passed).toBeLessThan(4_000_000)
    // What an app may well send: the same record again and again.
    const row = '{"type":"HKQuantityTypeIdentifierHeartRate","value":60,"start":"2026-02-03T08:15:30Z","at":'
    const rows = Array.from({ length: 50_000 }, (_, at) => `${row}${at}}`).join('\n')
    expect(await whole(gzipSync(rows), gzip)).toBe('0 bytes')
    read = request => readBody(request, { maxBytes: 1_000_000_000, deadlineMs: 60_000 })
    expect(await whole(gzipSync(Buffer.alloc(50_000_000)), gzip)).toBe('body.unpacks-too-far')
  })

  it('leave nothing behind when nobody reads on', async () => {
    const unpacking = () => process.getActiveResourcesInfo().filter(one => /zlib/i.test(one)).length
    read = async request => {
      for await (const chunk of streamBody(request, 1_000_000_000)) return Buffer.from(chunk.subarray(0, 1))
      return Buffer.alloc(0)
    }
    const before = unpacking()
    expect(await whole(gzipSync(Buffer.alloc(900_000)), { 'content-encoding': 'gzip' })).toBe('1 bytes')
    while (unpacking() > before) await new Promise(resolve => setTimeout(resolve, 5))
  })
})
