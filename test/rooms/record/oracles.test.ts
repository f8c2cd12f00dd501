import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { isProblem } from '#kernel'
import type { Record, Txn } from '#record'
import {
  create,
  everything,
  grantOf,
  heartRate,
  ofPatient,
  openTestRecord,
  patient,
  potassium,
  queryOf,
  remove,
  update,
} from './family.ts'

const all = everything()
const vital =
  'patient/Observation.cruds?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs'

const practitioner = (family: string): Resource => ({ resourceType: 'Practitioner', name: [{ family }] })

/** What came of a write: its result without what only the writer's own id decides, or the code that refused it. */
async function outcome(record: Record, grant: Grant, work: (txn: Txn) => Promise<unknown>) {
  try {
    await record.writer(grant).transact(work)
    return 'done'
  } catch (error) {
    if (!isProblem(error)) throw error
    return `${error.kind} ${error.code} ${error.text}`
  }
}

async function household() {
  const { record } = await openTestRecord()
  const amsel = (await create(record, all, patient('Amsel'))).id
  const unseen = (await create(record, all, practitioner('Kauz'))).id
  const deleted = (await create(record, all, practitioner('Uhu'))).id
  await remove(record, all, 'Practitioner', deleted)
  return { record, amsel, unseen, deleted }
}

const conditions = [{}, { ifMatch: '1' }, { ifMatch: '99' }, { ifMatch: '*' }, { ifNoneMatchAny: true }]

describe('A7, A10: what lies in the commons unseen answers a write like what never was', () => {
  it.each(conditions)('update with %j', async options => {
    const { record, amsel, unseen, deleted } = await household()
    const update = (id: string) =>
      outcome(record, ofPatient(amsel, 'patient/*.cruds'), txn =>
        txn.update('Practitioner', id, { ...practitioner('Specht'), id }, options),
      )
    const never = await update('never-was')
    expect(never).toMatch('ifMatch' in options ? 'version.stale' : 'record.client-id-refused')
    expect(await update(unseen)).toBe(never)
    expect(await update(deleted)).toBe(never)
  })

  it.each(conditions)('delete with %j', async options => {
    const { record, amsel, unseen, deleted } = await household()
    const found = (id: string) =>
      record.writer(ofPatient(amsel)).transact(txn => txn.delete('Practitioner', id, options))
    for (const id of [unseen, deleted, 'never-was']) expect(await found(id)).toBeUndefined()
    expect((await record.reader(all).read('Practitioner', unseen)).version).toBe(1)
  })
})

describe('A49: what a granular scope leaves out answers a write like what never was', () => {
  it.each(conditions)('update and delete with %j', async options => {
    const { record, amsel } = await household()
    const laboratory = (await create(record, all, potassium(amsel, 4.1))).id
    const gone = (await create(record, all, potassium(amsel, 4.2))).id
    await remove(record, all, 'Observation', gone)
    const update = (id: string) =>
      outcome(record, ofPatient(amsel, vital), txn =>
        txn.update('Observation', id, { ...heartRate(amsel, 60), id }, options),
      )
    const never = await update('never-was')
    expect(await update(laboratory)).toBe(never)
    expect(await update(gone)).toBe(never)
    const writer = record.writer(ofPatient(amsel, vital))
    expect(await writer.transact(txn => txn.delete('Observation', laboratory, options))).toBeUndefined()
    expect((await record.reader(all).read('Observation', laboratory)).version).toBe(1)
  })
})

describe('what belongs where its target belongs', () => {
  it('is her own under the scopes of one patient, whether the target lies in the commons or nowhere', async () => {
    const { record, amsel, unseen, deleted } = await household()
    for (const id of [unseen, deleted, 'never-was']) {
      const provenance: Resource = {
        resourceType: 'Provenance',
        target: [{ reference: `Practitioner/${id}` }],
        recorded: '2026-01-01T00:00:00Z',
        agent: [{ who: { display: 'somebody' } }],
      }
      const { holder } = await create(record, ofPatient(amsel), provenance)
      expect(holder).toMatchObject({ kind: 'patient', patient: amsel })
    }
  })
})

describe('the length of a page link', () => {
  it('does not tell how much others have written to the commons', async () => {
    const { record } = await openTestRecord()
    const amsel = (await create(record, all, patient('Amsel'))).id
    for (const value of [60, 61, 62]) await create(record, all, heartRate(amsel, value))
    const grant = ofPatient(amsel)
    const lengths = async () => {
      const reader = record.reader(grant)
      const { next: searched = '' } = await reader.search(queryOf(grant, 'Observation', '_count=1'))
      const { next: read = '' } = await reader.history({ count: 1 })
      return [searched.length, read.length]
    }
    const before = await lengths()
    // Enough for every sub-ledger of the commons to reach two digits.
    for (let written = 0; written < 400; written++) await create(record, all, practitioner(`Kauz ${written}`))
    expect(await lengths()).toEqual(before)
    expect(before.every(length => length > 0)).toBe(true)
  })
})

/** What the ids begin with that an account may choose, as it is told. */
async function prefixOf(record: Record, account: string): Promise<string> {
  const told = await outcome(record, grantOf('user/*.cruds', { account }), txn =>
    txn.update('Observation', 'mine', potassium('nobody', 4)),
  )
  return /begin with (\S+);/.exec(told)?.[1] ?? ''
}

describe('whom a resource went to, and who is erased since', () => {
  const put = (resource: Resource, options: object) => (txn: Txn) =>
    txn.update('Observation', resource.id ?? '', resource, options)

  it.each([
    ['one patient', 'patient/*.cruds', {}],
    ['an account', 'user/*.cruds', { account: 'family' }],
    ['an account that may choose this id', 'user/*.cruds', { account: 'family' }],
    ['an account that may also read everybody', 'user/*.cruds system/Patient.r', { account: 'family' }],
    [
      'an account that may do all with other types of everybody',
      'user/*.cruds system/Patient.cruds',
      { account: 'family' },
    ],
  ])('is not told of by what the scopes of %s may do with it', async (whose, scopes, who) => {
    const { record } = await openTestRecord()
    const { id: amsel } = await create(record, all, patient('Amsel'))
    const { id: drossel } = await create(record, all, patient('Drossel'))
    const isChosen = 'account' in who && whose !== 'an account'
    const id = `${isChosen ? await prefixOf(record, 'family') : ''}once-here`
    await update(record, all, { ...heartRate(amsel, 60), id })
    await update(record, all, { ...heartRate(drossel, 60), id })
    const grant = grantOf(scopes, { ...who, patients: [amsel], patient: amsel })
    const hers = { ...heartRate(amsel, 61), id }
    const works: ((txn: Txn) => Promise<unknown>)[] = [
      txn => txn.delete('Observation', id),
      ...[{}, { ifMatch: '2' }, { ifMatch: '3' }, { ifNoneMatchAny: true }].map(options => put(hers, options)),
    ]
    const outcomes = () => Promise.all(works.map(work => outcome(record, grant, work)))
    const before = await outcomes()
    await record.shred(drossel)
    expect(await outcomes()).toEqual(before)
    const refused = isChosen ? 'record.id-taken' : 'record.client-id-refused'
    expect(before.map(told => told.split(' ')[1])).toEqual([
      undefined,
      refused,
      'version.stale',
      'version.stale',
      refused,
    ])
  })
})
