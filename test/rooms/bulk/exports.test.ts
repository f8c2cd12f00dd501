import { openBulk } from '#bulk'
import type { ExportPort } from '#interactions'
import { Problem, silentLog } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { grantOf, type House, openHouse } from '../interactions/house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.close())

type Options = Partial<Parameters<typeof openBulk>[0]>
type Order = Parameters<ExportPort['begin']>[0]

/** The room as another process on the same house has it. */
function another({ limits = {}, record = house.record, log = silentLog }: Options = {}) {
  return openBulk({ record, clock: house.clock, log, limits: { settleMs: 0, ...limits } })
}

const everybody = grantOf('system/*.rs', { patients: 'all' })
const orderOf = (grant = everybody): Order => ({ grant, queries: [], request: '', isTelling: false, elements: [] })
/** It waits for as long as this before it looks at anything: under way as far as a test is concerned. */
const slow = { settleMs: 60_000 }

async function ended(bulk: ExportPort, id: string, grant = everybody) {
  for (;;) {
    const view = await bulk.find(id, grant)
    if (view?.state !== 'running') return view
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

describe('the exports of several processes', () => {
  it('are told, fetched and removed by each of them', async () => {
    const [here, there] = [another({ limits: slow }), another()]
    const running = await here.begin(orderOf())
    expect(await there.find(running, everybody)).toMatchObject({ state: 'running', found: 0 })
    const done = await there.begin(orderOf())
    await ended(there, done)
    expect(await here.find(done, everybody)).toMatchObject({ state: 'done', request: '' })
    for (const id of [running, done]) expect(await there.remove(id, everybody)).toBe(true)
    for (const id of [running, done]) expect(await here.find(id, everybody)).toBeUndefined()
    await here.close()
    await there.close()
  })

  it('end with their process, whether it could still say so or not', async () => {
    const [closed, killed, there] = [another({ limits: slow }), another({ limits: slow }), another()]
    const id = await closed.begin(orderOf())
    await closed.close()
    await expect(there.find(id, everybody)).rejects.toMatchObject({ kind: 'fault', code: 'bulk.interrupted' })
    const other = await killed.begin(orderOf())
    expect(await there.find(other, everybody)).toMatchObject({ state: 'running' })
    house.clock.advance(31_000)
    await expect(there.find(other, everybody)).rejects.toMatchObject({ kind: 'fault', code: 'bulk.interrupted' })
    await killed.close()
    await there.close()
  })

  it('are no error when their process ends, as it does when it fails by itself', async () => {
    const lines: string[] = []
    const note = (level: string) => (text: string) => void lines.push(`${level}: ${text}`)
    const log = { writesDebug: false, debug() {}, info: note('info'), warn: note('warn'), error: note('error') }
    const ending = another({ limits: slow, log })
    await ending.begin(orderOf())
    await ending.close()
    expect(lines).toEqual(['info: an export was broken off'])
    const exporter = () => {
      throw new TypeError('broken')
    }
    const failing = another({ log, record: { ...house.record, exporter } as never })
    await ended(failing, await failing.begin(orderOf())).catch(() => undefined)
    await failing.close()
    expect(lines.at(-1)).toBe('error: export failed')
  })

  it('are removed by an erasure while they are made, where they will list what was deleted', async () => {
    const bulk = another({ limits: slow })
    const deletedSince = { sinceMs: 0, isMeant: () => true }
    const [listing, plain] = [await bulk.begin({ ...orderOf(), deletedSince }), await bulk.begin(orderOf())]
    await bulk.forgetPatient('a')
    expect(await bulk.find(listing, everybody)).toBeUndefined()
    expect(await bulk.find(plain, everybody)).toMatchObject({ state: 'running' })
    await bulk.close()
  })

  it('stop when another process has removed them', async () => {
    const [here, there] = [another({ limits: { ...slow, leaseMs: 30 } }), another()]
    const id = await here.begin(orderOf())
    await there.remove(id, everybody)
    // Whoever closes waits for what is under way: without the next sign of life that would be a minute.
    await here.close()
    expect(await here.find(id, everybody)).toBeUndefined()
    await there.close()
  })
})

describe('exports are bounded', () => {
  it('for each owner by how many are kept, for a process by how many wait', async () => {
    const bulk = another({ limits: { ...slow, maxOfOwner: 2, maxRunning: 1, maxWaiting: 2 } })
    const other = grantOf('patient/*.rs', { patient: 'a' })
    const [first, second] = [await bulk.begin(orderOf()), await bulk.begin(orderOf())]
    await expect(bulk.begin(orderOf())).rejects.toMatchObject({ kind: 'throttled', code: 'bulk.too-many-of-owner' })
    const theirs = await bulk.begin(orderOf(other))
    expect(await bulk.find(theirs, other)).toMatchObject({ state: 'running', before: 1 })
    const third = grantOf('patient/*.rs', { patient: 'b' })
    await expect(bulk.begin(orderOf(third))).rejects.toMatchObject({ kind: 'busy', code: 'bulk.too-many' })
    await bulk.remove(first, everybody)
    const last = await bulk.begin(orderOf())
    // The one that is at work waits for nobody, whoever else of theirs does.
    expect(await bulk.find(second, everybody)).toMatchObject({ state: 'running', before: 0 })
    expect(await bulk.find(last, everybody)).toMatchObject({ state: 'running', before: 1 })
    await bulk.close()
  })

  it('also for an owner who begins many at the same time', async () => {
    const bulk = another({ limits: { ...slow, maxOfOwner: 2, maxRunning: 1, maxWaiting: 2 } })
    const begun = await Promise.allSettled(Array.from({ length: 4 }, () => bulk.begin(orderOf())))
    expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    for (const each of begun)
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'bulk.too-many-of-owner' })
    await bulk.begin(orderOf(grantOf('patient/*.rs', { patient: 'a' })))
    await bulk.close()
  })

  it('by the time that one takes', async () => {
    const bulk = another({ limits: { ...slow, longestMs: 10 } })
    const id = await bulk.begin(orderOf())
    await expect(ended(bulk, id)).rejects.toMatchObject({ kind: 'too-costly', code: 'bulk.too-long' })
    await bulk.close()
  })

  it('and what fails says so, without what the server knows of it', async () => {
    const broken: PatientRecord = {
      ...house.record,
      exporter: () => {
        throw new TypeError('Alder')
      },
    }
    const bulk = another({ record: broken })
    const id = await bulk.begin(orderOf())
    const told = await ended(bulk, id).catch(error => error)
    expect(told).toMatchObject({ kind: 'fault', code: 'bulk.failed' })
    expect(told.text).not.toContain('Alder')
    await bulk.close()
  })

  it('a file is cut where the token is taken away while it is fetched, and not where it has come to its time', async () => {
    const body = { resourceType: 'Patient', id: 'a' }
    await house.ask('PUT', '/Patient/a', { grant: grantOf('system/*.cruds'), body })
    const headers = { prefer: 'respond-async' }
    const bulk = house.rooms.bulk
    const { headers: told } = await house.ask('GET', '/Patient/$export?_type=Patient', { grant: everybody, headers })
    const id = told['content-location']?.split('/').at(-1) ?? ''
    await ended(bulk, id)
    const grant = { ...everybody, expiresAtMs: house.clock.nowMs() + 1_000 }
    const renew = () => Promise.reject(new Problem('unauthenticated', 'token.unknown', 'It is not valid.'))
    const lines = async () => Array.fromAsync((await bulk.file(id, 0, { grant, renew }))?.lines() ?? [])
    await expect(lines()).rejects.toMatchObject({ kind: 'forbidden', code: 'bulk.withdrawn' })
    house.clock.advance(2_000)
    expect((await lines()).flat()).toHaveLength(1)
  })

  it('a file that is removed while it is fetched is cut, and not ended', async () => {
    for (const id of ['a', 'b'])
      await house.ask('PUT', `/Patient/${id}`, {
        grant: grantOf('system/*.cruds'),
        body: { resourceType: 'Patient', id },
      })
    const headers = { prefer: 'respond-async' }
    const bulk = house.rooms.bulk
    const { headers: told } = await house.ask('GET', '/Patient/$export?_type=Patient', { grant: everybody, headers })
    const id = told['content-location']?.split('/').at(-1) ?? ''
    await ended(bulk, id)
    const file = await bulk.file(id, 0, { grant: everybody })
    await bulk.remove(id, everybody)
    await expect(Array.fromAsync(file?.lines() ?? [])).rejects.toMatchObject({ kind: 'gone', code: 'bulk.removed' })
  })
})
