import { composeTerm, type Grant } from '#access'
import { parseResource } from '#fhir'
import { type Clock, isProblem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import type { Account } from '../accounts/accounts.ts'

/** A patient as the account's own people know them. */
export interface Person {
  readonly id: string
  readonly name: string
  readonly birthDate?: string
}

interface HumanName {
  readonly use?: string
  readonly text?: string
  readonly given?: readonly string[]
  readonly family?: string
}

function printName(names: unknown): string | undefined {
  if (!Array.isArray(names)) return undefined
  const known = names as readonly HumanName[]
  const name = known.find(each => each.use === 'usual' || each.use === 'official') ?? known[0]
  if (name === undefined) return undefined
  const text = name.text ?? [...(name.given ?? []), name.family ?? ''].join(' ').trim()
  return text === '' ? undefined : text
}

/** What the account's own pages may read: who its patients are. */
function pageGrant(account: Account, patients: readonly string[], clock: Clock): Grant {
  return {
    id: account.id,
    actor: { kind: 'account', id: account.id, display: account.name },
    patients,
    terms: [composeTerm('user', 'Patient', new Set(['r']), [])],
    expiresAtMs: clock.nowMs() + 60_000,
  }
}

/** The patients an account keeps, by name where the record has one. */
export async function loadPeople(
  account: Account,
  { record, clock }: { record: PatientRecord; clock: Clock },
): Promise<readonly Person[]> {
  const patients = await record.patientsOf(account.id)
  const reader = record.reader(pageGrant(account, patients, clock))
  return Promise.all(patients.map(id => loadPerson(id)))

  async function loadPerson(id: string): Promise<Person> {
    try {
      const patient = parseResource((await reader.read('Patient', id)).json)
      const birthDate = typeof patient.birthDate === 'string' ? patient.birthDate : undefined
      const name = printName(patient.name) ?? 'A person without a name'
      return { id, name, ...(birthDate === undefined ? {} : { birthDate }) }
    } catch (error) {
      // A deleted Patient may still have data; the account keeps it and must be able to choose it.
      if (isProblem(error)) return { id, name: 'A person without a name' }
      throw error
    }
  }
}
