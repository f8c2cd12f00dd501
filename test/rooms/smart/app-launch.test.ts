import {
  addApp,
  addFamily,
  allow,
  authorizeParams,
  codeOf,
  decide,
  type House,
  openConsent,
  openHouse,
  postForm,
  redeem,
  redirectUri,
  Visitor,
} from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

describe('SMART 2.2 §1B authorize – https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html', () => {
  it('leads a person from login over consent to a code, with the exact state and this issuer', async () => {
    const { patients } = await addFamily(house, 'Anna')
    const clientId = await addApp(house)
    const visitor = new Visitor(house)
    const started = await visitor.ask(`/auth/authorize?${authorizeParams(house, clientId)}`)
    expect(started.status).toBe(303)
    const toLogin = await visitor.ask(started.location ?? '')
    expect(toLogin.location?.pathname).toBe('/auth/login')
    const sealed = toLogin.location?.searchParams.get('request') ?? ''
    const loggedIn = await visitor.logIn('anna', undefined, sealed)
    const page = await visitor.ask(loggedIn.location ?? '')
    expect(page.text).toContain('Heart Diary')
    expect(page.text).toContain('Greta Weber, born 1950-04-01')
    expect(page.text).toContain('Measurements and test results')
    const sent = await decide(visitor, page, { patient: patients[1] ?? '' })
    expect(sent.status).toBe(303)
    expect(`${sent.location?.origin}${sent.location?.pathname}`).toBe(redirectUri)
    expect(sent.location?.searchParams.get('state')).toBe('a state & more')
    expect(sent.location?.searchParams.get('iss')).toBe(house.baseUrl)
    expect(sent.location?.searchParams.get('code')).toMatch(/^[\w-]{43}$/)
  })

  it('takes a POST as well as a GET', async () => {
    const clientId = await addApp(house)
    const fields = Object.fromEntries(authorizeParams(house, clientId))
    const started = await new Visitor(house).post('/auth/authorize', fields)
    expect(started.location?.pathname).toBe('/auth/consent')
  })
})

describe('SMART 2.2 §1C token – https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-access-token', () => {
  it('redeems a code for tokens in the context of the chosen patient', async () => {
    const granted = await allow(house)
    const { status, headers, json } = await redeem(house, granted)
    expect(status).toBe(200)
    expect(json).toMatchObject({
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'launch/patient offline_access patient/Observation.rs',
      patient: granted.patient,
    })
    expect(headers.get('cache-control')).toContain('no-store')
    expect(headers.get('pragma')).toContain('no-cache')
    const grant = await house.smart.authenticate(String(json.access_token))
    expect(grant).toMatchObject({ patient: granted.patient, patients: [], account: granted.account })
    expect(grant.terms.map(term => term.text)).toEqual(['patient/Observation.rs'])
  })

  it('answers 400 to a code nobody gave out', async () => {
    const clientId = await addApp(house)
    const reply = await postForm(house, '/auth/token', {
      grant_type: 'authorization_code',
      code: 'BAD_CODE',
      redirect_uri: redirectUri,
      client_id: clientId,
      code_verifier: 'x'.repeat(43),
    })
    expect(reply.status).toBe(400)
    expect(reply.json.error).toBe('invalid_grant')
  })

  it('shows the consent page before anything is given', async () => {
    const page = await openConsent(new Visitor(house), authorizeParams(house, await addApp(house)))
    expect(page.location?.pathname).toBe('/auth/login')
    expect(await codeOf(house.smart.authenticate('nothing'))).toBe('token.unknown')
  })
})
