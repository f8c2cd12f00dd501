/**
 * access – who may do what: the scope grammar, what a Grant reaches, whose a resource is. Pure; it computes, it holds nothing.
 * It must never know: HTTP, tokens, stores, keys, the time.
 * The one idea: a Grant's terms are turned into a Vision of rows, and `restrict` alone mints a query that carries one.
 * Its data: profiles/compartment-patient.json. Decisions: README.md beside this file.
 */

export { type Bounds, termsOf } from './bounds.ts'
export { dateOfCare } from './clinical-dates.ts'
export { isCommonsType, publishedTypes } from './commons-types.ts'
export { type ConsentReading, readConsent } from './consent.ts'
export type { Circumstances, ConsentRules } from './consent-rule.ts'
export {
  type Actor,
  type Grant,
  homeInReach,
  isAsNoted,
  noteReach,
  ownerOf,
  patientsInReach,
  type ReachNote,
} from './grant.ts'
export { type GranularChoice, granularChoices, type LabelledTerm, substitutesFor } from './granular-choices.ts'
export { intersectScopes, isNarrower } from './narrowing.ts'
export { mergedWith, type Ownership, ownersInSteps, ownersOf } from './ownership.ts'
export { patientsAsked, patientsNamed } from './patients-asked.ts'
export { beyondPatient, permits, requireBeyondPatient, requirePermission } from './permission.ts'
export { restrict, restrictToReadable, withheldFrom } from './restrict.ts'
export { boundOf, categoriesIn, isWithin, type Keeping, type Role, roles, viewerCategories } from './roles.ts'
export { composeTerm, parseScope, printScope } from './scope.ts'
export type { Level, Term, TermParam, Verb } from './term.ts'
export { asShown, isShown, mayTouch, mayTouchAny, patientsToTouch, reachOfNamed, type Standing } from './touch.ts'
export { knowingVerbs, seesAlike, visionOf } from './vision.ts'
export { type Asker, type Reason, type Withholding, withholdingFor } from './withholding.ts'
