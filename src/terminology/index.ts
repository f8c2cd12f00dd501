/**
 * terminology – what codes and units mean: code systems, value sets, concept maps, UCUM units as numbers of base units.
 * It must never know: resources of a patient, searches, stores, grants; whose a definition is that it is handed.
 * The one idea: a value set is a question asked of one code; an expansion asks it of every code that might belong.
 * Its data: terminology/, read line by line; the tables inside @lhncbc/ucum-lhc; releases that a person imports, in files of a shelf. Decisions: README.md beside this file.
 */
export {
  builtIn,
  builtInCanonicals,
  builtInCodeSystem,
  builtInConceptMap,
  builtInValueSet,
  isMember,
  type TerminologyType,
} from './built-in.ts'
export {
  type CodeSystemDefinition,
  type CodingFact,
  type ConceptMapDefinition,
  type ConceptProperty,
  type DependencyDefinition,
  type Designation,
  type IncludeDefinition,
  joinCanonical,
  splitCanonical,
  type ValueSetDefinition,
} from './definitions.ts'
export { displayIn, isNameOf } from './displays.ts'
export type { ImportedHead } from './imported/layout.ts'
export { openShelf, type Shelf } from './imported/shelf.ts'
export { isLoincWellFormed } from './loinc.ts'
export { isBetween, isTranslated, type Translation, translate } from './maps/translate.ts'
export { importRelease } from './releases/import-release.ts'
export type { ReleaseFile } from './releases/release.ts'
export { type Expansion, type ExpansionRequest, expand } from './sets/expand.ts'
export { filterOperators } from './sets/filters.ts'
export { setsWithin } from './sets/gaps.ts'
export { listInSteps } from './sets/listed.ts'
export {
  checkParts,
  type Definitions,
  type Finding,
  type Member,
  Membership,
  type Versions,
  versionOf,
} from './sets/membership.ts'
export {
  ancestorsOf,
  type CodeSystem,
  type Concept,
  descendantsOf,
  isHeld,
  readCodeSystem,
  subsumes,
} from './systems/code-system.ts'
export { textOf } from './systems/properties.ts'
export { type CanonicalUnit, canonicalUnit, isUcum } from './ucum.ts'
