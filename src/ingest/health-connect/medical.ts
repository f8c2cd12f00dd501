import { parseJson, toResource } from '#fhir'
import { giveWay, isProblem } from '#kernel'
import { checkClinicPatients } from '../apple/clinic-patients.ts'
import { importFhir } from '../fhir/import-fhir.ts'
import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import type { Outcome } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import type { ForeignDatabase } from './database.ts'

const table = 'medical_resource_table'

/** The resources of clinics that the phone keeps, each as its text; what is no text is an empty one. */
function* textsIn(database: ForeignDatabase, longest: number): Generator<string, void, void> {
  const found = database.tables.get(table)
  if (found === undefined) return
  for (const { cells } of database.rows(found, longest)) {
    const text = cells.get('fhir_data')
    // A line break stands between tokens only: within a string it is written otherwise.
    yield typeof text === 'string' ? text.replace(/[\r\n]+/g, ' ') : ''
  }
}

/**
 * Whom the resources of clinics describe must be the patient, as for the records of clinics in other phones.
 *
 * @throws Problem as `checkClinicPatients`
 */
export async function checkMedical(database: ForeignDatabase, context: ReadContext): Promise<void> {
  const said: PersonClaims[] = []
  for (const text of textsIn(database, context.limits.maxToken)) {
    if (/"resourceType"\s*:\s*"Patient"/.test(text)) said.push(...claimsIn(text))
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  await checkClinicPatients(said, context)
}

function claimsIn(text: string): readonly PersonClaims[] {
  try {
    const resource = toResource(parseJson(text))
    return resource.resourceType === 'Patient' ? [claimsOf(resource)] : []
  } catch (error) {
    if (isProblem(error)) return [] // what cannot be read is told as a row
    throw error
  }
}

/** What the resources of clinics become: together, so that they find each other; if that cannot be, each by itself. */
export async function* readMedical(
  database: ForeignDatabase,
  context: ReadContext,
): AsyncGenerator<Outcome[], void, void> {
  const texts = () => textsIn(database, context.limits.maxToken)
  const [first] = texts().take(1)
  if (first === undefined) return
  const together = await attempt(texts, context)
  if (together !== undefined) return yield* together
  for (const text of texts()) {
    const alone = await attempt(() => [text], context)
    if (alone === undefined)
      yield [{ kind: 'rejected', row: table, reason: 'structure-unknown', expression: 'fhir_data' }]
    else yield* alone
  }
}

async function attempt(
  texts: () => Iterable<string>,
  context: ReadContext,
): Promise<AsyncGenerator<Outcome[]> | undefined> {
  const open = async function* () {
    for (const text of texts()) yield Buffer.from(`${text === '' ? 'null' : text}\n`, 'utf8')
  }
  try {
    return await importFhir([{ form: 'ndjson', open }], context)
  } catch (error) {
    if (isProblem(error, 'invalid') || isProblem(error, 'unprocessable')) return undefined
    throw error
  }
}
