import { patientsInReach } from '#access'
import {
  addApp,
  addFamily,
  addPatient,
  authorizeParams,
  codeOf,
  decide,
  type House,
  openConsent,
  openHouse,
  postForm,
  redirectUri,
  Visitor,
  verifier,
} from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

async function letIn(name: string, scope: string, fields: Readonly<Record<string, string>> = {}) {
  const { account, patients } = await addFamily(house, name)
  const visitor = new Visitor(house)
  await visitor.logIn(name)
  const clientId = await addApp(house)
  const page = await openConsent(visitor, authorizeParams(house, clientId, { scope }))
  const sent = await decide(visitor, page, { patient: patients[0] ?? '', ...fields })
  const { json } = await postForm(house, '/auth/token', {
    grant_type: 'authorization_code',
    code: sent.location?.searchParams.get('code') ?? '',
    redirect_uri: redirectUri,
    client_id: clientId,
    code_verifier: verifier,
  })
  return { account, patients, visitor, clientId, page, json }
}

describe('what the pages say of an app’s reach', () => {
  it('user/ scopes: everybody by name, the household, and people who are added later', async () => {
    const { account, visitor, page } = await letIn('Una', 'user/Observation.rs')
    for (const words of ['Greta Weber', 'Emil Weber', 'household', 'people whom you add later'])
      expect(page.text).toContain(words)
    const shown = await visitor.ask('/account')
    expect(shown.text).toContain('today <strong>Greta Weber</strong>, <strong>Emil Weber</strong>')
    for (const words of ['for your household as a whole', 'whom you add later', 'Measurements and test results: read'])
      expect(shown.text).toContain(words)
    await addPatient(house, account, 'Newborn', 'una-newborn')
    expect((await visitor.ask('/account')).text).toContain('<strong>Newborn Weber</strong>')
  })

  it('patient/ scopes: the one person', async () => {
    const { visitor } = await letIn('Paul', 'launch/patient patient/Condition.rs')
    const shown = await visitor.ask('/account')
    expect(shown.text).toContain('Data of <strong>Greta Weber</strong>:')
    expect(shown.text).not.toContain('everybody in your account')
  })

  it('both at once, each with its own reach', async () => {
    const { visitor } = await letIn('Bea', 'launch/patient patient/Condition.rs user/Patient.r')
    const { text } = await visitor.ask('/account')
    const [, ofOne = '', ofAll = ''] =
      /Data of <strong>Greta Weber<\/strong>:([\s\S]*?)Data of everybody([\s\S]*)/.exec(text) ?? []
    expect(ofOne).toContain('Conditions and diagnoses: read')
    expect(ofAll).toContain('personal details: read')
  })

  it('fhirUser: that it knows who is there, and may read that person’s details', async () => {
    const { visitor, page } = await letIn('Ida', 'openid fhirUser launch/patient patient/Observation.rs', {
      self: 'ida-emil',
    })
    expect(page.text).toContain('It then knows which of them you are, and may read name, birth date, address')
    const { text } = await visitor.ask('/account')
    expect(text).toContain('It knows that you are <strong>Emil Weber</strong>')
  })
})

describe('38: fhirUser gives what the consent page said, and nothing else', () => {
  it('the one Patient and its earlier versions; no other person, type, search or write', async () => {
    const { json } = await letIn('Vera', 'openid fhirUser launch/patient patient/Observation.rs', { self: 'vera-emil' })
    const grant = await house.smart.authenticate(String(json.access_token))
    expect([...(patientsInReach(grant) as string[])].sort()).toEqual(['vera-emil', 'vera-greta'])
    expect(grant.patients).toEqual(['vera-emil'])
    const reader = house.record.reader(grant)
    await expect(reader.read('Patient', 'vera-emil')).resolves.toMatchObject({ id: 'vera-emil' })
    expect(await codeOf(reader.read('Patient', 'vera-greta'))).toBe('record.unknown')
    const change = house.record.writer(grant).transact(txn => txn.delete('Patient', 'vera-emil'))
    expect(await codeOf(change)).not.toBe('no problem')
  })

  it('alone it opens nobody else’s record', async () => {
    const { json } = await letIn('Olga', 'openid fhirUser', { self: 'olga-greta' })
    const grant = await house.smart.authenticate(String(json.access_token))
    expect(patientsInReach(grant)).toEqual(['olga-greta'])
    expect(json.scope).toBe('openid fhirUser')
  })

  it('without an answer there is no scope, no claim and no reach', async () => {
    const { json } = await letIn('Nora', 'openid fhirUser launch/patient patient/Observation.rs', { self: '' })
    expect(String(json.scope).split(' ')).not.toContain('fhirUser')
    const claims = JSON.parse(Buffer.from(String(json.id_token).split('.')[1] ?? '', 'base64url').toString())
    expect(claims).not.toHaveProperty('fhirUser')
    const grant = await house.smart.authenticate(String(json.access_token))
    expect(patientsInReach(grant)).toEqual(['nora-greta'])
  })

  it('is not told of a token that was narrowed to do without it', async () => {
    const scope = 'openid fhirUser launch/patient patient/Observation.rs offline_access'
    const { json, clientId } = await letIn('Tilda', scope, { self: 'tilda-emil' })
    const refreshing = {
      grant_type: 'refresh_token',
      refresh_token: String(json.refresh_token),
      client_id: clientId,
      scope: 'launch/patient patient/Observation.rs',
    }
    const narrowed = await postForm(house, '/auth/token', refreshing)
    const bearer = { authorization: `Bearer ${narrowed.json.access_token}` }
    const told = await postForm(house, '/auth/introspect', { token: String(narrowed.json.access_token) }, bearer)
    expect(told.json).toMatchObject({ active: true })
    expect(told.json).not.toHaveProperty('fhirUser')
    const grant = await house.smart.authenticate(String(narrowed.json.access_token))
    expect(patientsInReach(grant)).toEqual(['tilda-greta'])
  })
})
