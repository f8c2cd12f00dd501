import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Listening, listen } from '#http'
import { type ConnectionLimits, Connections, connectionLimits } from '../../../src/http/admission/connections.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

let house: WebHouse
let server: Listening
const sockets: Socket[] = []
/** Nobody is cut for this who is to be cut for something else. */
const never = 1e9
const delay = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

async function open(connections: Partial<ConnectionLimits>): Promise<void> {
  house = await openWebHouse({ baseUrl: 'http://127.0.0.1:1', connections: { sweepMs: 50, ...connections } })
  server = await listen(house.app, { host: '127.0.0.1', port: 0 })
}
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close(0)
  await house.close()
})

/** A connection that has been accepted; what comes back is gathered, unless nobody reads. */
async function dial({ from = '127.0.0.1', send = '', reads = true } = {}) {
  const socket = connect({ port: server.port, host: '127.0.0.1', localAddress: from })
  const chunks: Buffer[] = []
  sockets.push(socket)
  if (reads) socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  if (send !== '') socket.write(send)
  const closed = new Promise(resolve => socket.once('close', resolve))
  return { socket, text: () => Buffer.concat(chunks).toString(), closed }
}

const health = 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

async function isHealthy(from?: string): Promise<boolean> {
  const { text, closed } = await dial({ send: health, ...(from === undefined ? {} : { from }) })
  await closed
  return text().startsWith('HTTP/1.1 200')
}

const isOpen = ({ socket }: { socket: Socket }) => !socket.closed

describe('connections', () => {
  it('are cut within ten seconds of saying nothing, and cannot be had without end', async () => {
    await open({})
    const { silentMs, headMs, sweepMs, ofNetwork, total } = connectionLimits
    expect(Math.max(silentMs, headMs) + sweepMs).toBeLessThanOrEqual(10_000)
    expect(2 * ofNetwork).toBeLessThanOrEqual(total)
  })

  it('that say nothing are closed, those that have begun are not', async () => {
    await open({ silentMs: 300 })
    const silent = await dial()
    const begun = await dial({ send: 'GET /healthz HTTP/1.1\r\nHost: x\r\n' })
    await silent.closed
    begun.socket.write('Connection: close\r\n\r\n')
    await begun.closed
    expect(begun.text()).toMatch(/^HTTP\/1.1 200/)
  })

  it.each([
    ['a letter', 'G'],
    ['half a head', 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: '],
  ])('that send no more than %s are closed, however many there are', async (_, send) => {
    await open({ silentMs: 200, headMs: 400 })
    const halves = await Promise.all(Array.from({ length: 300 }, () => dial({ send })))
    await Promise.all(halves.map(({ closed }) => closed))
    expect(await isHealthy()).toBe(true)
  })

  it('that have asked while nobody listened are answered, and not taken for silent ones', async () => {
    await open({ silentMs: 300, headMs: 300 })
    const { add } = Connections.prototype
    const accepted = new Promise<void>(resolve => {
      Connections.prototype.add = function (...of) {
        add.apply(this, of)
        resolve()
      }
    })
    const asking = await dial()
    await accepted
    Connections.prototype.add = add
    asking.socket.write(health)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
    await asking.closed
    expect(asking.text()).toMatch(/^HTTP\/1\.1 200/)
  })

  it('that say nothing make room for who does, the oldest first', async () => {
    await open({ total: 60, ofNetwork: 20, silentMs: never, headMs: never })
    const silent = []
    for (let n = 0; n < 30; n++) silent.push(await dial())
    for (let n = 0; n < 3; n++) expect(await isHealthy()).toBe(true)
    expect(await isHealthy('127.0.0.2')).toBe(true)
    await Promise.all(silent.slice(0, 10).map(({ closed }) => closed))
    expect(silent.slice(15).filter(isOpen)).toHaveLength(15)
  })

  it('of many networks make room as well, when there are too many in all', async () => {
    await open({ total: 20, ofNetwork: 10, silentMs: never, headMs: never })
    const silent = []
    for (let n = 0; n < 40; n++) silent.push(await dial({ from: `127.0.1.${(n % 10) + 1}` }))
    expect(await isHealthy()).toBe(true)
    expect(silent.filter(isOpen).length).toBeLessThanOrEqual(20)
  })

  it('that are kept alive make room for who asks, and none that is at work while one is idle', async () => {
    await open({ total: 10, ofNetwork: 10 })
    const idle = []
    for (let n = 0; n < 10; n++) idle.push(await dial({ send: 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' }))
    while (!idle.every(({ text }) => text().endsWith('}'))) await delay(5)
    expect(await isHealthy('127.0.0.2')).toBe(true)
    await Promise.race(idle.map(({ closed }) => closed))
    expect(idle.filter(isOpen)).toHaveLength(9)
  })

  it('may not ask for more than they wait for', async () => {
    await open({ pipelined: 8 })
    const few = await dial({ send: 'GET /fhir/Patient HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(7) + health })
    await few.closed
    expect(few.text().match(/HTTP\/1.1 /g)).toHaveLength(8)
    const many = await dial({ send: 'GET /fhir/Patient HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2000) })
    await many.closed
    expect(many.text().match(/HTTP\/1.1 /g)?.length ?? 0).toBeLessThanOrEqual(8)
    expect(await isHealthy()).toBe(true)
  })

  it.each([
    ['by whom nobody reads', 0],
    ['by a sip now and then', 1024],
  ])('are cut when an answer is taken %s', async (_how, sip) => {
    await open({ untakenMs: 400, slowestBytesPerSecond: 1e9 })
    const token = await house.token('system/*.cruds')
    const head = `Host: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/fhir+json\r\n`
    const body = JSON.stringify({ resourceType: 'Binary', contentType: 'text/plain', data: 'AAAA'.repeat(4_000_000) })
    const sent = await dial({
      send: `POST /fhir/Binary HTTP/1.1\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`,
    })
    while (!sent.text().includes('\r\n\r\n')) await delay(20)
    const id = /location: \S*\/Binary\/([^/]+)\//i.exec(sent.text())?.[1]
    const slow = await dial({ send: `GET /fhir/Binary/${id} HTTP/1.1\r\n${head}\r\n`, reads: false })
    const sipping = setInterval(() => slow.socket.read(sip), 50)
    const healthy = await isHealthy()
    // Whoever does not read hears of the end only when writing.
    while (isOpen(slow)) {
      slow.socket.write(' ')
      await delay(50)
    }
    clearInterval(sipping)
    expect(healthy).toBe(true)
  })
})
