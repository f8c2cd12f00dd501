import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import type { Client } from './server/client.ts'
import { openClient } from './server/client.ts'
import type { Home } from './server/home.ts'
import { lastLine, newHome, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

const longest = 120_000
const mebibyte = 1024 * 1024
/** More than is held, of three parts. */
const large = Buffer.alloc(9 * mebibyte + 77)
for (let at = 0; at + 4 <= large.length; at += 4) large.writeUInt32LE((at * 2654435761) % 4294967296, at)

let home: Home
let server: RunningServer
let token: string
let client: Client
const start = async () => {
  server = await startServer({ ...home, env: { ...home.env, KINHOLD_BINARY_MAX: '10M' } })
  client = openClient(server.url, token)
}

beforeAll(async () => {
  home = await newHome('large-binaries')
  await start()
  client.close()
  token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  client = openClient(server.url, token)
}, longest)
afterAll(async () => {
  client.close()
  await server.stop()
  await home.remove()
}, longest)

const post = (body: Buffer, headers: Readonly<Record<string, string>> = {}) =>
  client.send({ method: 'POST', path: '/fhir/Binary', body, headers: { 'content-type': 'video/mp4', ...headers } })

/** Sends the head of a large body and a part of it. @returns cuts the connection */
async function sendHalf(): Promise<() => void> {
  const { hostname, port } = new URL(server.url)
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'video/mp4',
    'content-length': String(large.length),
  }
  const sent = httpRequest({ hostname, port, method: 'POST', path: '/fhir/Binary', headers })
  sent.on('error', () => undefined)
  await new Promise<void>(resolve => {
    sent.write(large.subarray(0, 6 * mebibyte), () => resolve())
  })
  return () => sent.destroy()
}

/** Says nothing of the length. @returns the id of what was made */
async function sendInChunks(): Promise<string> {
  const { hostname, port } = new URL(server.url)
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'video/mp4' }
  const sent = httpRequest({ hostname, port, method: 'POST', path: '/fhir/Binary', headers })
  for (let at = 0; at < large.length; at += mebibyte) sent.write(large.subarray(at, at + mebibyte))
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return (JSON.parse(await text(response)) as { id: string }).id
}

const total = async () => {
  const answer = await client.send({ path: '/fhir/Binary?_summary=count' })
  return answer.json<{ total: number }>().total
}

it(
  'a large Binary goes in and out over HTTP, whole and in parts, and outlives the process',
  async () => {
    const made = await post(large)
    expect([made.status, made.body.length < 2000]).toEqual([201, true])
    const { id } = made.json<{ id: string }>()
    const path = `/fhir/Binary/${id}`
    const whole = await client.send({ path, headers: { 'accept-encoding': 'gzip' } })
    // Not packed: a part of it is a part of these bytes.
    expect([whole.status, whole.headers['content-length'], whole.headers['content-encoding']]).toEqual([
      200,
      String(large.length),
      undefined,
    ])
    expect(whole.body.equals(large)).toBe(true)
    const head = await client.send({ method: 'HEAD', path })
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, String(large.length), 0])
    expect((await client.send({ path, headers: { accept: 'application/fhir+json' } })).status).toBe(406)
    await server.kill()
    client.close()
    await start()
    const range = { range: 'bytes=4194000-8388999' }
    const part = await client.send({ path, headers: { ...range, 'if-range': '"1"' } })
    expect([part.status, part.body.equals(large.subarray(4194000, 8389000))]).toEqual([206, true])
    const unchanged = await client.send({ path, headers: { 'if-none-match': '"1"' } })
    expect(unchanged.status).toBe(304)
  },
  longest,
)

it(
  'a body of unknown length is taken, packed or in chunks',
  async () => {
    const packed = await post(gzipSync(large), { 'content-encoding': 'gzip' })
    const ids = [packed.json<{ id: string }>().id, await sendInChunks()]
    for (const id of ids) {
      expect((await client.send({ path: `/fhir/Binary/${id}` })).body.equals(large)).toBe(true)
    }
  },
  longest,
)

it(
  'what is more than the server takes is refused with its figure',
  async () => {
    // That it is too much is known at its end only: nobody is cut off who still sends.
    const over = gzipSync(Buffer.alloc(10 * mebibyte + 1, large.subarray(0, 20_000)))
    const answer = await post(over, { 'content-encoding': 'gzip' })
    expect([answer.status, answer.body.toString()]).toEqual([413, expect.stringContaining(String(10 * mebibyte))])
  },
  longest,
)

it(
  'who stops in the middle leaves nothing to be seen, and a server that is killed meanwhile starts whole',
  async () => {
    const before = await total()
    const cut = await sendHalf()
    cut()
    await sendHalf()
    await server.kill()
    client.close()
    await start()
    expect(await total()).toBe(before)
    client.close()
    await server.stop()
    const verified = await run(home, 'verify')
    expect(verified.status).toBe(0)
    await start()
  },
  longest,
)
