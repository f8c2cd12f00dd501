import { composeTerm, type Grant } from '#access'
import { isDate, parseResource } from '#fhir'
import { type Clock, isProblem, mapFew, Problem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { isDeceptive } from '../accounts/account-names.ts'
import { type Account, actorOf } from '../accounts/accounts.ts'

/** Patients that are read at the same time. */
const loadedAtOnce = 16

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

/** What the account's own pages may do: see who its patients are, and add one. */
export function pageGrant(account: Account, patients: readonly string[], verb: 'c' | 'r', clock: Clock): Grant {
  return {
    id: account.id,
    actor: actorOf(account),
    account: account.id,
    patients,
    terms: [composeTerm('user', 'Patient', new Set([verb]), [])],
    expiresAtMs: clock.nowMs() + 60_000,
  }
}

/** The patients an account keeps, by name where the record has one. */
export async function loadPeople(
  account: Account,
  { record, clock }: { record: PatientRecord; clock: Clock },
): Promise<readonly Person[]> {
  const patients = await record.patientsOf(account.id)
  const reader = record.reader(pageGrant(account, patients, 'r', clock))
  return mapFew(patients, loadedAtOnce, loadPerson)

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

const maxNameLength = 100

function checkName(text: string): string {
  const name = text.normalize('NFC').trim()
  if (name === '' || name.length > maxNameLength || isDeceptive(name)) throw refusal()
  return name
}

function refusal(): Problem {
  return new Problem(
    'unprocessable',
    'smart.person-invalid',
    'A person needs given and family names, a birth date that is a day, or none, and a sex that is one of those offered.',
  )
}

/** What is asked of a person to be added; whoever sends data about somebody is held against all of it. */
export interface Particulars {
  readonly given: string
  readonly family: string
  /** `YYYY-MM-DD`, or empty. */
  readonly birthDate: string
  /** One of `genders`, or empty. */
  readonly gender: string
}

/** The codes of Patient.gender. @see https://hl7.org/fhir/R4/valueset-administrative-gender.html */
const genders: readonly string[] = ['female', 'male', 'other', 'unknown']

/**
 * Adds a Patient that the account keeps.
 *
 * @returns          the Patient's id
 * @throws           Problem `unprocessable` · `smart.person-invalid`
 */
export async function addPerson(
  account: Account,
  { given, family, birthDate, gender }: Particulars,
  { record, clock }: { record: PatientRecord; clock: Clock },
): Promise<string> {
  if (birthDate !== '' && !(birthDate.length === 10 && isDate(birthDate))) throw refusal()
  if (gender !== '' && !genders.includes(gender)) throw refusal()
  const name = { given: checkName(given).split(/\s+/u), family: checkName(family) }
  const known = { ...(gender === '' ? {} : { gender }), ...(birthDate === '' ? {} : { birthDate }) }
  const patient = { resourceType: 'Patient', name: [name], ...known }
  const grant = pageGrant(account, await record.patientsOf(account.id), 'c', clock)
  return (await record.writer(grant).transact(txn => txn.create(patient))).id
}
