/** Exports under way while a Consent is written, or lifted: https://hl7.org/fhir/R4/consent.html */
import { restrict } from '#access'
import { openBulk } from '#bulk'
import type { ExportPort } from '#interactions'
import { silentLog } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { parseQuery } from '#search'
import { consentOf, ofTypes, toRecipients } from '../interactions/consent-of.ts'
import { baseUrl, grantOf, type House, openHouse, patientA, weightOf } from '../interactions/house.ts'

let house: House
const admin = grantOf('system/*.cruds', { patients: 'all' })
/** A client of the administrator's, which a Consent names. */
const client = grantOf('system/*.rs', {
  id: 'c1',
  patients: 'all',
  actor: { kind: 'client', id: 'c1', clientId: 'tracker' },
})
/** More than one portion that is opened at a time. */
const many = 40

const owner = async () =>
  grantOf('user/*.cruds', {
    id: 'anna',
    account: 'anna',
    actor: { kind: 'account', id: 'anna' },
    ...(await house.record.keptBy('anna')),
  })

async function written(method: string, path: string, body?: object, grant = admin) {
  const answer = await house.ask(method, path, { grant, ...(body === undefined ? {} : { body }) })
  if (answer.status >= 300) throw new Error(answer.text)
  return answer.json
}

const withheld = async (): Promise<string> => {
  const consent = consentOf('a', { ...ofTypes('Observation'), ...toRecipients('client=tracker') })
  return (await written('POST', '/Consent', consent, await owner())).id
}
const lift = async (id: string) => written('DELETE', `/Consent/${id}`, undefined, await owner())

beforeEach(async () => {
  house = await openHouse()
  await written('PUT', '/Patient/a', patientA)
  await house.record.addPatientTo('anna', 'a')
  for (let at = 0; at < many; at++)
    await written('PUT', `/Observation/o-${at}`, { ...weightOf('a', at), id: `o-${at}` })
})
afterEach(() => house.close())

type Order = Parameters<ExportPort['begin']>[0]

function orderOf(more: Partial<Order> = {}): Order {
  const query = parseQuery(undefined, new URLSearchParams({ _type: 'Observation' }), { baseUrl })
  return { grant: client, queries: [restrict(query, client)], request: '', isTelling: false, elements: [], ...more }
}

/** Bulk in which something happens at one step of what an exporter is asked. */
function bulkWith(step: 'newestMs' | 'locate', meanwhile: () => Promise<unknown>) {
  const record: PatientRecord = {
    ...house.record,
    exporter: grant =>
      new Proxy(house.record.exporter(grant), {
        get: (exporter, name) => {
          const member = Reflect.get(exporter, name)
          if (typeof member !== 'function') return member
          return name !== step
            ? member.bind(exporter)
            : async (...asked: unknown[]) => {
                const answer = await Reflect.apply(member, exporter, asked)
                await meanwhile()
                return answer
              }
        },
      }),
  }
  return openBulk({ record, clock: house.clock, log: silentLog, limits: { settleMs: 0 } })
}

async function ended(bulk: ExportPort, id: string) {
  for (;;) {
    const view = await bulk.find(id, client)
    if (view?.state === 'done') return view
    if (view?.state !== 'running') throw new Error('there is no such export')
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** What a file tells, each portion as it comes. */
async function* told(bulk: ExportPort, id: string, file: number): AsyncGenerator<readonly string[], void> {
  const found = await bulk.file(id, file, { grant: client })
  if (found === undefined) return
  for await (const lines of found.lines())
    yield lines.map(line => ('stored' in line ? line.stored.toString() : 'deleted' in line ? line.deleted : ''))
}

async function allTold(bulk: ExportPort, id: string): Promise<number> {
  const { files } = await ended(bulk, id)
  let count = 0
  for (const file of files.keys()) for await (const lines of told(bulk, id, file)) count += lines.length
  return count
}

it.each(['newestMs', 'locate'] as const)(
  'an export holds nothing of what is withheld while it is made, and says no number of it: after %s',
  async step => {
    let isDone = false
    const bulk = bulkWith(step, async () => {
      if (!isDone) await withheld()
      isDone = true
    })
    const id = await bulk.begin(orderOf())
    expect(await allTold(bulk, id)).toBe(0)
    const { files } = await ended(bulk, id)
    expect([...files.values()].map(({ count }) => count)).toEqual([...files].map(() => undefined))
    await bulk.close()
  },
)

it('an export that is begun while something is withheld never holds it, also when that ends before it is made', async () => {
  const consent = await withheld()
  let isLifted = false
  const bulk = bulkWith('locate', async () => {
    if (!isLifted) await lift(consent)
    isLifted = true
  })
  const id = await bulk.begin(orderOf())
  expect(await allTold(bulk, id)).toBe(0)
  expect(await allTold(bulk, await bulk.begin(orderOf()))).toBe(many)
  await bulk.close()
})

it('a file that is being fetched tells no more of it from the next portion on, and goes on when that ends', async () => {
  const { bulk } = house.rooms
  const id = await bulk.begin(orderOf())
  await ended(bulk, id)
  const lines = told(bulk, id, 0)
  const first = (await lines.next()).value ?? []
  expect(first.length).toBeGreaterThan(0)
  expect(first.length).toBeLessThan(many)
  const consent = await withheld()
  expect((await lines.next()).value ?? []).toEqual([])
  await lift(consent)
  const rest = (await Array.fromAsync(lines)).flat()
  expect(rest.length).toBeLessThan(many - first.length)
  expect(await allTold(bulk, id)).toBe(many)
})

it('a list of what was deleted that is being fetched ends', async () => {
  const { bulk } = house.rooms
  const since = house.clock.nowMs()
  house.clock.advance(1_000)
  for (let at = 0; at < many; at++) await written('DELETE', `/Observation/o-${at}`)
  const order = orderOf({ queries: [], deletedSince: { sinceMs: since, isMeant: () => true } })
  const id = await bulk.begin(order)
  const { files } = await ended(bulk, id)
  const at = [...files].find(([, { kind }]) => kind === 'deleted')?.[0] ?? -1
  const found = await bulk.file(id, at, { grant: client })
  await withheld()
  expect((await Array.fromAsync(found?.lines() ?? [])).flat()).toEqual([])
})
