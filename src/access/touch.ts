import type { Resource } from '#fhir'
import { type Holder, matches } from '#search'
import { boundAt, termsWithin } from './bounds.ts'
import { activeTerms, type Grant, patientSetInReach, patientsInReach } from './grant.ts'
import { criteriaOf } from './granular.ts'
import { speaksOf } from './permission.ts'
import { reachOf } from './reach.ts'
import { composeTerm } from './scope.ts'
import type { Term, Verb } from './term.ts'
import type { Withholding } from './withholding.ts'

/** What is known of a row beside what it says; whoever does not know leaves it out, and less is allowed. */
export interface Standing {
  /** A row within the grant's reach refers to this row of the commons: only such rows are read, and by an account its own. */
  readonly referenced?: boolean
  /** The grant's account made this row of the commons: `user/` terms read such rows, and change no others. */
  readonly mine?: boolean
  /**
   * Ids of patients kept here whose this row of a household is by what it says; none unless told. Only a grant that reaches all of
   * them reaches it.
   */
  readonly named?: readonly string[]
}

/**
 * Whether the grant may do this to one version of one resource in its holder. Each version is judged by what it says
 * itself; an update must be allowed on the version before and on the new one, in all holders before and after.
 *
 * A Patient that does not exist yet is in no grant: whoever creates it asks with the grant as it will be, whose `patients`
 * name it already.
 */
export async function mayTouch(
  grant: Grant,
  verb: Verb,
  resource: Resource,
  holder: Holder,
  standing: Standing = unknownStanding,
): Promise<boolean> {
  const type = resource.resourceType
  if (!reachesAllNamed(grant, verb, type, holder, standing)) return false
  const speaking = termsAt(grant, holder).filter(
    term => speaks(term, verb, type) && reaches(term, grant, verb, type, holder, standing),
  )
  if (!(await anyCovers(speaking, resource))) return false
  const withholding = withholdingAt(grant, verb, holder)
  return withholding === undefined || !(await withholding.withholds(resource))
}

async function anyCovers(terms: readonly Term[], resource: Resource): Promise<boolean> {
  if (terms.some(term => term.params.length === 0)) return true
  for (const term of terms) if (await meets(term, resource)) return true
  return false
}

/** What Consents withhold there; whoever may see less may add as much as before. */
function withholdingAt(
  { withheld }: Pick<Grant, 'withheld'>,
  verb: Verb,
  { patient }: Holder,
): Withholding | undefined {
  return withheld === undefined || patient === undefined || verb === 'c' ? undefined : withheld.get(patient)
}

/** Whether the grant may do this to every row of a type in a holder, whatever it says: to a deletion, which says nothing. */
export function mayTouchAny(
  grant: Grant,
  verb: Verb,
  type: string,
  holder: Holder,
  standing: Standing = unknownStanding,
): boolean {
  if (!reachesAllNamed(grant, verb, type, holder, standing)) return false
  if (withholdingAt(grant, verb, holder)?.isSilentOn(type) === false) return false
  return termsAt(grant, holder).some(
    term => term.params.length === 0 && speaks(term, verb, type) && reaches(term, grant, verb, type, holder, standing),
  )
}

/**
 * Tells whether a grant reaches a patient whom a row of a household names: one whom it keeps whole, and of one who is kept in a lesser
 * role, or of whom Consents withhold something, only what it may do there with every resource of the type, by any of the verbs.
 *
 * @returns undefined when nobody is out of reach
 */
export function reachOfNamed(grant: Grant, verbs: readonly Verb[], type: string): ReachOfNamed | undefined {
  const reach = patientSetInReach(grant)
  const { withheld } = grant
  if (reach === 'all')
    return withheld === undefined || verbs.includes('c')
      ? undefined
      : patient => withheld.get(patient)?.isSilentOn(type) !== false
  const lesser = new Map<string, boolean>()
  return patient => {
    if (!reach.has(patient)) return false
    if (grant.within?.has(patient) !== true && withheld?.has(patient) !== true) return true
    let isWhole = lesser.get(patient)
    if (isWhole === undefined) {
      const holder: Holder = { compartment: '', kind: 'patient', patient }
      isWhole = verbs.some(verb => mayTouchAny(grant, verb, type, holder))
      lesser.set(patient, isWhole)
    }
    return isWhole
  }
}

/** Whether a patient, by id, is within reach. */
export type ReachOfNamed = (patient: string) => boolean

function reachesAllNamed(grant: Grant, verb: Verb, type: string, { kind }: Holder, { named = [] }: Standing): boolean {
  if (kind !== 'household' || named.length === 0) return true
  const reaches = reachOfNamed(grant, [verb], type)
  return reaches === undefined || named.every(reaches)
}

/** Of the patients in reach those with whom the grant may do all of this to whatever resource of a type. */
export function patientsToTouch(grant: Grant, verbs: readonly Verb[], type: string): readonly string[] | 'all' {
  const reach = patientsInReach(grant)
  if (reach === 'all' || (grant.within === undefined && grant.withheld === undefined)) return reach
  return reach.filter(patient => {
    const holder: Holder = { compartment: '', kind: 'patient', patient }
    return verbs.every(verb => mayTouchAny(grant, verb, type, holder))
  })
}

/**
 * Whether the account's role and the patient's Consents show it a version in a holder, whatever the scopes are: what they do not is as
 * good as nowhere. The role of those who keep a patient whole shows all.
 *
 * @param resource  undefined for a deletion, which says nothing by which it could be judged
 */
export async function isShown(
  grant: Pick<Grant, 'within' | 'withheld'>,
  version: Shown,
  holder: Holder,
): Promise<boolean> {
  if (!(await isShownByRole(grant, version, holder))) return false
  const withholding = withholdingAt(grant, 'r', holder)
  if (withholding === undefined || withholding.isSilentOn(version.type)) return true
  const said = await version.resource()
  return said !== undefined && !(await withholding.withholds(said))
}

const shown = new WeakMap<Grant, Grant>()
const readingAll: readonly Term[] = [composeTerm('user', '*', new Set<Verb>(['r']), [])]

/** A grant that sees of patients what `isShown` shows this one, whatever its scopes are. The same each time. */
export function asShown(grant: Grant): Grant {
  const known = shown.get(grant)
  if (known !== undefined) return known
  const { patient: _, ...rest } = grant
  const made: Grant = { ...rest, patients: 'all', terms: readingAll }
  shown.set(grant, made)
  return made
}

/** A version, which is read only where its type does not say enough. */
interface Shown {
  readonly type: string
  resource(): Promise<Resource | undefined>
}

async function isShownByRole(
  grant: Pick<Grant, 'within'>,
  { type, resource }: Shown,
  holder: Holder,
): Promise<boolean> {
  const bound = boundAt(grant, holder)
  if (bound === undefined) return true
  const speaking = bound.filter(term => speaks(term, 'r', type))
  if (speaking.some(({ params }) => params.length === 0)) return true
  const said = speaking.length === 0 ? undefined : await resource()
  return said !== undefined && anyCovers(speaking, said)
}

/** The terms as far as they count in a holder. */
export function termsAt(grant: Grant, holder: Holder): readonly Term[] {
  const terms = activeTerms(grant)
  const bound = boundAt(grant, holder)
  return bound === undefined ? terms : termsWithin(terms, bound)
}

const unknownStanding: Standing = {}

function speaks(term: Term, verb: Verb, type: string): boolean {
  return term.verbs.has(verb) && speaksOf(term, type)
}

function reaches(term: Term, grant: Grant, verb: Verb, type: string, holder: Holder, standing: Standing): boolean {
  const reach = reachOf(term.level, grant, verb, type, holder)
  if (reach === 'referenced') return standing.referenced === true || (term.level === 'user' && standing.mine === true)
  return reach === 'all' || (reach === 'mine' && standing.mine === true)
}

async function meets(term: Term, resource: Resource): Promise<boolean> {
  const criteria = criteriaOf(term, resource.resourceType)
  return criteria !== undefined && matches(resource, criteria)
}
