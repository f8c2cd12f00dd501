/**
 * fhir – the model: lossless JSON, resources, element facts, dates with precision, numbers, references, outcomes, bundles. Pure.
 * It must never know: stores, keys, grants, HTTP requests.
 * The one idea: what a person wrote comes back digit by digit; a number that JavaScript would print otherwise is a `Decimal`.
 * Its data: facts of FHIR R4 in profiles/, read lazily.
 * Decisions: src/fhir/README.md.
 */
export { type BundleEntry, type BundleType, bundle, type PrintedEntry, printBundle } from './bundle.ts'
export { containedIn } from './contained.ts'
export { type DateInterval, isDate, isDateTime, isInstant, isTime, parseDateInterval, toInstant } from './dates.ts'
export { Decimal, type ImplicitRange, implicitRange, isSameDecimal } from './decimal.ts'
export {
  type ElementDefinition,
  isPrimitiveType,
  isResourceType,
  isTypeName,
  mandatoryElements,
  requiredCodes,
  resourceTypes,
  type Shape,
  shapeOf,
  shapeOfElement,
  summaryElements,
} from './definitions.ts'
export { type ExtensionFact, extensionFact } from './extensions.ts'
export { type Certainty, type Invariant, invariantsOf } from './invariants.ts'
export {
  deepestJson,
  isSameJson,
  type Json,
  type JsonLimits,
  parseJson,
  parseJsonInSteps,
  parseSentJson,
} from './json.ts'
export { encodeJsonInSteps, printJson } from './json-print.ts'
export { bytesOf, encodeResource, isLarge, weightOf } from './large.ts'
export { diagnosticsOf, issueTypes, operationOutcome, type ProblemRow, problemSystem, problemTable } from './outcome.ts'
export { coreProfile } from './profiles.ts'
export {
  mapLinks,
  mapLinksInSteps,
  mapReferences,
  mapReferencesInSteps,
  type ParsedReference,
  parseReference,
} from './references.ts'
export { type Coding, isId, type Meta, parseResource, parseStored, type Resource, toResource } from './resource.ts'
export { type Fact, searchParameterFact } from './search-parameters.ts'
export { parseSentXml } from './xml/read.ts'
export { encodeXmlInSteps } from './xml/write.ts'
