import { toResource } from '#fhir'
import { giveWay, isProblem } from '#kernel'
import { checkClinicPatients, rejectedRecord } from '../apple/clinic-patients.ts'
import { importClinic, serverAt } from '../fhir/clinic-records.ts'
import type { FhirFile } from '../fhir/read-resources.ts'
import { claimsInSlices, type PersonClaims } from '../identity/claims.ts'
import type { Outcome } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { parseRow } from '../source/parse-row.ts'
import type { ForeignDatabase, Row } from './database.ts'

const table = 'medical_resource_table'

/** Bytes of an address, or of an id of a clinic. */
const longestName = 4096

/** The resources of clinics that the phone keeps, each as its text; what is no text is an empty one. */
function* textsIn(database: ForeignDatabase, longest: number): Generator<string, void, void> {
  const found = database.tables.get(table)
  if (found !== undefined) for (const row of database.rows(found, longest)) yield textOf(row)
}

function* textsOf(database: ForeignDatabase, ids: readonly number[], longest: number): Generator<string, void, void> {
  const found = database.tables.get(table)
  if (found !== undefined) for (const id of ids) yield textOf(database.row(found, id, longest))
}

function textOf(row: Row | undefined): string {
  const text = row?.cells.get('fhir_data')
  // A line break stands between tokens only: within a string it is written otherwise.
  return typeof text === 'string' ? text.replace(/[\r\n]+/g, ' ') : ''
}

/**
 * Whom the resources of clinics describe must be the patient, as for the records of clinics in other phones.
 *
 * @throws Problem as `checkClinicPatients`
 */
export async function checkMedical(database: ForeignDatabase, context: ReadContext): Promise<void> {
  const said: PersonClaims[] = []
  for (const text of textsIn(database, context.limits.maxToken)) {
    if (/"resourceType"\s*:\s*"Patient"/.test(text)) said.push(...(await claimsIn(text)))
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  await checkClinicPatients(said, context)
}

async function claimsIn(text: string): Promise<readonly PersonClaims[]> {
  try {
    const resource = toResource(await parseRow(text))
    return resource.resourceType === 'Patient' ? [await claimsInSlices(resource)] : []
  } catch (error) {
    if (isProblem(error)) return [] // what cannot be read is told as a row
    throw error
  }
}

/**
 * What the resources of clinics become, those of one server together: the phone tells them apart by type, id and source, too
 * (https://developer.android.com/reference/android/health/connect/datatypes/MedicalResource).
 */
export async function* readMedical(
  database: ForeignDatabase,
  context: ReadContext,
): AsyncGenerator<readonly Outcome[], void, void> {
  for (const [server, ids] of await rowsByServer(database)) {
    const texts = () => textsOf(database, ids, context.limits.maxToken)
    const fileOf = (some: () => Iterable<string>): FhirFile => ({ form: 'ndjson', open: () => lines(some()), server })
    const alone = () => texts().map(text => fileOf(() => [text]))
    yield* importClinic({ together: [fileOf(texts)], alone }, context, problem =>
      rejectedRecord(table, problem, 'fhir_data'),
    )
  }
}

async function* lines(texts: Iterable<string>): AsyncGenerator<Uint8Array, void, void> {
  for (const text of texts) yield Buffer.from(`${text === '' ? 'null' : text}\n`, 'utf8')
}

/** The rows of each server in one pass: a database may name as many servers as it has rows. */
async function rowsByServer(database: ForeignDatabase): Promise<ReadonlyMap<string | undefined, readonly number[]>> {
  const found = new Map<string | undefined, number[]>()
  const resources = database.tables.get(table)
  if (resources === undefined) return found
  const servers = serversIn(database)
  // Their texts are not wanted yet.
  for (const { id, cells } of database.rows(resources, longestName)) {
    const server = servers.get(Number(cells.get('data_source_id')))
    const ids = found.get(server) ?? []
    ids.push(id)
    found.set(server, ids)
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return found
}

/** By id of a source the base address of its server. */
function serversIn(database: ForeignDatabase): ReadonlyMap<number, string | undefined> {
  const sources = database.tables.get('medical_data_source_table')
  if (sources === undefined) return new Map()
  const rows = database
    .rows(sources, longestName)
    .map(({ id, cells }) => [id, serverAt(cells.get('fhir_base_uri'))] as const)
  return new Map(rows)
}
