/** The kinds of failure; `http` maps each to a status and an OperationOutcome code in one table. */
export type ProblemKind =
  | 'invalid'
  | 'unprocessable'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'gone'
  | 'conflict'
  | 'precondition'
  | 'ambiguous'
  | 'unsupported'
  | 'not-allowed'
  | 'not-acceptable'
  | 'unsupported-media'
  | 'too-large'
  | 'too-costly'
  | 'throttled'
  | 'busy'
  | 'full'
  | 'timeout'
  | 'fault'

/** What may be said beside a Problem's text. */
export interface ProblemOptions {
  /** FHIRPath or parameter name of the offending element, e.g. `Observation.status`; never its value. */
  readonly expression?: string | readonly string[]
  /** For the log alone. Must not quote a patient's values either. */
  readonly detail?: string
  readonly cause?: unknown
  /** More than one fault of the same request, e.g. from validation. */
  readonly issues?: readonly ProblemIssue[]
  /** Seconds after which the caller may try again. */
  readonly retryAfterSeconds?: number
}

/** One fault among several, as an OperationOutcome issue will show it. */
export interface ProblemIssue {
  readonly severity: 'error' | 'warning' | 'information'
  /** A code of https://hl7.org/fhir/R4/valueset-issue-type.html */
  readonly type: string
  readonly text: string
  readonly expression?: string
  /** The rule of the standard that is broken, by its name there, e.g. `obs-6`. */
  readonly rule?: string
}

/**
 * The one error class of the house. `text` may be shown to the caller, `detail` is only logged,
 * and neither ever quotes a patient's values: name the element, not its content.
 *
 * @example throw new Problem('invalid', 'search.date-malformed', 'The parameter is not a FHIR date.', { expression: 'birthdate' })
 */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly kind: ProblemKind
  /** Stable, dotted, lower case: `room.what-is-wrong`. Listed in the README of its room and named in a test. */
  readonly code: string
  readonly text: string
  readonly expression: readonly string[]
  readonly detail: string | undefined
  readonly issues: readonly ProblemIssue[]
  readonly retryAfterSeconds: number | undefined

  constructor(kind: ProblemKind, code: string, text: string, options: ProblemOptions = {}) {
    super(`${code}: ${text}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.kind = kind
    this.code = code
    this.text = text
    this.expression =
      options.expression === undefined
        ? []
        : typeof options.expression === 'string'
          ? [options.expression]
          : options.expression
    this.detail = options.detail
    this.issues = options.issues ?? []
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** Whether an unknown thrown value is a Problem, optionally of one kind. */
export function isProblem(error: unknown, kind?: ProblemKind): error is Problem {
  return error instanceof Problem && (kind === undefined || error.kind === kind)
}
