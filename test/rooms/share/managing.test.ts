import { grantOf, ofPatient } from '../record/family.ts'
import { addFamily, ask, codeOf, type House, jsonOf, keeperOf, openHouse, problemIn, view } from './house.ts'

let house: House
const anna = keeperOf(['greta', 'emil'])
const labs = 'patient/Observation.rs?category=laboratory'

beforeEach(async () => {
  house = await openHouse()
  await addFamily(house)
  house.tokens.set('anna', anna)
  house.tokens.set('ben', keeperOf(['emil'], 'user/*.cruds', 'ben'))
})

const make = (patient: string, scopes = 'patient/*.rs', more: object = {}) =>
  house.share.create({ grant: anna, patient, scopes, ...more })

describe('who may see and end a link', () => {
  const app = (scopes: string) => ofPatient('greta', scopes)
  it.each([
    ['its creator', true, anna],
    ['another who keeps the patient', true, keeperOf(['greta'], 'user/*.rs', 'ben')],
    ['an app that may read all it shows', true, app('patient/Observation.rs')],
    ['an app that may read just that', true, app(labs)],
    ['an app that may read less', false, app('patient/Observation.rs?category=vital-signs')],
    ['an app that may not search', false, app('patient/Observation.r')],
    ['who keeps another patient', false, keeperOf(['emil'], 'user/*.cruds', 'ben')],
    ['an app of another patient', false, ofPatient('emil')],
    ['a grant without terms', false, { ...keeperOf(['greta'], 'user/*.rs', 'ben'), terms: [] }],
    [
      'an app of the creator’s account with less',
      false,
      { ...app('patient/Patient.rs'), actor: { ...anna.actor, clientId: 'app' } },
    ],
    ['a clinic', true, grantOf('system/*.rs')],
  ])('%s: %s', async (_who, may, grant) => {
    const { id } = await make('greta', labs)
    expect((await house.share.list(grant)).map(link => link.id)).toEqual(may ? [id] : [])
    expect(await codeOf(house.share.revoke({ grant, id }))).toBe(may ? 'no problem' : 'share.unknown')
  })

  it('is no matter of actors: two tokens minted on the host are as strange to each other as two apps (M12)', async () => {
    const actor = { kind: 'administrator', id: 'host' } as const
    const ofGreta = { ...ofPatient('greta', 'patient/*.rs'), actor }
    const { id } = await house.share.create({ grant: ofGreta, patient: 'greta', scopes: 'patient/*.rs' })
    for (const grant of [
      { ...ofPatient('emil', 'patient/*.rs'), actor },
      { ...ofPatient('greta', 'patient/Patient.rs'), actor },
    ]) {
      expect(await house.share.list(grant)).toEqual([])
      expect(await codeOf(house.share.revoke({ grant, id }))).toBe('share.unknown')
    }
    expect((await house.share.list(ofGreta)).map(link => link.id)).toEqual([id])
  })

  it('its creator may end it even when the grant does not cover it any more', async () => {
    const { id, link } = await make('greta')
    await house.share.revoke({ grant: { ...anna, patients: [], terms: [] }, id })
    await expect(view(house, link)).rejects.toThrow()
  })

  it('says the same of a link that is foreign and of one that never was', async () => {
    const { id } = await make('greta')
    const grant = keeperOf(['emil'], 'user/*.cruds', 'ben')
    expect(await codeOf(house.share.revoke({ grant, id }))).toBe('share.unknown')
    expect(await codeOf(house.share.revoke({ grant, id: 'A'.repeat(43) }))).toBe('share.unknown')
  })
})

describe('the list', () => {
  it('tells what a link shows and how it stands, newest first, and not how to open it', async () => {
    const nowMs = house.clock.nowMs()
    const first = await make('greta', 'patient/*.rs', { label: 'For Dr. Example', passcode: '4321' })
    house.clock.advance(1)
    const second = await make('emil', labs, { flagDirect: true, expiresAtMs: nowMs + 60_000 })
    expect(await house.share.list(anna)).toEqual([
      {
        id: second.id,
        patient: 'emil',
        scopes: labs,
        createdAtMs: nowMs + 1,
        expiresAtMs: nowMs + 60_000,
        state: 'active',
        direct: true,
        hasPasscode: false,
      },
      {
        id: first.id,
        patient: 'greta',
        scopes: 'patient/*.rs',
        label: 'For Dr. Example',
        createdAtMs: nowMs,
        expiresAtMs: nowMs + 7 * 24 * 3_600_000,
        state: 'active',
        direct: false,
        hasPasscode: true,
      },
    ])
  })

  it('knows a link for a month after its end, and why it ended', async () => {
    const revoked = await make('greta')
    await house.share.revoke({ grant: anna, id: revoked.id })
    const guessed = await make('greta', 'patient/*.rs', { passcode: '4321' })
    const body = { recipient: 'x', passcode: 'wrong' }
    for (let at = 0; at < 10; at++) await ask(house, 'POST', guessed.url, { body })
    await make('greta', 'patient/*.rs', { expiresAtMs: house.clock.nowMs() + 1000 })
    house.clock.advance(1000)
    expect((await house.share.list(anna)).map(({ state }) => state).sort()).toEqual(['exhausted', 'expired', 'revoked'])
    house.clock.advance(40 * 24 * 3_600_000)
    expect(await house.share.list(anna)).toEqual([])
  })
})

describe('a grant that ends', () => {
  it('does not end the links made under it: they are copies, and are revoked by themselves', async () => {
    const { link } = await house.share.create({
      grant: { ...anna, expiresAtMs: house.clock.nowMs() + 1000 },
      patient: 'greta',
      scopes: 'patient/Patient.rs',
    })
    house.clock.advance(10_000)
    house.tokens.clear()
    expect((await view(house, link)).names).toEqual(['Patient/greta'])
  })
})

describe('management over the web', () => {
  const body = { patient: 'greta', scopes: labs, label: 'Labs', expiresAt: '2026-03-01T11:00:00Z', passcode: '4321' }

  it('creates, lists and revokes', async () => {
    const created = await ask(house, 'POST', '/share', { token: 'anna', body })
    expect(created.status).toBe(201)
    const made = jsonOf(created) as { id: string; link: string; expiresAt: string }
    expect(made).toMatchObject({ expiresAt: '2026-03-01T11:00:00.000Z', link: expect.stringMatching(/^shlink:\//) })
    expect((await view(house, made.link, '4321')).names).toEqual(['Observation/greta-potassium'])
    const listed = jsonOf(await ask(house, 'GET', '/share', { token: 'anna' }))
    expect(listed.links).toEqual([
      {
        id: made.id,
        patient: 'greta',
        scopes: labs,
        label: 'Labs',
        createdAt: '2026-03-01T10:00:00.000Z',
        expiresAt: '2026-03-01T11:00:00.000Z',
        state: 'active',
        direct: false,
        hasPasscode: true,
      },
    ])
    expect(jsonOf(await ask(house, 'GET', '/share', { token: 'ben' }))).toEqual({ links: [] })
    const foreign = await ask(house, 'POST', `/share/${made.id}/revoke`, { token: 'ben' })
    expect([foreign.status, problemIn(foreign)]).toEqual([404, 'share.unknown'])
    expect((await ask(house, 'POST', `/share/${made.id}/revoke`, { token: 'anna' })).status).toBe(200)
    await expect(view(house, made.link, '4321')).rejects.toThrow()
  })

  it('takes the patient from the token’s context when none is named', async () => {
    house.tokens.set('app', ofPatient('greta'))
    const made = await ask(house, 'POST', '/share', {
      token: 'app',
      body: { scopes: 'patient/Patient.rs', direct: true },
    })
    expect(made.status).toBe(201)
    expect(await house.share.list(ofPatient('greta'))).toMatchObject([{ patient: 'greta', direct: true }])
  })

  it.each([
    ['GET', '/share'],
    ['POST', '/share'],
    ['POST', `/share/${'A'.repeat(43)}/revoke`],
  ])('answers 401 to %s %s without a token, or with one that is unknown', async (method, path) => {
    const without = await ask(house, method, path, { body })
    expect([without.status, problemIn(without)]).toEqual([401, 'share.token-missing'])
    expect(without.headers['www-authenticate']).toMatch(/^Bearer /)
    const unknown = await ask(house, method, path, { body, token: 'nobody' })
    expect([unknown.status, problemIn(unknown)]).toEqual([401, 'token.unknown'])
  })

  it.each([
    [403, 'share.scope-too-wide', 'ben', {}],
    [400, 'share.scope-malformed', 'anna', { scopes: 'patient/*.cruds' }],
    [400, 'share.request-malformed', 'anna', { scopes: undefined }],
    [400, 'share.request-malformed', 'anna', { patient: undefined }],
    [400, 'share.request-malformed', 'anna', { expiresAt: '2026-03' }],
    [400, 'share.request-malformed', 'anna', { direct: 'yes' }],
    [400, 'share.expiry-invalid', 'anna', { expiresAt: '2020-01-01T00:00:00Z' }],
    [400, 'share.flags-contradict', 'anna', { direct: true }],
    [404, 'share.nothing-to-share', 'anna', { scopes: 'patient/Immunization.rs' }],
  ])('answers %s %s to %s asking with %j', async (status, code, token, more) => {
    const answer = await ask(house, 'POST', '/share', { token, body: { ...body, ...more } })
    expect([answer.status, problemIn(answer)]).toEqual([status, code])
  })
})

describe('who keeps the patient no more', () => {
  const ben = (patients: readonly string[]) => keeperOf(patients, 'user/*.cruds', 'ben')

  it('has no links to them any more, by whatever app; other links stay', async () => {
    const app = { ...ben(['greta', 'emil']), id: 'an-app', actor: { ...ben([]).actor, clientId: 'app' } }
    const ended: string[] = []
    for (const grant of [ben(['greta', 'emil']), app])
      ended.push((await house.share.create({ grant, patient: 'greta', scopes: 'patient/*.rs' })).link)
    const others = [(await make('greta')).link]
    others.push((await house.share.create({ grant: app, patient: 'emil', scopes: 'patient/*.rs' })).link)
    await house.share.endLinksOf('ben', 'greta')
    for (const link of ended) await expect(view(house, link)).rejects.toThrow()
    for (const link of others) expect((await view(house, link)).names).not.toEqual([])
  })

  it.each([
    ['the token ends', undefined, 'token.unknown'],
    ['the patient leaves its reach', ben(['emil']), 'share.scope-too-wide'],
  ])('leaves no link that was being made when %s', async (_what, after, code) => {
    const found = [ben(['greta', 'emil']), after]
    house.tokens.get = () => found.shift()
    const answer = await ask(house, 'POST', '/share', {
      token: 'ben',
      body: { patient: 'greta', scopes: 'patient/*.rs' },
    })
    expect([problemIn(answer), found]).toEqual([code, []])
    expect((await house.share.list(anna)).map(({ state }) => state)).toEqual(['revoked'])
  })
})
