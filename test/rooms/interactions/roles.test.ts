/** A person whom an account keeps in a lesser role: what the role leaves holds by every way in, and of that person alone. */
import type { Keeping } from '#access'
import { type Answer, grantOf, type House, openHouse, patientA, weightOf } from './house.ts'
import { expectUnseen, idsIn, waysToRead } from './ways-to-read.ts'

let house: House
const admin = grantOf('system/*.cruds')
const secret = 'Hidden-7f3a'
const categories = 'http://terminology.hl7.org/CodeSystem/observation-category'

const inCategory = (patient: string, code: string, text: string) => ({
  resourceType: 'Observation',
  status: 'final',
  category: [{ coding: [{ system: categories, code }] }],
  code: { text },
  subject: { reference: `Patient/${patient}` },
})

async function put(type: string, id: string, body: object): Promise<void> {
  const { status, text } = await house.ask('PUT', `/${type}/${id}`, { grant: admin, body: { ...body, id } })
  if (status !== 201) throw new Error(text)
}

beforeEach(async () => {
  house = await openHouse()
  await put('Patient', 'a', { ...patientA, id: 'a' })
  await put('Patient', 'b', { resourceType: 'Patient', name: [{ family: 'Bertson' }] })
  await put('Practitioner', 'doc', { resourceType: 'Practitioner', name: [{ family: `${secret} doctor` }] })
  for (const patient of ['a', 'b']) {
    const subject = { reference: `Patient/${patient}` }
    const words = patient === 'a' ? secret : 'Shown'
    await put('Observation', `${patient}-pulse`, inCategory(patient, 'vital-signs', 'pulse'))
    await put('Observation', `${patient}-lab`, inCategory(patient, 'laboratory', `${words} HIV`))
    await put('Condition', `${patient}-condition`, {
      resourceType: 'Condition',
      code: { text: `${words} depression` },
      subject,
      ...(patient === 'a' ? { asserter: { reference: 'Practitioner/doc' } } : {}),
    })
  }
  await house.record.addPatientTo('anna', 'a')
  await house.record.addPatientTo('bert', 'b')
})
afterEach(() => house.close())

const letIn = (as: Keeping) => house.record.addPatientTo('bert', 'a', as)
const viewer: Keeping = { role: 'viewer', categories: ['vital-signs'] }

async function grantFor(account: string, scope = 'user/*.cruds', patient?: string) {
  const inContext = patient === undefined ? {} : { patient }
  return grantOf(scope, { account, ...(await house.record.keptBy(account)), ...inContext })
}

const statusOf = ({ status }: Answer) => status

const ways = [...waysToRead('a-lab'), '/Observation?patient=a&category=laboratory']

describe.each([
  ['user/ scopes', 'user/*.cruds', undefined],
  ['a patient in context', 'patient/*.cruds', 'a'],
  ['both', 'user/*.cruds patient/*.cruds', 'a'],
] as const)('a viewer of vital signs, with %s', (_, scope, patient) => {
  beforeEach(() => letIn(viewer))

  it('sees those, and who it is', async () => {
    const grant = await grantFor('bert', scope, patient)
    for (const path of ['/Patient/a', '/Observation/a-pulse', '/Observation/a-pulse/_history/1'])
      expect([path, statusOf(await house.ask('GET', path, { grant }))]).toEqual([path, 200])
    expect(idsIn(await house.ask('GET', '/Observation?patient=a', { grant }))).toEqual(['a-pulse'])
    expect((await house.ask('GET', '/Observation?patient=a&_summary=count', { grant })).json.total).toBe(1)
  })

  it('sees nothing else, by whatever way', async () => {
    const grant = await grantFor('bert', scope, patient)
    await expectUnseen(house, grant, { ways, secret, ids: ['a-lab', 'a-condition', 'doc'] })
  })

  it('cannot find out by asking: chains, _has, sorting and counts', async () => {
    const grant = await grantFor('bert', scope, patient)
    for (const path of [
      '/Patient?_has:Condition:patient:code:text=depression&_id=a',
      '/Patient?_has:Observation:patient:category=laboratory&_id=a',
      '/Condition?patient=a&_summary=count',
      '/Observation?patient=a&category=laboratory&_summary=count',
    ])
      expect([path, (await house.ask('GET', path, { grant })).json.total ?? 0]).toEqual([path, 0])
  })

  it('writes nothing of them', async () => {
    const grant = await grantFor('bert', scope, patient)
    const entry = (method: string, url: string, resource: object) => ({ resource, request: { method, url } })
    const bundle = {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [entry('POST', 'Observation', weightOf('a', 70))],
    }
    for (const [method, path, body] of [
      ['POST', '/Observation', weightOf('a', 70)],
      ['PUT', '/Observation/a-pulse', { ...inCategory('a', 'vital-signs', 'pulse 2'), id: 'a-pulse' }],
      ['DELETE', '/Observation/a-pulse', undefined],
      ['PUT', '/Patient/a', { ...patientA, id: 'a', gender: 'other' }],
      ['DELETE', '/Patient/a', undefined],
      ['POST', '/Patient/a/$purge?confirm=a', undefined],
      ['POST', '/', bundle],
    ] as const) {
      const { status } = await house.ask(method, path, { grant, ...(body === undefined ? {} : { body }) })
      expect([method, path, [403, 404].includes(status)]).toEqual([method, path, true])
    }
    expect((await house.ask('GET', '/Observation?patient=a', { grant: admin })).json.total).toBe(2)
  })
})

it('cannot find out by writing what would follow it', async () => {
  await put('Condition', 'a-gone', { resourceType: 'Condition', subject: { reference: 'Patient/a' } })
  await house.ask('DELETE', '/Condition/a-gone', { grant: admin })
  await letIn(viewer)
  for (const grant of [await grantFor('bert'), await grantFor('bert', 'user/*.cruds patient/*.cruds', 'a')]) {
    const said = []
    for (const name of ['Observation/a-lab', 'Condition/a-condition', 'Condition/a-gone', 'Condition/never-was']) {
      const target = { reference: name }
      const agent = [{ who: { display: 'x' } }]
      const recorded = '2026-01-01T00:00:00Z'
      const binary = { resourceType: 'Binary', contentType: 'text/plain', data: 'eA==' }
      const raw = { 'content-type': 'text/plain', 'x-security-context': name }
      const answers = [
        await house.ask('POST', '/Provenance', {
          grant,
          body: { resourceType: 'Provenance', target: [target], recorded, agent },
        }),
        await house.ask('POST', '/Binary', { grant, body: { ...binary, securityContext: target } }),
        await house.ask('POST', '/Binary', { grant, body: 'x', headers: raw }),
      ]
      said.push(answers.map(statusOf))
    }
    expect(said).toEqual(Array(4).fill([201, 201, 201]))
  }
  expect((await house.ask('GET', '/Patient/a/Provenance', { grant: admin })).json.total).toBe(0)
  // What they see leads to whose it is, where they add nothing.
  const body = {
    resourceType: 'Binary',
    contentType: 'text/plain',
    data: 'eA==',
    securityContext: { reference: 'Observation/a-pulse' },
  }
  expect(statusOf(await house.ask('POST', '/Binary', { grant: await grantFor('bert'), body }))).toBe(403)
})

it('a member adds what follows something of the person there', async () => {
  await letIn({ role: 'member' })
  const body = {
    resourceType: 'Provenance',
    target: [{ reference: 'Condition/a-condition' }],
    recorded: '2026-01-01T00:00:00Z',
    agent: [{ who: { display: 'x' } }],
  }
  // A grant that may only add needs not see what is followed.
  for (const scope of ['user/*.cruds', 'user/Provenance.c'])
    expect(statusOf(await house.ask('POST', '/Provenance', { grant: await grantFor('bert', scope), body }))).toBe(201)
  expect((await house.ask('GET', '/Patient/a/Provenance', { grant: admin })).json.total).toBe(2)
})

it('keeps what is their own and of their own people whole', async () => {
  await letIn(viewer)
  const grant = await grantFor('bert')
  expect(idsIn(await house.ask('GET', '/Observation', { grant }))).toEqual(['a-pulse', 'b-lab', 'b-pulse'])
  expect(idsIn(await house.ask('GET', '/Condition', { grant }))).toEqual(['b-condition'])
  expect(statusOf(await house.ask('DELETE', '/Condition/b-condition', { grant }))).toBe(204)
})

it('sees what belongs to both in the compartment where they see all', async () => {
  const both = { resourceType: 'Appointment', status: 'proposed', description: 'Shown to both' }
  const participant = ['a', 'b'].map(id => ({ actor: { reference: `Patient/${id}` }, status: 'accepted' }))
  await put('Appointment', 'together', { ...both, participant })
  await letIn(viewer)
  const grant = await grantFor('bert')
  expect(statusOf(await house.ask('GET', '/Appointment/together', { grant }))).toBe(200)
  expect(idsIn(await house.ask('GET', '/Appointment', { grant }))).toEqual(['together'])
  const body = { ...both, id: 'together', participant, status: 'cancelled' }
  expect(statusOf(await house.ask('PUT', '/Appointment/together', { grant, body }))).toBe(403)
  const one = await grantFor('bert', 'patient/*.rs', 'a')
  expect(statusOf(await house.ask('GET', '/Appointment/together', { grant: one }))).toBe(403)
})

it('a member reads and adds, and neither changes nor deletes', async () => {
  await letIn({ role: 'member' })
  for (const grant of [await grantFor('bert'), await grantFor('bert', 'patient/*.cruds', 'a')]) {
    expect(statusOf(await house.ask('GET', '/Condition/a-condition', { grant }))).toBe(200)
    expect(statusOf(await house.ask('POST', '/Observation', { grant, body: weightOf('a', 70) }))).toBe(201)
    const body = { ...inCategory('a', 'vital-signs', 'pulse 2'), id: 'a-pulse' }
    expect(statusOf(await house.ask('PUT', '/Observation/a-pulse', { grant, body }))).toBe(403)
    expect(statusOf(await house.ask('DELETE', '/Observation/a-pulse', { grant }))).toBe(403)
    expect(statusOf(await house.ask('PUT', '/Patient/a', { grant, body: { ...patientA, id: 'a' } }))).toBe(403)
    const patch = [{ op: 'replace', path: '/status', value: 'amended' }]
    const headers = { 'content-type': 'application/json-patch+json' }
    expect(statusOf(await house.ask('PATCH', '/Observation/a-pulse', { grant, body: patch, headers }))).toBe(403)
    expect(statusOf(await house.ask('DELETE', '/Observation?patient=a&code:text=pulse', { grant }))).toBe(403)
  }
})

describe('a change of the role', () => {
  it('counts from the next request on, to less and to more', async () => {
    await letIn({ role: 'guardian' })
    const readable = async () =>
      statusOf(await house.ask('GET', '/Condition/a-condition', { grant: await grantFor('bert') }))
    expect(await readable()).toBe(200)
    await house.record.limitKeeping('bert', 'a', viewer)
    expect(await readable()).toBe(404)
    await house.record.limitKeeping('bert', 'a', { role: 'viewer', categories: ['conditions'] })
    expect(await readable()).toBe(200)
    await house.record.limitKeeping('bert', 'a', { role: 'member' })
    expect(await readable()).toBe(200)
  })

  it('makes nothing of who keeps the person in their own right, and nobody of who does not', async () => {
    for (const account of ['anna', 'cleo']) await house.record.limitKeeping(account, 'a', viewer)
    expect(await house.record.keepingOf('anna', 'a')).toEqual({ role: 'owner' })
    expect(await house.record.keepingOf('cleo', 'a')).toBeUndefined()
  })

  it('is not the effect of a second invitation to less', async () => {
    await letIn({ role: 'guardian' })
    await letIn(viewer)
    expect(await house.record.keepingOf('bert', 'a')).toEqual({ role: 'guardian' })
    await letIn({ role: 'owner' })
    expect(await house.record.keepingOf('bert', 'a')).toEqual({ role: 'owner' })
  })
})

it.each(['guardian', 'member', 'viewer'] as const)(
  'a %s is one until the day that was set, and no longer',
  async role => {
    const untilMs = house.clock.nowMs() + 1000
    await letIn({ ...viewer, role, untilMs })
    const grant = await grantFor('bert')
    expect(grant.patients).toEqual(['b', 'a'])
    expect((await grantFor('bert')).patients).toBe(grant.patients)
    house.clock.advance(999)
    expect(await house.record.patientsOf('bert')).toEqual(['b', 'a'])
    house.clock.advance(1)
    expect(await house.record.patientsOf('bert')).toEqual(['b'])
    expect(await house.record.keptBy('bert')).toEqual({ patients: ['b'] })
    expect(await house.record.keepingOf('bert', 'a')).toBeUndefined()
    expect(await house.record.ownsPatient(await grantFor('bert'), 'a')).toBe(false)
    // It can begin again.
    await letIn({ role: 'member' })
    expect(await house.record.keepingOf('bert', 'a')).toEqual({ role: 'member' })
  },
)

it('what a later release has written as a role gives nothing', async () => {
  await letIn({ role: 'steward' as 'member' })
  const grant = await grantFor('bert')
  expect(statusOf(await house.ask('GET', '/Patient/a', { grant }))).toBe(404)
  expect(idsIn(await house.ask('GET', '/Observation', { grant }))).toEqual(['b-lab', 'b-pulse'])
})
