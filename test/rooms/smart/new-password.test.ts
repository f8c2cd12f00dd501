/** A new password ends whatever somebody else may have opened under the old one, unless the person says otherwise. */
import {
  addFamily,
  allow,
  authorizeParams,
  codeOf,
  decide,
  type Granted,
  type House,
  hidden,
  openConsent,
  openHouse,
  password,
  postForm,
  redeem,
  untouchedFields,
  Visitor,
} from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const renewed = 'a new and long password'

interface Apps extends Granted {
  readonly access: string
  readonly refresh: string
}

async function letIn(name: string): Promise<Apps> {
  const granted = await allow(house, { name })
  const { json } = await redeem(house, granted)
  return { ...granted, access: String(json.access_token), refresh: String(json.refresh_token) }
}

/** How the app stands: whether its access token and then its refresh token are still good. */
async function stateOf({ access, refresh, clientId }: Apps): Promise<string[]> {
  const answer = await postForm(house, '/auth/token', {
    grant_type: 'refresh_token',
    refresh_token: refresh,
    client_id: clientId,
  })
  return [await codeOf(house.smart.authenticate(access)), String(answer.json.error ?? 'refreshed')]
}

const ended = ['token.unknown', 'invalid_grant']
const kept = ['no problem', 'refreshed']

/** The form of the page as a browser sends it when nothing but the passwords is typed. */
async function change(visitor: Visitor, more: Readonly<Record<string, string>> = {}) {
  const csrf = hidden((await visitor.ask('/account')).text, 'csrf')
  return visitor.post('/account/password', { csrf, current: password, password: renewed, ...more })
}

async function openReset(name: string): Promise<{ visitor: Visitor; fields: Record<string, string[]> }> {
  const visitor = new Visitor(house)
  const page = await visitor.ask((await house.smart.resetAccount(name)).url)
  return { visitor, fields: untouchedFields(page.text) }
}

describe('changing the password', () => {
  it('ends access and refresh tokens of apps, and says so, when nothing is ticked', async () => {
    const apps = await letIn('Ada')
    const sent = await change(apps.visitor)
    expect(await stateOf(apps)).toEqual(ended)
    const page = await apps.visitor.ask(sent.location ?? '')
    expect(page.text).toContain('no app has access any more')
    expect(page.text).toContain('No app has access.')
  })

  it('keeps them when the person asks for that, and says so', async () => {
    const apps = await letIn('Bea')
    expect((await apps.visitor.ask('/account')).text).toMatch(/type="checkbox" name="keep-apps" value="yes">/)
    const sent = await change(apps.visitor, { 'keep-apps': 'yes' })
    expect(await stateOf(apps)).toEqual(kept)
    expect((await apps.visitor.ask(sent.location ?? '')).text).toContain('Apps keep the access')
  })

  it('ends an app that has a code and no token yet', async () => {
    const granted = await allow(house, { name: 'Cleo' })
    await change(granted.visitor)
    expect((await redeem(house, granted)).json.error).toBe('invalid_grant')
  })

  it('ends tokens that were minted on the host in the name of the account, and none of others', async () => {
    const { account, visitor } = await letIn('Dana')
    const other = await house.smart.createAccount({ name: 'Other' })
    const mint = (of: string) => house.smart.mint({ scope: 'user/*.rs', account: of, ttlMs: 3_600_000 })
    const [own, foreign] = [await mint(account), await mint(other)]
    await change(visitor)
    expect(await codeOf(house.smart.authenticate(own))).toBe('token.unknown')
    expect(await codeOf(house.smart.authenticate(foreign))).toBe('no problem')
  })

  it('logs every other browser out, keeps this one, and makes unused addresses for a password worthless', async () => {
    await addFamily(house, 'Ella')
    const [here, there] = [new Visitor(house), new Visitor(house)]
    await here.logIn('Ella')
    await there.logIn('Ella')
    const { url } = await house.smart.resetAccount('Ella')
    await change(here)
    expect([(await here.ask('/account')).status, (await there.ask('/account')).status]).toEqual([200, 303])
    expect((await new Visitor(house).ask(url)).text).toContain('smart.reset-refused')
  })

  it('opens nothing to a login that was under way with the old password', async () => {
    await addFamily(house, 'Fay')
    const [here, slow] = [new Visitor(house), new Visitor(house)]
    await here.logIn('Fay')
    const racing = Array.from({ length: 4 }, () => slow.logIn('Fay'))
    await change(here)
    await Promise.all(racing)
    expect((await slow.ask('/account')).status).toBe(303)
    expect((await here.ask('/account')).status).toBe(200)
  })

  it('ends nothing when the password now was wrong', async () => {
    const apps = await letIn('Gil')
    expect((await change(apps.visitor, { current: 'not this one at all' })).status).toBe(400)
    expect(await stateOf(apps)).toEqual(kept)
  })

  it('lets no app in whose consent was being given meanwhile', async () => {
    const apps = await letIn('Hedi')
    const other = new Visitor(house)
    await other.logIn('Hedi')
    const page = await openConsent(other, authorizeParams(house, apps.clientId))
    const [, sent] = await Promise.all([change(apps.visitor), decide(other, page, { patient: apps.patient })])
    const code = sent.location?.searchParams.get('code') ?? ''
    expect((await redeem(house, { ...apps, code })).status).toBe(400)
  })
})

describe('a one-time address for a new password', () => {
  it('ends browsers and apps when it is used, not before', async () => {
    const apps = await letIn('Ida')
    const { visitor, fields } = await openReset('Ida')
    expect(await codeOf(house.smart.authenticate(apps.access))).toBe('no problem')
    const sent = await visitor.post('/account/reset', { ...fields, password: renewed, again: renewed })
    expect(await stateOf(apps)).toEqual(ended)
    expect((await apps.visitor.ask('/account')).status).toBe(303)
    expect((await visitor.ask(sent.location ?? '')).text).toContain('no app has access any more')
  })

  it('keeps the apps when the person asks for that', async () => {
    const apps = await letIn('Jo')
    const { visitor, fields } = await openReset('Jo')
    await visitor.post('/account/reset', { ...fields, password: renewed, again: renewed, 'keep-apps': 'yes' })
    expect(await stateOf(apps)).toEqual(kept)
  })

  it('ends all at once when the administrator says now', async () => {
    const apps = await letIn('Kim')
    const { url } = await house.smart.resetAccount('Kim', { endNow: true })
    expect(await stateOf(apps)).toEqual(ended)
    expect((await apps.visitor.ask('/account')).status).toBe(303)
    expect((await new Visitor(house).ask(url)).status).toBe(200)
  })
})
