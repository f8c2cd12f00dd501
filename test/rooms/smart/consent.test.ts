import {
  addApp,
  addFamily,
  addPatient,
  allow,
  authorizeParams,
  decide,
  type House,
  openConsent,
  openHouse,
  password,
  redeem,
  Visitor,
} from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

async function scopesOf(options: Parameters<typeof allow>[1]): Promise<string[]> {
  const { json } = await redeem(house, await allow(house, options))
  return String(json.scope)
    .split(' ')
    .filter(scope => scope.includes('/') && !scope.startsWith('launch'))
}

const observationCategory = 'http://terminology.hl7.org/CodeSystem/observation-category'
const conditionCategory = 'http://terminology.hl7.org/CodeSystem/condition-category'
const usConditionCategory = 'http://hl7.org/fhir/us/core/CodeSystem/condition-category'

describe('SMART 2.2 §1B, §1D consent – https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html', () => {
  it('tells in plain words which app asks, for whose data, of what kind, to do what, for how long', async () => {
    await addFamily(house, 'Anna')
    const visitor = new Visitor(house)
    await visitor.logIn('Anna')
    const scope = 'launch/patient patient/Observation.rs patient/MedicationRequest.cruds offline_access'
    const { text, headers } = await openConsent(visitor, authorizeParams(house, await addApp(house), { scope }))
    for (const words of [
      'Heart Diary',
      '127.0.0.1:9',
      'Whose data?',
      'Emil Weber',
      'Prescriptions',
      'may read it',
      'may add it',
      'may change it',
      'may delete it',
      'For how long?',
      'six months',
      'Do not allow',
    ])
      expect(text).toContain(words)
    expect(text).not.toContain('<script')
    expect(headers.get('content-security-policy')).toContain("form-action 'self' https: http://127.0.0.1:9")
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it('13: a denial goes back to the app as access_denied, with state', async () => {
    await addFamily(house, 'Dora')
    const visitor = new Visitor(house)
    await visitor.logIn('Dora')
    const page = await openConsent(visitor, authorizeParams(house, await addApp(house)))
    const sent = await decide(visitor, page, { decision: 'deny' })
    expect(sent.location?.searchParams.get('error')).toBe('access_denied')
    expect(sent.location?.searchParams.get('state')).toBe('a state & more')
    const nothing = await decide(visitor, page, { 'do-0': [] })
    expect(nothing.location?.searchParams.get('error')).toBe('access_denied')
  })

  it('13: a person takes types and deeds away', async () => {
    const scope = 'launch/patient patient/Observation.cruds patient/Condition.rs patient/Patient.r'
    expect(await scopesOf({ scope })).toEqual([
      'patient/Observation.cruds',
      'patient/Condition.rs',
      'patient/Patient.r',
    ])
    expect(await scopesOf({ scope, fields: { 'do-0': ['read', 'add'], 'do-1': [] } })).toEqual([
      'patient/Observation.crs',
      'patient/Patient.r',
    ])
  })

  it('28: a person gives categories in place of whole types, and no type-level scope remains', async () => {
    const scope = 'launch/patient patient/Condition.rs patient/Observation.rs patient/Patient.rs'
    const granted = await scopesOf({
      scope,
      fields: {
        'only-0': [
          `patient/Condition.rs?category=${conditionCategory}|encounter-diagnosis`,
          `patient/Condition.rs?category=${usConditionCategory}|health-concern`,
        ],
        'only-1': ['limit', `patient/Observation.rs?category=${observationCategory}|laboratory`],
      },
    })
    expect(granted).toEqual([
      `patient/Condition.rs?category=${conditionCategory}|encounter-diagnosis`,
      `patient/Condition.rs?category=${usConditionCategory}|health-concern`,
      `patient/Observation.rs?category=${observationCategory}|laboratory`,
      'patient/Patient.rs',
    ])
  })

  it('28: offers every category that certification asks for', async () => {
    await addFamily(house, 'Gita')
    const visitor = new Visitor(house)
    await visitor.logIn('Gita')
    const scope = 'launch/patient patient/Condition.rs patient/Observation.rs'
    const { text } = await openConsent(visitor, authorizeParams(house, await addApp(house), { scope }))
    for (const code of ['encounter-diagnosis', 'problem-list-item', 'health-concern', 'clinical-test', 'laboratory'])
      expect(text).toContain(`|${code}"`)
    for (const code of ['social-history', 'sdoh', 'survey', 'vital-signs']) expect(text).toContain(`|${code}"`)
  })

  it('gives single types in place of everything', async () => {
    const fields = {
      'only-0': ['patient/Immunization.rs', `patient/Observation.rs?category=${observationCategory}|vital-signs`],
    }
    expect(await scopesOf({ scope: 'launch/patient patient/*.rs', fields })).toEqual([
      'patient/Immunization.rs',
      `patient/Observation.rs?category=${observationCategory}|vital-signs`,
    ])
  })

  it('"only these" with nothing ticked gives nothing of that kind', async () => {
    const scope = 'launch/patient patient/Condition.rs patient/Patient.r'
    expect(await scopesOf({ scope, fields: { 'only-0': ['limit'] } })).toEqual(['patient/Patient.r'])
  })

  it('never gives more than was asked, whatever the form says', async () => {
    const granted = await scopesOf({
      scope: 'launch/patient patient/Condition.r',
      fields: {
        'do-0': ['read', 'add', 'change', 'delete', 'everything'],
        'do-1': ['read'],
        'only-0': [
          'patient/*.cruds',
          'system/*.cruds',
          `patient/Condition.rs?category=${conditionCategory}|problem-list-item`,
        ],
        scope: 'system/*.cruds',
      },
    })
    expect(granted).toEqual(['patient/Condition.r'])
  })

  it('26: returns the v1 spelling when v1 was asked and granted whole', async () => {
    const scope = 'launch/patient patient/Observation.read patient/Condition.write patient/Goal.*'
    expect(await scopesOf({ scope })).toEqual(['patient/Observation.read', 'patient/Condition.write', 'patient/Goal.*'])
    expect(await scopesOf({ scope, fields: { 'do-1': ['add'], 'do-2': ['read'] } })).toEqual([
      'patient/Observation.read',
      'patient/Condition.c',
      'patient/Goal.rs',
    ])
  })

  it('30, A46: drops scopes that are no scopes', async () => {
    const scope = [
      'launch/patient',
      'patient/Observation.sr',
      'patient/*.*?x=1',
      'system:Patient.read',
      'PATIENT/Observation.rs',
      'patient%2FObservation.rs',
      'patient/Observation.rs?category:not=laboratory',
      'patient/Observation.rs?subject.name=x',
      'patient/Condition.rs',
    ].join(' ')
    expect(await scopesOf({ scope })).toEqual(['patient/Condition.rs'])
  })

  it('32: demands a patient for patient/ scopes, even without launch/patient', async () => {
    const granted = await allow(house, { scope: 'patient/Observation.rs' })
    const { json } = await redeem(house, granted)
    expect(json).toMatchObject({ patient: granted.patient, scope: 'patient/Observation.rs' })
  })

  it('A52: refuses a patient whom the account does not keep, and says so', async () => {
    const { patients } = await addFamily(house, 'Other')
    await addFamily(house, 'Pia')
    const visitor = new Visitor(house)
    await visitor.logIn('Pia')
    const page = await openConsent(visitor, authorizeParams(house, await addApp(house)))
    for (const patient of [patients[0] ?? '', '', '*']) {
      const answer = await decide(visitor, page, { patient })
      expect([answer.status, answer.location]).toEqual([400, undefined])
      expect(answer.text).toContain('data-code="smart.patient-missing"')
    }
  })

  it('says so when an account keeps nobody yet', async () => {
    await house.smart.createAccount({ name: 'Lonely', password })
    const visitor = new Visitor(house)
    await visitor.logIn('Lonely')
    const page = await openConsent(visitor, authorizeParams(house, await addApp(house)))
    expect(page.text).toContain("keeps nobody's data yet")
    expect(page.text).not.toContain('value="allow"')
  })

  it('user/ scopes reach whom the account keeps at that moment, and no system/ scope can be had by a person', async () => {
    const granted = await allow(house, { scope: 'user/Observation.rs system/Observation.rs' })
    const { json } = await redeem(house, granted)
    expect(json.scope).toBe('user/Observation.rs')
    expect(json.patient).toBeUndefined()
    const before = await house.smart.authenticate(String(json.access_token))
    expect(before.patients).toEqual(await house.record.patientsOf(granted.account))
    await addPatient(house, granted.account, 'Nora', 'newborn')
    expect((await house.smart.authenticate(String(json.access_token))).patients).toContain('newborn')
  })

  it('A47: grants an app no more than it registered for', async () => {
    const app = { scope: 'patient/Observation.rs' }
    expect(await scopesOf({ scope: 'patient/*.cruds', app })).toEqual(['patient/Observation.rs'])
  })

  it('is asked of whoever is logged in when the form comes back', async () => {
    await addFamily(house, 'Rita')
    const visitor = new Visitor(house)
    await visitor.logIn('Rita')
    const page = await openConsent(visitor, authorizeParams(house, await addApp(house)))
    const anonymous = new Visitor(house)
    const answer = await decide(anonymous, page, {})
    expect(answer.status).toBe(403)
    expect(answer.text).toContain('smart.form-forged')
  })

  it('escapes what an app says about itself', async () => {
    await addFamily(house, 'Sara')
    const visitor = new Visitor(house)
    await visitor.logIn('Sara')
    const app = { client_name: '<img src=x onerror=alert(1)> & "friends"' }
    const { text } = await openConsent(visitor, authorizeParams(house, await addApp(house, app)))
    expect(text).toContain('&lt;img src=x onerror=alert(1)&gt; &amp; &quot;friends&quot;')
    expect(text).not.toContain('<img')
  })
})
