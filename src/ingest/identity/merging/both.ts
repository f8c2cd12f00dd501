import {
  beyondPatient,
  type Grant,
  isCommonsType,
  parseScope,
  patientsInReach,
  requireBeyondPatient,
  restrict,
  type Term,
} from '#access'
import { parseResource, type Resource, resourceTypes } from '#fhir'
import { isProblem, Problem } from '#kernel'
import type { Record, Stored } from '#record'
import { parseQuery } from '#search'

/** What merging needs of the house. */
export interface MergeDeps {
  readonly record: Record
  /** The FHIR base without a slash at its end. */
  readonly baseUrl: string
  readonly clock: { nowMs(): number }
}

/**
 * The Patients of a merge, if the grant may change both: under `user/` or `system/` terms, for those of one patient reach no
 * other.
 *
 * @throws Problem `forbidden` · `scope.missing`, `ingest.patient-guarded`; `not-found` · `record.unknown`, for a Patient out of reach
 *   as for none
 */
export async function checkBoth(grant: Grant, patients: readonly string[], record: Record): Promise<void> {
  requireBeyondPatient(grant, ['r', 'u'], 'Patient')
  const wider = beyondPatient(grant)
  const reach = patientsInReach(wider)
  for (const patient of patients) {
    if (reach !== 'all' && !reach.includes(patient)) throw unknown()
    await record.reader(wider).read('Patient', patient)
    if (!(await record.ownsPatient(grant, patient))) throw notTheirs()
  }
}

function notTheirs(): Problem {
  const text = 'A Patient is kept by invitation: only who took them in says with whom they are one.'
  return new Problem('forbidden', 'ingest.patient-guarded', text)
}

function unknown(): Problem {
  return new Problem('not-found', 'record.unknown', 'No such resource is known.')
}

/**
 * Moves everything of a patient, of whatever type, and whoever else it belongs to: what the operation asks is the right to
 * change both Patients, not to every type. What names nobody goes with the patient in context.
 *
 * @param into  whose it becomes
 */
export function movingGrant({ id, actor, purpose, expiresAtMs }: Grant, into: string): Grant {
  const terms = [termOf('system/*.cruds')]
  return {
    id,
    actor,
    expiresAtMs,
    patients: 'all',
    patient: into,
    terms,
    ...(purpose === undefined ? {} : { purpose }),
  }
}

/** Sees one patient's compartment alone. */
function lookingGrant({ id, actor, expiresAtMs }: Grant, patient: string): Grant {
  return { id, actor, expiresAtMs, patients: [], patient, terms: [termOf('patient/*.rs')] }
}

function termOf(scope: string): Term {
  const term = parseScope(scope)
  if (term === undefined) throw new TypeError('not a scope')
  return term
}

/** Types that can lie in a patient's compartment. The Patients themselves are dealt with by name. */
const movable = resourceTypes.filter(type => !isCommonsType(type) && type !== 'Patient' && type !== 'AuditEvent')

/** What lies in a patient's compartment, at most `limit` of it. */
export async function compartmentOf(
  grant: Grant,
  patient: string,
  { record, baseUrl }: MergeDeps,
  limit: number,
): Promise<readonly Stored[]> {
  const { matches } = await pageOf(grant, patient, { record, baseUrl }, { _count: String(limit) })
  return matches
}

/** What was written in a patient's compartment from an instant on (Unix milliseconds), page by page. */
export async function* writtenSince(
  grant: Grant,
  patient: string,
  deps: Pick<MergeDeps, 'record' | 'baseUrl'>,
  sinceMs: number,
): AsyncGenerator<readonly Stored[], void, undefined> {
  const asked = { _lastUpdated: `ge${new Date(sinceMs).toISOString()}`, _count: '200' }
  for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
    const page = await pageOf(grant, patient, deps, asked, cursor)
    yield page.matches
    cursor = page.next
  }
}

async function pageOf(
  grant: Grant,
  patient: string,
  { record, baseUrl }: Pick<MergeDeps, 'record' | 'baseUrl'>,
  parameters: { readonly [name: string]: string },
  cursor?: string,
): Promise<{ readonly matches: readonly Stored[]; readonly next: string | undefined }> {
  const looking = lookingGrant(grant, patient)
  const asked = new URLSearchParams({ _type: movable.join(','), ...parameters })
  const query = restrict(parseQuery(undefined, asked, { baseUrl }), looking)
  const { matches, next } = await record.reader(looking, { imports: 'moves' }).search(query, cursor)
  return { matches: matches.filter(({ holder }) => holder.patient === patient), next }
}

/** One version of a resource; undefined when it is no longer to be had. */
export async function versionOf(grant: Grant, record: Record, type: string, id: string, version: number) {
  try {
    return parseResource((await record.reader(grant, { imports: 'moves' }).vread(type, id, String(version))).json)
  } catch (error) {
    if (isProblem(error, 'not-found') || isProblem(error, 'gone')) return undefined
    throw error
  }
}

/** A Patient as it is now. */
export async function currentPatient(grant: Grant, id: string, { record }: MergeDeps): Promise<Resource> {
  return parseResource((await record.reader(grant, { imports: 'moves' }).read('Patient', id)).json)
}

/** A list element of a resource, whatever stands there. */
export function listOf(resource: Resource, name: string): readonly unknown[] {
  return Array.isArray(resource[name]) ? resource[name] : []
}

/** The links of a Patient but for this one. */
export function linksWithout(patient: Resource, other: string, type: 'replaces' | 'replaced-by'): readonly unknown[] {
  return listOf(patient, 'link').filter(one => {
    const link = one as { type?: unknown; other?: { reference?: unknown } }
    return link.type !== type || link.other?.reference !== `Patient/${other}`
  })
}
