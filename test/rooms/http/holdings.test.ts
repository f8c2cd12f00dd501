import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, get, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { type Listening, listen } from '#http'
import { isProblem } from '#kernel'
import { HeldBody, Holdings } from '../../../src/http/admission/holdings.ts'
import { openClient } from '../../journeys/server/client.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

const long = 100_000
const limits = { all: 5 * long, ofOne: 3 * long, keptMs: 0 }

function codeOf(work: () => void): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return isProblem(error, 'busy') && error.retryAfterSeconds !== undefined ? error.code : String(error)
  }
}

describe('bodies in memory', () => {
  it('are so many bytes of one caller, and so many in all', () => {
    const holdings = new Holdings(limits)
    const take = (caller: string, bytes: number) => codeOf(() => holdings.take(caller, bytes))
    expect([take('a', 2 * long), take('a', 2 * long), take('a', long)]).toEqual([
      undefined,
      'request.queue-full',
      undefined,
    ])
    expect([take('b', 2 * long), take('c', long), take('b', long)]).toEqual([
      undefined,
      'request.queue-full',
      'request.queue-full',
    ])
    holdings.give('a', 3 * long)
    expect([take('c', long), take('b', long)]).toEqual([undefined, undefined])
  })

  it('may each be larger than a share when nothing else is there', () => {
    const holdings = new Holdings(limits)
    expect(codeOf(() => holdings.take('a', 50 * long))).toBeUndefined()
    holdings.give('a', 50 * long)
    expect(holdings.all).toBe(0)
  })

  it('count from the first bytes that are more than a short one has, and are given back once', () => {
    const holdings = new Holdings(limits)
    const body = new HeldBody(holdings, 'a')
    body.grow(60_000)
    expect(holdings.all).toBe(0)
    body.grow(60_000)
    expect(holdings.all).toBe(120_000 - 65_536)
    body.end()
    body.end()
    expect(holdings.all).toBe(0)
  })
})

describe('answers that are not taken', () => {
  let server: Server
  let asked: ServerResponse[]

  beforeAll(async () => {
    server = createServer((_request, response) => {
      asked.push(response)
      server.emit('asked')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  beforeEach(() => {
    asked = []
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  async function responses(count: number): Promise<ServerResponse[]> {
    const { port } = server.address() as AddressInfo
    while (asked.length < count) {
      const arrived = once(server, 'asked')
      get({ port, host: '127.0.0.1', agent: false }).on('error', () => undefined)
      await arrived
    }
    return asked
  }

  it('are counted until their connections close', async () => {
    const holdings = new Holdings(limits)
    const [one, short] = (await responses(2)) as [ServerResponse, ServerResponse]
    holdings.keepIfRoom('a', one, 3 * long)
    holdings.keep('a', short, 1000)
    expect(holdings.all).toBe(3 * long)
    one.req.socket.destroy()
    await once(one, 'close')
    expect(holdings.all).toBe(0)
  })

  it('make room for others, the oldest first, and only those that have lain for long', async () => {
    const [old, young, next] = (await responses(3)) as [ServerResponse, ServerResponse, ServerResponse]
    const patient = new Holdings({ ...limits, keptMs: 60_000 })
    patient.keep('a', old, 3 * long)
    expect(codeOf(() => patient.keepIfRoom('a', next, long))).toBe('request.queue-full')
    const holdings = new Holdings(limits)
    holdings.keep('a', old, 2 * long)
    holdings.keep('b', young, 2 * long)
    await new Promise(resolve => setTimeout(resolve, 5))
    expect(codeOf(() => holdings.keepIfRoom('c', next, 2 * long))).toBeUndefined()
    expect([old, young, next].map(({ req }) => req.socket.destroyed)).toEqual([true, false, false])
  })

  it('are told after writing, however many there are; what would write more does not begin', async () => {
    const [one, two] = (await responses(2)) as [ServerResponse, ServerResponse]
    const holdings = new Holdings({ ...limits, keptMs: 60_000 })
    holdings.keep('a', one, 3 * long)
    expect(codeOf(() => holdings.check('a'))).toBeUndefined()
    holdings.keep('a', two, long / 2 + 50_000)
    expect(codeOf(() => holdings.check('a'))).toBe('request.queue-full')
    expect(codeOf(() => holdings.check('b'))).toBe('request.queue-full')
  })
})

describe('many long bodies at once', () => {
  let house: WebHouse
  let listening: Listening

  beforeAll(async () => {
    house = await openWebHouse({ baseUrl: 'http://127.0.0.1' })
    listening = await listen(house.app, { host: '127.0.0.1', port: 0 })
  })
  afterAll(async () => {
    await listening.close()
    await house.close()
  })

  /** Some 60 kB that unpack to 10 MB. */
  function packed(): Buffer {
    const part = () => randomBytes(40).toString('base64') + 'ab '.repeat(3_300)
    const text = Array.from({ length: 1_000 }, part).join('')
    return gzipSync(JSON.stringify({ resourceType: 'Basic', code: { text } }))
  }

  it('are refused with the time after which to ask again, and one is taken afterwards', async () => {
    const body = packed()
    const client = openClient(`http://127.0.0.1:${listening.port}`, await house.token('system/*.cruds'))
    const headers = { 'content-type': 'application/fhir+json', 'content-encoding': 'gzip' }
    const send = () => client.send({ method: 'POST', path: '/fhir/Basic/$validate', headers, body })
    const answers = await Promise.all(Array.from({ length: 16 }, send))
    const refused = answers.filter(({ status }) => status === 503)
    expect(refused.length).toBeGreaterThan(5)
    for (const { headers: told, json } of refused) {
      expect(Number(told['retry-after'])).toBeGreaterThan(0)
      const { issue } = json<{ issue: { details: { coding: { code: string }[] } }[] }>()
      expect(issue[0]?.details.coding[0]?.code).toBe('request.queue-full')
    }
    expect((await send()).status).toBe(200)
    client.close()
  })
})
