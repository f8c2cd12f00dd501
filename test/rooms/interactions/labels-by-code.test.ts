/** What a Consent withholds by security label it withholds of what has a code that stands for it, whenever that was written. */
import { grantOf, type House, openHouse, patientA } from './house.ts'

let house: House
const admin = grantOf('system/*.cruds')
const actCode = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const confidentiality = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality'
const icd = 'http://hl7.org/fhir/sid/icd-10'
const cm = 'http://hl7.org/fhir/sid/icd-10-cm'
const snomed = 'http://snomed.info/sct'
const loinc = 'http://loinc.org'
const atc = 'http://www.whocc.no/atc'

const subject = { reference: 'Patient/a' }
const coded = (...codings: readonly (readonly [system: string, code: string])[]) => ({
  coding: codings.map(([system, code]) => ({ system, code })),
})
const depression = coded([icd, 'F32.9'])
const flu = coded([icd, 'J11.1'])

async function put(type: string, id: string, body: object): Promise<void> {
  const { status, text } = await house.ask('PUT', `/${type}/${id}`, {
    grant: admin,
    body: { resourceType: type, ...body, id },
  })
  if (status !== 201) throw new Error(text)
}

const app = async (clientId: string) =>
  grantOf('user/*.cruds', {
    id: clientId,
    actor: { kind: 'account', id: 'anna', clientId },
    account: 'anna',
    ...(await house.record.keptBy('anna')),
  })

/** Denies a label to the app `tracker`. */
async function deny(system: string, code: string, provision: readonly object[] = []): Promise<void> {
  const body = {
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
    category: [{ coding: [{ system: loinc, code: '59284-0' }] }],
    patient: subject,
    policyRule: { coding: [{ system: actCode, code: 'OPTIN' }] },
    provision: {
      type: 'deny',
      securityLabel: [{ system, code }],
      actor: [
        {
          role: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }] },
          reference: { identifier: { system: 'https://kinhold.org/fhir/client', value: 'tracker' } },
        },
      ],
      ...(provision.length === 0 ? {} : { provision }),
    },
  }
  const { status, text } = await house.ask('POST', '/Consent', { grant: await app('own'), body })
  if (status !== 201) throw new Error(text)
}

const observed = (code: object, more: object = {}) => ({ status: 'final', subject, code, ...more })
const within = (resource: object) => ({ contained: [{ id: 'c', ...resource }] })
const medication = within({ resourceType: 'Medication', code: coded([atc, 'N06AB06']) })
const prescribed = {
  status: 'active',
  intent: 'order',
  subject,
  medicationReference: { reference: '#c' },
  ...medication,
}

/** One of each type with a code that stands for PSY. */
const telling: readonly (readonly [type: string, body: object])[] = [
  ['Condition', { subject, code: depression }],
  ['Observation', observed(coded([loinc, '44261-6']))],
  ['Observation', observed(flu, { valueCodeableConcept: depression })],
  ['Observation', observed(flu, { component: [{ code: coded([loinc, '70274-6']) }] })],
  [
    'MedicationRequest',
    { status: 'active', intent: 'order', subject, medicationCodeableConcept: coded([atc, 'N05AH03']) },
  ],
  ['MedicationRequest', prescribed],
  ['MedicationStatement', { status: 'active', subject, medicationReference: { reference: '#c' }, ...medication }],
  ['Procedure', { status: 'completed', subject, code: { text: 'x' }, reasonCode: [depression] }],
  ['Encounter', { status: 'finished', class: { system: actCode, code: 'AMB' }, subject, reasonCode: [depression] }],
  ['DiagnosticReport', { status: 'final', subject, code: { text: 'x' }, conclusionCode: [depression] }],
  [
    'DiagnosticReport',
    {
      status: 'final',
      subject,
      code: { text: 'x' },
      ...within({ resourceType: 'Observation', ...observed(depression) }),
      result: [{ reference: '#c' }],
    },
  ],
  [
    'AllergyIntolerance',
    {
      patient: subject,
      code: coded([atc, 'N06AB03']),
      clinicalStatus: coded(['http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', 'active']),
    },
  ],
  [
    'FamilyMemberHistory',
    { status: 'completed', patient: subject, relationship: { text: 'x' }, condition: [{ code: depression }] },
  ],
  ['ServiceRequest', { status: 'active', intent: 'order', subject, code: coded([snomed, '35489007']) }],
  ['Condition', { subject, code: coded(['urn:own', 'x'], [icd, 'J11'], [snomed, '370143000']) }],
]

beforeEach(async () => {
  house = await openHouse()
  await put('Patient', 'a', { ...patientA })
  await house.record.addPatientTo('anna', 'a')
})
afterEach(() => house.close())

describe('a Consent that denies PSY to an app', () => {
  const types = [...new Set(telling.map(([type]) => type))]

  beforeEach(async () => {
    for (const [at, [type, body]] of telling.entries()) await put(type, `t${at}`, body)
    for (const type of types) {
      const [, body] = telling.find(([each]) => each === type) ?? []
      await put(
        type,
        `plain-${type}`,
        JSON.parse(JSON.stringify(body).replaceAll(/F32\.9|44261-6|N0[56]A\w+|35489007/g, 'J11')),
      )
    }
  })

  it('withholds what was there before, of every type, by reading, searching, counting and everything', async () => {
    await deny(actCode, 'PSY')
    const grants = { tracker: await app('tracker'), other: await app('other') }
    for (const [at, [type]] of telling.entries()) {
      const status = async (grant: keyof typeof grants) =>
        (await house.ask('GET', `/${type}/t${at}`, { grant: grants[grant] })).status
      expect([type, at, await status('tracker'), await status('other')]).toEqual([type, at, 404, 200])
    }
    for (const type of types) {
      const found = await house.ask('GET', `/${type}?_total=accurate`, { grant: grants.tracker })
      const ids = found.json.entry.map(({ resource }: { resource: { id: string } }) => resource.id)
      expect([type, ids, found.json.total]).toEqual([type, [`plain-${type}`], 1])
    }
    for (const path of ['/Patient/a/$everything', '/Patient/a/*', '/_history'])
      expect((await house.ask('GET', path, { grant: grants.tracker })).text).not.toMatch(/"t\d+"|F32|N0[56]A/)
    expect(
      (await house.ask('GET', '/Patient?_has:Condition:patient:code=F32.9', { grant: grants.tracker })).json.total,
    ).toBe(0)
  })

  it('withholds what is written later, until its code is another one, and writes no label', async () => {
    await deny(actCode, 'PSY')
    const grant = await app('tracker')
    await put('Condition', 'later', { subject, code: depression })
    const status = async () => (await house.ask('GET', '/Condition/later', { grant })).status
    expect(await status()).toBe(404)
    const kept = await house.ask('GET', '/Condition/later', { grant: admin })
    expect(kept.json.meta.security).toBeUndefined()
    const body = { resourceType: 'Condition', id: 'later', subject, code: flu }
    expect((await house.ask('PUT', '/Condition/later', { grant: admin, body })).status).toBe(200)
    expect(await status()).toBe(200)
    // What it said before it says still.
    expect((await house.ask('GET', '/Condition/later/_history/1', { grant })).status).toBe(404)
  })

  it('is explained', async () => {
    await deny(actCode, 'PSY')
    const path = '/Patient/a/$explain-access?client=tracker&reference=Condition/t0'
    const { json } = await house.ask('GET', path, { grant: await app('own') })
    expect(json.parameter[0]).toEqual({ name: 'extent', valueCode: 'whole' })
  })
})

describe('a label', () => {
  const codes: Readonly<Record<string, readonly [system: string, code: string]>> = {
    psy: [cm, 'F329'],
    lower: [cm, 'f32.9'],
    alcohol: [icd, 'F10.2'],
    opioids: [icd, 'F11.2'],
    tobacco: [icd, 'F17.2'],
    cannabis: [cm, 'F12.10'],
    hiv: [icd, 'B20'],
    hivTest: [loinc, '75622-1'],
    syphilis: [icd, 'A52.1'],
    other: [icd, 'A49'],
    elsewhere: ['urn:own', 'F32.9'],
    violence: [cm, 'T74.11XA'],
    dementia: [icd, 'F03'],
  }

  beforeEach(async () => {
    for (const [id, coding] of Object.entries(codes)) await put('Condition', id, { subject, code: coded(coding) })
  })

  const withheld = async () => {
    const { json } = await house.ask('GET', '/Condition?_count=100', { grant: await app('tracker') })
    const seen = (json.entry ?? []).map(({ resource }: { resource: { id: string } }) => resource.id)
    return Object.keys(codes).filter(id => !seen.includes(id))
  }

  it.each<[system: string, label: string, ids: readonly string[]]>([
    [actCode, 'PSY', ['psy', 'lower']],
    [actCode, 'BH', ['psy', 'lower', 'alcohol', 'opioids', 'cannabis', 'dementia']],
    [actCode, 'SUD', ['alcohol', 'opioids', 'cannabis']],
    [actCode, 'ETHUD', ['alcohol']],
    [actCode, 'OPIOIDUD', ['opioids']],
    [actCode, 'HIV', ['hiv', 'hivTest']],
    [actCode, 'STD', ['syphilis']],
    [actCode, 'SDV', ['violence']],
    [
      confidentiality,
      'R',
      ['psy', 'lower', 'alcohol', 'opioids', 'cannabis', 'hiv', 'hivTest', 'syphilis', 'violence', 'dementia'],
    ],
    [confidentiality, 'V', []],
    ['urn:own', 'PSY', []],
    [actCode, 'TBOO', []],
  ])('%s %s', async (system, label, ids) => {
    await deny(system, label)
    expect(await withheld()).toEqual(ids)
  })

  it('of what is permitted within is what is written: nothing becomes visible by its code', async () => {
    const body = { subject, code: coded([icd, 'F33']), meta: { security: [{ system: actCode, code: 'PSY' }] } }
    await put('Condition', 'written', body)
    await deny(confidentiality, 'R', [{ type: 'permit', securityLabel: [{ system: actCode, code: 'PSY' }] }])
    expect(await withheld()).toContain('psy')
    expect((await house.ask('GET', '/Condition/written', { grant: await app('tracker') })).status).toBe(200)
  })
})
