import type { Problem, ProblemIssue, ProblemKind } from '#kernel'
import type { Resource } from './resource.ts'

/** How one kind of Problem is told to a caller. */
export interface ProblemRow {
  readonly httpStatus: number
  /** A code of https://hl7.org/fhir/R4/valueset-issue-type.html */
  readonly issueType: string
}

/** The one table from kinds of Problem to HTTP status and `OperationOutcome.issue.code`. */
export const problemTable: Readonly<Record<ProblemKind, ProblemRow>> = Object.freeze({
  invalid: { httpStatus: 400, issueType: 'invalid' },
  unprocessable: { httpStatus: 422, issueType: 'business-rule' },
  unauthenticated: { httpStatus: 401, issueType: 'login' },
  forbidden: { httpStatus: 403, issueType: 'forbidden' },
  'not-found': { httpStatus: 404, issueType: 'not-found' },
  gone: { httpStatus: 410, issueType: 'deleted' },
  conflict: { httpStatus: 409, issueType: 'conflict' },
  precondition: { httpStatus: 412, issueType: 'conflict' },
  ambiguous: { httpStatus: 412, issueType: 'multiple-matches' },
  unsupported: { httpStatus: 400, issueType: 'not-supported' },
  'not-allowed': { httpStatus: 405, issueType: 'not-supported' },
  'not-acceptable': { httpStatus: 406, issueType: 'not-supported' },
  'unsupported-media': { httpStatus: 415, issueType: 'not-supported' },
  'too-large': { httpStatus: 413, issueType: 'too-long' },
  // Understood, but more than one request may have: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.21
  'too-costly': { httpStatus: 422, issueType: 'too-costly' },
  throttled: { httpStatus: 429, issueType: 'throttled' },
  busy: { httpStatus: 503, issueType: 'transient' },
  // RFC 4918, section 11.5: the server cannot store what is needed to complete the request.
  full: { httpStatus: 507, issueType: 'no-store' },
  timeout: { httpStatus: 504, issueType: 'timeout' },
  fault: { httpStatus: 500, issueType: 'exception' },
})

/** Kind of Problem → `OperationOutcome.issue.code`. */
export const issueTypes: Readonly<Record<ProblemKind, string>> = Object.freeze(
  Object.fromEntries(Object.entries(problemTable).map(([kind, row]) => [kind, row.issueType])) as Record<
    ProblemKind,
    string
  >,
)

/** System of the Problem codes in `issue.details.coding`. */
export const problemSystem = 'https://kinhold.org/fhir/problem'

/**
 * The OperationOutcome that tells a caller of a Problem: one issue, or one for each of `problem.issues`.
 * `detail` and `cause` never appear. Clients look for the words in `details.text` or in `diagnostics`, so both have them.
 *
 * @see https://hl7.org/fhir/R4/operationoutcome-definitions.html#OperationOutcome.issue.diagnostics
 */
export function operationOutcome(problem: Problem): Resource {
  const { kind, code, text, expression, issues } = problem
  const single = { severity: 'error', type: problemTable[kind].issueType, text, places: expression } as const
  const all = issues.length > 0 ? issues.map(toPlaced) : [single]
  return {
    resourceType: 'OperationOutcome',
    issue: all.map(({ severity, type, text: words, places }) => ({
      severity,
      code: type,
      details: { coding: [{ system: problemSystem, code }], text: words },
      diagnostics: diagnosticsOf(words, places),
      ...(places.length > 0 ? { expression: places } : {}),
    })),
  }
}

function toPlaced({ expression, ...issue }: ProblemIssue) {
  return { ...issue, places: expression === undefined ? [] : [expression] }
}

/** What is wrong and where, for people: `Observation.status: The element is mandatory.` Neither part quotes a value. */
export function diagnosticsOf(text: string, places: readonly string[]): string {
  return places.length === 0 ? text : `${places.join(', ')}: ${text}`
}
