import { createHash } from 'node:crypto'
import type { Txn } from '#record'
import type { Documents } from '#vault'
import type { PersonClaims } from '../claims.ts'

/**
 * What a person has said once holds for what says the same again: that a patient is also described so (a name by marriage, a birth
 * date that a hospital has wrong). Nothing of it shows in the record.
 */
const collection = 'ingest-known-as'

function nameOf(patient: string, { names, birthDate, gender, birthOrder }: PersonClaims): string {
  const order = birthOrder === undefined ? [] : [birthOrder]
  const said = JSON.stringify([names, birthDate, gender, ...order]).toLowerCase()
  return `${patient}/${createHash('sha256').update(said).digest('hex')}`
}

/** Remembers with a transaction that a description is a patient's. */
export function rememberAs(txn: Txn, documents: Documents, patient: string, claims: PersonClaims): void {
  txn.document(documents.write(collection, nameOf(patient, claims), {}, { group: patient }), patient)
}

/** What was said of a patient: whether a description is theirs, as somebody has said before. */
export async function descriptionsOf(
  documents: Documents,
  patient: string,
): Promise<(claims: PersonClaims) => boolean> {
  const known = new Set((await documents.list(collection, { group: patient })).map(({ name }) => name))
  return claims => known.has(nameOf(patient, claims))
}

/** The one among the patients of whom it was said that the description is theirs; undefined for none, and for several. */
export async function knownAs(
  documents: Documents,
  patients: readonly string[],
  claims: PersonClaims,
): Promise<string | undefined> {
  const found: string[] = []
  for (const patient of patients)
    if ((await documents.get(collection, nameOf(patient, claims))) !== undefined) found.push(patient)
  return found.length === 1 ? found[0] : undefined
}
