import type { Record, Txn } from '#record'
import { grantOf, type House, openHouse } from './house.ts'

const laboratory = 'http://terminology.hl7.org/CodeSystem/observation-category|laboratory'
const admin = grantOf('system/*.cruds', { patients: 'all' })
const family = grantOf('user/*.cruds', { account: 'family', patients: ['anna'] })
const others = grantOf('user/*.cruds', { account: 'others', patients: [] })

describe('what may be seen and not be deleted – https://hl7.org/fhir/R4/http.html#delete', () => {
  let house: House
  let doctor = ''
  beforeAll(async () => {
    house = await openHouse()
    await house.ask('PUT', '/Patient/anna', { body: { resourceType: 'Patient', id: 'anna' }, grant: admin })
    await house.record.addPatientTo('family', 'anna')
    const practitioner = { resourceType: 'Practitioner', name: [{ family: 'Brandt' }] }
    const made = await house.ask('POST', '/Practitioner', { body: practitioner, grant: others })
    doctor = made.json.id
    const pulse = {
      resourceType: 'Observation',
      id: 'pulse',
      status: 'final',
      code: { text: 'pulse' },
      subject: { reference: 'Patient/anna' },
      performer: [{ reference: `Practitioner/${doctor}` }],
    }
    await house.ask('PUT', '/Observation/pulse', { body: pulse, grant: admin })
  })
  afterAll(() => house.close())

  it.each([
    ['a doctor of another account whom a record names', () => `/Practitioner/${doctor}`, family],
    [
      'a result that the scopes show and do not let delete',
      () => '/Observation/pulse',
      grantOf(`patient/Observation.rs patient/Observation.d?category=${laboratory}`, { patient: 'anna', patients: [] }),
    ],
  ])('is refused, and stays: %s', async (_, url, grant) => {
    expect((await house.ask('GET', url(), { grant })).status).toBe(200)
    const [, type, id] = url().split('/')
    for (const asked of [url(), `/${type}?_id=${id}`]) {
      const { status, json } = await house.ask('DELETE', asked, { grant })
      expect([asked, status, json?.issue[0].details.coding[0].code]).toEqual([asked, 403, 'record.owner-foreign'])
      const entry = [{ request: { method: 'DELETE', url: asked.slice(1) } }]
      const bundle = (kind: string) => ({ body: { resourceType: 'Bundle', type: kind, entry }, grant })
      const whole = await house.ask('POST', '/', bundle('transaction'))
      expect([asked, whole.status, whole.json.issue[0].expression]).toEqual([asked, 403, ['Bundle.entry[0]']])
      const each = await house.ask('POST', '/', bundle('batch'))
      expect([asked, each.json.entry[0].response.status]).toEqual([asked, '403'])
    }
    expect((await house.ask('GET', url(), { grant })).status).toBe(200)
  })

  it('what is gone already is gone, and so is what never was, or is not seen', async () => {
    await house.ask('PUT', '/Observation/old', {
      body: {
        resourceType: 'Observation',
        id: 'old',
        status: 'final',
        code: { text: 'x' },
        subject: { reference: 'Patient/anna' },
      },
      grant: admin,
    })
    const asked = async (url: string) => (await house.ask('DELETE', url, { grant: family })).status
    expect([await asked('/Observation/old'), await asked('/Observation/old')]).toEqual([204, 204])
    expect([await asked('/Observation/none'), await asked('/Practitioner/none')]).toEqual([204, 204])
    const outcome = { headers: { prefer: 'return=OperationOutcome' }, grant: family }
    const told = await house.ask('DELETE', '/Observation/none', outcome)
    expect([told.status, told.json.issue[0].severity]).toEqual([200, 'information'])
    const entry = [{ request: { method: 'DELETE', url: 'Observation/none' } }]
    for (const type of ['batch', 'transaction']) {
      const body = { resourceType: 'Bundle', type, entry }
      const { json } = await house.ask('POST', '/', { body, grant: family })
      expect([type, json.entry[0].response.status]).toEqual([type, '204'])
    }
    expect((await house.ask('DELETE', `/Practitioner/${doctor}`, { grant: others })).status).toBe(204)
  })
})

/** The record, with something that happens once, right after the first deletion has found nothing. */
function besides(record: Record, happens: () => Promise<unknown>): Record {
  let isOver = false
  const watched = (txn: Txn) =>
    new Proxy(txn, {
      get(target, name) {
        const of = Reflect.get(target, name)
        if (typeof of !== 'function') return of
        return async (...given: unknown[]) => {
          const done = await of.apply(target, given)
          if (name !== 'delete' || done !== undefined || isOver) return done
          isOver = true
          await happens()
          return done
        }
      },
    })
  const writer: Record['writer'] = (...given) => {
    const own = record.writer(...given)
    const transact = <T>(work: (txn: Txn) => Promise<T>) => own.transact(txn => work(watched(txn)))
    return new Proxy(own, {
      get: (target, name) => {
        const of = name === 'transact' ? transact : Reflect.get(target, name)
        return typeof of === 'function' ? of.bind(target) : of
      },
    })
  }
  return new Proxy(record, {
    get: (target, name) => (name === 'writer' ? writer : Reflect.get(target, name)),
  })
}

describe('who makes what is being deleted – https://hl7.org/fhir/R4/http.html#delete', () => {
  const pulse = {
    resourceType: 'Observation',
    id: 'late',
    status: 'final',
    code: { text: 'pulse' },
    subject: { reference: 'Patient/anna' },
  }
  const entry = [{ request: { method: 'DELETE', url: 'Observation/late' } }]
  const ways: readonly [string, string, string, object | undefined][] = [
    ['a DELETE', 'DELETE', '/Observation/late', undefined],
    ['a batch', 'POST', '/', { resourceType: 'Bundle', type: 'batch', entry }],
    ['a transaction', 'POST', '/', { resourceType: 'Bundle', type: 'transaction', entry }],
  ]

  it.each(ways)('is not told by %s that it may not be deleted', async (_, method, url, body) => {
    const house = await openHouse()
    try {
      await house.ask('PUT', '/Patient/anna', { body: { resourceType: 'Patient', id: 'anna' }, grant: admin })
      const { rooms } = house
      const { record } = rooms
      const made = () => record.writer(admin).transact(txn => txn.update('Observation', 'late', pulse))
      Object.assign(rooms, { record: besides(record, made) })
      const answer = await house.ask(method, url, { grant: admin, ...(body === undefined ? {} : { body }) })
      expect(answer.json?.entry?.[0].response.status ?? String(answer.status)).toBe('204')
      expect((await house.ask('GET', '/Observation/late', { grant: admin })).status).toBe(410)
    } finally {
      await house.close()
    }
  })

  it('that ids are tried is recorded, also within a Bundle', async () => {
    const house = await openHouse()
    const refused: string[] = []
    try {
      const { rooms } = house
      const audit: Record['audit'] = event => {
        if (event.action === 'refused') refused.push(event.detail ?? '')
      }
      const { record } = rooms
      Object.assign(rooms, {
        record: new Proxy(record, { get: (target, name) => (name === 'audit' ? audit : Reflect.get(target, name)) }),
      })
      for (const [, method, url, body] of ways)
        await house.ask(method, url, { grant: admin, ...(body === undefined ? {} : { body }) })
      expect(refused).toEqual(['delete: record.unknown', 'delete: record.unknown', 'delete: record.unknown'])
    } finally {
      await house.close()
    }
  })
})
