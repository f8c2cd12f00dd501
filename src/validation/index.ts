/**
 * validation – a resource against FHIR R4: structure, cardinality, primitive formats, required codes, contained resources.
 * It must never know: stores, grants, requests, where the resource came from.
 * The one idea: schemas are made from the facts in profiles/ and compiled by ajv, each type when it is first met.
 * Its data: profiles/, through #fhir.
 * Decisions: src/validation/README.md.
 */
export type { KeptDefinition, ProfileQuestion } from './profiles/answer.ts'
export { judgeByProfiles } from './profiles/beside.ts'
export { gatherDefinitions, type Shelves } from './profiles/gather.ts'
export { type Claims, claimedIn, claimsAny, lookedUp, type Named } from './profiles/named.ts'
export { checkReferences, checkResource, checkSentResource, createValidator, type Validator } from './validator.ts'
export { missingEffect } from './without-effect.ts'
