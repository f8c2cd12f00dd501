import type { Record } from '#record'
import { create, everything, grantOf, heartRate, ofPatient, openTestRecord, patient, remove, update } from './family.ts'

const grant = everything()
const json = (stored: { json: Buffer }) => JSON.parse(stored.json.toString('utf8'))

async function familyOf(
  ...names: string[]
): Promise<{ record: Record; ids: string[]; clock: { advance(ms: number): void } }> {
  const { record, clock } = await openTestRecord()
  const ids: string[] = []
  for (const name of names) ids.push((await create(record, grant, patient(name))).id)
  return { record, ids, clock }
}

describe('versions – https://hl7.org/fhir/R4/http.html#versioning', () => {
  it('stamps id, versionId and lastUpdated, and keeps every other element as it came', async () => {
    const { record, ids } = await familyOf('Amsel')
    const [amsel = ''] = ids
    const sent = { ...heartRate(amsel, 61), meta: { tag: [{ code: 'mine' }], versionId: '99' } }
    const stored = await create(record, grant, sent)
    const read = await record.reader(grant).read('Observation', stored.id)
    expect(json(read)).toEqual({
      ...sent,
      id: stored.id,
      meta: { tag: [{ code: 'mine' }], versionId: '1', lastUpdated: '2026-03-01T10:00:00.000Z' },
    })
    expect(read.json.toString('utf8')).toMatch(/^\{"resourceType":"Observation","id":"/)
  })

  it('counts versions and serves each of them', async () => {
    const { record, ids } = await familyOf('Amsel')
    const first = await create(record, grant, heartRate(ids[0] ?? '', 60))
    const second = await update(record, grant, { ...heartRate(ids[0] ?? '', 70), id: first.id })
    expect(second.version).toBe(2)
    const reader = record.reader(grant)
    expect(json(await reader.vread('Observation', first.id, '1')).valueQuantity.value).toBe(60)
    expect(json(await reader.read('Observation', first.id)).valueQuantity.value).toBe(70)
    await expect(reader.vread('Observation', first.id, '3')).rejects.toMatchObject({ code: 'record.unknown' })
    await expect(reader.vread('Observation', first.id, '1e0')).rejects.toMatchObject({ code: 'record.unknown' })
  })

  it('answers gone for a deleted resource, still serves its old versions, and goes on counting when it returns', async () => {
    const { record, ids } = await familyOf('Amsel')
    const stored = await create(record, grant, heartRate(ids[0] ?? '', 60))
    await remove(record, grant, 'Observation', stored.id)
    const reader = record.reader(grant)
    await expect(reader.read('Observation', stored.id)).rejects.toMatchObject({ kind: 'gone', code: 'record.deleted' })
    await expect(reader.vread('Observation', stored.id, '2')).rejects.toMatchObject({ code: 'record.deleted' })
    expect((await reader.vread('Observation', stored.id, '1')).version).toBe(1)
    expect(await remove(record, grant, 'Observation', stored.id)).toBeUndefined()
    const again = await update(record, grant, { ...heartRate(ids[0] ?? '', 80), id: stored.id })
    expect(again).toMatchObject({ version: 3, created: true })
  })

  it('refuses a stale If-Match: version.stale', async () => {
    const { record, ids } = await familyOf('Amsel')
    const stored = await create(record, grant, heartRate(ids[0] ?? '', 60))
    const next = { ...heartRate(ids[0] ?? '', 61), id: stored.id }
    await update(record, grant, next, '1')
    await expect(update(record, grant, next, '1')).rejects.toMatchObject({
      kind: 'precondition',
      code: 'version.stale',
    })
    await expect(update(record, grant, { ...next, id: 'never-seen' }, '1')).rejects.toMatchObject({
      code: 'version.stale',
    })
  })

  it('refuses to overwrite when asked not to: version.exists', async () => {
    const { record, ids } = await familyOf('Amsel')
    const stored = await create(record, grant, heartRate(ids[0] ?? '', 60))
    const next = { ...heartRate(ids[0] ?? '', 61), id: stored.id }
    const attempt = record
      .writer(grant)
      .transact(txn => txn.update('Observation', stored.id, next, { ifNoneMatchAny: true }))
    await expect(attempt).rejects.toMatchObject({ code: 'version.exists' })
  })

  it('takes an id of the client where that tells nothing, and refuses one that is in use: record.id-taken', async () => {
    const { record, ids } = await familyOf('Amsel', 'Drossel')
    const own = { ...heartRate(ids[0] ?? '', 60), id: 'watch-1' }
    expect(await update(record, grant, own)).toMatchObject({ version: 1, created: true })
    await expect(create(record, grant, own, 'watch-1')).rejects.toMatchObject({ code: 'record.id-taken' })
  })

  it('leaves the choice of ids to the server under the scopes of one patient: record.client-id-refused', async () => {
    const { record, ids } = await familyOf('Amsel', 'Drossel')
    await update(record, grant, { ...heartRate(ids[1] ?? '', 60), id: 'taken-by-another' })
    const token = ofPatient(ids[0] ?? '')
    const attempts = ['taken-by-another', 'free'].map(id =>
      update(record, token, { ...heartRate(ids[0] ?? '', 60), id }),
    )
    const [taken, free] = await Promise.allSettled(attempts)
    expect(taken).toEqual(free)
    expect(free).toMatchObject({ reason: { code: 'record.client-id-refused', kind: 'not-allowed' } })
  })

  it('moves a resource whose owner is corrected, and its old versions stay where they were written', async () => {
    const { record, ids } = await familyOf('Amsel', 'Drossel')
    const [amsel = '', drossel = ''] = ids
    const stored = await create(record, grant, heartRate(amsel, 60))
    const moved = await update(record, grant, { ...heartRate(drossel, 60), id: stored.id })
    expect(moved.holder.patient).toBe(drossel)
    expect((await record.reader(ofPatient(drossel)).read('Observation', stored.id)).version).toBe(moved.version)
    // As the history tells her: gone (http.html#read).
    await expect(record.reader(ofPatient(amsel)).read('Observation', stored.id)).rejects.toMatchObject({
      code: 'record.deleted',
    })
    expect((await record.reader(ofPatient(amsel)).vread('Observation', stored.id, '1')).version).toBe(1)
    await expect(record.reader(ofPatient(drossel)).vread('Observation', stored.id, '1')).rejects.toMatchObject({
      code: 'record.unknown',
    })
  })

  it('refuses to change and to delete AuditEvents: record.audit-readonly', async () => {
    const { record } = await familyOf()
    const event = { resourceType: 'AuditEvent' }
    await expect(update(record, grant, { ...event, id: 'x' })).rejects.toMatchObject({ code: 'record.audit-readonly' })
    await expect(remove(record, grant, 'AuditEvent', 'x')).rejects.toMatchObject({ code: 'record.audit-readonly' })
  })
})

describe('whose a resource is – https://hl7.org/fhir/R4/compartmentdefinition-patient.html', () => {
  it('gives a new patient a compartment of their own, and the account that took them in keeps them', async () => {
    const { record } = await familyOf()
    const parent = grantOf('user/*.cruds', { account: 'anna', patients: [] })
    const child = await create(record, parent, patient('Meise'))
    expect(await record.patientsOf('anna')).toEqual([child.id])
    expect(child.holder).toMatchObject({ kind: 'patient', patient: child.id })
  })

  it('refuses a resource of somebody out of reach, whether they exist or not: record.owner-foreign', async () => {
    const { record, ids } = await familyOf('Amsel', 'Drossel')
    const token = ofPatient(ids[0] ?? '')
    for (const other of [ids[1] ?? '', 'nobody'])
      await expect(create(record, token, heartRate(other, 60))).rejects.toMatchObject({ code: 'record.owner-foreign' })
    const own = await create(record, token, heartRate(ids[0] ?? '', 60))
    const stolen = update(record, token, { ...heartRate(ids[1] ?? '', 60), id: own.id })
    await expect(stolen).rejects.toMatchObject({ kind: 'forbidden', code: 'record.owner-foreign' })
  })

  it('refuses a resource of a patient that is not kept here: record.owner-unknown', async () => {
    const { record } = await familyOf('Amsel')
    await expect(create(record, grant, heartRate('nobody', 60))).rejects.toMatchObject({ code: 'record.owner-unknown' })
  })

  it('lets Provenance follow its target', async () => {
    const { record, ids } = await familyOf('Amsel')
    const target = await create(record, grant, heartRate(ids[0] ?? '', 60))
    const provenance = {
      resourceType: 'Provenance',
      target: [{ reference: `Observation/${target.id}` }],
      recorded: '2026-01-01T00:00:00Z',
      agent: [{ who: { display: 'a watch' } }],
    }
    const stored = await create(record, grant, provenance)
    expect(stored.holder.patient).toBe(ids[0])
  })

  it('puts what belongs to no patient into the commons, where the scopes of one patient may not write', async () => {
    const { record, ids } = await familyOf('Amsel')
    const clinic = { resourceType: 'Organization', name: 'Klinik' }
    expect((await create(record, grant, clinic)).holder.kind).toBe('commons')
    await expect(create(record, ofPatient(ids[0] ?? ''), clinic)).rejects.toMatchObject({ kind: 'forbidden' })
  })
})
