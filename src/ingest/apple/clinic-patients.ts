import { toResource } from '#fhir'
import { isProblem, type Problem } from '#kernel'
import { claimsInSlices, type PersonClaims } from '../identity/claims.ts'
import { checkSamePerson, type Whom } from '../identity/guard.ts'
import type { Doubt } from '../identity/review/held.ts'
import type { Outcome, Reason } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import type { Part } from '../source/archive.ts'
import { parseRow } from '../source/parse-row.ts'

/** The people whom the records of clinics in an archive describe. */
export async function clinicPatients(
  parts: readonly Part[],
  { limits }: ReadContext,
): Promise<readonly PersonClaims[]> {
  const found: PersonClaims[] = []
  for (const part of parts.filter(({ extension, sizeBytes }) => extension === 'json' && sizeBytes <= limits.maxToken)) {
    const head = (await part.head(4096)).toString('utf8')
    if (/"resourceType"\s*:\s*"Patient"/.test(head)) found.push(...(await claimsIn(part)))
  }
  return found
}

async function claimsIn(part: Part): Promise<readonly PersonClaims[]> {
  const chunks: Buffer[] = []
  for await (const chunk of part.open()) chunks.push(chunk)
  try {
    const resource = toResource(await parseRow(Buffer.concat(chunks).toString('utf8')))
    return resource.resourceType === 'Patient' ? [await claimsInSlices(resource)] : []
  } catch (error) {
    if (isProblem(error)) return [] // what cannot be read is told as a record
    throw error
  }
}

/**
 * Clinics write a name in their own way, which is no reason to refuse what the phone has; another birth date or sex is, and who else
 * within reach is called so or has the number: then the phone is somebody else's, and the other records name nobody.
 *
 * @throws Problem `unprocessable` · `ingest.patient-contradicted`, `ingest.patient-doubtful` (its cause is a `Doubt`)
 */
export async function checkClinicPatients(found: readonly PersonClaims[], whom: Whom): Promise<void> {
  for (const claims of found) {
    try {
      await checkSamePerson(claims, whom)
    } catch (error) {
      if (!isSpelling(error)) throw error
    }
  }
}

/** Whether nobody else comes into question. */
function isSpelling(error: unknown): boolean {
  if (!isProblem(error) || error.code !== 'ingest.patient-doubtful') return false
  return (error.cause as Doubt).patients.length === 1
}

/** What refuses a record because of whom it describes is no fault of how it is built. */
const reasons: Readonly<Record<string, Reason>> = {
  'ingest.patient-doubtful': 'doubtful-patient',
  'ingest.patient-contradicted': 'other-patient',
  'ingest.several-patients': 'other-patient',
}

/** A record of a clinic that is not taken in, with what it differs in, or else the place where it cannot be read. */
export function rejectedRecord(row: string, { code, expression }: Problem, place?: string): Outcome {
  const reason = reasons[code]
  if (reason === undefined) return { kind: 'rejected', row, reason: 'structure-unknown', ...placed(place) }
  return { kind: 'rejected', row, reason, ...placed([expression ?? []].flat().join(', ')) }
}

function placed(place: string | undefined): { readonly expression?: string } {
  return place === undefined || place === '' ? {} : { expression: place }
}
