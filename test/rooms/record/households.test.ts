import { type Grant, isCommonsType } from '#access'
import { type Resource, resourceTypes } from '#fhir'
import { openMemoryKeys } from '#store'
import {
  create,
  everything,
  grantOf,
  heartRate,
  ids,
  ofPatient,
  openTestRecord,
  patient,
  queryOf,
  remove,
  update,
} from './family.ts'

const all = everything()
const foreign = { kind: 'forbidden', code: 'record.owner-foreign' }
const unknown = { kind: 'not-found', code: 'record.unknown' }

const account = (name: string, patients: readonly string[] = [], scopes = 'user/*.cruds'): Grant =>
  grantOf(scopes, { account: name, patients })

/** Two accounts with a patient each. */
async function twoFamilies() {
  const house = await openTestRecord()
  const amsel = (await create(house.record, all, patient('Amsel'))).id
  const drossel = (await create(house.record, all, patient('Drossel'))).id
  return { ...house, amsel, drossel, one: account('one', [amsel]), other: account('other', [drossel]) }
}

const observed = (subject?: object, more: object = {}): Resource => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'weight' },
  ...(subject === undefined ? {} : { subject }),
  ...more,
})

/** What this server cannot take for one of its patients. */
const ofNobodyHere: readonly (readonly [string, Resource])[] = [
  ['a subject by display', observed({ display: 'Grandmother' })],
  ['a subject by identifier', observed({ identifier: { system: 'urn:x', value: '1' } })],
  ['a subject on another server', observed({ reference: 'https://elsewhere.example/fhir/Patient/1' })],
  ['a subject by urn', observed({ reference: 'urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0' })],
  ['a contained subject', observed({ reference: '#p' }, { contained: [{ resourceType: 'Patient', id: 'p' }] })],
  ['a subject by condition', observed({ reference: 'Patient?identifier=x' })],
  ['a Group that is not here', observed({ reference: 'Group/none' })],
  ['a Device that is not here', observed({ reference: 'Device/none' })],
  ['a Location', observed({ reference: 'Location/1' })],
  ['no subject', observed()],
  ['a Binary', { resourceType: 'Binary', contentType: 'text/plain', data: 'aGVsbG8=' }],
  ['a List', { resourceType: 'List', status: 'current', mode: 'working' }],
  ['a Task', { resourceType: 'Task', status: 'draft', intent: 'plan' }],
  ['answers', { resourceType: 'QuestionnaireResponse', status: 'completed' }],
  ['a Device', { resourceType: 'Device', deviceName: [{ name: 'Scales', type: 'user-friendly-name' }] }],
  ['a Group of none', { resourceType: 'Group', type: 'person', actual: true }],
  [
    'a document',
    { resourceType: 'Bundle', type: 'document', entry: [{ resource: patientOf('http://hospital/fhir') }] },
  ],
  ['a collection of what is nobody’s', { resourceType: 'Bundle', type: 'collection' }],
]

function patientOf(_server: string): Resource {
  return { resourceType: 'Composition', status: 'final', subject: { display: 'Somebody' } }
}

// https://hl7.org/fhir/R4/references.html#literal
describe('what names a patient of this server belongs to them, however the reference is spelt', () => {
  const spellings = (id: string) => [
    `/Patient/${id}`,
    `/fhir/Patient/${id}`,
    `Patient/${id}/`,
    `Patient/${id}#part`,
    `Patient/${id}/_history/1/`,
    `HTTP://127.0.0.1:8080/fhir/Patient/${id}`,
    `http://127.0.0.1:8080/fhir/Patient/${id}?_format=json`,
    `https://127.0.0.1:8080/fhir/Patient/${id}`,
  ]

  it('is theirs to read and to find, and to nobody else', async () => {
    const { record, amsel, drossel, one, other } = await twoFamilies()
    for (const reference of spellings(amsel)) {
      const { id } = await create(record, one, observed({ reference }))
      expect((await record.reader(ofPatient(amsel)).read('Observation', id)).id).toBe(id)
      await expect(record.reader(ofPatient(drossel)).read('Observation', id)).rejects.toMatchObject(unknown)
      await expect(record.reader(other).read('Observation', id)).rejects.toMatchObject(unknown)
      await expect(create(record, other, observed({ reference }))).rejects.toMatchObject(foreign)
    }
    const query = queryOf(one, 'Observation', `subject=Patient/${amsel}`)
    const { matches } = await record.reader(one).search(query)
    expect(matches).toHaveLength(spellings(amsel).length)
  })

  it('and is refused where nobody of that id is kept', async () => {
    const { record, one } = await twoFamilies()
    for (const reference of spellings('nobody'))
      await expect(create(record, one, observed({ reference }))).rejects.toMatchObject(foreign)
    for (const reference of spellings('nobody'))
      await expect(create(record, all, observed({ reference }))).rejects.toMatchObject({ code: 'record.owner-unknown' })
  })
})

describe('what names no patient of this server', () => {
  it.each(ofNobodyHere)('%s: an account keeps it in its household, where no other family finds it', async (_, made) => {
    const { record, one, other, amsel, drossel } = await twoFamilies()
    const { type, id, holder } = await create(record, one, made)
    expect(holder).toMatchObject({ kind: 'household', account: 'one' })
    expect((await record.reader(one).read(type, id)).id).toBe(id)
    expect(await ids(record, one, type, '')).toEqual([id])
    expect((await record.reader(one).history({ type, count: 9 })).items).toHaveLength(1)
    for (const grant of [other, ofPatient(amsel), ofPatient(drossel), account('third')]) {
      await expect(record.reader(grant).read(type, id)).rejects.toMatchObject(unknown)
      await expect(record.reader(grant).vread(type, id, '1')).rejects.toMatchObject(unknown)
      await expect(record.reader(grant).history({ type, id, count: 9 })).rejects.toMatchObject(unknown)
      expect(await ids(record, grant, type, `_id=${id}`)).toEqual([])
      expect((await record.reader(grant).history({ type, count: 9 })).items).toEqual([])
      expect(await remove(record, grant, type, id)).toBeUndefined()
      await expect(update(record, grant, { ...made, id })).rejects.toMatchObject({ code: 'record.client-id-refused' })
    }
    expect((await record.reader(all).read(type, id)).version).toBe(1)
    expect((await update(record, one, { ...made, id })).version).toBe(2)
    expect(await remove(record, one, type, id)).toBeDefined()
  })

  it.each(ofNobodyHere)(
    '%s: a feed of the house keeps it with the instance, out of every family’s reach',
    async (_, made) => {
      const { record, one, amsel } = await twoFamilies()
      const { type, id, holder } = await create(record, all, made)
      expect(holder).toEqual({ kind: 'household', compartment: holder.compartment })
      expect(await ids(record, all, type, '')).toEqual([id])
      for (const grant of [one, ofPatient(amsel), grantOf('user/*.cruds', { patients: 'all' })]) {
        await expect(record.reader(grant).read(type, id)).rejects.toMatchObject(unknown)
        expect(await ids(record, grant, type, '')).toEqual([])
      }
    },
  )

  it.each(ofNobodyHere)(
    '%s: an app of one patient keeps it with that patient, and it is erased with them',
    async (_, made) => {
      const { record, amsel, drossel, one } = await twoFamilies()
      const { type, id, holder } = await create(record, ofPatient(amsel), made)
      expect(holder).toMatchObject({ kind: 'patient', patient: amsel })
      expect((await record.reader(one).read(type, id)).id).toBe(id)
      await expect(record.reader(ofPatient(drossel)).read(type, id)).rejects.toMatchObject(unknown)
      await record.shred(amsel)
      await expect(record.reader(all).read(type, id)).rejects.toMatchObject(unknown)
    },
  )

  it('is not drawn into a record by who refers to it', async () => {
    const { record, one, drossel } = await twoFamilies()
    const { id } = await create(record, one, observed({ display: 'Grandmother' }))
    const thief = ofPatient(drossel)
    await create(record, thief, { ...heartRate(drossel, 60), hasMember: [{ reference: `Observation/${id}` }] })
    await expect(record.reader(thief).read('Observation', id)).rejects.toMatchObject(unknown)
    const query = queryOf(thief, 'Observation', '_include=Observation:has-member')
    expect((await record.reader(thief).search(query)).included).toEqual([])
  })

  it('moves to the patient when it is told whose it is', async () => {
    const { record, one, amsel } = await twoFamilies()
    const { id } = await create(record, one, observed({ display: 'Grandmother' }))
    await update(record, one, { ...observed({ reference: `Patient/${amsel}` }), id })
    expect((await record.reader(ofPatient(amsel)).read('Observation', id)).id).toBe(id)
    expect(await ids(record, one, 'Observation', '')).toEqual([id])
  })

  it('follows what it is about into the household', async () => {
    const { record, one, other } = await twoFamilies()
    const device = await create(record, one, { resourceType: 'Device' })
    const { id, holder } = await create(record, one, observed({ reference: `Device/${device.id}` }))
    expect(holder).toEqual(device.holder)
    await expect(record.reader(other).read('Observation', id)).rejects.toMatchObject(unknown)
  })

  it('is refused where the grant has no household to keep it in: record.owner-foreign', async () => {
    const { record, amsel } = await twoFamilies()
    const homeless = grantOf('user/*.cruds', { patients: [amsel] })
    await expect(create(record, homeless, observed())).rejects.toMatchObject(foreign)
  })

  it('is found by what another process keeps, once it made the household', async () => {
    const house = await twoFamilies()
    const other = await house.again()
    const reader = other.reader(house.one)
    await expect(reader.read('Observation', 'none')).rejects.toMatchObject(unknown)
    expect(await ids(other, house.one, 'Observation', '')).toEqual([])
    const { id } = await create(house.record, house.one, observed())
    expect((await reader.read('Observation', id)).id).toBe(id)
    expect(await ids(other, house.one, 'Observation', '')).toEqual([id])
    expect(await ids(other, all, 'Observation', '')).toEqual([id])
  })

  it('has an audit that the account reads and nobody else', async () => {
    const { record, one, other } = await twoFamilies()
    const { id } = await create(record, one, observed())
    await record.flush()
    expect(await ids(record, one, 'AuditEvent', `entity=Observation/${id}`)).toHaveLength(1)
    expect(await ids(record, other, 'AuditEvent', `entity=Observation/${id}`)).toEqual([])
  })
})

describe('the commons', () => {
  it('take no type but those that are nobody’s, whoever writes', async () => {
    const { record, one } = await twoFamilies()
    for (const type of resourceTypes.filter(name => !['AuditEvent', 'Patient'].includes(name))) {
      for (const grant of [one, all]) {
        const { holder } = await create(record, grant, { resourceType: type })
        expect([type, holder.kind]).toEqual([type, isCommonsType(type) ? 'commons' : 'household'])
      }
    }
  })

  it('are read by the account that wrote, and by whoever has something that refers to it', async () => {
    const { record, one, other, drossel } = await twoFamilies()
    const doctor: Resource = { resourceType: 'Practitioner', name: [{ family: 'Specht' }] }
    const { id } = await create(record, one, doctor)
    const question = () => ids(record, other, 'Practitioner', 'family=Specht')
    expect(await ids(record, one, 'Practitioner', 'family=Specht')).toEqual([id])
    expect((await record.reader(one).read('Practitioner', id)).id).toBe(id)
    expect(await question()).toEqual([])
    await expect(record.reader(other).read('Practitioner', id)).rejects.toMatchObject(unknown)
    await expect(record.reader(other).vread('Practitioner', id, '1')).rejects.toMatchObject(unknown)
    await expect(record.reader(other).history({ type: 'Practitioner', id, count: 5 })).rejects.toMatchObject(unknown)
    expect((await record.reader(other).history({ type: 'Practitioner', count: 5 })).items).toEqual([])
    await create(record, other, { ...heartRate(drossel, 60), performer: [{ reference: `Practitioner/${id}` }] })
    expect(await question()).toEqual([id])
    expect((await record.reader(other).read('Practitioner', id)).id).toBe(id)
  })

  it('what an account wrote there leads it on, and is still its own in other processes and when it is deleted', async () => {
    const { record, one, other, beside } = await twoFamilies()
    const place = await create(record, all, { resourceType: 'Location', name: 'Ward' })
    const role = { resourceType: 'PractitionerRole', location: [{ reference: `Location/${place.id}` }] }
    const { id } = await create(record, one, role)
    for (const each of [record, await beside()]) {
      expect(await ids(each, one, 'Location', 'name=Ward')).toEqual([place.id])
      expect(await ids(each, other, 'Location', 'name=Ward')).toEqual([])
      expect(await ids(each, one, 'PractitionerRole', '')).toEqual([id])
    }
    await remove(record, one, 'PractitionerRole', id)
    await expect(record.reader(one).read('PractitionerRole', id)).rejects.toMatchObject({ kind: 'gone' })
    await expect(record.reader(other).read('PractitionerRole', id)).rejects.toMatchObject(unknown)
  })

  it('are changed by the account that wrote and by the administrator, and are not there for others', async () => {
    const { record, one, other } = await twoFamilies()
    const doctor: Resource = { resourceType: 'Practitioner', name: [{ family: 'Specht' }] }
    const { id } = await create(record, one, doctor)
    const refused = { kind: 'not-allowed', code: 'record.client-id-refused' }
    await expect(update(record, other, { ...doctor, id })).rejects.toMatchObject(refused)
    await expect(update(record, other, { ...doctor, id: 'never-was' })).rejects.toMatchObject(refused)
    expect(await remove(record, other, 'Practitioner', id)).toBeUndefined()
    expect((await update(record, one, { ...doctor, id })).version).toBe(2)
    expect((await update(record, all, { ...doctor, id })).version).toBe(3)
    expect((await update(record, one, { ...doctor, id })).version).toBe(4)
    expect(await remove(record, one, 'Practitioner', id)).toBeDefined()
    await expect(update(record, other, { ...doctor, id })).rejects.toMatchObject(refused)
    expect((await update(record, one, { ...doctor, id })).version).toBe(6)
  })

  it('let no account change what the administrator wrote', async () => {
    const { record, one } = await twoFamilies()
    const { id } = await create(record, all, { resourceType: 'Organization', name: 'Clinic' })
    const mine = { resourceType: 'Organization', name: 'Mine', id }
    await expect(update(record, one, mine)).rejects.toMatchObject({ code: 'record.client-id-refused' })
    expect(await remove(record, one, 'Organization', id)).toBeUndefined()
    expect((await record.reader(all).read('Organization', id)).version).toBe(1)
  })
})

describe('a Group of more than thirty-two', () => {
  it('lies with whoever wrote it, who must reach all of them', async () => {
    const { record, amsel } = await twoFamilies()
    const many: string[] = []
    for (let turn = 0; turn < 33; turn++) many.push((await create(record, all, patient('Star'))).id)
    const member = many.map(id => ({ entity: { reference: `Patient/${id}` } }))
    const group: Resource = { resourceType: 'Group', type: 'person', actual: true, member }
    const whole = account('whole', many)
    expect((await create(record, whole, group)).holder).toMatchObject({ kind: 'household', account: 'whole' })
    const { id, holder } = await create(record, all, group)
    expect(holder).toMatchObject({ kind: 'household' })
    expect(holder.account).toBeUndefined()
    for (const grant of [ofPatient(many[0] ?? ''), whole, ofPatient(amsel)])
      await expect(record.reader(grant).read('Group', id)).rejects.toMatchObject(unknown)
    await expect(create(record, account('part', many.slice(1)), group)).rejects.toMatchObject(foreign)
    const fewer = { ...group, member: member.slice(0, 32), id }
    expect((await update(record, all, fewer)).holder.kind).toBe('patient')
    expect((await record.reader(ofPatient(many[0] ?? '')).read('Group', id)).id).toBe(id)
  })
})

/** https://hl7.org/fhir/R4/provenance.html, https://hl7.org/fhir/R4/binary.html#securityContext */
describe('what tells of a Group of more than thirty-two', () => {
  const families = async () => {
    const { record } = await twoFamilies()
    const whole = account('crowd', [])
    const many: string[] = []
    for (let turn = 0; turn < 33; turn++) many.push((await create(record, whole, patient('Star'))).id)
    const member = many.map(id => ({ entity: { reference: `Patient/${id}` } }))
    const group: Resource = { resourceType: 'Group', type: 'person', actual: true, member }
    return { record, many, group, whole: account('crowd', many), part: account('crowd', many.slice(1)) }
  }
  const provenance = (target: string): Resource => ({
    resourceType: 'Provenance',
    target: [{ reference: target }],
    recorded: '2026-03-01T10:00:00Z',
    agent: [{ who: { display: 'Somebody' } }],
  })
  const first = { resourceType: 'Group', type: 'person', actual: true }

  it('is for those who reach all of them: a Provenance that comes later, and what follows that', async () => {
    const { record, group, whole, part } = await families()
    const { id } = await create(record, whole, group)
    const told = await create(record, whole, provenance(`Group/${id}`))
    const again = await create(record, whole, provenance(`Provenance/${told.id}`))
    for (const one of [told, again]) {
      expect((await record.reader(whole).read('Provenance', one.id)).holder).toMatchObject({ kind: 'household' })
      await expect(record.reader(part).read('Provenance', one.id)).rejects.toMatchObject(unknown)
      await expect(record.reader(part).history({ type: 'Provenance', id: one.id, count: 9 })).rejects.toMatchObject(
        unknown,
      )
    }
    expect(await ids(record, whole, 'Provenance', '')).toEqual(expect.arrayContaining([told.id, again.id]))
    expect(await ids(record, part, 'Provenance', '')).toEqual([])
    await update(record, whole, { ...provenance(`Group/${id}`), id: told.id })
    await expect(record.reader(part).read('Provenance', told.id)).rejects.toMatchObject(unknown)
    await remove(record, whole, 'Provenance', told.id)
    await expect(record.reader(part).read('Provenance', told.id)).rejects.toMatchObject(unknown)
  })

  it('and one that is written with it, before and after it', async () => {
    const { record, group, whole, part } = await families()
    const ids = await record.writer(whole).transact(async txn => {
      const made = await txn.create(group)
      return [(await txn.create(provenance(`Group/${made.id}`))).id]
    })
    for (const id of ids) {
      expect((await record.reader(whole).read('Provenance', id)).id).toBe(id)
      await expect(record.reader(part).read('Provenance', id)).rejects.toMatchObject(unknown)
    }
  })

  it('and of a Group that names nobody everybody of the household is told', async () => {
    const { record, whole, part } = await families()
    const { id } = await create(record, whole, first)
    const told = await create(record, whole, provenance(`Group/${id}`))
    expect((await record.reader(part).read('Provenance', told.id)).id).toBe(told.id)
  })
})

describe('ids that a client chooses', () => {
  const named = (id: string): Resource => ({ ...patient('Star'), id })
  const refusalOf = (work: Promise<unknown>) => work.catch(({ kind, code, text }) => ({ kind, code, text }))

  it('say nothing of other families: free or taken, the answer is the same', async () => {
    const { record, one, other } = await twoFamilies()
    await update(record, all, named('anna-1990'))
    const { id: taken } = await create(record, other, observed())
    const refusals = await Promise.all([
      refusalOf(update(record, one, named('anna-1990'))),
      refusalOf(update(record, one, named('bert-1991'))),
      refusalOf(update(record, one, { ...observed(), id: taken })),
      refusalOf(update(record, one, { ...observed(), id: 'free' })),
    ])
    expect(refusals[0]).toMatchObject({ kind: 'not-allowed', code: 'record.client-id-refused' })
    for (const refusal of refusals) expect(refusal).toEqual(refusals[0])
  })

  it('are an account’s own when they begin as the refusal says', async () => {
    const { record, one, other } = await twoFamilies()
    const { text } = (await refusalOf(update(record, one, named('anna')))) as { text: string }
    const prefix = /begin with (\S+);/.exec(text)?.[1] ?? ''
    expect(prefix).toMatch(/^[0-9a-f]{10}-$/)
    expect((await update(record, one, named(`${prefix}anna`))).version).toBe(1)
    expect(await record.patientsOf('one')).toContain(`${prefix}anna`)
    expect((await update(record, one, { ...observed(), id: `${prefix}weight` })).version).toBe(1)
    const again = account('one', await record.patientsOf('one'))
    expect((await update(record, again, named(`${prefix}anna`))).version).toBe(2)
    for (const id of [`${prefix}anna`, `${prefix}bert`])
      expect(await refusalOf(update(record, other, named(id)))).toMatchObject({ code: 'record.client-id-refused' })
  })

  it('are free under system/ scopes', async () => {
    const { record } = await twoFamilies()
    expect((await update(record, all, named('anna-1990'))).version).toBe(1)
  })
})

describe('a transaction that is refused', () => {
  it('leaves no key behind', async () => {
    const keys = openMemoryKeys()
    const { record } = await openTestRecord(undefined, keys)
    const before = (await keys.all()).length
    for (let turn = 0; turn < 5; turn++) {
      const work = record.writer(account('one')).transact(async txn => {
        await txn.create(patient('Amsel'))
        await txn.create(observed())
        await txn.create(heartRate('nobody', 60))
      })
      await expect(work).rejects.toMatchObject(foreign)
    }
    expect(await keys.all()).toHaveLength(before)
    await record.writer(account('one')).transact(async txn => {
      const { id } = await txn.create(patient('Amsel'))
      await txn.create(patient('Amsel'))
      await txn.create(observed())
      await txn.create(heartRate(id, 60))
    })
    expect(await keys.all()).toHaveLength(before + 6)
    expect(await record.patientsOf('one')).toHaveLength(2)
  })
})

describe('what is written together', () => {
  it('belongs where that belongs which refers to it: a Binary with its DocumentReference', async () => {
    const { record, amsel, drossel, one } = await twoFamilies()
    const binary: Resource = { resourceType: 'Binary', contentType: 'text/plain', data: 'aGVsbG8=' }
    const document = (who: string): Resource => ({
      resourceType: 'DocumentReference',
      status: 'current',
      subject: { reference: `Patient/${who}` },
      content: [{ attachment: { url: 'Binary/x' } }],
    })
    const write = (grant: Grant, ...referrers: Resource[]) =>
      record.writer(grant).transact(txn => txn.create(binary, { referrers }))
    const alone = await write(all, document(amsel))
    expect((await record.reader(ofPatient(amsel)).read('Binary', alone.id)).id).toBe(alone.id)
    await expect(record.reader(ofPatient(drossel)).read('Binary', alone.id)).rejects.toMatchObject(unknown)
    const shared = await write(all, document(amsel), document(drossel))
    for (const who of [amsel, drossel])
      expect((await record.reader(ofPatient(who)).read('Binary', shared.id)).id).toBe(shared.id)
    await expect(write(one, document(drossel))).rejects.toMatchObject(foreign)
    expect((await write(one, document(amsel))).holder).toMatchObject({ patient: amsel })
  })
})
