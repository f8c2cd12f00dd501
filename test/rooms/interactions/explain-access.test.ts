/** Who keeps a patient is told what Consents withhold from somebody, and by which of their elements; others as what never was. */
import { type Answer, grantOf, type House, openHouse, patientA } from './house.ts'

let house: House
const admin = grantOf('system/*.cruds')
const actCode = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const loinc = 'http://loinc.org'
const ofConditions = { class: [{ system: 'http://hl7.org/fhir/resource-types', code: 'Condition' }] }
const ofSubstances = { securityLabel: [{ system: actCode, code: 'SUD' }] }
const ofHiv = { code: [{ coding: [{ system: loinc, code: '75622-1' }] }] }

const to = (kind: string, value: string) => ({
  actor: [
    {
      role: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }] },
      reference: { identifier: { system: `https://kinhold.org/fhir/${kind}`, value } },
    },
  ],
})

async function put(type: string, id: string, body: object): Promise<void> {
  const { status, text } = await house.ask('PUT', `/${type}/${id}`, {
    grant: admin,
    body: { resourceType: type, ...body, id },
  })
  if (status !== 201) throw new Error(text)
}

async function grantFor(account: string, clientId?: string, scope = 'user/*.cruds') {
  const actor = { kind: 'account', id: account, ...(clientId === undefined ? {} : { clientId }) } as const
  return grantOf(scope, {
    id: `${account} ${clientId} ${scope}`,
    actor,
    account,
    ...(await house.record.keptBy(account)),
  })
}

/** Names that the tests have for Consents, by the reference that the server gave. */
const names = new Map<string, string>()

async function ruled(name: string, more: object): Promise<string> {
  const body = {
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
    category: [{ coding: [{ system: loinc, code: '59284-0' }] }],
    patient: { reference: 'Patient/a' },
    ...more,
  }
  const { status, text, json } = await house.ask('POST', '/Consent', { grant: await grantFor('anna'), body })
  if (status !== 201) throw new Error(text)
  names.set(`Consent/${json.id}`, `Consent/${name}`)
  return json.id
}

const optIn = { policyRule: { coding: [{ system: actCode, code: 'OPTIN' }] } }

beforeEach(async () => {
  house = await openHouse()
  await put('Patient', 'a', { ...patientA })
  await put('Patient', 'b', { name: [{ family: 'Bertson' }] })
  const subject = { reference: 'Patient/a' }
  const observed = (code: string, more: object = {}) => ({
    status: 'final',
    subject,
    code: { coding: [{ system: loinc, code }] },
    ...more,
  })
  await put('Observation', 'pulse', observed('8867-4'))
  await put('Observation', 'hiv', observed('75622-1'))
  await put('Observation', 'labelled', observed('1-8', { meta: { security: [{ system: actCode, code: 'ETHUD' }] } }))
  await put('Observation', 'of-b', { ...observed('75622-1'), subject: { reference: 'Patient/b' } })
  await put('Condition', 'depression', { subject, code: { text: 'x' } })
  await put('DiagnosticReport', 'report', {
    status: 'final',
    subject,
    code: { text: 'x' },
    contained: [{ resourceType: 'Observation', id: 'c', ...observed('75622-1') }],
    result: [{ reference: '#c' }],
  })
  await put('Provenance', 'told', {
    target: [{ reference: 'Condition/depression' }],
    recorded: '2026-01-01T00:00:00Z',
    agent: [{ who: subject }],
  })
  await put('Practitioner', 'doc', {})
  await house.record.addPatientTo('anna', 'a')
  await house.record.addPatientTo('bert', 'b')
  await house.record.addPatientTo('bert', 'a', { role: 'guardian' })
  await house.record.addPatientTo('mona', 'a', { role: 'member' })
})
afterEach(() => house.close())

type Named = readonly { readonly name: string; readonly part?: Named; readonly [value: string]: unknown }[]

/** The extent, and of each reason the Consent, the element and its extent. */
function said({ status, text, json }: Answer): readonly unknown[] {
  if (status !== 200) throw new Error(text)
  const values = (parts: Named) =>
    parts.map(({ valueReference, valueString, valueCode }) => {
      const { reference } = (valueReference ?? {}) as { reference?: string }
      return names.get(reference ?? '') ?? valueString ?? valueCode
    })
  const [extent, ...reasons] = json.parameter as Named
  return [extent?.valueCode, ...reasons.map(({ part = [] }) => values(part).join(' '))]
}

async function explained(query: string, account = 'anna') {
  return said(await house.ask('GET', `/Patient/a/$explain-access${query}`, { grant: await grantFor(account) }))
}

describe('what is withheld', () => {
  let parts: string
  beforeEach(async () => {
    const deny = (what: object) => ({ type: 'deny', ...what })
    const provision = [ofConditions, ofSubstances, ofHiv].map(deny)
    parts = await ruled('parts', { ...optIn, provision: { type: 'permit', ...to('client', 'tracker'), provision } })
    await ruled('nurse', { ...optIn, provision: { type: 'deny', ...to('role', 'member') } })
  })

  const first = 'Consent/parts Consent.provision.provision[0]'
  const second = 'Consent/parts Consent.provision.provision[1]'
  const third = 'Consent/parts Consent.provision.provision[2]'
  const nurse = 'Consent/nurse Consent.provision whole'

  it.each<[query: string, answer: readonly string[]]>([
    ['', ['none']],
    ['?role=guardian', ['none']],
    ['?role=none', ['none']],
    ['?actor=bert', ['none']],
    ['?actor=nobody', ['none']],
    ['?client=another', ['none']],
    ['?client=tracker', ['part', `${first} part`, `${second} part`, `${third} part`]],
    ['?client=tracker&actor=bert', ['part', `${first} part`, `${second} part`, `${third} part`]],
    ['?client=tracker&role=none', ['part', `${first} part`, `${second} part`, `${third} part`]],
    ['?client=tracker&type=Condition', ['whole', `${first} whole`, `${second} part`, `${third} part`]],
    ['?client=tracker&type=Provenance', ['whole', `${first} whole`, `${second} whole`, `${third} whole`]],
    ['?client=tracker&type=Binary', ['whole', `${first} whole`, `${second} whole`, `${third} whole`]],
    ['?client=tracker&reference=Condition/depression', ['whole', `${first} whole`]],
    ['?client=tracker&reference=Observation/hiv', ['whole', `${third} whole`]],
    ['?client=tracker&reference=Observation/labelled', ['whole', `${second} whole`]],
    ['?client=tracker&reference=DiagnosticReport/report', ['whole', `${third} whole`]],
    ['?client=tracker&reference=Observation/pulse', ['none']],
    ['?client=another&reference=Observation/hiv', ['none']],
    ['?client=tracker&reference=http://127.0.0.1:8080/fhir/Observation/hiv', ['whole', `${third} whole`]],
    ['?actor=mona', ['whole', nurse]],
    ['?role=member', ['whole', nurse]],
    ['?role=member&reference=Observation/pulse', ['whole', nurse]],
    ['?client=tracker&actor=mona&reference=Observation/hiv', ['whole', `${third} whole`, nurse]],
  ])('%s', async (query, answer) => {
    for (const account of ['anna', 'bert']) expect(await explained(query, account)).toEqual(answer)
  })

  it('is as it is read by them', async () => {
    const ids = [
      'Condition/depression',
      'Observation/hiv',
      'Observation/labelled',
      'Observation/pulse',
      'Provenance/told',
    ]
    for (const [client, account] of [
      ['tracker', 'anna'],
      ['tracker', 'bert'],
      ['another', 'bert'],
      ['another', 'mona'],
    ] as const)
      for (const id of ids) {
        const { status } = await house.ask('GET', `/${id}`, { grant: await grantFor(account, client) })
        const [extent] = await explained(`?client=${client}&actor=${account}&reference=${id}`)
        expect([client, account, id, extent]).toEqual([client, account, id, status === 200 ? 'none' : 'whole'])
      }
  })

  it('ends with the Consent, and is asked by Parameters and in XML as well', async () => {
    const grant = await grantFor('anna')
    const parameter = [
      { name: 'client', valueString: 'tracker' },
      { name: 'reference', valueString: 'Observation/hiv' },
    ]
    const body = { resourceType: 'Parameters', parameter }
    const ask = () => house.ask('POST', '/Patient/a/$explain-access', { grant, body })
    expect(said(await ask())).toEqual(['whole', `${third} whole`])
    const xml = await house.ask('GET', '/Patient/a/$explain-access?client=tracker&_format=xml', { grant })
    expect(xml.text).toContain('<valueString value="Consent.provision.provision[0]"/>')
    await house.ask('DELETE', `/Consent/${parts}`, { grant })
    expect(said(await ask())).toEqual(['none'])
  })

  it('is recorded with the patient', async () => {
    await explained('?client=tracker')
    await house.record.flush()
    const { json } = await house.ask('GET', '/Patient/a/AuditEvent?type=explain', { grant: admin })
    expect(json.entry.map(({ resource }: { resource: { agent: unknown } }) => JSON.stringify(resource.agent))).toEqual([
      expect.stringContaining('anna'),
    ])
  })
})

it.each<[what: string, more: object, place: string]>([
  ['a policy alone', { policyRule: { coding: [{ system: actCode, code: 'OPTOUT' }] } }, 'Consent.policyRule'],
  ['a root that denies', { ...optIn, provision: { type: 'deny' } }, 'Consent.provision'],
])('%s is named by its element', async (_, more, place) => {
  await ruled('all', more)
  const grant = await grantFor('anna')
  const answer = await house.ask('GET', '/Patient/a/$explain-access?role=guardian', { grant })
  expect(said(answer)).toEqual(['whole', `Consent/all ${place} whole`])
})

describe('is told to nobody else', () => {
  beforeEach(() =>
    ruled('all', {
      ...optIn,
      provision: { type: 'permit', provision: [{ type: 'deny', ...ofHiv, ...to('client', 'tracker') }] },
    }),
  )
  const asking = async (path: string, grant: Awaited<ReturnType<typeof grantFor>>) => {
    const { status, json } = await house.ask('GET', path, { grant })
    return [status, json.issue?.[0]?.details?.coding?.[0]?.code]
  }
  const here = '/Patient/a/$explain-access?client=tracker'
  const never = [404, 'record.unknown']

  it.each([
    ['a stranger', 'cleo', undefined, never],
    ['a member', 'mona', undefined, [403, 'record.explain-foreign']],
    ['an app of the owner from which something is withheld', 'anna', 'tracker', [403, 'record.explain-foreign']],
    ['an app of a guardian from which something is withheld', 'bert', 'tracker', [403, 'record.explain-foreign']],
  ] as const)('%s', async (_, account, client, answer) => {
    expect(await asking(here, await grantFor(account, client))).toEqual(answer)
  })

  it('nor without the scopes, nor to a client that acts for nobody', async () => {
    for (const scope of ['user/Patient.r', 'user/Consent.rs', 'user/Observation.cruds'])
      expect([scope, ...(await asking(here, await grantFor('anna', 'another', scope)))]).toEqual([
        scope,
        403,
        'scope.missing',
      ])
    const narrow = await grantFor('anna', 'another', 'user/Patient.r user/Consent.r?status=inactive')
    expect(await asking(here, narrow)).toEqual([403, 'record.explain-foreign'])
    expect(await asking(here, admin)).toEqual([403, 'record.explain-foreign'])
    expect(await asking(here, await grantFor('anna', 'another', 'user/Patient.r user/Consent.r'))).toEqual([
      200,
      undefined,
    ])
  })

  it.each(['Observation/of-b', 'Observation/never', 'Practitioner/doc', 'Patient/b'])('of %s', async id => {
    for (const account of ['anna', 'bert'])
      expect(await asking(`${here}&reference=${id}`, await grantFor(account))).toEqual(never)
  })

  it('of a patient who never was, or is not theirs', async () => {
    for (const id of ['b', 'never'])
      expect(await asking(`/Patient/${id}/$explain-access`, await grantFor('anna'))).toEqual(never)
  })
})

it.each([
  ['?actor=mona&role=member', 'explain.recipient-unclear'],
  ['?role=nurse', 'explain.recipient-unclear'],
  ['?client=', 'explain.recipient-unclear'],
  ['?client=a&client=b', 'explain.recipient-unclear'],
  ['?reference=Observation/pulse&type=Observation', 'explain.subject-unclear'],
  ['?reference=https://other.example/fhir/Observation/1', 'explain.subject-unclear'],
  ['?reference=Observation', 'explain.subject-unclear'],
  ['?type=Nothing', 'explain.subject-unclear'],
  ['?whom=tracker', 'request.parameter-unknown'],
])('%s is not understood', async (query, code) => {
  const answer = await house.ask('GET', `/Patient/a/$explain-access${query}`, { grant: await grantFor('anna') })
  expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([400, code])
})
