import { type Listening, listen } from '#http'
import { catalogue } from '#interactions'
import { isProblem, meters } from '#kernel'
import { openMemoryStore, type Store } from '#store'
import { Admission, type Place } from '../../../src/http/admission/admission.ts'
import {
  type Lane,
  type LaneRow,
  type LaneTable,
  laneOf,
  laneTable,
  movesMs,
  unitsOf,
} from '../../../src/http/admission/lanes.ts'
import { carried, Presence } from '../../../src/http/admission/presence.ts'
import { type Answer, type Client, openClient } from '../../journeys/server/client.ts'
import { openWebHouse, type WebHouse } from './web-house.ts'

const narrow = { atOnce: 1, ofOne: 1, waiting: 1000, standing: 1000, patienceMs: 60_000, heavy: false }
const lanesWith = (lanes: Partial<LaneTable>): LaneTable => ({ ...laneTable, ...lanes })

/** Looks again and again: whatever comes, comes however slow the machine is. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 5))
}

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
    ['POST', '/hl7v2', 'messages'],
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

  it('are not those of reads for files, which are taken as slowly as somebody likes', async () => {
    const admission = new Admission()
    const route = catalogue.find(({ interaction }) => interaction === '$export-file')
    if (route === undefined) throw new Error('no such row')
    const lane = laneOf(route)
    const nowMs = performance.now()
    const tries = Array.from({ length: laneTable.reads.atOnce }, () => admission.enter(place('slow', 1, lane), nowMs))
    expect(tries.filter(pause => pause === undefined)).toHaveLength(laneTable.files.ofOne)
    await admission.enter(place('other', 1, lane), performance.now())
    await admission.enter(place('slow', 1, 'reads'), performance.now())
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
    for (const caller of [...Array<string>(10).fill('greedy'), 'modest']) void ask(caller)
    expect(admission.queues.get('writes')?.waiting).toBe(5)
    await until(() => refused.length === 6)
    expect(refused).toEqual(Array(6).fill('greedy request.queue-full true'))
    expect(admission.queues.get('writes')?.waiting).toBe(5)
  })

  describe.each(['writes', 'searches', 'reads'] as const)('of a queue of %s that has stood for long', lane => {
    const sinceMs = performance.now()
    const longMs = sinceMs + 1_000_000

    /** A queue in which somebody has waited ever since, and the first of them since an instant. */
    async function stood(firstSinceMs: number): Promise<Admission> {
      const admission = new Admission(
        lanesWith({ [lane]: { ...laneTable[lane], atOnce: 1, ofOne: 1, patienceMs: 1e9 } }),
      )
      let begun = 0
      const enter = (nowMs: number) => {
        const pause = admission.enter(place('client', 1, lane), nowMs)
        void pause?.then(
          () => begun++,
          () => undefined,
        )
        return pause
      }
      enter(sinceMs)
      enter(sinceMs)
      enter(firstSinceMs)
      admission.leave(place('client', 1, lane))
      await until(() => begun === 1)
      return admission
    }

    /** How many more of the same client find room. */
    function taken(admission: Admission): number {
      const before = admission.queues.get(lane)?.waiting ?? 0
      for (let n = 0; n < 100; n++) admission.enter(place('client', 1, lane), longMs)?.catch(() => undefined)
      return (admission.queues.get(lane)?.waiting ?? 0) - before
    }

    it('are for as many of a client as the server carries, while the queue moves', async () => {
      const admission = await stood(longMs - movesMs)
      expect(taken(admission)).toBe(carried - 1)
    })

    it('are for few once those who wait have waited for long', async () => {
      const admission = await stood(longMs - movesMs - 1)
      expect(taken(admission)).toBe(laneTable[lane].standing - 1)
    })
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
    // A turn of the event loop that has taken long already lets nobody in; another one does.
    for (let turns = 0; turns < 2; turns++) await new Promise(resolve => setImmediate(resolve))
    expect(admission.enter(place('b'), performance.now())).toBeUndefined()
  })

  it('are not waited for by who had gone before', async () => {
    const admission = new Admission(lanesWith({ writes: { ...narrow, patienceMs: 3_600_000 } }))
    admission.enter(place('holder'), performance.now())
    const late = admission.enter(place('late'), performance.now(), () => AbortSignal.abort())
    await expect(late).rejects.toMatchObject({ code: 'request.queue-full' })
  })
})

describe('who may have more while there is no time left', () => {
  it('is everybody with an equal share, and who has nothing yet', () => {
    const presence = new Presence()
    let greedy = 0
    while (presence.hasRoom('greedy')) {
      presence.come('greedy')
      greedy++
    }
    expect(presence.hasRoom('modest')).toBe(true)
    presence.come('modest')
    expect(presence.hasRoom('greedy')).toBe(false)
    for (let n = 0; n < greedy; n++) presence.go('greedy')
    expect(presence.hasRoom('greedy')).toBe(true)
    for (let n = 0; n < 1000; n++) if (presence.hasRoom(`caller-${n}`)) presence.come(`caller-${n}`)
    expect(presence.hasRoom('one more')).toBe(false)
  })
})

/** A disk that writes nothing while it is held. */
class Disk {
  readonly store: Store
  /** Commits, done or held. */
  asked = 0
  #free: Promise<void> = Promise.resolve()
  #release = () => {}

  constructor(store: Store = openMemoryStore()) {
    const commit: Store['commit'] = async (...of) => {
      this.asked++
      await this.#free
      return store.commit(...of)
    }
    this.store = new Proxy(store, {
      get: (target, name) => {
        if (name === 'commit') return commit
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  hold(): void {
    this.#free = new Promise(resolve => {
      this.#release = resolve
    })
  }

  release(): void {
    this.#release()
  }
}

describe('a server that has more to do than it can', () => {
  let house: WebHouse
  let server: Listening
  let disk: Disk
  const clients: Client[] = []

  async function open(writes: Partial<LaneRow>): Promise<void> {
    disk = new Disk()
    // As many in a burst as later: how long a queue stands is a matter of the machine.
    const waiting = writes.waiting ?? narrow.waiting
    const lanes: LaneTable = { ...laneTable, writes: { ...narrow, ...writes, standing: waiting } }
    house = await openWebHouse({ baseUrl: 'http://127.0.0.1:1', lanes, metrics: {} }, disk.store)
    server = await listen(house.app, { host: '127.0.0.1', port: 0 })
  }
  async function client(): Promise<Client> {
    const opened = openClient(`http://127.0.0.1:${server.port}`, await house.token('system/*.cruds'))
    clients.push(opened)
    return opened
  }
  afterEach(async () => {
    disk.release()
    for (const each of clients.splice(0)) each.close()
    await server.close(0)
    await house.close()
  })

  const path = '/fhir/Basic'
  const create = (by: Client, count: number): Promise<Answer>[] =>
    Array.from({ length: count }, (_, n) =>
      by.send({ method: 'POST', path, body: { resourceType: 'Basic', code: { text: `${n}` } } }),
    )
  /** Writes that wait for their turn. */
  const waiting = () => {
    const samples = meters()
      .find(({ name }) => name === 'kinhold_queue_waiting')
      ?.samples()
    return samples?.find(({ labels }) => labels.lane === 'writes')?.value
  }
  const statusesOf = async (asked: readonly Promise<Answer>[]) =>
    (await Promise.all(asked)).map(({ status }) => status).toSorted()
  const countIn = async (by: Client) =>
    (await by.send({ path: '/fhir/Basic?_summary=count' })).json<{ total: number }>().total

  it('tells of its health and reads while writes wait, and refuses more of them with Retry-After', async () => {
    await open({ waiting: 4 })
    const admin = await client()
    const id = (await Promise.all(create(admin, 1)))[0]?.headers.location?.split('/').at(-3)
    disk.hold()
    const asked = create(admin, 20)
    const refused = await Promise.any(asked)
    expect(refused.status).toBe(503)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(refused.json()).toMatchObject({ resourceType: 'OperationOutcome', issue: [{ code: 'transient' }] })
    for (const each of ['/healthz', '/readyz', `/fhir/Basic/${id}`, '/fhir/metadata'])
      expect((await admin.send({ path: each })).status).toBe(200)
    disk.release()
    await Promise.all(asked)
  })

  it('has stored what it acknowledged, and nothing of what it refused', async () => {
    await open({ waiting: 10 })
    const greedy = await client()
    disk.hold()
    let answered = 0
    const asked = create(greedy, 60)
    for (const each of asked) void each.then(() => answered++)
    await until(() => answered === 49)
    disk.release()
    const statuses = await statusesOf(asked)
    expect(statuses).toEqual([...Array(11).fill(201), ...Array(49).fill(503)])
    expect(await countIn(greedy)).toBe(11)
  })

  it('answers one who asks for little while another asks for much', async () => {
    await open({})
    const [greedy, modest] = [await client(), await client()]
    disk.hold()
    let done = 0
    // Fewer than are carried while there is no time left for anything.
    const flood = create(greedy, 24).map(asked => asked.then(() => done++))
    await until(() => waiting() === 23)
    const asked = create(modest, 2).map(each => each.then(({ status }) => [status, done < 12]))
    await modest.send({ path: '/healthz' })
    await until(() => waiting() === 25)
    disk.release()
    expect(await Promise.all(asked)).toEqual([
      [201, true],
      [201, true],
    ])
    await Promise.all(flood)
  })

  it('forgets who has gone while waiting', async () => {
    await open({ waiting: 3 })
    const [gone, staying] = [await client(), await client()]
    disk.hold()
    const before = disk.asked
    const first = create(staying, 1)
    await until(() => disk.asked > before)
    const abandoned = create(gone, 3)
    await until(() => waiting() === 3)
    gone.close()
    await Promise.allSettled(abandoned)
    await until(() => waiting() === 0)
    const after = create(staying, 3)
    await until(() => waiting() === 3)
    disk.release()
    expect(await statusesOf([...first, ...after])).toEqual(Array(4).fill(201))
    expect(await countIn(staying)).toBe(4)
  })

  it('closes by doing what has begun and sending away at once, with Retry-After, what waits: request.closing', async () => {
    await open({})
    const admin = await client()
    disk.hold()
    const before = disk.asked
    const asked = create(admin, 24)
    const refused: Answer[] = []
    for (const each of asked) void each.then(answer => answer.status === 503 && refused.push(answer))
    await until(() => disk.asked > before && waiting() === 23)
    const closed = server.close()
    // The disk is still held: nobody waits for it who had not begun.
    await until(() => refused.length === 23)
    for (const { headers, json } of refused.slice(0, 3)) {
      expect(Number(headers['retry-after'])).toBeGreaterThan(0)
      const [issue] = json<{ issue: { code: string; details: { coding: { code: string }[] } }[] }>().issue
      expect([issue?.code, issue?.details.coding[0]?.code]).toEqual(['transient', 'request.closing'])
    }
    disk.release()
    expect(await statusesOf(asked)).toEqual([201, ...Array(23).fill(503)])
    for (const each of clients) each.close()
    await closed
  })

  it('begins nothing of what comes on open connections while it closes', async () => {
    await open({})
    const admin = await client()
    disk.hold()
    const before = disk.asked
    const first = create(admin, 1)
    await until(() => disk.asked > before)
    house.app.drain()
    const statuses = await Promise.all([...create(admin, 3), admin.send({ path: '/fhir/Basic' })])
    expect(statuses.map(({ status }) => status)).toEqual([503, 503, 503, 503])
    expect((await admin.send({ path: '/readyz' })).status).toBe(503)
    disk.release()
    expect(await statusesOf(first)).toEqual([201])
  })
})
