/**
 * search – all of FHIR search, in memory: parameters read, resources turned into rows, rows into columns, questions answered.
 * It must never know: keys, stores, grants, HTTP; `restrict` of the room access tells it through a Vision what may be seen.
 * The one idea: a criterion is decided once per distinct value of a column, then each row is one lookup.
 * Its data: profiles/search-parameters.json; segments, which the room record seals and stores. Decisions: README.md beside this file.
 */
export { CompartmentIndex } from './compartment-index.ts'
export { evaluate } from './evaluation/evaluate.ts'
export { locate } from './evaluation/locate.ts'
export { anyMayMatch, matches } from './evaluation/matches.ts'
export type { Erased, Hit, Page, Restricted, SearchResult, Sight, Vision } from './evaluation/types.ts'
export { type Looking, seqsUnseen, type VersionsSeen, versionsSeen } from './evaluation/versions-seen.ts'
export type { Moment } from './evaluation/visibility.ts'
export { extractRow, extractRowInSteps, type IndexRow, type RowPlace } from './extraction/row.ts'
export { type SearchParameter, searchParameter, searchParametersOf } from './parameters.ts'
export { evaluateInPasses, locateInPasses } from './passes/evaluate.ts'
export type { Asked, InPasses, Pass } from './passes/pass.ts'
export { Traces } from './passes/traces.ts'
export { PopulationIndex } from './population-index.ts'
export { conditionNames } from './query/condition-names.ts'
export { parseCriterion } from './query/criterion.ts'
export { inertParameters } from './query/inert.ts'
export { modifiersOf } from './query/modifiers.ts'
export { checkForm, parseQuery, type QueryOptions } from './query/parse-query.ts'
export type { Criterion, Include, Query, RangeOperand, SortKey } from './query/types.ts'
export { criteriaWithin, leadsElsewhere, type SingleCriterion, searchedTypes, singleCriteria } from './query/within.ts'
export { type Words, wordsOf } from './query/words.ts'
export { type Holder, holderOrder, type RowIndex } from './row-index.ts'
export { encodeSegment, encodeSegmentInSteps } from './segments/encode.ts'
export { isWordy } from './words/readable.ts'
export { ageWords } from './words/remembered.ts'
export { newestWritten } from './written.ts'
