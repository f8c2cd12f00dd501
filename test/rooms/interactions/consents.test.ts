/** What a patient's Consent withholds is as what never was, by every way in; to everybody else all is as before. */
import type { Grant } from '#access'
import { type Answer, grantOf, type House, openHouse, patientA } from './house.ts'
import { expectUnseen, idsIn, waysToRead } from './ways-to-read.ts'

let house: House
const admin = grantOf('system/*.cruds')
const secret = 'Hidden-7f3a'
const sensitivity = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const confidentiality = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality'
const resourceTypes = 'http://hl7.org/fhir/resource-types'
const loinc = 'http://loinc.org'
const types = { class: [{ system: resourceTypes, code: 'Condition' }] }
const labels = { securityLabel: [{ system: sensitivity, code: 'SUD' }] }
const codes = { code: [{ coding: [{ system: loinc, code: '75622-1' }] }] }

const subjectOf = (patient: string) => ({ subject: { reference: `Patient/${patient}` } })
const observation = (patient: string, code: string, text: string, more: object = {}) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: loinc, code }], text },
  ...subjectOf(patient),
  ...more,
})

async function put(type: string, id: string, body: object): Promise<void> {
  const { status, text } = await house.ask('PUT', `/${type}/${id}`, { grant: admin, body: { ...body, id } })
  if (status !== 201) throw new Error(text)
}

const provisionOf = (...kinds: string[]) => ({
  actor: kinds.map(each => {
    const [kind, value] = each.split('=')
    return {
      role: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }] },
      reference: { identifier: { system: `https://kinhold.org/fhir/${kind}`, value } },
    }
  }),
})

const consentOf = (provision: object, more: object = {}) => ({
  resourceType: 'Consent',
  status: 'active',
  scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
  category: [{ coding: [{ system: loinc, code: '59284-0' }] }],
  patient: { reference: 'Patient/a' },
  policyRule: { coding: [{ system: sensitivity, code: 'OPTIN' }] },
  provision,
  ...more,
})

async function grantFor(account: string, about: Partial<Grant> = {}, scope = 'user/*.cruds'): Promise<Grant> {
  const actor = { kind: 'account', id: account } as const
  return grantOf(scope, {
    id: `${account} ${JSON.stringify(about)}`,
    actor,
    account,
    ...(await house.record.keptBy(account)),
    ...about,
  })
}

const byApp = (account: string, clientId: string) => ({ actor: { kind: 'account', id: account, clientId } as const })

async function ruled(provision: object, more: object = {}): Promise<string> {
  const answer = await house.ask('POST', '/Consent', {
    grant: await grantFor('anna'),
    body: consentOf(provision, more),
  })
  if (answer.status !== 201) throw new Error(answer.text)
  return answer.json.id
}

beforeEach(async () => {
  house = await openHouse()
  await put('Patient', 'a', { ...patientA, id: 'a' })
  await put('Patient', 'b', { resourceType: 'Patient', name: [{ family: 'Bertson' }] })
  await put('Practitioner', 'doc', { resourceType: 'Practitioner', name: [{ family: `${secret} doctor` }] })
  for (const patient of ['a', 'b']) {
    const words = patient === 'a' ? secret : 'Shown'
    await put('Observation', `${patient}-pulse`, observation(patient, '8867-4', 'pulse'))
    await put('Observation', `${patient}-hiv`, observation(patient, '75622-1', `${words} HIV`))
    const label = { meta: { security: [{ system: sensitivity, code: 'ETHUD' }] } }
    await put('Observation', `${patient}-labelled`, observation(patient, '1234-5', `${words} labelled`, label))
    const asserter = patient === 'a' ? { asserter: { reference: 'Practitioner/doc' } } : {}
    await put('Condition', `${patient}-condition`, {
      resourceType: 'Condition',
      code: { text: `${words} depression` },
      ...subjectOf(patient),
      ...asserter,
    })
  }
  await house.record.addPatientTo('anna', 'a')
  await house.record.addPatientTo('bert', 'b')
  await house.record.addPatientTo('bert', 'a', { role: 'guardian' })
  await house.record.addPatientTo('mona', 'a', { role: 'member' })
})
afterEach(() => house.close())

const codeOf = ({ json }: Answer): unknown => json.issue?.[0]?.details?.coding?.[0]?.code
const statusOf = async (grant: Grant, path: string) => (await house.ask('GET', path, { grant })).status

const ways = [
  ...waysToRead('a-hiv'),
  '/Observation/a-labelled',
  '/Observation?_id=a-hiv,a-labelled,a-pulse',
  '/Observation?patient=a&code=75622-1',
  '/Observation?_security=ETHUD',
  '/Consent?patient=a',
]

const hidden = ['a-hiv', 'a-labelled', 'a-condition', 'doc']
const all = { type: 'permit', provision: [types, labels, codes].map(each => ({ type: 'deny', ...each })) }

/** The same, denied to one who is named. */
const to = (...recipients: string[]) => ({ ...all, ...provisionOf(...recipients) })

describe.each([
  ['everybody: a guardian', all, 'bert', {}],
  ['everybody: a member', all, 'mona', {}],
  ['the role of a guardian', to('role=guardian', 'role=member'), 'bert', {}],
  ['an account', to('actor=bert'), 'bert', {}],
  ['an app, in whose name ever', to('client=tracker'), 'bert', byApp('bert', 'tracker')],
  ['an app of the owner', to('client=other', 'client=tracker'), 'anna', byApp('anna', 'tracker')],
  ['an app with the patient in context', to('client=tracker'), 'anna', { ...byApp('anna', 'tracker'), patient: 'a' }],
] as const)('a Consent about %s', (_, provision, account, about) => {
  const scope = 'patient' in about ? 'patient/*.cruds' : 'user/*.cruds'
  const grantNow = () => grantFor(account, about, scope)

  it('withholds by class, label and code, by whatever way', async () => {
    await ruled(provision)
    const grant = await grantNow()
    await expectUnseen(house, grant, { ways, secret, ids: hidden })
    for (const id of hidden.slice(0, 2)) expect(await statusOf(grant, `/Observation/${id}`)).toBe(404)
    expect(await statusOf(grant, '/Condition/a-condition')).toBe(404)
  })

  it('leaves all else, also of others', async () => {
    await ruled(provision)
    const grant = await grantNow()
    expect(await statusOf(grant, '/Observation/a-pulse')).toBe(200)
    const others = account === 'bert' ? ['b-hiv', 'b-labelled', 'b-pulse'] : []
    expect(idsIn(await house.ask('GET', '/Observation', { grant }))).toEqual(['a-pulse', ...others])
  })

  it('is not found out by asking: chains, _has, sorting and counts', async () => {
    await ruled(provision)
    const grant = await grantNow()
    for (const path of [
      '/Patient?_has:Condition:patient:code:text=depression&_id=a',
      '/Patient?_has:Observation:patient:code=75622-1&_id=a',
      '/Patient?_has:Observation:patient:_security=ETHUD&_id=a',
      '/Condition?patient=a&_summary=count',
      '/Observation?patient=a&code=75622-1&_summary=count',
      '/Observation?patient=a&_security=ETHUD&_total=accurate&_count=1',
      '/AuditEvent?patient=a&_summary=count',
    ])
      expect([path, (await house.ask('GET', path, { grant })).json.total ?? 0]).toEqual([path, 0])
  })

  it('answers a write to what is withheld as to what never was', async () => {
    await ruled(provision)
    const grant = await grantNow()
    const answers: unknown[] = []
    for (const id of ['a-hiv', 'a-never']) {
      const body = { ...observation('a', '75622-1', 'x'), id }
      const { status, text } = await house.ask('PUT', `/Observation/${id}`, { grant, body })
      answers.push([status, text.replaceAll(id, '')])
      const gone = await house.ask('DELETE', `/Observation/${id}`, { grant })
      answers.push([gone.status, gone.text.replaceAll(id, '')])
      const patched = await house.ask('PATCH', `/Observation/${id}`, {
        grant,
        body: '[{"op":"replace","path":"/status","value":"amended"}]',
        headers: { 'content-type': 'application/json-patch+json' },
      })
      answers.push([patched.status, patched.text.replaceAll(id, '')])
    }
    expect(answers.slice(0, 3)).toEqual(answers.slice(3))
    const kept = await house.ask('GET', '/Observation/a-hiv', { grant: await grantFor('anna') })
    expect(kept.json.meta.versionId).toBe('1')
  })

  it('ends with it, at once', async () => {
    const id = await ruled(provision)
    const grant = await grantNow()
    expect(await statusOf(grant, '/Condition/a-condition')).toBe(404)
    const owner = await grantFor('anna')
    const inactive = { ...consentOf(provision), id, status: 'inactive' }
    expect((await house.ask('PUT', `/Consent/${id}`, { grant: owner, body: inactive })).status).toBe(200)
    expect(await statusOf(grant, '/Condition/a-condition')).toBe(200)
    expect(
      (await house.ask('PUT', `/Consent/${id}`, { grant: owner, body: { ...inactive, status: 'active' } })).status,
    ).toBe(200)
    expect(await statusOf(grant, '/Condition/a-condition')).toBe(404)
    expect((await house.ask('DELETE', `/Consent/${id}`, { grant: owner })).status).toBe(204)
    expect(await statusOf(grant, '/Condition/a-condition')).toBe(200)
  })

  it('is changed by nobody from whom it withholds something', async () => {
    const id = await ruled(provision)
    const grant = await grantNow()
    const none = { ...consentOf(provision), status: 'inactive' }
    expect((await house.ask('POST', '/Consent', { grant, body: consentOf(all) })).status).toBe(403)
    expect((await house.ask('DELETE', `/Consent/${id}`, { grant })).status).toBeGreaterThanOrEqual(200)
    await house.ask('PUT', `/Consent/${id}`, { grant, body: { ...none, id } })
    expect(await statusOf(grant, '/Condition/a-condition')).toBe(404)
  })
})

describe('from whom nothing is withheld', () => {
  it.each([
    ['the owner, whoever is meant', all, 'anna', {}],
    ['the owner by an app that is not named', all, 'anna', byApp('anna', 'tracker')],
    ['the owner, named by account', to('actor=anna'), 'anna', {}],
    ['another account', to('actor=mona'), 'bert', {}],
    ['another role', to('role=member'), 'bert', {}],
    ['another app', to('client=tracker'), 'bert', byApp('bert', 'tracker-2')],
    ['no app where an app is named', to('client=tracker'), 'bert', {}],
  ] as const)('%s', async (_, provision, account, about) => {
    await ruled(provision)
    const grant = await grantFor(account, about)
    for (const path of ['/Observation/a-hiv', '/Observation/a-labelled', '/Condition/a-condition'])
      expect([path, await statusOf(grant, path)]).toEqual([path, 200])
  })
})

describe('what a Consent can say', () => {
  const denied = async (provision: object, grant: Grant, more: object = {}) => {
    await ruled(provision, more)
    const found = await house.ask('GET', '/Observation?patient=a', { grant })
    return { ids: idsIn(found), condition: await statusOf(grant, '/Condition/a-condition') }
  }
  const everything = ['a-hiv', 'a-labelled', 'a-pulse']

  it('denies all but what is permitted within', async () => {
    const provision = {
      type: 'deny',
      provision: [
        {
          type: 'permit',
          class: [{ system: resourceTypes, code: 'Observation' }],
          code: [{ coding: [{ system: loinc, code: '8867-4' }] }],
        },
      ],
    }
    const grant = await grantFor('bert')
    expect(await denied(provision, grant)).toEqual({ ids: ['a-pulse'], condition: 404 })
    expect(await statusOf(grant, '/Patient/a')).toBe(404)
    expect(await statusOf(await grantFor('anna'), '/Condition/a-condition')).toBe(200)
  })

  it('denies all by policy but to whom it is permitted', async () => {
    const provision = { provision: [{ type: 'permit', ...provisionOf('role=guardian') }] }
    const optOut = { policyRule: { coding: [{ system: sensitivity, code: 'OPTOUT' }] } }
    expect(await denied(provision, await grantFor('bert'), optOut)).toEqual({ ids: everything, condition: 200 })
    expect(idsIn(await house.ask('GET', '/Observation?patient=a', { grant: await grantFor('mona') }))).toEqual([])
  })

  it('means by all lists of one provision that all are met', async () => {
    const provision = { type: 'deny', ...labels, class: [{ system: resourceTypes, code: 'Observation' }] }
    expect(await denied(provision, await grantFor('bert'))).toEqual({ ids: ['a-hiv', 'a-pulse'], condition: 200 })
  })

  it('denies where any of several Consents does', async () => {
    await ruled({ type: 'deny', ...types })
    const permits = { type: 'permit', provision: [{ type: 'deny', ...codes }] }
    expect(await denied(permits, await grantFor('bert'))).toEqual({ ids: ['a-labelled', 'a-pulse'], condition: 404 })
  })

  it('counts from its start until its end', async () => {
    const period = { start: '2026-03-01T13:00:00Z', end: '2026-03-01T14:00:00Z' }
    const grant = await grantFor('bert')
    expect(await denied({ type: 'deny', period }, grant)).toEqual({ ids: everything, condition: 200 })
    house.clock.advance(60 * 60_000)
    expect(await statusOf(grant, '/Condition/a-condition')).toBe(404)
    house.clock.advance(60 * 60_000 + 1_000)
    expect(await statusOf(grant, '/Condition/a-condition')).toBe(200)
  })

  it('means by a degree of confidentiality whatever is stricter – https://hl7.org/fhir/R4/security-labels.html', async () => {
    const label = (code: string) => ({ meta: { security: [{ system: confidentiality, code }] } })
    for (const code of ['N', 'R', 'V']) await put('Observation', `a-${code}`, observation('a', '1-8', 'x', label(code)))
    const provision = { type: 'deny', securityLabel: [{ system: confidentiality, code: 'R' }] }
    const { ids } = await denied(provision, await grantFor('bert'))
    // A code of HIV is as good as the label R; of the sensitivity ETHUD nothing is said.
    expect(ids).toEqual(['a-N', 'a-labelled', 'a-pulse'])
  })

  it('sees a code in a component, and in what is contained', async () => {
    const coded = { coding: [{ system: loinc, code: '75622-1' }] }
    await put('Observation', 'a-panel', observation('a', '1-8', 'x', { component: [{ code: coded }] }))
    await put('DiagnosticReport', 'a-report', {
      resourceType: 'DiagnosticReport',
      status: 'final',
      code: { text: 'x' },
      ...subjectOf('a'),
      contained: [{ ...observation('a', '75622-1', 'x'), id: 'c' }],
      result: [{ reference: '#c' }],
    })
    const grant = await grantFor('bert')
    expect((await denied({ type: 'deny', ...codes }, grant)).ids).toEqual(['a-labelled', 'a-pulse'])
    expect(await statusOf(grant, '/Observation/a-panel')).toBe(404)
    expect(await statusOf(grant, '/DiagnosticReport/a-report')).toBe(404)
    expect((await house.ask('GET', '/DiagnosticReport?_summary=count', { grant })).json.total).toBe(0)
  })

  it('withholds what tells of others where anything is withheld', async () => {
    await put('Provenance', 'told', {
      resourceType: 'Provenance',
      target: [{ reference: 'Condition/a-condition' }],
      recorded: '2026-01-01T00:00:00Z',
      agent: [{ who: { reference: 'Patient/a' } }],
    })
    const grant = await grantFor('bert')
    expect(await statusOf(grant, '/Provenance/told')).toBe(200)
    await ruled({ type: 'deny', ...types })
    expect(await statusOf(grant, '/Provenance/told')).toBe(404)
  })
})

describe('what cannot be acted upon is refused, and nothing of it is kept', () => {
  const deny = { type: 'deny' }
  const observations = { class: [{ system: resourceTypes, code: 'Observation' }] }
  const dataOf = (meaning: string, reference: string) => ({ meaning, reference: { reference } })
  const cases: readonly (readonly [expression: string, provision: object, more?: object])[] = [
    ['Consent.provision.purpose', { ...deny, purpose: [{ code: 'TREAT' }] }],
    ['Consent.provision.dataPeriod', { ...deny, dataPeriod: { start: '2020' } }],
    ['Consent.provision.dataPeriod', { ...deny, ...types, dataPeriod: { start: '2020' } }],
    [
      'Consent.provision.dataPeriod',
      { ...deny, class: [...observations.class, ...types.class], dataPeriod: { end: '2020' } },
    ],
    ['Consent.provision.data[0].meaning', { ...deny, data: [dataOf('related', 'Observation/a-hiv')] }],
    ['Consent.provision.data[0].meaning', { ...deny, data: [dataOf('dependents', 'Observation/a-hiv')] }],
    ['Consent.provision.data[0].meaning', { ...deny, data: [dataOf('authoredby', 'Patient/a')] }],
    ['Consent.provision.data[0].reference', { ...deny, data: [dataOf('instance', `Practitioner/${secret}`)] }],
    ['Consent.provision.data[0].reference', { ...deny, data: [dataOf('instance', 'Observation/a-hiv/_history/1')] }],
    [
      'Consent.provision.data[0].reference',
      { ...deny, data: [dataOf('instance', `https://other.example/Observation/${secret}`)] },
    ],
    [
      'Consent.provision.data[0].reference',
      { ...deny, data: [{ meaning: 'instance', reference: { display: secret } }] },
    ],
    [
      'Consent.provision.actor[0].reference',
      {
        ...deny,
        actor: provisionOf('client=x').actor.map(each => ({ ...each, reference: { reference: 'RelatedPerson/x' } })),
      },
    ],
    ['Consent.provision.action', { ...deny, action: [{ text: 'read' }] }],
    [
      'Consent.provision.type',
      { period: { start: '2026' } },
      { policyRule: undefined, policy: [{ uri: 'https://example.org/policy' }] },
    ],
    ['Consent.policy', deny, { policy: [{ uri: 'https://example.org/policy' }] }],
    ['Consent.policyRule', deny, { policyRule: { text: `${secret}` } }],
    ['Consent.policyRule', { type: 'permit' }, { policyRule: { coding: [{ system: sensitivity, code: 'OPTOUT' }] } }],
    ['Consent.provision', { type: 'permit' }],
    ['Consent.provision', { period: { start: '2026' } }],
    ['Consent.provision.provision[0].type', { ...deny, provision: [deny] }],
    ['Consent.provision.provision[0].type', { ...deny, provision: [{ class: types.class }] }],
    ['Consent.provision.provision[0].provision', { ...deny, provision: [{ type: 'permit', provision: [deny] }] }],
    ['Consent.provision.class', { ...deny, class: [{ system: 'urn:other', code: secret }] }],
    ['Consent.provision.code[0]', { ...deny, code: [{ text: secret }] }],
    ['Consent.provision.code[0]', { ...deny, code: [{ coding: [{ code: secret }] }] }],
    ['Consent.provision.securityLabel', { ...deny, securityLabel: [{ code: secret }] }],
    ['Consent.provision.securityLabel[0]', { ...deny, securityLabel: [{ system: confidentiality, code: 'N' }] }],
    ['Consent.provision.actor[0].reference', { ...deny, ...provisionOf('nobody=x') }],
    ['Consent.provision.actor[0].reference.identifier.value', { ...deny, ...provisionOf('role=owner') }],
    ['Consent.provision.actor[0].reference.identifier.value', { ...deny, ...provisionOf(`role=${secret}`) }],
    ['Consent.patient', deny, { patient: { display: secret } }],
    ['Consent.patient', deny, { patient: { reference: 'https://other.example/fhir/Patient/a' } }],
  ]

  it('by the element, and never by a value', async () => {
    const grant = await grantFor('anna')
    const entry = (method: string, url: string, resource: object) => [{ resource, request: { method, url } }]
    const bundle = (type: string, entries: object[]) =>
      house.ask('POST', '/', { grant, body: { resourceType: 'Bundle', type, entry: entries } })
    for (const [expression, provision, more = {}] of cases) {
      const body = consentOf(provision, more)
      for (const answer of [
        await house.ask('POST', '/Consent', { grant, body }),
        await bundle('transaction', entry('POST', 'Consent', body)),
      ]) {
        expect([expression, answer.status, codeOf(answer)]).toEqual([expression, 422, 'record.consent-unenforceable'])
        const places = answer.json.issue.flatMap((issue: { expression: string[] }) => issue.expression)
        const within = places.map((place: string) =>
          place.replace('Bundle.entry[0].resource.ofType(Consent)', 'Consent'),
        )
        expect(within).toContain(expression)
        expect(answer.text).not.toContain(secret)
      }
    }
    const [, provision = {}] = cases[0] ?? []
    const refused = consentOf(provision)
    expect((await house.ask('PUT', '/Consent?_id=n', { grant, body: refused })).status).toBe(422)
    const batch = await bundle('batch', entry('POST', 'Consent', refused))
    expect(batch.json.entry[0].response.status).toMatch(/^422/)
    expect((await house.ask('GET', '/Consent?_summary=count', { grant: admin })).json.total).toBe(0)
  })

  it.each([
    ['a member of the family', () => grantFor('mona')],
    [
      'an app of the owner that is itself denied something',
      async () => {
        await ruled(to('client=tracker'))
        return grantFor('anna', byApp('anna', 'tracker'))
      },
    ],
    ['a client that acts for nobody', async () => admin],
  ])('of %s', async (_, granted) => {
    const grant = await granted()
    const answer = await house.ask('POST', '/Consent', { grant, body: consentOf(to('client=other')) })
    expect([answer.status, codeOf(answer)]).toEqual([403, 'record.consent-foreign'])
  })
})
