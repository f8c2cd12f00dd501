import type { Grant } from '#access'
import { grantOf, type House, openHouse } from './house.ts'

const all = grantOf('system/*.cruds', { patients: 'all' })
const uuidOf = (last: string) => `urn:uuid:5d3a2a8e-0000-4000-8000-00000000000${last}`

const binary = { resourceType: 'Binary', contentType: 'application/pdf', data: 'JVBERi0xLjQ=' }
const attachment = (url: string) => ({ contentType: 'application/pdf', url })

/** The ways in which R4 lets a resource of a patient link to bytes. */
const carriers: readonly (readonly [string, (patient: string, url: string) => object])[] = [
  [
    'DocumentReference',
    (patient, url) => ({
      resourceType: 'DocumentReference',
      status: 'current',
      subject: { reference: `Patient/${patient}` },
      content: [{ attachment: attachment(url) }],
    }),
  ],
  [
    'DiagnosticReport.presentedForm',
    (patient, url) => ({
      resourceType: 'DiagnosticReport',
      status: 'final',
      code: { text: 'x' },
      subject: { reference: `Patient/${patient}` },
      presentedForm: [attachment(url)],
    }),
  ],
  [
    'Media',
    (patient, url) => ({
      resourceType: 'Media',
      status: 'completed',
      subject: { reference: `Patient/${patient}` },
      content: attachment(url),
    }),
  ],
  [
    'Consent.source',
    (patient, url) => ({
      resourceType: 'Consent',
      status: 'active',
      scope: { text: 'x' },
      category: [{ text: 'x' }],
      policyRule: { text: 'x' },
      patient: { reference: `Patient/${patient}` },
      sourceAttachment: attachment(url),
    }),
  ],
]

let house: House
let anna: string
let ben: string
beforeEach(async () => {
  house = await openHouse()
  const made = async () =>
    (await house.ask('POST', '/Patient', { grant: all, body: { resourceType: 'Patient' } })).json.id
  anna = await made()
  ben = await made()
})
afterEach(() => house.close())

const ofPatient = (patient: string) => grantOf('patient/*.cruds', { patient })
const family = () => grantOf('user/*.cruds', { account: 'family', patients: [anna, ben] })

async function transact(grant: Grant, ...entries: readonly object[]) {
  const answer = await house.ask('POST', '', {
    grant,
    body: { resourceType: 'Bundle', type: 'transaction', entry: entries },
  })
  return answer.json.entry.map((entry: { response: { location: string } }) =>
    entry.response.location.replace(/^.*\/(\w+\/[^/]+)\/_history\/.*$/, '$1'),
  ) as string[]
}

const entry = (last: string, resource: object, url: string, method = 'POST') => ({
  fullUrl: uuidOf(last),
  resource,
  request: { method, url },
})

const isReadBy = async (grant: Grant, name: string) => (await house.ask('GET', `/${name}`, { grant })).status === 200

describe('bytes and what refers to them – https://hl7.org/fhir/R4/binary.html#securityContext', () => {
  it.each(carriers)(
    '%s: whoever may read the one reads the other, whoever sends both, in either order',
    async (_, make) => {
      for (const sender of [all, family(), ofPatient(anna)]) {
        const carrier = make(anna, uuidOf('b'))
        const type = (carrier as { resourceType: string }).resourceType
        const parts = [entry('d', carrier, type), entry('b', binary, 'Binary')]
        for (const entries of [parts, parts.toReversed()]) {
          const written = await transact(sender, ...entries)
          const bytes = written.find(name => name.startsWith('Binary/')) ?? ''
          const document = written.find(name => !name.startsWith('Binary/')) ?? ''
          expect((await house.ask('GET', `/${document}`, { grant: ofPatient(anna) })).text).toContain(
            `"url":"${bytes}"`,
          )
          expect(await isReadBy(ofPatient(anna), bytes)).toBe(true)
          expect(await isReadBy(ofPatient(ben), bytes)).toBe(false)
        }
      }
    },
  )

  it('$everything contains them', async () => {
    const written = await transact(
      all,
      entry('b', binary, 'Binary'),
      entry('d', carriers[0]?.[1](anna, uuidOf('b')) ?? {}, 'DocumentReference'),
    )
    const everything = await house.ask('GET', `/Patient/${anna}/$everything`, { grant: ofPatient(anna) })
    const names = everything.json.entry.map(
      (each: { resource: { resourceType: string; id: string } }) => `${each.resource.resourceType}/${each.resource.id}`,
    )
    for (const name of written) expect(names.filter((each: string) => each === name)).toHaveLength(1)
  })

  it('are of every patient to whom a document about them belongs', async () => {
    const make = carriers[0]?.[1]
    const [bytes = ''] = await transact(
      all,
      entry('b', binary, 'Binary'),
      entry('d', make?.(anna, uuidOf('b')) ?? {}, 'DocumentReference'),
      entry('e', make?.(ben, uuidOf('b')) ?? {}, 'DocumentReference'),
    )
    for (const who of [anna, ben]) expect(await isReadBy(ofPatient(who), bytes)).toBe(true)
  })

  it.each([
    ['with an id that the server gives', 'POST'],
    ['with an id of the client', 'PUT'],
  ])('are the photo of a Patient who comes with them %s, in either order', async (_, method) => {
    for (const isLast of [false, true]) {
      const id = `carla-${isLast}`
      const photo = [{ contentType: 'application/pdf', url: uuidOf('b') }]
      const url = method === 'POST' ? 'Patient' : `Patient/${id}`
      const carla = { resourceType: 'Patient', photo, ...(method === 'PUT' ? { id } : {}) }
      const parts = [entry('b', binary, 'Binary'), entry('c', carla, url, method)]
      const written = await transact(all, ...(isLast ? parts.toReversed() : parts))
      const bytes = written.find(name => name.startsWith('Binary/')) ?? ''
      const patient = written.find(name => name.startsWith('Patient/'))?.slice('Patient/'.length) ?? ''
      expect(await isReadBy(ofPatient(patient), bytes)).toBe(true)
      expect(await isReadBy(ofPatient(anna), bytes)).toBe(false)
      const everything = await house.ask('GET', `/Patient/${patient}/$everything`, { grant: ofPatient(patient) })
      expect(everything.text).toContain(`"id":"${bytes.slice('Binary/'.length)}"`)
    }
  })

  it('follow the securityContext before all', async () => {
    const own = { ...binary, securityContext: { reference: `Patient/${ben}` } }
    const [bytes = ''] = await transact(all, entry('b', own, 'Binary'))
    expect(await isReadBy(ofPatient(ben), bytes)).toBe(true)
    const follows = { ...binary, securityContext: { reference: uuidOf('d') } }
    const [followed = ''] = await transact(
      all,
      entry('b', follows, 'Binary'),
      entry(
        'd',
        {
          resourceType: 'DocumentReference',
          status: 'current',
          subject: { reference: `Patient/${ben}` },
          content: [{ attachment: { title: 'Letter' } }],
        },
        'DocumentReference',
      ),
    )
    expect(await isReadBy(ofPatient(ben), followed)).toBe(true)
    expect(await isReadBy(ofPatient(anna), followed)).toBe(false)
  })

  it('with ids that the client chose, by PUT', async () => {
    const written = await transact(
      all,
      entry('d', { ...carriers[0]?.[1](anna, 'Binary/scan'), id: 'letter' }, 'DocumentReference/letter', 'PUT'),
      entry('b', { ...binary, id: 'scan' }, 'Binary/scan', 'PUT'),
    )
    expect(written).toEqual(['DocumentReference/letter', 'Binary/scan'])
    expect(await isReadBy(ofPatient(anna), 'Binary/scan')).toBe(true)
    await house.ask('PUT', '/Binary/scan', { grant: all, body: { ...binary, id: 'scan', data: 'JVBERi0xLjU=' } })
    expect(await isReadBy(ofPatient(anna), 'Binary/scan')).toBe(true)
  })

  it.each(['batch', 'one after the other'])('sent before what refers to them, in a %s', async how => {
    for (const sender of [all, family()]) {
      const bytes = (await house.ask('POST', '/Binary', { grant: sender, body: binary })).json.id
      expect(await isReadBy(ofPatient(anna), `Binary/${bytes}`)).toBe(false)
      const body = carriers[0]?.[1](anna, `Binary/${bytes}`) ?? {}
      const entries = [{ resource: body, request: { method: 'POST', url: 'DocumentReference' } }]
      if (how === 'batch')
        await house.ask('POST', '', { grant: sender, body: { resourceType: 'Bundle', type: 'batch', entry: entries } })
      else await house.ask('POST', '/DocumentReference', { grant: sender, body })
      expect(await isReadBy(ofPatient(anna), `Binary/${bytes}`)).toBe(true)
      expect(await isReadBy(ofPatient(ben), `Binary/${bytes}`)).toBe(false)
    }
  })

  it('are drawn into no record by who may not read them', async () => {
    const bytes = (await house.ask('POST', '/Binary', { grant: family(), body: binary })).json.id
    const thief = grantOf('user/*.cruds', { account: 'thief', patients: [ben] })
    for (const grant of [thief, ofPatient(ben)]) {
      await house.ask('POST', '/DocumentReference', { grant, body: carriers[0]?.[1](ben, `Binary/${bytes}`) ?? {} })
      expect(await isReadBy(grant, `Binary/${bytes}`)).toBe(false)
    }
    await transact(family(), entry('d', carriers[0]?.[1](anna, `Binary/${bytes}`) ?? {}, 'DocumentReference'))
    await house.ask('POST', '/DocumentReference', { grant: all, body: carriers[0]?.[1](ben, `Binary/${bytes}`) ?? {} })
    expect(await isReadBy(ofPatient(anna), `Binary/${bytes}`)).toBe(true)
    expect(await isReadBy(ofPatient(ben), `Binary/${bytes}`)).toBe(false)
  })
})

describe('what a family writes about somebody whom this server does not keep', () => {
  const hospital = 'http://hospital.example/fhir'
  const document = (patient: string) => ({
    resourceType: 'Bundle',
    type: 'document',
    identifier: { system: 'urn:ietf:rfc:3986', value: uuidOf('f') },
    timestamp: '2026-03-01T10:00:00Z',
    entry: [
      {
        fullUrl: `${hospital}/Composition/1`,
        resource: {
          resourceType: 'Composition',
          id: '1',
          status: 'final',
          type: { text: 'letter' },
          date: '2026-03-01',
          title: 'Letter',
          subject: { reference: `Patient/${patient}` },
          author: [{ display: 'Dr. Specht' }],
        },
      },
      { fullUrl: `${hospital}/Patient/${patient}`, resource: { resourceType: 'Patient', id: patient } },
    ],
  })

  it('a document about another server’s patient is not that of ours who has the same id', async () => {
    const stored = await house.ask('POST', '/Bundle', { grant: all, body: document(anna) })
    expect(stored.status).toBe(201)
    expect(await isReadBy(ofPatient(anna), `Bundle/${stored.json.id}`)).toBe(false)
  })

  it('and it can be kept with the patient in context', async () => {
    const stored = await house.ask('POST', '/Bundle', { grant: ofPatient(ben), body: document(anna) })
    expect(stored.status).toBe(201)
    expect(await isReadBy(ofPatient(ben), `Bundle/${stored.json.id}`)).toBe(true)
    expect(await isReadBy(ofPatient(anna), `Bundle/${stored.json.id}`)).toBe(false)
  })

  it('versioned and absolute references name our own patient', async () => {
    for (const reference of [`Patient/${anna}/_history/1`, `http://127.0.0.1:8080/fhir/Patient/${anna}`]) {
      const body = { resourceType: 'Flag', status: 'active', code: { text: 'x' }, subject: { reference } }
      const { status, json } = await house.ask('POST', '/Flag', { grant: all, body })
      expect(status).toBe(201)
      expect(await isReadBy(ofPatient(anna), `Flag/${json.id}`)).toBe(true)
      for (const search of [`subject=Patient/${anna}`, `patient=${anna}`]) {
        const found = await house.ask('GET', `/Flag?${search}&_id=${json.id}`, { grant: all })
        expect([reference, search, found.json.entry?.length]).toEqual([reference, search, 1])
      }
    }
  })
})
