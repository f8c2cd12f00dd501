import { beyondPatient, type Grant, homeInReach, ownerOf, permits, restrict } from '#access'
import { parseStored, type Resource } from '#fhir'
import { isProblem } from '#kernel'
import type { Record } from '#record'
import { parseQuery } from '#search'
import type { Documents } from '#vault'
import { createFingerprint } from './fingerprint.ts'
import { FormerIds } from './former-ids.ts'
import type { Senders } from './hl7v2/senders.ts'
import { shelveAs } from './hl7v2/shelve.ts'
import { claimsInSlices, claimsOf, type PersonClaims } from './identity/claims.ts'
import { type Rivals, rivalsOf } from './identity/identify.ts'
import type { Candidate } from './identity/judge.ts'
import { mergedInto } from './identity/merging/lineage.ts'
import { descriptionsOf } from './identity/review/known-as.ts'
import { commonsKey, fingerprintKey, knownFingerprintKey } from './keys.ts'
import { type LookUp, lookUpFor } from './namesakes.ts'
import type { ReadContext } from './read-context.ts'
import type { RunDeps } from './run.ts'
import { sentFaults } from './sent-faults.ts'
import type { Spool } from './source/spool.ts'
import { validPart } from './without-invalid.ts'

/** What a run's context is made with. */
export interface ContextDeps extends RunDeps {
  readonly baseUrl: string
  readonly senders: Senders
  readonly spool: Pick<Spool, 'plain'>
}

/**
 * What the mappers of one run share. `merged`: ids of those whose place the patient took; `former`: the ids that its facts have there.
 *
 * @param among   within whose reach others are looked for whom the file may be about
 * @param forced  somebody has said that the file is this patient's
 */
export async function openContext(
  grant: Grant,
  patient: string,
  digest: string,
  deps: ContextDeps,
  { among = grant, forced = false }: { readonly among?: Grant; readonly forced?: boolean } = {},
): Promise<{
  context: ReadContext
  provenanceId: string
  merged: readonly string[]
  former: FormerIds | undefined
  lookUp: LookUp
}> {
  const { documents } = deps.record
  const own = createFingerprint(await fingerprintKey(documents, patient))
  const merged = await mergedInto(documents, patient)
  const former = await formerIds(documents, merged)
  const fingerprint = former?.noting(own) ?? own
  const provenanceId = own('run', digest).slice(0, 16)
  const person = await personOf(deps.record, grant, patient)
  const context: ReadContext = {
    patient,
    subject: Object.freeze({ reference: `Patient/${patient}` }),
    source: `Provenance/${provenanceId}`,
    fingerprint,
    sharedFingerprint: await sharedFingerprint(grant, documents),
    isKnownAs: await descriptionsOf(documents, patient),
    person,
    rivals: rivalsWithin(among, { id: patient, claims: person }, deps),
    isAnothers: async id => id !== patient && !merged.includes(id) && (await isKept(deps.record, among, id)),
    forced,
    mayReadPatient: permits(grant, 'r', 'Patient'),
    mayChangePatient: permits(grant, 'u', 'Patient'),
    canShare: type => sharesType(grant, type),
    canWrite: type => permits(grant, 'c', type),
    baseUrl: deps.baseUrl,
    limits: deps.limits,
    senders: deps.senders,
    shelve: (refused, refusal) => shelveAs({ ...refused, patient }, refusal, grant, deps),
    plainFile: bytes => deps.spool.plain(bytes, grant.id),
    validPart: resource => validPart(resource, deps.validator),
    isValid: async resource => (await sentFaults(deps.validator, resource, ownerOf(grant))).fate === undefined,
    kept: keptOf(grant, patient, deps),
  }
  return { context, provenanceId, merged, former, lookUp: lookUpFor(grant, patient, deps.baseUrl) }
}

/**
 * Each account has entries of its own in the commons: whether another family knows the same doctor is nothing that a report tells, and
 * what one family has in its records is not what another may rename.
 */
async function sharedFingerprint(grant: Grant, documents: Documents): Promise<ReadContext['sharedFingerprint']> {
  const shared = createFingerprint(await fingerprintKey(documents, commonsKey))
  const home = homeInReach(grant)
  return home === undefined || home === 'all' ? shared : (...parts) => shared('account', home, ...parts)
}

/** Undefined for somebody whose place nobody else had, which is nearly everybody. */
async function formerIds(documents: Documents, merged: readonly string[]): Promise<FormerIds | undefined> {
  const fingerprints = []
  for (const loser of merged) {
    const key = await knownFingerprintKey(documents, loser)
    if (key !== undefined) fingerprints.push(createFingerprint(key))
  }
  return fingerprints.length === 0 ? undefined : new FormerIds(fingerprints)
}

/** Whether a Patient of this id is within reach. */
async function isKept(record: Record, grant: Grant, id: string): Promise<boolean> {
  if (!permits(grant, 'r', 'Patient')) return false
  try {
    await record.reader(grant).read('Patient', id)
    return true
  } catch (error) {
    if (isProblem(error, 'not-found') || isProblem(error, 'gone')) return false
    throw error
  }
}

/** Nothing is known of somebody who is only about to be taken in, or whom the grant may not read. */
async function personOf(record: Record, grant: Grant, patient: string): Promise<PersonClaims> {
  if (!permits(grant, 'r', 'Patient')) return claimsOf({})
  try {
    return await claimsInSlices(await parseStored((await record.reader(grant).read('Patient', patient)).json))
  } catch (error) {
    if (isProblem(error, 'not-found') || isProblem(error, 'gone')) return claimsOf({})
    throw error
  }
}

/** Each description is looked for once: a thousand messages say the same. Who may not read Patients learns of nobody. */
function rivalsWithin(grant: Grant, named: Candidate, { record, baseUrl }: ContextDeps): ReadContext['rivals'] {
  const known = new Map<string, Promise<Rivals>>()
  const look = (claims: PersonClaims) =>
    record.writer(grant).transact(txn => rivalsOf(txn, claims, named, { grant, baseUrl }))
  return claims => {
    if (!permits(grant, 'r', 'Patient')) return Promise.resolve({ patients: [], elements: [] })
    const key = JSON.stringify(claims)
    const found = known.get(key) ?? look(claims)
    known.set(key, found)
    return found
  }
}

/** More than one set of documents has. */
const mostKept = 1000

function keptOf(grant: Grant, patient: string, { record, baseUrl }: ContextDeps): ReadContext['kept'] {
  return (type, parameters) => {
    if (!permits(grant, 's', type)) return Promise.resolve([])
    const query = parseQuery(type, new URLSearchParams({ ...parameters, patient: `Patient/${patient}` }), { baseUrl })
    return record.writer(grant).transact(async txn => {
      const found: Resource[] = []
      for (const { id } of await txn.find(restrict(query, grant), mostKept)) {
        const stored = await txn.read(type, id)
        if (stored !== undefined) found.push(await parseStored(stored.json))
      }
      return found
    })
  }
}

/** `patient/` terms never write what belongs to no patient. */
function sharesType(grant: Grant, type: string): boolean {
  return permits(beyondPatient(grant), 'c', type)
}
