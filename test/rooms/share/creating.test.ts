import type { Grant } from '#access'
import { silentLog } from '#kernel'
import { openShare } from '#share'
import { create, everything, grantOf, heartRate, ofPatient, remove } from '../record/family.ts'
import {
  addFamily,
  ask,
  codeOf,
  decrypt,
  type House,
  jsonOf,
  keeperOf,
  openHouse,
  origin,
  payloadOf,
  view,
} from './house.ts'

const all = 'patient/*.rs'
let house: House

beforeEach(async () => {
  house = await openHouse()
  await addFamily(house)
})

const make = (more: object = {}) =>
  house.share.create({ grant: keeperOf(['greta', 'emil']), patient: 'greta', scopes: all, ...more })

describe('the link – https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/links-specification.html', () => {
  it('carries an address with 256 random bits, a key of 32 bytes, the expiry in seconds, the label and the version', async () => {
    const { link, url, id } = await make({ label: 'Für Dr. Kühn', expiresAtMs: house.clock.nowMs() + 90_500 })
    const payload = payloadOf(link)
    expect(payload).toEqual({
      url,
      key: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      exp: Math.floor(house.clock.nowMs() / 1000) + 90,
      label: 'Für Dr. Kühn',
      v: 1,
    })
    expect(url).toBe(`${origin}/share/${id}`)
    expect(Buffer.from(id, 'base64url')).toHaveLength(32)
    expect(url.length).toBeLessThanOrEqual(128)
  })

  it('has a new address and a new key each time', async () => {
    const [one, other] = [payloadOf((await make()).link), payloadOf((await make()).link)]
    expect(one.key).not.toBe(other.key)
    expect(one.url).not.toBe(other.url)
  })

  it.each([
    [{}, undefined],
    [{ passcode: '4321' }, 'P'],
    [{ flagDirect: true }, 'U'],
  ])('%j has flag %s', async (more, flag) => {
    expect(payloadOf((await make(more)).link).flag).toBe(flag)
  })

  it('lives for seven days unless told', async () => {
    expect((await make()).expiresAtMs - house.clock.nowMs()).toBe(7 * 24 * 3_600_000)
  })

  const day = 24 * 3_600_000
  it.each([
    ['share.flags-contradict', { passcode: '4321', flagDirect: true }],
    ['share.label-invalid', { label: 'x'.repeat(81) }],
    ['share.label-invalid', { label: 'two\nlines' }],
    ['share.passcode-invalid', { passcode: '123' }],
    ['share.passcode-invalid', { passcode: 'x'.repeat(65) }],
    ['share.scope-malformed', { scopes: '' }],
    ['share.scope-malformed', { scopes: 'user/*.rs' }],
    ['share.scope-malformed', { scopes: 'patient/*.cruds' }],
    ['share.scope-malformed', { scopes: 'patient/*.rs openid' }],
    ['share.scope-malformed', { scopes: 'patient/*.r' }],
  ])('refuses, as %s: %j', async (code, more) => {
    expect(await codeOf(make(more))).toBe(code)
  })

  it('refuses a time that is past, or more than a year away', async () => {
    const nowMs = house.clock.nowMs()
    for (const expiresAtMs of [nowMs, nowMs - 1, nowMs + 367 * day, Number.NaN])
      expect(await codeOf(make({ expiresAtMs }))).toBe('share.expiry-invalid')
  })

  it('refuses an origin that would make the address longer than viewers take', () => {
    const { record, vault, clock } = house
    const open = (host: number) => () =>
      openShare({
        record,
        documents: record.documents,
        vault,
        clock,
        log: silentLog,
        baseUrl: `https://${'a'.repeat(host)}`,
        authenticate: async () => everything(),
      })
    expect(open(70)).not.toThrow()
    expect(open(71)).toThrow('share.base-url-too-long')
  })
})

describe('the content', () => {
  it('is a collection of everything of the patient and of what that refers to, the Patient first', async () => {
    const { bundle, names, header } = await view(house, (await make()).link)
    expect(header).toEqual({ alg: 'dir', enc: 'A256GCM', cty: 'application/fhir+json' })
    expect(bundle).toMatchObject({ resourceType: 'Bundle', type: 'collection', timestamp: '2026-03-01T10:00:00.000Z' })
    expect(names[0]).toBe('Patient/greta')
    expect([...names].sort()).toEqual([
      'Observation/greta-potassium',
      'Observation/greta-pulse',
      'Organization/practice',
      'Patient/greta',
      'PractitionerRole/nurse',
    ])
    expect(bundle.entry[0]?.fullUrl).toBe(`${origin}/fhir/Patient/greta`)
  })

  it('is what the scopes say, params included, and nothing they do not name', async () => {
    const { link } = await make({ scopes: 'patient/Observation.rs?category=laboratory' })
    expect((await view(house, link)).names).toEqual(['Observation/greta-potassium'])
  })

  it('holds what is several people’s once, also when the other one is erased, and nothing beside it that is theirs', async () => {
    const participant = ['greta', 'emil'].map(id => ({ actor: { reference: `Patient/${id}` }, status: 'accepted' }))
    await create(
      house.record,
      everything(),
      { resourceType: 'Appointment', status: 'proposed', participant },
      'together',
    )
    const appointments = async (link: string) =>
      (await view(house, link)).names.filter(name => /^Appointment|emil/.test(name))
    const { link } = await make({ scopes: 'patient/Appointment.rs patient/Observation.rs' })
    expect(await appointments(link)).toEqual(['Appointment/together'])
    expect(await appointments((await make({ grant: keeperOf(['greta']) })).link)).toEqual(['Appointment/together'])
    await house.record.shred('emil')
    expect(await appointments((await make({ grant: keeperOf(['greta']) })).link)).toEqual(['Appointment/together'])
  })

  it('never holds the audit trail', async () => {
    const reading = keeperOf(['greta'])
    await house.record.reader(reading).read('Patient', 'greta')
    await house.record.flush()
    const { names } = await view(house, (await make()).link)
    expect(names.filter(name => name.startsWith('AuditEvent'))).toEqual([])
    expect(await codeOf(make({ scopes: 'patient/AuditEvent.rs' }))).toBe('share.nothing-to-share')
  })

  it('is as of creation: later changes and deletions are not in it', async () => {
    const { link } = await make({ scopes: 'patient/Observation.rs' })
    await remove(house.record, everything(), 'Observation', 'greta-pulse')
    await create(house.record, everything(), heartRate('greta', 61), 'greta-later')
    expect([...(await view(house, link)).names].sort()).toEqual([
      'Observation/greta-potassium',
      'Observation/greta-pulse',
    ])
  })

  it('comes whole when it takes more than one page to gather and more than one piece to keep', async () => {
    await house.record.writer(everything()).transact(async txn => {
      for (let at = 0; at < 1100; at++) await txn.create(heartRate('greta', at), { id: `more-${at}` })
    })
    const { link, url } = await make({ scopes: 'patient/Observation.rs' })
    const body = { recipient: 'Dr. Example', embeddedLengthMax: 10_000_000 }
    const { files } = jsonOf(await ask(house, 'POST', url, { body })) as { files: { embedded: string }[] }
    const { names } = await decrypt(files[0]?.embedded ?? '', payloadOf(link).key)
    expect(new Set(names).size).toBe(1102)
    expect(await house.record.documents.list('share.content')).not.toHaveLength(1)
  })

  it('is refused when there are too many, until one is ended; those of others do not count', async () => {
    const one = { scopes: 'patient/Patient.rs', patient: 'greta' }
    const links = []
    for (let at = 0; at < 100; at++) links.push(await house.share.create({ grant: everything(), ...one }))
    expect(await codeOf(house.share.create({ grant: everything(), ...one }))).toBe('share.too-many')
    await house.share.revoke({ grant: everything(), id: links[7]?.id ?? '' })
    expect(await codeOf(house.share.create({ grant: everything(), ...one }))).toBe('no problem')
    house.clock.advance(8 * 24 * 60 * 60_000)
    expect(await codeOf(house.share.create({ grant: everything(), ...one }))).toBe('no problem')
  })

  it('is refused when the copies would be too much together', async () => {
    const note = [{ text: 'n'.repeat(900_000) }]
    for (let at = 0; at < 8; at++)
      await create(house.record, everything(), { ...heartRate('greta', at), note }, `large-${at}`)
    const made = []
    for (let at = 0; at < 8; at++)
      made.push(
        await codeOf(house.share.create({ grant: everything(), patient: 'greta', scopes: 'patient/Observation.rs' })),
      )
    expect(made.slice(0, 6)).toEqual(Array(6).fill('no problem'))
    expect(made.at(-1)).toBe('share.too-many')
  })

  it('is forgotten after its end when two hundred newer ones have ended as well', async () => {
    const request = { grant: everything(), patient: 'greta', scopes: 'patient/Patient.rs' }
    for (let at = 0; at < 203; at++) {
      const { id } = await house.share.create(request)
      await house.share.revoke({ grant: everything(), id })
    }
    expect((await house.record.documents.list('share.links')).length).toBeLessThanOrEqual(202)
  })

  it('is refused when it would be too much for one link', async () => {
    const note = [{ text: 'n'.repeat(900_000) }]
    for (let at = 0; at < 10; at++)
      await create(house.record, everything(), { ...heartRate('greta', at), note }, `large-${at}`)
    expect(await codeOf(make())).toBe('share.content-too-large')
    expect(await codeOf(make({ scopes: 'patient/Patient.rs' }))).toBe('no problem')
  })
})

describe('a link is never wider than its creator’s grant', () => {
  const labs = 'patient/Observation.rs?category=laboratory'
  const vitals = 'patient/Observation.rs?category=vital-signs'
  const tooWide = 'share.scope-too-wide'
  const misplaced = 'user/ terms without patients, though one is in context'
  const rows: readonly (readonly [code: string, who: string, grant: Grant, patient: string, scopes: string])[] = [
    ['no problem', 'who keeps the patient', keeperOf(['greta']), 'greta', all],
    ['no problem', 'an app of the patient', ofPatient('greta'), 'greta', all],
    ['no problem', 'an app that reads findings', ofPatient('greta', 'patient/Observation.rs'), 'greta', labs],
    ['no problem', 'an app that reads laboratory findings', ofPatient('greta', labs), 'greta', labs],
    ['no problem', 'a clinic', grantOf('system/*.rs'), 'greta', all],
    [tooWide, 'who keeps another patient', keeperOf(['greta']), 'emil', all],
    [tooWide, 'an app of another patient', ofPatient('greta'), 'emil', all],
    [tooWide, 'an app that reads findings', ofPatient('greta', 'patient/Observation.rs'), 'greta', all],
    [tooWide, 'an app that may not search', ofPatient('greta', 'patient/Observation.r'), 'greta', labs],
    [tooWide, 'an app that reads laboratory findings', ofPatient('greta', labs), 'greta', 'patient/Observation.rs'],
    [tooWide, 'an app that reads laboratory findings', ofPatient('greta', labs), 'greta', vitals],
    [tooWide, misplaced, grantOf('user/*.rs', { patient: 'greta', patients: [] }), 'greta', all],
    [tooWide, 'patient/ terms without context', grantOf('patient/*.rs', { patients: ['greta'] }), 'greta', all],
    [tooWide, 'a grant without terms', { ...keeperOf(['greta']), terms: [] }, 'greta', all],
    [tooWide, 'who keeps the patient', keeperOf(['greta']), '', all],
    ['share.nothing-to-share', 'a clinic', grantOf('system/*.rs'), 'nobody', all],
  ]
  it.each(rows)('%s: %s', async (code, _who, grant, patient, scopes) => {
    expect(await codeOf(house.share.create({ grant, patient, scopes }))).toBe(code)
  })

  it('shows nothing of another patient, though one refers to the other', async () => {
    const related = {
      resourceType: 'RelatedPerson',
      patient: { reference: 'Patient/greta' },
      relationship: [{ text: 'grandson' }],
    }
    await create(house.record, everything(), related, 'grandson')
    const list = {
      ...heartRate('greta', 70),
      focus: [{ reference: 'Patient/emil' }],
      hasMember: [{ reference: 'Observation/emil-pulse' }],
    }
    await create(house.record, everything(), list, 'compared')
    const { link } = await house.share.create({ grant: everything(), patient: 'greta', scopes: all })
    const { names, bundle } = await view(house, link)
    expect(names).toContain('Observation/compared')
    expect(names.filter(name => name.includes('emil'))).toEqual([])
    expect(JSON.stringify(bundle)).not.toContain('Winter')
  })

  it('gives the same whether or not another patient exists', async () => {
    const alone = await openHouse()
    await create(alone.record, everything(), { resourceType: 'Patient', name: [{ family: 'Weber' }] }, 'greta')
    const { link } = await alone.share.create({
      grant: ofPatient('greta'),
      patient: 'greta',
      scopes: 'patient/Patient.rs',
    })
    const beside = await make({ scopes: 'patient/Patient.rs' })
    expect((await view(alone, link)).names).toEqual((await view(house, beside.link)).names)
  })
})

describe('what the server keeps', () => {
  it('holds neither the key nor the passcode, not even opened', async () => {
    const { link, id } = await make({ passcode: 'open sesame' })
    const { key } = payloadOf(link)
    const { documents } = house.record
    const kept = JSON.stringify([
      await documents.get('share.links', id),
      await documents.list('share.content'),
      await documents.list('share.links'),
    ])
    expect(kept).toContain(id)
    expect(kept).not.toContain(key)
    expect(kept).not.toContain(Buffer.from(key, 'base64url').toString('hex'))
    expect(kept).not.toContain('open sesame')
    expect(kept).not.toContain('Weber')
  })
})
