import { type Grant, permits } from '#access'
import { parseResource } from '#fhir'
import { isProblem } from '#kernel'
import type { Record } from '#record'
import { createFingerprint } from './fingerprint.ts'
import { commonsKey, fingerprintKey } from './keys.ts'
import { identifierKey } from './patient-merge.ts'
import type { ReadContext } from './read-context.ts'
import type { RunDeps } from './run.ts'

/** What the mappers of one run share. */
export async function openContext(
  grant: Grant,
  patient: string,
  digest: string,
  deps: RunDeps & { baseUrl: string },
): Promise<{ context: ReadContext; provenanceId: string }> {
  const { documents } = deps.record
  const fingerprint = createFingerprint(await fingerprintKey(documents, patient))
  const provenanceId = fingerprint('run', digest).slice(0, 16)
  const context: ReadContext = {
    patient,
    subject: Object.freeze({ reference: `Patient/${patient}` }),
    source: `Provenance/${provenanceId}`,
    fingerprint,
    sharedFingerprint: createFingerprint(await fingerprintKey(documents, commonsKey)),
    identifiers: await identifiersOf(deps.record, grant, patient),
    canShare: type => sharesType(grant, type),
    canWrite: type => permits(grant, 'c', type),
    baseUrl: deps.baseUrl,
    limits: deps.limits,
    isValid: resource => deps.validator.validate(resource).length === 0,
  }
  return { context, provenanceId }
}

async function identifiersOf(record: Record, grant: Grant, patient: string): Promise<ReadonlySet<string>> {
  if (!permits(grant, 'r', 'Patient')) return new Set()
  try {
    const stored = await record.reader(grant).read('Patient', patient)
    const { identifier } = parseResource(stored.json)
    return new Set(Array.isArray(identifier) ? identifier.map(identifierKey) : [])
  } catch (error) {
    if (isProblem(error, 'not-found') || isProblem(error, 'gone')) return new Set()
    throw error
  }
}

/** `patient/` terms never write what belongs to no patient. */
function sharesType(grant: Grant, type: string): boolean {
  return permits({ ...grant, terms: grant.terms.filter(term => term.level !== 'patient') }, 'c', type)
}
