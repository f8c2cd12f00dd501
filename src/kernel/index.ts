/**
 * kernel – what every room needs and that knows neither medicine nor HTTP: Problem, budget, clock, ids, bytes, streams, log.
 * It must never know: FHIR, stores, keys, requests.
 * The one idea: every failure is a Problem with a stable code, and neither its text nor its detail quotes a patient.
 * Its data: none. Decisions: README.md beside this file.
 */
export { Beside, serveBeside, type ThreadPlan } from './beside.ts'
export {
  atOnce,
  type BudgetKind,
  type BudgetLimits,
  budgetLeft,
  budgetTable,
  checkWanted,
  giveWay,
  inSlices,
  type Steps,
  spend,
  wanted,
  withBudget,
} from './budget.ts'
export {
  equalSecrets,
  fromUtf8,
  type Hashing,
  joinedOf,
  lengthPrefixed,
  newHashing,
  ownBytes,
  ownMemoryOf,
  ownText,
  toUtf8,
} from './bytes.ts'
export { type Clock, FixedClock, systemClock } from './clock.ts'
export { closeAll } from './closing.ts'
export { FairQueue } from './fair-queue.ts'
export { mapFew } from './few.ts'
export { forgetRemembered, remembering } from './forgetting.ts'
export { newRequestId, newResourceId, newSecret, randomId16 } from './ids.ts'
export { appendAll } from './lists.ts'
export { createLog, type Log, type LogFields, type LogLevel, silentLog } from './log.ts'
export { Counter, counter, type Family, gauge, meters, type Sample } from './meters.ts'
export { isProblem, Problem, type ProblemIssue, type ProblemKind, type ProblemOptions } from './problem.ts'
export { Repeats } from './repeats.ts'
export { isStorageProblem, type StorageFault, storageFaultOf, storageProblem } from './storage.ts'
export { collect, limitBytes } from './streams.ts'
export { type Outcome, type Span, type SpanName, spanned, type Tracer, traced, traceWith } from './tracing.ts'
