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
  throttled: { httpStatus: 429, issueType: 'throttled' },
  busy: { httpStatus: 503, issueType: 'transient' },
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
 * `detail` and `cause` never appear.
 */
export function operationOutcome(problem: Problem): Resource {
  const single: ProblemIssue = { severity: 'error', type: problemTable[problem.kind].issueType, text: problem.text }
  const issues = problem.issues.length > 0 ? problem.issues : [single]
  return {
    resourceType: 'OperationOutcome',
    issue: issues.map(issue => ({
      severity: issue.severity,
      code: issue.type,
      details: { coding: [{ system: problemSystem, code: problem.code }], text: issue.text },
      ...expressionOf(issue === single ? problem.expression : [issue.expression].filter(path => path !== undefined)),
    })),
  }
}

function expressionOf(paths: readonly string[]): { readonly expression?: readonly string[] } {
  return paths.length > 0 ? { expression: paths } : {}
}
