import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { type Answer, admin, grantOf, type House, openHouse, weightOf } from './house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse()
})
afterEach(() => house.close())

const codeOf = ({ json }: Answer) => json?.issue?.[0]?.details?.coding?.[0]?.code
const number = { system: 'urn:hospital', value: '4711' }
const ann = { resourceType: 'Patient', identifier: [number], name: [{ family: 'Sample' }] } satisfies Resource
const unnumbered = { resourceType: 'Patient', name: [{ family: 'Sample' }] } satisfies Resource

/** What an account may do: change its own Patients, and nobody else's. */
const accountOf = async (account = 'family'): Promise<Grant> =>
  grantOf('user/*.cruds', { account, patients: await house.record.patientsOf(account) })
const enter = async (patient: Resource = ann, account = 'family'): Promise<string> =>
  (await house.ask('POST', '/Patient', { grant: await accountOf(account), body: patient })).json.id
const vouch = (id: string) =>
  house.record.writer(admin).transact(async txn => {
    txn.vouch(id, [number])
  })
const versionsOf = async (id: string) =>
  (await house.ask('GET', `/Patient/${id}/_history`, { grant: admin })).json.total
const countOf = async (type: string) => (await house.ask('GET', `/${type}?_summary=count`, { grant: admin })).json.total

type Way = (criteria: string, grant?: Grant) => Promise<Answer>
const transaction = (entries: readonly object[], grant: Grant) =>
  house.ask('POST', '/', { grant, body: { resourceType: 'Bundle', type: 'transaction', entry: entries } })
const entry = (method: string, url: string, resource?: object, more: object = {}) => ({
  ...(resource === undefined ? {} : { resource }),
  request: { method, url, ...more },
})
const weightFor = (reference: string) => ({ ...weightOf('x', 70), subject: { reference } })
const amend = [{ op: 'add', path: '/active', value: true }]
const json = 'application/json-patch+json'
const patchBinary = {
  resourceType: 'Binary',
  contentType: json,
  data: Buffer.from(JSON.stringify(amend)).toString('base64'),
}

const update: Way = (criteria, grant = admin) => house.ask('PUT', `/Patient?${criteria}`, { grant, body: ann })
const create: Way = (criteria, grant = admin) =>
  house.ask('POST', '/Patient', { grant, headers: { 'if-none-exist': criteria }, body: ann })

/** Whatever acts on the one that a condition finds. */
const ways: [string, Way][] = [
  ['an update', update],
  ['a create', create],
  [
    'a patch',
    (criteria, grant = admin) =>
      house.ask('PATCH', `/Patient?${criteria}`, { grant, headers: { 'content-type': json }, body: amend }),
  ],
  ['a deletion', (criteria, grant = admin) => house.ask('DELETE', `/Patient?${criteria}`, { grant })],
  [
    'a reference of a transaction',
    (criteria, grant = admin) => transaction([entry('POST', 'Observation', weightFor(`Patient?${criteria}`))], grant),
  ],
  [
    'an update in a transaction',
    (criteria, grant = admin) => transaction([entry('PUT', `Patient?${criteria}`, ann)], grant),
  ],
  [
    'a create in a transaction',
    (criteria, grant = admin) => transaction([entry('POST', 'Patient', ann, { ifNoneExist: criteria })], grant),
  ],
  [
    'a patch in a transaction',
    (criteria, grant = admin) => transaction([entry('PATCH', `Patient?${criteria}`, patchBinary)], grant),
  ],
  [
    'a deletion in a transaction',
    (criteria, grant = admin) => transaction([entry('DELETE', `Patient?${criteria}`)], grant),
  ],
]
const byNumber = 'identifier=urn:hospital%7C4711'
const refused = [412, 'condition.number-unvouched']

describe('a condition of whoever reaches all finds nobody by a number that an account has entered', () => {
  it.each(ways)('%s is refused, and nothing is written', async (_, act) => {
    const id = await enter()
    const answer = await act(byNumber)
    expect([answer.status, codeOf(answer)]).toEqual(refused)
    expect(answer.text).not.toContain('4711')
    expect([await versionsOf(id), await countOf('Patient'), await countOf('Observation')]).toEqual([1, 1, 0])
  })

  it.each([
    byNumber,
    'identifier=4711',
    'identifier=urn:other%7C1,urn:hospital%7C4711',
    'identifier=urn:hospital%7C',
    'identifier:missing=false',
    '_filter=identifier%20eq%20urn:hospital%7C4711',
    '_filter=identifier%20eq%20urn:hospital%7C4711%20or%20organization.name%20eq%20X',
    `${byNumber}&family=Sample`,
    `${byNumber}&gender:missing=true`,
  ])('whatever way the number is asked for: %s', async criteria => {
    await enter()
    for (const [, act] of ways) expect(codeOf(await act(criteria))).toBe('condition.number-unvouched')
  })

  it('also where the Patient may be searched and not read', async () => {
    await enter()
    const blind = grantOf('system/Patient.cs')
    expect(codeOf(await create(byNumber, blind))).toBe('condition.number-unvouched')
  })

  it('also where the number comes with a change', async () => {
    const id = await enter(unnumbered)
    await house.ask('PUT', `/Patient/${id}`, { grant: await accountOf(), body: { ...ann, id } })
    for (const [, act] of ways) expect(codeOf(await act(byNumber))).toBe('condition.number-unvouched')
  })
})

describe('a condition finds as before', () => {
  it.each(ways)('%s by a number for which somebody vouches', async (_, act) => {
    const id = await enter()
    await vouch(id)
    expect((await act(byNumber)).status).toBeLessThan(300)
  })

  it.each(ways)('%s by a number that whoever reaches all has written', async (_, act) => {
    await house.ask('POST', '/Patient', { grant: admin, body: ann })
    expect((await act(byNumber)).status).toBeLessThan(300)
  })

  it.each(ways)(
    '%s by a number that somebody vouches for, though another account has entered it too',
    async (_, act) => {
      const own = (await house.ask('POST', '/Patient', { grant: admin, body: ann })).json.id
      const other = await enter()
      expect((await act(byNumber)).status).toBeLessThan(300)
      expect(await versionsOf(other)).toBe(1)
      expect(own).not.toBe(other)
    },
  )

  it.each(ways)('%s by anything else that is known of the Patient', async (_, act) => {
    await enter()
    expect((await act('family=Sample')).status).toBeLessThan(300)
  })

  it.each(ways)('%s of an account by the number that it has entered', async (_, act) => {
    await enter()
    expect((await act(byNumber, await accountOf())).status).toBeLessThan(300)
  })

  it.each(ways)('%s with a token for one patient', async (_, act) => {
    const patient = await enter()
    const grant = grantOf('patient/*.cruds', { patient, account: 'family', patients: [patient] })
    expect((await act(byNumber, grant)).status).not.toBe(412)
  })

  it('where the number was taken away and written again by whoever reaches all', async () => {
    const id = await enter()
    for (const body of [unnumbered, ann])
      await house.ask('PUT', `/Patient/${id}`, { grant: admin, body: { ...body, id } })
    expect((await update(byNumber)).status).toBe(200)
  })

  it('several where two are vouched for, and nobody where two accounts have entered it', async () => {
    for (const account of ['family', 'other']) await enter(ann, account)
    expect(codeOf(await update(byNumber))).toBe('condition.number-unvouched')
    for (const _ of [1, 2]) await house.ask('POST', '/Patient', { grant: admin, body: ann })
    expect(codeOf(await update(byNumber))).toBe('condition.matches-several')
  })
})

const { id: _id, ...measured } = weightOf('x', 70)

describe('the same holds for the numbers of what is no Patient', () => {
  /** A family of two: the account's own Patient, and one of whom the hospital writes. */
  const people = async () => {
    const own = await enter(unnumbered)
    const other = (await house.ask('POST', '/Patient', { grant: admin, body: { resourceType: 'Patient' } })).json.id
    return { own: { reference: `Patient/${own}` }, other: { reference: `Patient/${other}` } }
  }
  type Making = (subject: { reference: string }) => Resource
  const visit: Making = subject => ({
    resourceType: 'Encounter',
    identifier: [number],
    status: 'in-progress',
    class: { code: 'IMP' },
    subject,
  })
  const kinds: [string, string, Making][] = [
    ['Encounter', byNumber, visit],
    ['Observation', byNumber, subject => ({ ...measured, identifier: [number], subject }) as Resource],
    [
      'DocumentReference',
      byNumber,
      subject => ({
        resourceType: 'DocumentReference',
        masterIdentifier: number,
        status: 'current',
        content: [{ attachment: { title: 'x' } }],
        subject,
      }),
    ],
    [
      'ServiceRequest',
      'requisition=urn:hospital%7C4711',
      subject => ({ resourceType: 'ServiceRequest', requisition: number, status: 'active', intent: 'order', subject }),
    ],
    [
      'Observation',
      `subject:identifier=urn:hospital%7C4711`,
      ({ reference }) => ({ ...measured, subject: { reference, identifier: number } }) as Resource,
    ],
    ['Organization', byNumber, () => ({ resourceType: 'Organization', identifier: [number], name: 'Clinic' })],
  ]
  const acts: [string, (type: string, criteria: string, body: Resource, grant?: Grant) => Promise<Answer>][] = [
    ['an update', (type, criteria, body, grant = admin) => house.ask('PUT', `/${type}?${criteria}`, { grant, body })],
    [
      'a create',
      (type, criteria, body, grant = admin) =>
        house.ask('POST', `/${type}`, { grant, headers: { 'if-none-exist': criteria }, body }),
    ],
    [
      'a patch',
      (type, criteria, _, grant = admin) =>
        house.ask('PATCH', `/${type}?${criteria}`, {
          grant,
          headers: { 'content-type': json },
          body: [{ op: 'add', path: '/language', value: 'en' }],
        }),
    ],
    ['a deletion', (type, criteria, _, grant = admin) => house.ask('DELETE', `/${type}?${criteria}`, { grant })],
    [
      'a reference of a transaction',
      (type, criteria, _, grant = admin) => {
        const basic = {
          resourceType: 'Basic',
          code: { text: 'x' },
          extension: [{ url: 'http://x.example', valueReference: { reference: `${type}?${criteria}` } }],
        }
        return transaction([entry('POST', 'Basic', basic)], grant)
      },
    ],
    [
      'an update in a transaction',
      (type, criteria, body, grant = admin) => transaction([entry('PUT', `${type}?${criteria}`, body)], grant),
    ],
    [
      'a create in a batch',
      async (type, criteria, body, grant = admin) => {
        const bundle = {
          resourceType: 'Bundle',
          type: 'batch',
          entry: [entry('POST', type, body, { ifNoneExist: criteria })],
        }
        const answer = await house.ask('POST', '/', { grant, body: bundle })
        const [{ response }] = answer.json.entry
        return { ...answer, status: Number(response.status.slice(0, 3)), json: response.outcome, text: '' }
      },
    ],
  ]
  const each = kinds.flatMap(([type, criteria, make]) =>
    acts.map(([name, act]) => ({ type, criteria, make, name, act })),
  )

  it.each(each)('$name by $type?$criteria is refused', async ({ type, criteria, make, act }) => {
    const { own, other } = await people()
    const family = { ...(await accountOf()), patients: await house.record.patientsOf('family') }
    const made = await house.ask('POST', `/${type}`, { grant: family, body: make(own) })
    expect(made.status).toBe(201)
    const answer = await act(type, criteria, make(other))
    expect([answer.status, codeOf(answer)]).toEqual(refused)
    expect((await house.ask('GET', `/${type}/${made.json.id}`, { grant: admin })).json.meta.versionId).toBe('1')
    expect(await countOf(type)).toBe(1)
  })

  it.each(each)('$name by $type?$criteria finds what the house has written', async ({ type, criteria, make, act }) => {
    const { other } = await people()
    await house.ask('POST', `/${type}`, { grant: admin, body: make(other) })
    expect((await act(type, criteria, make(other))).status).toBeLessThan(300)
  })

  it.each(each)('$name by $type?$criteria finds an account its own', async ({ type, criteria, make, act }) => {
    const { own } = await people()
    const grant = await accountOf()
    await house.ask('POST', `/${type}`, { grant, body: make(own) })
    expect((await act(type, criteria, make(own), grant)).status).toBeLessThan(300)
  })

  const create = async (body: Resource, grant: Grant): Promise<string> =>
    (await house.ask('POST', `/${body.resourceType}`, { grant, body })).json.id
  const put = (id: string, body: Resource, grant: Grant) =>
    house.ask('PUT', `/Encounter/${id}`, { grant, body: { ...body, id } })
  const asUpdate = (body: Resource, criteria = byNumber) =>
    house.ask('PUT', `/${body.resourceType}?${criteria}`, { grant: admin, body })

  it('a number that comes with a change, that stays through others, and of two that were written by both', async () => {
    const { own, other } = await people()
    const grant = await accountOf()
    const { identifier: _, ...bare } = visit(own)
    const id = await create(bare as Resource, grant)
    await put(id, visit(own), grant)
    expect(codeOf(await asUpdate(visit(other)))).toBe('condition.number-unvouched')
    const second = { system: 'urn:hospital', value: '4712' }
    await put(id, { ...visit(own), identifier: [number, second] }, admin)
    expect(codeOf(await asUpdate(visit(other)))).toBe('condition.number-unvouched')
    expect(
      (await asUpdate({ ...visit(own), identifier: [number, second] }, 'identifier=urn:hospital%7C4712')).status,
    ).toBe(200)
    await put(id, bare as Resource, admin)
    await put(id, visit(own), admin)
    expect((await asUpdate(visit(own))).status).toBe(200)
  })

  it('a number that a source of the house says, too', async () => {
    const { own } = await people()
    const id = await create(visit(own), await accountOf())
    await house.record
      .writer(admin, { imports: 'source' })
      .transact(txn => txn.update('Encounter', id, { ...visit(own), id }))
    expect((await asUpdate(visit(own))).status).toBe(200)
  })

  it.each([
    ['patient.identifier=urn:hospital%7C4711', 'condition.number-unvouched'],
    ['subject:Patient.identifier=urn:hospital%7C4711', 'condition.number-unvouched'],
    ['_has:Observation:encounter:patient.identifier=urn:hospital%7C4711', 'condition.number-unvouched'],
    ['subject:Patient.family=Sample', undefined],
  ])('a chain to a Patient: Encounter?%s', async (criteria, code) => {
    const own = await enter()
    const subject = { reference: `Patient/${own}` }
    const id = await create(visit(subject), admin)
    await create({ ...measured, subject, encounter: { reference: `Encounter/${id}` } } as Resource, admin)
    expect(codeOf(await asUpdate(visit(subject), criteria))).toBe(code)
  })

  it('a chain through several', async () => {
    const own = await enter()
    const subject = { reference: `Patient/${own}` }
    const id = await create(visit(subject), admin)
    const weight = {
      ...measured,
      subject,
      encounter: { reference: `Encounter/${id}` },
    } as Resource
    await create(weight, admin)
    const criteria = 'encounter.subject:Patient.identifier=urn:hospital%7C4711'
    expect(codeOf(await asUpdate(weight, criteria))).toBe('condition.number-unvouched')
    await vouch(own)
    expect((await asUpdate(weight, criteria)).status).toBe(200)
  })
})
