import { setImmediate, setTimeout } from 'node:timers/promises'
import { Problem, withBudget } from '#kernel'
import { openMemoryStore } from '#store'
import { type Answer, admin, grantOf, type House, openHouse, patientA, weightOf } from './house.ts'

/**
 * The memory store, whose commits wait for the disk together as those of SQLite do; counts how often. The disk is slower than whoever
 * comes, or the count would tell how much else the machine does: it is done when nobody has come for a while, in which all that was
 * due could run.
 */
function waitingStore() {
  const store = openMemoryStore()
  let [waits, came] = [0, 0]
  let waiting: Promise<void> | undefined
  const untilNobodyComes = async () => {
    for (let before = -1; before !== came; ) {
      before = came
      await setTimeout(5)
      for (let turn = 0; turn < 10; turn++) await setImmediate()
    }
    waiting = undefined
    waits += 1
  }
  const disk = () => {
    came += 1
    waiting ??= untilNobodyComes()
    return waiting
  }
  return {
    waits: () => waits,
    store: new Proxy(store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        const call = member.bind(target) as (...args: unknown[]) => unknown
        return name === 'commit' ? (...args: unknown[]) => disk().then(() => call(...args)) : call
      },
    }),
  }
}

const disk = waitingStore()
let house: House
beforeAll(async () => {
  house = await openHouse({ store: disk.store })
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
})
afterAll(() => house.close())

const own = grantOf('patient/*.cruds', { patient: 'a' })
interface Asked {
  readonly method: string
  readonly url: string
  readonly resource?: object
  readonly more?: object
}
const create = (at: number, more?: object): Asked => ({
  method: 'POST',
  url: 'Observation',
  resource: weightOf('a', at),
  ...(more === undefined ? {} : { more }),
})
const batch = (asked: readonly Asked[], grant = own, renew?: () => Promise<typeof own>) =>
  house.ask('POST', '/', {
    grant,
    ...(renew === undefined ? {} : { renew }),
    body: {
      resourceType: 'Bundle',
      type: 'batch',
      entry: asked.map(({ method, url, resource, more }) => ({ resource, request: { method, url, ...more } })),
    },
  })
const statuses = ({ json }: Answer) =>
  json.entry.map(({ response }: { response: { status: string } }) => response.status)

/** How often the disk was waited for. */
async function waitsOf(work: () => Promise<Answer>): Promise<{ waits: number; answer: Answer }> {
  await house.record.flush()
  const before = disk.waits()
  const answer = await work()
  return { waits: disk.waits() - before, answer }
}

describe('a batch of many writes – https://hl7.org/fhir/R4/http.html#brules', () => {
  it('waits for the disk once for many of them, be they created, updated or deleted by id', async () => {
    const count = 640
    // One wait for each entry would be 640; how many go together depends on how much else the machine does.
    const few = count / 4
    const created = await waitsOf(() => batch(Array.from({ length: count }, (_, at) => create(at))))
    expect(new Set(statuses(created.answer))).toEqual(new Set(['201']))
    expect(created.waits).toBeLessThan(few)
    const put = (at: number): Asked => ({
      method: 'PUT',
      url: `Observation/w${at}`,
      resource: { ...weightOf('a', at), id: `w${at}` },
    })
    const updated = await waitsOf(() =>
      batch(
        Array.from({ length: count }, (_, at) => put(at)),
        admin,
      ),
    )
    expect(new Set(statuses(updated.answer))).toEqual(new Set(['201']))
    expect(updated.waits).toBeLessThan(few)
    const deleted = await waitsOf(() =>
      batch(
        Array.from({ length: count }, (_, at) => ({ method: 'DELETE', url: `Observation/w${at}` })),
        admin,
      ),
    )
    expect(new Set(statuses(deleted.answer))).toEqual(new Set(['204']))
    expect(deleted.waits).toBeLessThan(few)
  })

  it('answers each in its place, whatever becomes of the others', async () => {
    const wrong = { ...create(1), resource: { resourceType: 'Observation', status: 'final' } }
    const foreign = { ...create(1), resource: weightOf('nobody', 1) }
    const answer = await batch([create(1), wrong, { method: 'POST', url: 'Nothing' }, foreign, create(2)])
    expect(statuses(answer)).toEqual(['201', '422', '404', statuses(answer)[3], '201'])
    expect(answer.json.entry[1].response.outcome.issue[0].expression[0]).toContain('Bundle.entry[1]')
    expect(answer.json.entry[2].response.outcome.issue[0].expression[0]).toContain('Bundle.entry[2]')
  })

  it('keeps the order where one writes what another writes or names', async () => {
    const patient = (id: string, family: string): Asked => ({
      method: 'PUT',
      url: `Patient/${id}`,
      resource: { resourceType: 'Patient', id, name: [{ family }] },
    })
    const about = (id: string): Asked => ({ method: 'POST', url: 'Observation', resource: weightOf(id, 1) })
    const answer = await batch(
      [
        ...[patient('late', 'First'), patient('late', 'Second'), about('late')],
        ...[{ method: 'GET', url: 'Patient/late' }, patient('late', 'Third'), { method: 'GET', url: 'Patient/late' }],
        { method: 'GET', url: 'Observation?subject=Patient/late' },
      ],
      admin,
    )
    expect(statuses(answer)).toEqual(['201', '200', '201', '200', '200', '200', '200'])
    const families = [3, 5].map(at => answer.json.entry[at].resource.name[0].family)
    expect(families).toEqual(['Second', 'Third'])
    expect(answer.json.entry[6].resource.total).toBe(1)
  })

  it('judges a condition after what stands before it', async () => {
    const once = (at: number) => ({
      ...create(at, { ifNoneExist: 'identifier=urn:x|once' }),
      resource: { ...weightOf('a', at), identifier: [{ system: 'urn:x', value: 'once' }] },
    })
    expect(statuses(await batch([once(1), once(2), create(3), once(4)]))).toEqual(['201', '200', '201', '200'])
  })

  it('that would wait too often is refused before anything is written: budget.written-exceeded', async () => {
    const total = async () => (await house.ask('GET', '/Observation?_summary=count', { grant: own })).json.total
    const conditional = (at: number) => create(at, { ifNoneExist: `identifier=urn:x|c${at}` })
    const before = await total()
    const many = Array.from({ length: 21 }, (_, at) => conditional(at))
    const chain = Array.from(
      { length: 21 },
      (_, at): Asked => ({
        method: 'PUT',
        url: 'Patient/a',
        resource: { ...patientA, active: at % 2 === 0 },
      }),
    )
    for (const asked of [many, chain]) {
      const answer = await withBudget({ written: 20 }, () => batch(asked))
      expect([answer.status, answer.json.issue[0].code]).toEqual([422, 'too-costly'])
      expect(answer.json.issue[0].details.text).toMatch(/21 writes one after the other, .* 20\. Send/)
    }
    expect(await total()).toBe(before)
    const fewer = await withBudget({ written: 20 }, () =>
      batch([...many.slice(2), ...Array.from({ length: 30 }, (_, at) => create(at))]),
    )
    expect(fewer.status).toBe(200)
  })
})

describe('whoever sent a batch', () => {
  const read: Asked = { method: 'GET', url: 'Patient/a' }
  const chained = (at: number): Asked => ({
    method: 'PUT',
    url: 'Patient/a',
    resource: { ...patientA, active: at % 2 === 0 },
  })
  const count = 320

  it.each<[string, (at: number) => Asked]>([
    ['writes that go together', create],
    ['writes one after the other', chained],
    ['writes with conditions', at => create(at, { ifNoneExist: `identifier=urn:x|s${at}` })],
    ['reads', () => read],
    ['searches', () => ({ method: 'GET', url: 'Observation?_count=1' })],
    ['operations', () => ({ method: 'GET', url: 'Patient/a/$everything?_count=1' })],
  ])('is told by what had not begun that the token is revoked, once and for all: %s', async (_, entry) => {
    let asked = 0
    const revoked = async () => {
      if (++asked > 1)
        throw new Problem('unauthenticated', 'token.invalid', 'The access token is not known, or it has ended.')
      return own
    }
    const answer = await batch(
      Array.from({ length: count }, (_, at) => entry(at)),
      own,
      revoked,
    )
    const told = statuses(answer)
    expect(told.slice(0, 128).every((status: string) => status.startsWith('2'))).toBe(true)
    expect(new Set(told.slice(128))).toEqual(new Set(['401']))
    expect(asked).toBe(2)
    expect(answer.json.entry[200].response.outcome.issue[0].expression[0]).toContain('Bundle.entry[200]')
  })

  it('may do no more than they may by then', async () => {
    const narrowed = grantOf('patient/Observation.rs', { patient: 'a' })
    const answer = await batch(
      Array.from({ length: count }, (_, at) => create(at)),
      own,
      async () => narrowed,
    )
    expect(statuses(answer).slice(0, 64)).toEqual(Array.from({ length: 64 }, () => '201'))
    expect(new Set(statuses(answer).slice(64))).toEqual(new Set(['403']))
  })

  it('is not asked again where there are few entries', async () => {
    const never = () => Promise.reject(new Error('asked'))
    expect(
      new Set(
        statuses(
          await batch(
            Array.from({ length: 64 }, () => read),
            own,
            never,
          ),
        ),
      ),
    ).toEqual(new Set(['200']))
  })
})
