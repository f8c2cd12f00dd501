/**
 * terminology – what codes and units mean: UCUM units as numbers of base units, and the form of LOINC numbers.
 * It must never know: resources of a patient, searches, stores.
 * The one idea: two quantities are comparable when their canonical units are the same text.
 * Its data: the tables inside @lhncbc/ucum-lhc. Decisions: README.md beside this file.
 */
export { isLoincWellFormed } from './loinc.ts'
export { type CanonicalUnit, canonicalUnit, isUcum } from './ucum.ts'
