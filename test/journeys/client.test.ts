import { isDeepStrictEqual } from 'node:util'
import type { Bundle, CapabilityStatement, Observation, OperationOutcome, Patient } from '@medplum/fhirtypes'
import { Client } from 'fhir-kit-client'
import { type Home, lastLine } from './server/home.ts'
import { newReachableHome } from './server/reachable-home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

/** What fhir-kit-client gives back: a resource with the answer it came in. */
type Answered = Awaited<ReturnType<Client['read']>>

let home: Home
let server: RunningServer
let client: Client
let token: string
let greta: Patient
let emil: Patient

beforeAll(async () => {
  home = await newReachableHome('client')
  server = await startServer(home)
  token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  client = new Client({ baseUrl: `${home.origin}/fhir`, bearerToken: token })
  greta = await create<Patient>({ resourceType: 'Patient', name: [{ family: 'Lindqvist', given: ['Greta'] }] })
  emil = await create<Patient>({ resourceType: 'Patient', name: [{ family: 'Lindqvist', given: ['Emil'] }] })
})
afterAll(async () => {
  expect(await server.stop()).toBe(0)
  await home.remove()
})

const loinc = 'http://loinc.org'

function pulse(patient: Patient, value: number, day = 1): Observation & Record<string, unknown> {
  return {
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [{ system: loinc, code: '8867-4' }] },
    subject: { reference: `Patient/${patient.id}` },
    effectiveDateTime: `2026-02-${String(day).padStart(2, '0')}T08:00:00Z`,
    valueQuantity: { value, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
  }
}

async function create<T>(body: Answered, headers: Record<string, string> = {}): Promise<T> {
  return (await client.create({ resourceType: body.resourceType, body, options: { headers } })) as T
}

function responseTo(answer: object): Response {
  const { response } = Client.httpFor(answer as Answered)
  if (response === undefined) throw new TypeError('the client kept no response')
  return response
}

interface Refusal {
  readonly status: number
  readonly outcome: OperationOutcome
}

/** The answer to what must fail. */
async function refusalOf(attempt: Promise<unknown>): Promise<Refusal> {
  const error = await attempt.then(
    () => Promise.reject(new Error('it was not refused')),
    (thrown: { readonly response?: { readonly status: number; readonly data: OperationOutcome } }) => thrown,
  )
  if (error.response === undefined) throw error
  return { status: error.response.status, outcome: error.response.data }
}

function codeOf({ outcome }: Refusal): string | undefined {
  expect(outcome.resourceType).toBe('OperationOutcome')
  return outcome.issue?.[0]?.details?.coding?.[0]?.code
}

const idsOf = (answer: unknown) => ((answer as Bundle).entry ?? []).map(({ resource }) => resource?.id)
const pulseOf = (observation: unknown) => (observation as Observation).valueQuantity?.value

describe('fhir-kit-client on single resources – https://hl7.org/fhir/R4/http.html', () => {
  it('creates, reads, updates and reads both versions', async () => {
    const created = await create<Observation>(pulse(greta, 61))
    const id = String(created.id)
    const response = responseTo(created)
    expect(response.status).toBe(201)
    expect(response.headers.get('location')).toBe(`${home.origin}/fhir/Observation/${id}/_history/1`)
    const read = await client.read({ resourceType: 'Observation', id })
    expect(isDeepStrictEqual(read, created)).toBe(true)
    expect(responseTo(read).headers.get('etag')).toBe('W/"1"')

    const updated = await client.update({ resourceType: 'Observation', id, body: { ...pulse(greta, 62), id } })
    expect(updated).toMatchObject({ id, meta: { versionId: '2' } })
    const versions = await Promise.all(
      ['1', '2'].map(version => client.vread({ resourceType: 'Observation', id, version })),
    )
    expect(versions.map(pulseOf)).toEqual([61, 62])
  })

  it('updates only the version it knows (If-Match)', async () => {
    const { id = '' } = await create<Observation>(pulse(greta, 63))
    const update = (etag: string, value: number) =>
      client.update({
        resourceType: 'Observation',
        id,
        body: { ...pulse(greta, value), id },
        options: { headers: { 'if-match': etag } },
      })
    await update('W/"1"', 64)
    const refusal = await refusalOf(update('W/"1"', 65))
    expect([refusal.status, codeOf(refusal)]).toEqual([412, 'version.stale'])
    expect(pulseOf(await client.read({ resourceType: 'Observation', id }))).toBe(64)
  })

  it('patches by JSON Patch; what cannot be applied changes nothing', async () => {
    const { id = '' } = await create<Observation>(pulse(greta, 66))
    const jsonPatch = [{ op: 'replace' as const, path: '/status', value: 'amended' }]
    const patched = await client.patch({ resourceType: 'Observation', id, jsonPatch })
    expect(patched).toMatchObject({ id, status: 'amended', meta: { versionId: '2' } })
    const wrong = [{ op: 'test' as const, path: '/status', value: 'final' }, ...jsonPatch]
    const refusal = await refusalOf(client.patch({ resourceType: 'Observation', id, jsonPatch: wrong }))
    expect([refusal.status, codeOf(refusal)]).toEqual([422, 'patch.failed'])
    expect(await client.read({ resourceType: 'Observation', id })).toMatchObject({ meta: { versionId: '2' } })
  })

  it('deletes: 410 from then on, the versions before stay', async () => {
    const { id = '' } = await create<Observation>(pulse(greta, 67))
    const deleted = await client.delete({ resourceType: 'Observation', id })
    expect(responseTo(deleted).status).toBe(204)
    const refusal = await refusalOf(client.read({ resourceType: 'Observation', id }))
    expect([refusal.status, codeOf(refusal)]).toEqual([410, 'record.deleted'])
    expect(pulseOf(await client.vread({ resourceType: 'Observation', id, version: '1' }))).toBe(67)
    const found = await client.search({ resourceType: 'Observation', searchParams: { _id: id } })
    expect(idsOf(found)).toEqual([])
  })

  it('keeps the digits of a decimal, which JSON numbers of JavaScript would lose', async () => {
    const body = JSON.stringify(pulse(greta, 7)).replace('"value":7', '"value":7.10')
    const created = await client.request('Observation', {
      method: 'POST',
      body,
      options: { headers: { 'content-type': 'application/fhir+json' } },
    })
    const location = responseTo(created).headers.get('location') ?? ''
    const raw = await fetch(location, { headers: { authorization: `Bearer ${token}` } })
    expect(await raw.text()).toContain('"value":7.10,')
  })
})

describe('fhir-kit-client on conditional interactions – https://hl7.org/fhir/R4/http.html#ccreate', () => {
  const system = 'urn:kinhold:test:once'
  const named = (value: string, pulsed = 70) => ({ ...pulse(greta, pulsed), identifier: [{ system, value }] })

  it('creates only what is not there yet', async () => {
    const headers = { 'if-none-exist': `identifier=${system}|first` }
    const created = await create<Observation>(named('first'), headers)
    const again = await create<Observation>(named('first'), headers)
    expect([responseTo(created).status, responseTo(again).status]).toEqual([201, 200])
    expect(again.id).toBe(created.id)
  })

  it('updates what a search finds, creates what none finds, refuses to choose among several', async () => {
    const update = (value: string, pulsed: number) =>
      client.update({
        resourceType: 'Observation',
        searchParams: { identifier: `${system}|${value}` },
        body: named(value, pulsed),
      })
    const created = await update('second', 71)
    const updated = await update('second', 72)
    expect([responseTo(created).status, responseTo(updated).status]).toEqual([201, 200])
    expect(updated).toMatchObject({ id: created.id, meta: { versionId: '2' }, valueQuantity: { value: 72 } })

    await create(named('twins'))
    await create(named('twins'))
    const refusal = await refusalOf(update('twins', 73))
    expect([refusal.status, codeOf(refusal)]).toEqual([412, 'condition.matches-several'])
  })

  it('deletes the one that a search finds, and not one of several', async () => {
    const remove = (value: string) =>
      client.request(`Observation?identifier=${encodeURIComponent(`${system}|${value}`)}`, { method: 'DELETE' })
    await create(named('third'))
    expect(responseTo(await remove('third')).status).toBe(204)
    expect(await count('Observation', { identifier: `${system}|third` })).toBe(0)
    expect((await refusalOf(remove('twins'))).status).toBe(412)
    expect(await count('Observation', { identifier: `${system}|twins` })).toBe(2)
  })
})

async function count(resourceType: string, searchParams: Record<string, string>): Promise<number | undefined> {
  const answer = await client.search({ resourceType, searchParams: { ...searchParams, _summary: 'count' } })
  return (answer as Answered & Bundle).total
}

describe('fhir-kit-client searching – https://hl7.org/fhir/R4/search.html', () => {
  const steps = [1, 2, 3, 4, 5, 6, 7]

  beforeAll(async () => {
    const entry = steps.map(day => ({
      request: { method: 'POST', url: 'Observation' },
      resource: pulse(emil, 80 + day, day),
    }))
    await client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry } })
  })

  it('turns pages to the end and back through their links, which show nothing of the search', async () => {
    const searchParams = { patient: `${emil.id}`, code: `${loinc}|8867-4`, _sort: 'date', _count: 3 }
    const pages = [await client.search({ resourceType: 'Observation', searchParams })]
    for (let next = turn(pages, 'nextPage'); next !== undefined; next = turn(pages, 'nextPage')) pages.push(await next)
    expect(pages.map(valuesOf)).toEqual([[81, 82, 83], [84, 85, 86], [87]])
    const back = [pages.at(-1) as Answered]
    for (let last = turn(back, 'prevPage'); last !== undefined; last = turn(back, 'prevPage')) back.push(await last)
    expect(back.map(valuesOf)).toEqual([[87], [84, 85, 86], [81, 82, 83]])
    const links = pages.flatMap(page => (page as Answered & Bundle).link ?? [])
    for (const { relation, url } of links.filter(link => link.relation !== 'self')) {
      expect([relation, new URL(url).origin]).toEqual([relation, home.origin])
      expect(url).not.toMatch(/8867|patient|date/)
    }
  })

  it('keeps its pages still while others write', async () => {
    const searchParams = { patient: `${emil.id}`, _sort: '-date', _count: 4 }
    const first = await client.search({ resourceType: 'Observation', searchParams })
    await create(pulse(emil, 99, 28))
    expect([valuesOf(first), valuesOf(await (turn([first], 'nextPage') as Promise<Answered>))]).toEqual([
      [87, 86, 85, 84],
      [83, 82, 81],
    ])
  })

  it('finds the same by POST as by GET', async () => {
    const searchParams = { patient: `${emil.id}`, 'value-quantity': 'gt85', _sort: 'date' }
    const got = await client.search({ resourceType: 'Observation', searchParams })
    const posted = await client.search({ resourceType: 'Observation', searchParams, options: { postSearch: true } })
    expect(valuesOf(got)).toEqual([86, 87, 99])
    expect(idsOf(posted)).toEqual(idsOf(got))
  })

  it('searches one type in a compartment, and the whole of it', async () => {
    const compartment = { resourceType: 'Patient', id: String(emil.id) }
    const typed = await client.search({
      resourceType: 'Observation',
      compartment,
      searchParams: { date: 'lt2026-02-03' },
    })
    expect(valuesOf(typed).toSorted()).toEqual([81, 82])
    const whole = await client.request(`Patient/${emil.id}/*?_count=100`)
    expect(new Set(idsOf(whole))).toContain(emil.id)
    expect(idsOf(whole)).not.toContain(greta.id)
  })

  it('searches several types at once', async () => {
    const found = await client.systemSearch({ searchParams: { _type: 'Patient,Observation', _id: `${emil.id}` } })
    expect(idsOf(found)).toEqual([emil.id])
  })

  it('follows references with _include and resolves them with the client', async () => {
    const searchParams = { patient: `${emil.id}`, _include: 'Observation:subject', _count: 1, _sort: 'date' }
    const found = (await client.search({ resourceType: 'Observation', searchParams })) as Answered & Bundle
    expect(found.entry?.map(({ search }) => search?.mode)).toEqual(['match', 'include'])
    expect(await client.resolve({ reference: `Patient/${emil.id}` })).toMatchObject({ id: emil.id })
  })
})

function turn(pages: readonly Answered[], direction: 'nextPage' | 'prevPage'): Promise<Answered> | undefined {
  const bundle = pages.at(-1) as Parameters<Client['nextPage']>[0]['bundle']
  return client[direction]({ bundle })
}

const valuesOf = (bundle: unknown) => ((bundle as Bundle).entry ?? []).map(({ resource }) => pulseOf(resource))

describe('fhir-kit-client on history – https://hl7.org/fhir/R4/http.html#history', () => {
  it('shows an instance, a type and the system, deletions included, newest first', async () => {
    const { id = '' } = await create<Observation>(pulse(greta, 101))
    await client.update({ resourceType: 'Observation', id, body: { ...pulse(greta, 102), id } })
    await client.delete({ resourceType: 'Observation', id })
    const instance = (await client.history({ resourceType: 'Observation', id })) as Answered & Bundle
    expect(instance.type).toBe('history')
    expect(instance.entry?.map(({ request }) => request?.method)).toEqual(['DELETE', 'PUT', 'POST'])
    expect(instance.entry?.map(({ resource }) => pulseOf(resource ?? {}))).toEqual([undefined, 102, 101])
    for (const part of [{ resourceType: 'Observation' }, {}]) {
      const history = (await client.history(part)) as Answered & Bundle
      expect(history.entry?.slice(0, 3).map(({ response }) => response?.etag)).toEqual(['W/"3"', 'W/"2"', 'W/"1"'])
      expect(history.entry?.[0]?.fullUrl).toBe(`${home.origin}/fhir/Observation/${id}`)
    }
  })

  it('turns its pages', async () => {
    const { id = '' } = await create<Observation>(pulse(greta, 111))
    for (const value of [112, 113])
      await client.update({ resourceType: 'Observation', id, body: { ...pulse(greta, value), id } })
    const first = await client.request(`Observation/${id}/_history?_count=2`)
    const second = await turn([first], 'nextPage')
    expect([first, second].map(valuesOf)).toEqual([[113, 112], [111]])
    expect(turn([second as Answered], 'nextPage')).toBeUndefined()
  })
})

describe('fhir-kit-client on bundles – https://hl7.org/fhir/R4/http.html#transaction', () => {
  const fullUrl = 'urn:uuid:0d2c9a6e-51d4-4b0e-9a1c-0f6f3f0f2b11'

  it('writes a transaction whole, with its links', async () => {
    const entry = [
      { fullUrl, request: { method: 'POST', url: 'Patient' }, resource: { resourceType: 'Patient', active: true } },
      {
        request: { method: 'POST', url: 'Observation' },
        resource: { ...pulse(greta, 121), subject: { reference: fullUrl } },
      },
    ]
    const body = { resourceType: 'Bundle', type: 'transaction', entry }
    const answer = (await client.transaction({ body })) as Answered & Bundle
    expect(answer.type).toBe('transaction-response')
    const [patient, observation] = (answer.entry ?? []).map(({ response }) => response?.location?.split('/_history')[0])
    const read = await client.request(String(observation))
    expect(read).toMatchObject({ subject: { reference: patient?.replace(`${home.origin}/fhir/`, '') } })
  })

  it('writes nothing of a transaction of which one part fails', async () => {
    const before = await count('Observation', {})
    const entry = [
      { request: { method: 'POST', url: 'Observation' }, resource: pulse(greta, 131) },
      { request: { method: 'POST', url: 'Observation' }, resource: { ...pulse(greta, 132), status: 'no-such-status' } },
    ]
    const body = { resourceType: 'Bundle', type: 'transaction', entry }
    const refusal = await refusalOf(client.transaction({ body }))
    expect([refusal.status, codeOf(refusal)]).toEqual([422, 'validation.failed'])
    expect(JSON.stringify(refusal.outcome)).toContain('entry[1]')
    expect(JSON.stringify(refusal.outcome)).not.toContain('no-such-status')
    expect(await count('Observation', {})).toBe(before)
  })

  it('answers each entry of a batch by itself', async () => {
    const entry = [
      { request: { method: 'GET', url: `Patient/${greta.id}` } },
      { request: { method: 'GET', url: 'Patient/nobody' } },
      { request: { method: 'POST', url: 'Observation' }, resource: pulse(greta, 141) },
      { request: { method: 'GET', url: `Observation?patient=${emil.id}&_summary=count` } },
    ]
    const body = { resourceType: 'Bundle', type: 'batch', entry }
    const answer = (await client.batch({ body })) as Answered & Bundle
    expect(answer.entry?.map(({ response }) => response?.status.slice(0, 3))).toEqual(['200', '404', '201', '200'])
    expect(answer.entry?.[1]?.response?.outcome?.resourceType).toBe('OperationOutcome')
  })
})

describe('fhir-kit-client on operations – https://hl7.org/fhir/R4/operations.html', () => {
  it('$everything is all about one patient and nothing about another', async () => {
    const operation = { name: '$everything', resourceType: 'Patient', id: String(emil.id), method: 'GET' } as const
    const answer = (await client.operation({ ...operation, input: { _count: 100 } })) as Answered & Bundle
    const patients = answer.entry?.filter(({ resource }) => resource?.resourceType === 'Patient')
    expect(patients?.map(({ resource }) => resource?.id)).toEqual([emil.id])
    expect(answer.entry?.length).toBe(1 + Number(await count('Observation', { patient: String(emil.id) })))
  })

  it('$validate names what is wrong and stores nothing', async () => {
    const before = await count('Observation', {})
    const validate = (resource: object) =>
      client.operation({ name: 'validate', resourceType: 'Observation', input: resource as Answered })
    const bad = (await validate({ ...pulse(greta, 1), status: 'c4n4ry' })) as Answered & OperationOutcome
    expect(bad.issue?.[0]).toMatchObject({ severity: 'error', expression: ['Observation.status'] })
    expect(JSON.stringify(bad)).not.toContain('c4n4ry')
    const vital = { system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }
    const right = { ...pulse(greta, 1), category: [{ coding: [vital] }] }
    const good = (await validate(right)) as Answered & OperationOutcome
    expect(good.issue?.map(({ severity }) => severity)).toEqual(['information', 'warning'])
    expect(await count('Observation', {})).toBe(before)
  })
})

describe('fhir-kit-client finding its way – https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html', () => {
  it('discovers the authorization server without a token', async () => {
    const stranger = new Client({ baseUrl: `${home.origin}/fhir` })
    expect(await stranger.smartAuthMetadata()).toMatchObject({
      authorizeUrl: new URL(`${home.origin}/auth/authorize`),
      tokenUrl: new URL(`${home.origin}/auth/token`),
      registerUrl: new URL(`${home.origin}/auth/register`),
    })
  })

  it('reads in the CapabilityStatement what this journey has done', async () => {
    const stranger = new Client({ baseUrl: `${home.origin}/fhir` })
    const statement = (await stranger.capabilityStatement()) as Answered & CapabilityStatement
    expect(statement).toMatchObject({ fhirVersion: '4.0.1', implementation: { url: `${home.origin}/fhir` } })
    const rest = statement.rest?.[0]
    const observation = rest?.resource?.find(({ type }) => type === 'Observation')
    const interactions = observation?.interaction?.map(({ code }) => code)
    expect(interactions).toEqual(
      expect.arrayContaining([
        'read',
        'vread',
        'update',
        'delete',
        'history-instance',
        'history-type',
        'create',
        'search-type',
      ]),
    )
    expect(interactions).toContain('patch')
    expect(observation).toMatchObject({ conditionalCreate: true, conditionalUpdate: true, conditionalDelete: 'single' })
    expect(rest?.interaction?.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['transaction', 'batch', 'search-system', 'history-system']),
    )
  })

  it('is told what is wrong in an OperationOutcome', async () => {
    const stranger = new Client({ baseUrl: `${home.origin}/fhir` })
    const patient = { resourceType: 'Patient', id: String(greta.id) }
    const refusals = {
      unknown: await refusalOf(client.read({ resourceType: 'Patient', id: 'nobody' })),
      tokenless: await refusalOf(stranger.read(patient)),
      parameter: await refusalOf(client.search({ resourceType: 'Patient', searchParams: { colour: 'red' } })),
      invalid: await refusalOf(
        client.create({ resourceType: 'Patient', body: { resourceType: 'Patient', colour: 'red' } }),
      ),
    }
    const told = Object.entries(refusals).map(([name, refusal]) => [name, refusal.status, codeOf(refusal)])
    expect(told).toEqual([
      ['unknown', 404, 'record.unknown'],
      ['tokenless', 401, 'token.missing'],
      ['parameter', 400, 'search.parameter-unknown'],
      ['invalid', 422, 'validation.failed'],
    ])
  })
})
