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
