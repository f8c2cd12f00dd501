import type { WebResponse } from '#web'
import { everything } from '../record/family.ts'
import {
  addFamily,
  againstRivals,
  ask,
  decrypt,
  type House,
  jsonOf,
  keeperOf,
  openHouse,
  payloadOf,
  problemIn,
  view,
} from './house.ts'

const recipient = 'Dr. Example'
let house: House

beforeEach(async () => {
  house = await openHouse()
  await addFamily(house)
})

const make = (more: object = {}) =>
  house.share.create({ grant: keeperOf(['greta']), patient: 'greta', scopes: 'patient/*.rs', ...more })

const manifestOf = (url: string, more: object = {}) => ask(house, 'POST', url, { body: { recipient, ...more } })

interface Manifest {
  readonly status: string
  readonly files: readonly { contentType: string; embedded?: string; location?: string; lastUpdated: string }[]
}

const manifestIn = (answer: WebResponse) => JSON.parse(String(answer.body)) as Manifest

/** What the audit trail of Greta says, oldest first: action, outcome, who, detail. */
async function trail(): Promise<string[]> {
  await house.record.flush()
  const page = await house.record.reader(everything()).history({ type: 'AuditEvent', count: 1000 })
  return page.items
    .map(({ json }) => JSON.parse(json.toString('utf8')))
    .filter(({ type, entity }) => type.code !== 'rest' && entity?.[0]?.what.reference === 'Patient/greta')
    .map(({ type, outcome, agent, outcomeDesc }) => `${type.code} ${outcome} ${agent[0].name ?? '-'}: ${outcomeDesc}`)
    .toReversed()
}

describe('the manifest – https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/links-specification.html', () => {
  it('names one FHIR file, embedded when the viewer takes that much', async () => {
    const { url, link } = await make()
    const answer = await manifestOf(url, { embeddedLengthMax: 1_000_000 })
    expect(answer.status).toBe(200)
    expect(answer.headers['Content-Type']).toMatch(/^application\/json/)
    const manifest = jsonOf(answer) as Partial<Manifest>
    expect(manifest).toEqual({
      status: 'finalized',
      files: [
        {
          contentType: 'application/fhir+json',
          embedded: expect.stringMatching(/^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/),
          lastUpdated: '2026-03-01T10:00:00.000Z',
        },
      ],
    })
    const { bundle } = await decrypt(manifest.files?.[0]?.embedded ?? '', payloadOf(link).key)
    expect(bundle.type).toBe('collection')
  })

  it('embeds exactly up to the length that the viewer set, and else points to the file', async () => {
    const { url, link } = await make()
    const whole = manifestIn(await manifestOf(url)).files[0]?.embedded ?? ''
    const exact = manifestIn(await manifestOf(url, { embeddedLengthMax: whole.length }))
    expect(exact.files[0]?.embedded).toBe(whole)
    const short = manifestIn(await manifestOf(url, { embeddedLengthMax: whole.length - 1 }))
    expect(short.files[0]?.embedded).toBeUndefined()
    const fetched = await ask(house, 'GET', short.files[0]?.location ?? '')
    expect(fetched.status).toBe(200)
    expect(fetched.headers['Content-Type']).toBe('application/jose')
    expect((await decrypt(String(fetched.body), payloadOf(link).key)).names).toContain('Patient/greta')
  })

  it('gives locations that live for less than an hour, and for one link only', async () => {
    const [{ url }, other] = [await make(), await make()]
    const manifest = manifestIn(await manifestOf(url, { embeddedLengthMax: 0 }))
    const location = manifest.files[0]?.location ?? ''
    expect((await ask(house, 'GET', location)).status).toBe(200)
    const ticket = location.split('/').at(-1) ?? ''
    const [expiry = '', mac] = ticket.split('.')
    const later = (Number.parseInt(expiry, 36) + 3_600_000).toString(36)
    for (const forged of [
      `${other.url}/files/${ticket}`,
      `${url}/files/${later}.${mac}`,
      `${url}/files/x`,
      `${url}/files/zzzzzzzzzz.`,
    ])
      expect((await ask(house, 'GET', forged)).status).toBe(404)
    house.clock.advance(3_600_000)
    expect((await ask(house, 'GET', location)).status).toBe(404)
  })

  it('may be asked for again: a link is opened as often as it is shown', async () => {
    const { link } = await make()
    await view(house, link)
    expect((await view(house, link)).names).toContain('Patient/greta')
  })

  it.each([
    ['share.recipient-missing', {}],
    ['share.recipient-missing', { recipient: ' ' }],
    ['share.request-malformed', { recipient: 1 }],
    ['share.request-malformed', { recipient, embeddedLengthMax: -1 }],
    ['share.request-malformed', { recipient, embeddedLengthMax: 1.5 }],
    ['share.request-malformed', { recipient, embeddedLengthMax: '10' }],
    ['share.request-malformed', { recipient, passcode: 1234 }],
    ['share.request-malformed', []],
    ['json.malformed', '{"recipient"'],
  ])('answers 400 %s to %j', async (code, body) => {
    const answer = await ask(house, 'POST', (await make({ passcode: '4321' })).url, { body })
    expect([answer.status, problemIn(answer)]).toEqual([400, code])
  })

  it('ignores members it does not know', async () => {
    expect((await manifestOf((await make()).url, { extension: [{}], _x: 1 })).status).toBe(200)
  })
})

describe('a link to the file itself (flag U)', () => {
  it('answers GET with the file', async () => {
    const { url, link } = await make({ flagDirect: true })
    const answer = await ask(house, 'GET', url, { query: `recipient=${recipient}` })
    expect([answer.status, answer.headers['Content-Type']]).toEqual([200, 'application/jose'])
    expect((await decrypt(String(answer.body), payloadOf(link).key)).names).toContain('Patient/greta')
  })

  it('needs to be told who asks', async () => {
    const answer = await ask(house, 'GET', (await make({ flagDirect: true })).url)
    expect([answer.status, problemIn(answer)]).toEqual([400, 'share.recipient-missing'])
  })

  it('has no manifest, and a link with a manifest gives no file by GET', async () => {
    expect((await manifestOf((await make({ flagDirect: true })).url)).status).toBe(404)
    for (const more of [{}, { passcode: '4321' }])
      expect((await ask(house, 'GET', (await make(more)).url, { query: `recipient=${recipient}` })).status).toBe(404)
  })
})

describe('a link with a passcode (flag P)', () => {
  it('opens with it, and says how many tries are left without it', async () => {
    const { url, link } = await make({ passcode: '4321' })
    const wrong = await manifestOf(url, { passcode: '1234' })
    expect([wrong.status, jsonOf(wrong)]).toEqual([401, { remainingAttempts: 9 }])
    expect((await view(house, link, '4321')).names).toContain('Patient/greta')
    expect(jsonOf(await manifestOf(url, { passcode: '' }))).toEqual({ remainingAttempts: 8 })
  })

  it('does not count it as a guess when none is given', async () => {
    const { url } = await make({ passcode: '4321' })
    for (let at = 0; at < 3; at++) {
      const answer = await manifestOf(url)
      expect([answer.status, jsonOf(answer)]).toEqual([401, { remainingAttempts: 10 }])
    }
  })

  it('is dead after ten wrong guesses in its whole life, whatever came in between', async () => {
    const { url, link } = await make({ passcode: '4321' })
    for (let left = 9; left >= 0; left--) {
      if (left === 4) await view(house, link, '4321')
      expect(jsonOf(await manifestOf(url, { passcode: 'guess' }))).toEqual({ remainingAttempts: left })
    }
    expect((await manifestOf(url, { passcode: '4321' })).status).toBe(404)
    house.clock.advance(24 * 3_600_000)
    expect((await manifestOf(url, { passcode: '4321' })).status).toBe(404)
  })

  it('lets parallel guesses share no attempt', async () => {
    const { url } = await make({ passcode: '4321' })
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) => manifestOf(url, { passcode: at === 39 ? '4321' : `guess ${at}` })),
    )
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter(status => status === 401)).toHaveLength(10)
    expect(statuses.filter(status => status === 404)).toHaveLength(30)
  })

  it('asks for patience when somebody else is faster all the time', async () => {
    const { url } = await make({ passcode: '4321' })
    const crowded = againstRivals(house)
    const answer = await ask(crowded, 'POST', url, { body: { recipient, passcode: '4321' } })
    expect([answer.status, problemIn(answer)]).toEqual([503, 'share.contended'])
  })

  it('takes the passcode of no other link', async () => {
    const one = await make({ passcode: 'first' })
    await make({ passcode: 'second' })
    expect((await manifestOf(one.url, { passcode: 'second' })).status).toBe(401)
  })
})

describe('a link that cannot be opened', () => {
  it('looks the same whether it never was, has expired, was revoked, or the record is gone', async () => {
    const grant = keeperOf(['greta'])
    const revoked = await make()
    await house.share.revoke({ grant, id: revoked.id })
    const expiring = await make({ expiresAtMs: house.clock.nowMs() + 1000 })
    const shredded = await make()
    const never = shredded.url.replace(/.{43}$/, 'A'.repeat(43))
    expect((await manifestOf(shredded.url)).status).toBe(200)
    await house.record.flush()
    await house.record.shred('greta')
    house.clock.advance(1000)
    const answers = await Promise.all(
      [never, `${never}x`, revoked.url, expiring.url, shredded.url].map(url => manifestOf(url)),
    )
    expect(new Set(answers.map(answer => JSON.stringify(answer))).size).toBe(1)
    const [first] = answers
    expect([first?.status, first && problemIn(first)]).toEqual([404, 'share.unknown'])
  })

  it('ends at its expiry to the millisecond, and its content is kept no longer', async () => {
    const { url } = await make({ expiresAtMs: house.clock.nowMs() + 1000 })
    house.clock.advance(999)
    expect((await manifestOf(url)).status).toBe(200)
    house.clock.advance(1)
    expect((await manifestOf(url)).status).toBe(404)
    expect(await house.record.documents.list('share.content')).toEqual([])
  })

  it('ends at once when it is revoked, locations included, and its content is deleted', async () => {
    const { url, id } = await make()
    const manifest = manifestIn(await manifestOf(url, { embeddedLengthMax: 0 }))
    await house.share.revoke({ grant: keeperOf(['greta']), id })
    expect((await manifestOf(url)).status).toBe(404)
    expect((await ask(house, 'GET', manifest.files[0]?.location ?? '')).status).toBe(404)
    expect(await house.record.documents.list('share.content')).toEqual([])
  })
})

describe('a person who opens the address inside a link by itself', () => {
  const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

  it('is told what it is, the same whether or not there is such a link, and opens nothing', async () => {
    const { url } = await make({ flagDirect: true })
    const shown = await ask(house, 'GET', url, { accept: browser, query: 'recipient=Browser' })
    expect([shown.status, shown.headers['Content-Type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(String(shown.body)).toContain('SMART Health Link')
    expect(await ask(house, 'GET', `/share/${'A'.repeat(43)}`, { accept: browser })).toEqual(shown)
    expect(await trail()).not.toContain(expect.stringContaining('Browser'))
    for (const accept of ['*/*', 'application/jose', 'application/jose, */*']) {
      const viewed = await ask(house, 'GET', url, { accept, query: 'recipient=Viewer' })
      expect(viewed.headers['Content-Type']).toBe('application/jose')
    }
  })
})

describe('the audit trail of the patient', () => {
  it('tells of every creation, opening, refusal and revocation, and by what name the stranger went', async () => {
    const { url, id } = await make({ passcode: '4321' })
    await manifestOf(url, { passcode: 'wrong' })
    await manifestOf(url, { passcode: '4321' })
    await house.share.revoke({ grant: keeperOf(['greta']), id })
    await manifestOf(url, { passcode: '4321', recipient: 'Eve\n<b>' })
    const said = await trail()
    expect([...said].sort()).toEqual(
      [
        'export 0 -: share link created',
        'refused 8 Dr. Example: share link refused: wrong passcode',
        'export 0 Dr. Example: share link opened',
        'revoke 0 -: share link revoked',
        'refused 8 Eve <b>: share link refused: revoked',
      ].sort(),
    )
  })

  it('holds no secret of the link', async () => {
    const { link, id } = await make({ passcode: 'open sesame' })
    await view(house, link, 'open sesame')
    await house.record.flush()
    const page = await house.record.reader(everything()).history({ type: 'AuditEvent', count: 1000 })
    const text = page.items.map(({ json }) => json.toString('utf8')).join()
    for (const secret of [payloadOf(link).key, id, 'open sesame']) expect(text).not.toContain(secret)
  })

  it('does not grow by strangers who try random addresses', async () => {
    await manifestOf(`/share/${'A'.repeat(43)}`)
    await house.record.flush()
    const page = await house.record.reader(everything()).history({ type: 'AuditEvent', count: 1000 })
    expect(page.items.filter(({ json }) => json.includes('share'))).toEqual([])
  })
})
