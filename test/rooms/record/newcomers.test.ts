/** What may come into the compartment of a Patient that is created by the same transaction. */
import { create, everything, grantOf, heartRate, openTestRecord, patient, potassium } from './family.ts'

const account = 'account-1'
const foreign = { kind: 'forbidden', code: 'record.owner-foreign' }
const vitals = 'http://terminology.hl7.org/CodeSystem/observation-category|vital-signs'

async function withNewcomer(scopes: string, context: object, follows = heartRate, who = patient('Amsel')) {
  const { record } = await openTestRecord()
  const known = (await create(record, everything(), patient('Drossel'))).id
  const grant = grantOf(scopes, { patients: [], account, patient: known, ...context })
  return record.writer(grant).transact(async txn => {
    const { id } = await txn.create(who)
    return txn.create(follows(id, 61))
  })
}

describe('with a Patient that is new', () => {
  it('may come what the terms of the account speak of', async () => {
    await withNewcomer('user/*.cruds', {})
    await withNewcomer('user/Patient.c user/Observation.c', {})
    await withNewcomer(`user/Patient.c user/Observation.c?category=${vitals}`, {})
    await withNewcomer('system/*.cruds', { account: undefined, patients: 'all' })
  })

  it('comes nothing that only terms of another patient speak of', async () => {
    await expect(withNewcomer('user/Patient.c patient/Observation.c', {})).rejects.toMatchObject(foreign)
    await expect(withNewcomer('user/Patient.c patient/*.cruds', {})).rejects.toMatchObject(foreign)
  })

  it('comes nothing that the params of the terms leave out', async () => {
    const scopes = `user/Patient.c user/Observation.c?category=${vitals}`
    await expect(withNewcomer(scopes, {}, potassium)).rejects.toMatchObject(foreign)
  })

  it('is a Patient whom the params of the terms let in', async () => {
    const scopes = 'user/Patient.c?family=Amsel user/Observation.c'
    await withNewcomer(scopes, {})
    await expect(withNewcomer(scopes, {}, heartRate, patient('Drossel'))).rejects.toMatchObject(foreign)
  })

  it('needs an account that keeps it', async () => {
    await expect(withNewcomer('user/*.cruds', { account: undefined })).rejects.toMatchObject(foreign)
  })
})
