/** What a port bears of those who connect to it: `net` is who connects, a bare HTTP server is whom messages are handed on to. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { type Listener, type ListenerOptions, listenMllp } from '#mllp'

const er7 = 'x-application/hl7-v2+er7'
const msh = 'MSH|^~\\&|A|B|C|D|20240310080000+0000||ADT^A01|M1|P|2.5.1'
let answer = 'MSH|^~\\&|C|D|A|B|20240310080000+0000||ACK|1|P|2.5.1\rMSA|AA|M1\r'
let count = 0
let server: Server
const open: Listener[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume().once('end', () => {
      count++
      response.writeHead(200, { 'content-type': er7 }).end(answer)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(async () => {
  for (const listener of open) await listener.close()
  server.closeAllConnections()
  server.close()
})

async function port(options: Partial<ListenerOptions>) {
  const said: string[] = []
  const { port: at } = server.address() as AddressInfo
  const delivery = { url: new URL(`http://127.0.0.1:${at}/hl7v2`), token: async () => 't', patienceMs: 60_000 }
  const listener = await listenMllp({
    port: 0,
    host: '127.0.0.1',
    networks: [],
    delivery,
    nowMs: () => 0,
    log: text => said.push(text),
    ...options,
  })
  open.push(listener)
  return { listener, said }
}

async function connected(at: number): Promise<Socket> {
  const socket = connect({ port: at, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** Whoever still writes when the other side ends is told so by an error before it. */
const closing = (socket: Socket) => new Promise<void>(resolve => socket.once('close', () => resolve()))

it('ends a connection whose message does not end, though a byte comes now and then', async () => {
  const { listener, said } = await port({ messageWithinMs: 300 })
  const socket = await connected(listener.port)
  const closed = closing(socket)
  socket.write('\x0bMSH|')
  const drip = setInterval(() => socket.write('x'), 20)
  await closed
  clearInterval(drip)
  expect(said.join()).toContain('did not end')
})

it('bears that nothing is said between messages', async () => {
  const { listener } = await port({ messageWithinMs: 300 })
  const socket = await connected(listener.port)
  for (const pause of [0, 600]) {
    await wait(pause)
    const said = once(socket, 'data')
    socket.write(`\x0b${msh}\r\x1c\r`, 'latin1')
    await said
  }
  socket.destroy()
})

it('bears that one message begins behind another', async () => {
  // The answer to the first takes the machine as long as it will: meanwhile the second is not late.
  const { listener } = await port({ messageWithinMs: 600_000 })
  const socket = await connected(listener.port)
  for (let round = 0; round < 2; round++) {
    const said = once(socket, 'data')
    socket.write(`\x0b${msh}\r\x1c\r\x0bMSH`, 'latin1')
    await said
    const next = once(socket, 'data')
    socket.write(`${msh.slice(3)}\r\x1c\r`, 'latin1')
    await next
  }
  socket.destroy()
})

it('hands nothing more on of whoever takes no answers, and closes all the same', async () => {
  answer = `${answer}ERR|${'x'.repeat(1024 * 1024)}\r`
  const before = count
  const { listener, said } = await port({ messageWithinMs: 300 })
  const socket = await connected(listener.port)
  socket.pause()
  for (let at = 0; at < 200; at++) socket.write(`\x0b${msh}\r\x1c\r`, 'latin1')
  while (said.length === 0 && count - before < 200) await wait(20)
  expect(count - before).toBeLessThan(200)
  expect(said.join()).toContain('not taken')
  await listener.close()
  socket.destroy()
})

it.each([
  ['', undefined],
  [' with TLS, before anything is said', {}],
])('refuses whom no network names%s', async (_, tls) => {
  const { listener, said } = await port({ networks: ['127.0.0.2'], ...(tls === undefined ? {} : { tls }) })
  const socket = connect({ port: listener.port, host: '127.0.0.1' })
  socket.on('error', () => undefined).resume()
  await closing(socket)
  expect(said).toEqual(['refused 127.0.0.1: of no network that may send'])
})
