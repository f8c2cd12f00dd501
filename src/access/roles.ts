/** As what an account keeps a patient, and what each role leaves of the account's grants. */
import { parseScope } from './scope.ts'
import type { Term } from './term.ts'

/** All roles, from the widest to the narrowest. */
export const roles = ['owner', 'guardian', 'member', 'viewer'] as const

/**
 * `owner`: in its own right. By invitation of an owner: `guardian` as the owner, but for what ends or gives away; `member` reads and
 * adds; `viewer` reads what was chosen.
 */
export type Role = (typeof roles)[number]

/** How an account keeps one patient. */
export interface Keeping {
  readonly role: Role
  /** Names of `viewerCategories`; of a viewer alone. */
  readonly categories?: readonly string[]
  /** Unix milliseconds from when on it is kept no more. */
  readonly untilMs?: number
}

/** One kind of data that a viewer may be shown. */
export interface ViewerCategory {
  readonly label: string
  /** What is read for it, each as SMART would grant it: `Type` or `Type?param=value`. */
  readonly reads: readonly string[]
}

const ofObservations = 'http://terminology.hl7.org/CodeSystem/observation-category'
const ofReports = 'http://terminology.hl7.org/CodeSystem/v2-0074'

/** By the name that is kept, in the order in which a page shows them. */
// biome-ignore format: a table reads best as one
export const viewerCategories: Readonly<Record<string, ViewerCategory>> = {
  'vital-signs': { label: 'Vital signs, such as weight, pulse, blood pressure', reads: [`Observation?category=${ofObservations}|vital-signs`] },
  activity: { label: 'Activity and sleep', reads: [`Observation?category=${ofObservations}|activity`] },
  laboratory: { label: 'Laboratory results', reads: [`Observation?category=${ofObservations}|laboratory`, `DiagnosticReport?category=${ofReports}|LAB`, 'Specimen'] },
  medicines: { label: 'Medicines', reads: ['MedicationRequest', 'MedicationStatement', 'MedicationAdministration', 'MedicationDispense', 'Medication'] },
  immunizations: { label: 'Immunizations', reads: ['Immunization', 'ImmunizationRecommendation'] },
  allergies: { label: 'Allergies', reads: ['AllergyIntolerance'] },
  conditions: { label: 'Conditions and problems', reads: ['Condition'] },
  appointments: { label: 'Appointments', reads: ['Appointment'] },
}

/** The names of categories that there are, each once, in the order of the table: equal choices are the same text. */
export function categoriesIn(names: readonly string[]): readonly string[] {
  return Object.keys(viewerCategories).filter(name => names.includes(name))
}

const noTerms: readonly Term[] = []
const ofMember = [scopeOf('*.crs')]
const ofViewers = new Map<string, readonly Term[]>()

/**
 * The `user/` terms within which the grants of an account count of a patient whom it keeps so.
 *
 * @returns the same list for equal roles; undefined where the grants alone are the measure
 */
export function boundOf({ role, categories = [] }: Keeping): readonly Term[] | undefined {
  if (role === 'owner' || role === 'guardian') return undefined
  if (role === 'member') return ofMember
  // What a later release has written is no role of this one, and gives nothing.
  return role === 'viewer' ? ofViewer(categoriesIn(categories)) : noTerms
}

/** Whose data they are a viewer always sees: without the Patient no app shows anything. */
function ofViewer(categories: readonly string[]): readonly Term[] {
  const key = categories.join()
  const known = ofViewers.get(key)
  if (known !== undefined) return known
  const reads = ['Patient', ...categories.flatMap(name => viewerCategories[name]?.reads ?? [])]
  const terms = reads.map(read => scopeOf(read.replace(/^(\w+)/, '$1.rs')))
  ofViewers.set(key, terms)
  return terms
}

function scopeOf(rest: string): Term {
  const term = parseScope(`user/${rest}`)
  if (term === undefined) throw new TypeError('not a scope')
  return term
}

/** Whether what one keeping allows is all allowed by another one too, for as long. */
export function isWithin(one: Keeping, other: Keeping): boolean {
  if ((one.untilMs ?? Number.POSITIVE_INFINITY) > (other.untilMs ?? Number.POSITIVE_INFINITY)) return false
  const [narrow, wide] = [roles.indexOf(one.role), roles.indexOf(other.role)]
  if (narrow !== wide || one.role !== 'viewer') return narrow >= wide
  return (one.categories ?? []).every(name => other.categories?.includes(name) === true)
}
