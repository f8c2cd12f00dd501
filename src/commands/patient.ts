import type { Resource } from '#fhir'
import { checkResource } from '#validation'
import { hostGrant } from '../compose.ts'
import { output } from './output.ts'
import { withHouse } from './with-house.ts'

interface PatientOptions {
  readonly given?: string
  readonly family?: string
  readonly birthdate?: string
  readonly gender?: string
  readonly account?: string
}

/** Takes in a patient: a compartment with a key of its own. The new id stands alone on the last line. */
export async function createPatient(options: PatientOptions): Promise<void> {
  const id = await withHouse(async house => {
    const resource = patientOf(options)
    checkResource(house.validator, resource)
    const account = options.account === undefined ? undefined : await house.smart.accountId(options.account)
    const stored = await house.record.writer(hostGrant()).transact(txn => txn.create(resource))
    if (account !== undefined) await house.record.addPatientTo(account, stored.id)
    return stored.id
  })
  output.result(id)
}

/** The ids of all patients, one a line. Names are theirs, and not shown. */
export async function listPatients(): Promise<void> {
  for (const id of await withHouse(house => house.record.allPatients())) output.result(id)
}

function patientOf({ given, family, birthdate, gender }: PatientOptions): Resource {
  const named = given !== undefined || family !== undefined
  const name = {
    ...(family === undefined ? {} : { family }),
    ...(given === undefined ? {} : { given: given.split(' ') }),
  }
  return {
    resourceType: 'Patient',
    active: true,
    ...(named ? { name: [name] } : {}),
    ...(gender === undefined ? {} : { gender }),
    ...(birthdate === undefined ? {} : { birthDate: birthdate }),
  }
}
