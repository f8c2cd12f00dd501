/** What a file over HTTP may be about besides the patient whom its address names. */
import { openIngest } from '#ingest'
import { silentLog } from '#kernel'
import { createValidator } from '#validation'
import type { IngestPort, PeoplePort } from '../../../src/interactions/types.ts'
import { admin, baseUrl, grantOf, type House, noLetters, openHouse } from './house.ts'

const born = { birthDate: '2015-06-07', gender: 'female' }
const person = (given: string) => ({ resourceType: 'Patient', name: [{ family: 'Smith', given: [given] }], ...born })
const ids = ['anna', 'anne', 'other-annes'] as const

let house: House
let ingest: ReturnType<typeof openIngest>
beforeEach(async () => {
  const ports: { readonly ingest: IngestPort; readonly people: PeoplePort } = {
    ingest: {
      start: request => ingest.start(request),
      job: (id, grant) => ingest.job(id, grant),
      hl7v2: request => ingest.hl7v2(request),
      letters: noLetters,
    },
    people: {
      match: request => ingest.people.match(request),
      merge: request => ingest.people.merge(request),
      unmerge: request => ingest.people.unmerge(request),
      review: {
        page: (grant, asked) => ingest.people.review.page(grant, asked),
        show: (id, grant) => ingest.people.review.show(id, grant),
        decide: request => ingest.people.review.decide(request),
      },
    },
  }
  house = await openHouse(ports)
  const { record, clock } = house
  ingest = openIngest({ record, validator: createValidator(), clock, log: silentLog, baseUrl })
  for (const id of ids)
    await house.ask('PUT', `/Patient/${id}`, {
      grant: admin,
      body: { id, ...person(id === 'anna' ? 'Anna' : 'Anne') },
    })
})
afterEach(async () => {
  await ingest.close()
  await house.close()
})

const weight = {
  resourceType: 'Observation',
  id: 'o',
  status: 'final',
  code: { text: 'x' },
  subject: { reference: 'Patient/p' },
}
const files: Readonly<Record<string, (given: string) => string>> = {
  'a Bundle': given =>
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'collection',
      entry: [{ resource: { id: 'p', ...person(given) } }, { resource: weight }],
    }),
  NDJSON: given => `${JSON.stringify({ id: 'p', ...person(given) })}\n${JSON.stringify(weight)}\n`,
  'HL7 v2': given =>
    [
      'MSH|^~\\&|LAB|HOSP|KIN|HOME|20240310120000+0000||ORU^R01|C1|P|2.5.1',
      `PID|1||1^^^HOSP^MR||Smith^${given}||20150607|F`,
      'OBR|1||F1|2345-7^Glucose^LN|||20240310080000+0000',
      'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||F\r',
    ].join('\r'),
}
const family = (...patients: string[]) => grantOf('user/*.cruds', { patients, account: 'family' })
const grants = {
  'system scopes': [admin, ['anna', 'anne', 'other-annes']],
  'user scopes of both': [family('anna', 'anne'), ['anna', 'anne']],
} as const

const send = (file: string, grant = admin, query = '') =>
  house.ask('POST', `/Patient/anna/$ingest${query}`, { grant, body: file })
const kept = async (id: string) =>
  (await house.ask('GET', `/Observation?patient=${id}&_summary=count`, { grant: admin })).json.total
const named = (json: { parameter?: readonly { name: string }[] }, name: string) =>
  (json.parameter ?? []).filter(one => one.name === name)
const waiting = async () => {
  const { json } = await house.ask('GET', '/$review', { grant: admin })
  const [held] = named(json, 'held') as {
    name: string
    part: { name: string; valueReference?: { reference: string } }[]
  }[]
  return held?.part.flatMap(({ name, valueReference }) => (name === 'candidate' ? [valueReference?.reference] : []))
}

describe.each(Object.entries(grants))('a file for one twin that describes the other, under %s', (_, [grant, who]) => {
  it.each(Object.entries(files))('%s is doubtful between those within reach of who sends it', async (kind, file) => {
    const { status, text } = await send(file('Anne'), grant)
    expect(text).toMatch(/ingest\.patient-doubtful|doubtful-patient/)
    expect(await kept('anna')).toBe(0)
    if (kind === 'HL7 v2') return // each message of a file is rejected by its place
    expect(status).toBe(422)
    expect((await waiting())?.sort()).toEqual(who.map(id => `Patient/${id}`))
  })

  it.each(Object.entries(files))('%s goes in when it is forced', async (_, file) => {
    expect((await send(file('Anne'), grant, '?force=true')).status).toBe(200)
    expect(await kept('anna')).toBe(1)
  })
})

describe('a file without a Patient that names another one of this server', () => {
  const lines = (reference: string) => `${JSON.stringify({ ...weight, subject: { reference } })}\n`
  const bundle = (reference: string) =>
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'collection',
      entry: [{ resource: { ...weight, subject: { reference } } }],
    })
  const names = (id: string) =>
    ['', '/_history/1'].flatMap(version => [`Patient/${id}${version}`, `${baseUrl}/Patient/${id}${version}`])

  it.each(Object.entries({ NDJSON: lines, 'a Bundle': bundle }))(
    '%s is refused by the place, unless it is forced',
    async (_, file) => {
      for (const reference of names('anne')) {
        const { status, text } = await send(file(reference))
        expect([reference, status]).toEqual([reference, 422])
        expect(text).toMatch(/ingest\.patient-contradicted.*(line\[1\]|Bundle\.entry\[0\])/s)
      }
      expect([await kept('anna'), await kept('anne')]).toEqual([0, 0])
      expect((await send(file('Patient/anne'), admin, '?force=true')).status).toBe(200)
      expect([await kept('anna'), await kept('anne')]).toEqual([1, 0])
    },
  )

  it.each([
    ...names('anna'),
    'Patient/nobody',
    `${baseUrl}/Patient/nobody`,
    'http://hospital.example/fhir/Patient/anne',
  ])('%s goes in: themselves, nobody here, and another server’s', async reference => {
    expect((await send(lines(reference))).status).toBe(200)
    expect(await kept('anna')).toBe(1)
  })

  it('tells nobody of those whom they do not reach', async () => {
    for (const grant of [family('anna'), grantOf('patient/*.cruds', { patient: 'anna', patients: ['anna'] })])
      expect((await send(lines('Patient/anne'), grant)).status).toBe(200)
  })

  it('whoever was merged into the patient is the patient', async () => {
    const reference = (id: string) => ({ valueReference: { reference: `Patient/${id}` } })
    const merged = await house.ask('POST', '/Patient/$merge', {
      grant: admin,
      body: {
        resourceType: 'Parameters',
        parameter: [
          { name: 'source-patient', ...reference('anne') },
          { name: 'target-patient', ...reference('anna') },
        ],
      },
    })
    expect(merged.status).toBe(200)
    expect((await send(lines('Patient/anne'))).status).toBe(200)
    expect(await kept('anna')).toBe(1)
  })
})

describe.each(Object.entries(files))('%s that fits alike', (_, file) => {
  it.each([
    ['an account that keeps nobody else', family('anna')],
    ['a token for the patient', grantOf('patient/*.cruds', { patient: 'anna', patients: ['anna'] })],
  ])('tells %s nothing of others', async (_, grant) => {
    expect((await send(file('Anne'), grant)).status).toBe(200)
    expect(await kept('anna')).toBe(1)
  })
})
