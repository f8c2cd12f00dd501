import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { HttpConfig, Listening } from '#http'
import { listen } from '#http'
import { catalogue } from '#interactions'
import { isProblem } from '#kernel'
import { Admission, type Place } from '../../../src/http/admission/admission.ts'
import { type Lane, type LaneTable, laneOf, laneTable, unitsOf } from '../../../src/http/admission/lanes.ts'
import { type Answer, type Client, openClient } from '../../journeys/server/client.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

const narrow = { atOnce: 1, ofOne: 1, waiting: 1000, standing: 1000, patienceMs: 60_000, heavy: false }
const lanesWith = (lanes: Partial<LaneTable>): LaneTable => ({ ...laneTable, ...lanes })
const delay = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

describe('what a kind of work is decided by', () => {
  it.each([
    ['GET', '/:type/:id', 'reads'],
    ['GET', '/metadata', 'reads'],
    ['GET', '/:type', 'searches'],
    ['POST', '/:type/_search', 'searches'],
    ['GET', '/_history', 'searches'],
    ['GET', '/Patient/:id/$everything', 'searches'],
    ['POST', '/:type/$validate', 'searches'],
    ['POST', '/:type', 'writes'],
    ['DELETE', '/:type/:id', 'writes'],
    ['POST', '/', 'writes'],
    ['POST', '/Patient/:id/$ingest', 'imports'],
    ['POST', '/hl7v2', 'imports'],
  ])('%s %s is one of the %s', (method, path, lane) => {
    const route = catalogue.find(row => row.method === method && row.path === path)
    expect(route && laneOf(route)).toBe(lane)
  })

  it('counts for more the longer its body is, and never for more than one may have', () => {
    const { writes } = laneTable
    expect([0, 4095, 4096, 40_000, 1e9].map(bytes => unitsOf(bytes, writes))).toEqual([1, 1, 2, 10, writes.ofOne])
  })
})

describe('places', () => {
  const place = (caller: string, units = 1, lane: Lane = 'writes'): Place => ({ lane, caller, units })

  /** Begins what may begin, in the order in which it does, giving each place back at once. */
  async function order(admission: Admission, places: readonly Place[]): Promise<string[]> {
    const begun: string[] = []
    const waits = places.map(async each => {
      await admission.enter(each, performance.now())
      begun.push(each.caller)
      admission.leave(each)
    })
    await Promise.all(waits)
    return begun
  }

  it('are had at once while nobody waits', () => {
    const admission = new Admission()
    const nowMs = performance.now()
    for (const lane of Object.keys(laneTable) as Lane[])
      expect(admission.enter(place('a', 1, lane), nowMs)).toBeUndefined()
  })

  it('go to callers in turns: who asks for one is not behind the thousand of another', async () => {
    const admission = new Admission(lanesWith({ writes: narrow }))
    const held = place('holder')
    admission.enter(held, performance.now())
    const greedy = Array.from({ length: 500 }, () => place('greedy'))
    const done = order(admission, [...greedy, place('modest'), place('modest'), place('other')])
    admission.leave(held)
    const begun = await done
    expect(begun).toHaveLength(503)
    expect(Math.max(begun.lastIndexOf('modest'), begun.lastIndexOf('other'))).toBeLessThan(30)
  })

  it('count by weight: who sends much has as many units of the time as who sends little', async () => {
    const admission = new Admission(lanesWith({ writes: { ...narrow, atOnce: 40, ofOne: 40 } }))
    const held = place('holder', 40)
    admission.enter(held, performance.now())
    const heavy = Array.from({ length: 50 }, () => place('heavy', 40))
    const light = Array.from({ length: 100 }, () => place('light'))
    const done = order(admission, [...heavy, ...light])
    admission.leave(held)
    const begun = await done
    const until = begun.lastIndexOf('light')
    expect(begun.slice(0, until).filter(caller => caller === 'heavy').length).toBeLessThanOrEqual(5)
  })

  it('are left to others: one caller never has all of them', async () => {
    const admission = new Admission()
    const { atOnce, ofOne } = laneTable.searches
    const nowMs = performance.now()
    const tries = Array.from({ length: atOnce }, () => admission.enter(place('greedy', 1, 'searches'), nowMs))
    expect(tries.filter(pause => pause === undefined)).toHaveLength(ofOne)
    await admission.enter(place('modest', 1, 'searches'), performance.now())
    void Promise.allSettled(tries)
  })

  it('are refused when the queue is full, yet one more caller always finds room', async () => {
    const admission = new Admission(lanesWith({ writes: { ...narrow, waiting: 4 } }))
    admission.enter(place('holder'), performance.now())
    const refused: string[] = []
    const ask = (caller: string) =>
      admission.enter(place(caller), performance.now())?.catch(error => {
        if (isProblem(error, 'busy')) refused.push(`${caller} ${error.code} ${(error.retryAfterSeconds ?? 0) > 0}`)
      })
    const waits = Array.from({ length: 10 }, () => ask('greedy'))
    waits.push(ask('modest'))
    await delay(200)
    expect(refused).toEqual(Array(6).fill('greedy request.queue-full true'))
    void waits
  })

  it('are given up by who has gone, and by who has waited too long', async () => {
    const admission = new Admission(lanesWith({ writes: { ...narrow, patienceMs: 100 } }))
    const held = place('holder')
    admission.enter(held, performance.now())
    const gone = new AbortController()
    const first = admission.enter(place('a'), performance.now(), () => gone.signal)
    const second = admission.enter(place('a'), performance.now())
    gone.abort()
    await expect(first).rejects.toMatchObject({ code: 'request.queue-full' })
    await expect(second).rejects.toMatchObject({ code: 'request.queue-full' })
    admission.leave(held)
    expect(admission.enter(place('b'), performance.now())).toBeUndefined()
  })
})

describe('a server that has more to do than it can', () => {
  let house: WebHouse
  let server: Listening
  const clients: Client[] = []

  async function open(config: Partial<HttpConfig>): Promise<string> {
    house = await openWebHouse({ baseUrl: 'http://127.0.0.1:1', ...config })
    server = await listen(house.app, { host: '127.0.0.1', port: 0 })
    const admin = await client('system/*.cruds')
    await admin.send({ method: 'PUT', path: '/fhir/Patient/a', body: { resourceType: 'Patient', id: 'a' } })
    return house.token('system/*.cruds')
  }
  async function client(scope: string): Promise<Client> {
    const opened = openClient(`http://127.0.0.1:${server.port}`, await house.token(scope))
    clients.push(opened)
    return opened
  }
  afterEach(async () => {
    for (const each of clients.splice(0)) each.close()
    await server.close(0)
    await house.close()
  })

  /** An import that has begun and does not go on; `rest` sends what is missing. */
  async function holdImport(token: string): Promise<{ socket: Socket; rest(): void; answer: Promise<string> }> {
    const socket = connect(server.port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', () => undefined)
    const body = JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry: [] })
    const head = `POST /fhir/Patient/a/$ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`
    socket.write(
      `${head}Content-Type: application/fhir+json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
    )
    const answer = once(socket, 'close').then(() => Buffer.concat(chunks).toString())
    await delay(50)
    return { socket, rest: () => socket.write(body.slice(5)), answer }
  }

  it('tells of its health, reads and writes while imports wait, and refuses more with Retry-After', async () => {
    const token = await open({ lanes: lanesWith({ imports: { ...narrow, waiting: 1 } }) })
    const holding = await holdImport(token)
    const waiting = await holdImport(token)
    const admin = await client('system/*.cruds')
    const importBody = { resourceType: 'Bundle', type: 'collection', entry: [] }
    const refused = await new Promise<Answer>((resolve, reject) => {
      const other = openClient(`http://127.0.0.1:${server.port}`, token)
      clients.push(other)
      other.send({ method: 'POST', path: '/fhir/Patient/a/$ingest', body: importBody }).then(resolve, reject)
    })
    expect(refused.status).toBe(503)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(refused.json()).toMatchObject({ resourceType: 'OperationOutcome', issue: [{ code: 'transient' }] })
    for (const path of ['/healthz', '/readyz', '/fhir/Patient/a', '/fhir/Patient?_count=1'])
      expect((await admin.send({ path })).status).toBe(200)
    waiting.socket.destroy()
    await delay(50)
    const next = await holdImport(token)
    for (const { rest } of [holding, next]) rest()
    expect(await holding.answer).not.toMatch(/^HTTP\/1.1 503/)
    expect(await next.answer).not.toMatch(/^HTTP\/1.1 503/)
  })

  const weight = (n: number) => ({
    resourceType: 'Bundle',
    type: 'collection',
    entry: [
      {
        resource: {
          resourceType: 'Observation',
          status: 'final',
          code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
          subject: { reference: 'Patient/somebody' },
          effectiveDateTime: '2026-02-01T08:00:00Z',
          valueQuantity: { value: n, unit: 'kg', system: 'http://unitsofmeasure.org', code: 'kg' },
        },
      },
    ],
  })
  const path = '/fhir/Patient/a/$ingest'
  const sendWeights = (by: Client, count: number, from = 0): Promise<Answer>[] =>
    Array.from({ length: count }, (_, n) => by.send({ method: 'POST', path, body: weight(from + n) }))

  it('answers one who asks for little while another asks for much', async () => {
    const token = await open({ lanes: lanesWith({ imports: narrow }) })
    const holding = await holdImport(token)
    const greedy = await client('system/*.cruds')
    const modest = await client('system/*.cruds')
    let done = 0
    const flood = sendWeights(greedy, 60).map(asked => asked.then(() => done++))
    await delay(300)
    const asked = sendWeights(modest, 2, 100).map(each => each.then(({ status }) => [status, done < 30]))
    await delay(100)
    holding.rest()
    expect(await Promise.all(asked)).toEqual([
      [200, true],
      [200, true],
    ])
    await Promise.all(flood)
  })

  it('has stored what it acknowledged, and nothing of what it refused', async () => {
    const token = await open({ lanes: lanesWith({ imports: { ...narrow, waiting: 10 } }) })
    const holding = await holdImport(token)
    const greedy = await client('system/*.cruds')
    const asked = sendWeights(greedy, 60)
    await delay(500)
    holding.rest()
    const answers = await Promise.all(asked)
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter(status => status === 200)).toHaveLength(10)
    expect(statuses.filter(status => status === 503)).toHaveLength(50)
    expect(answers.every(({ status, headers }) => status === 200 || Number(headers['retry-after']) > 0)).toBe(true)
    const found = await greedy.send({ path: '/fhir/Observation?_summary=count' })
    expect(found.json<{ total: number }>().total).toBe(10)
  })

  it('does what waits before it closes', async () => {
    const token = await open({ lanes: lanesWith({ imports: narrow }) })
    const holding = await holdImport(token)
    const asked = sendWeights(await client('system/*.cruds'), 10)
    await delay(300)
    const closed = server.close()
    holding.rest()
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    expect(statuses).toEqual(Array(10).fill(200))
    for (const each of clients) each.close()
    await closed
  })
})
