import { operationOutcome, printJson, problemTable } from '#fhir'
import { isProblem, type Problem } from '#kernel'

/** A request as this room sees it; `http` makes it from whatever carried it. */
export interface WebRequest {
  readonly method: string
  /** Path without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** A header's value, whatever the case of `name`. */
  header(name: string): string | undefined
  body(): Promise<Buffer>
  readonly remoteAddress: string
}

/** An answer; a header with several values is a list. */
export interface WebResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer
}

/** One row of what this room answers. OPTIONS rows are the CORS preflights of the rows beside them. */
export interface WebRoute {
  readonly method: 'GET' | 'POST' | 'OPTIONS'
  /** Path from the origin; `:name` stands for one segment, e.g. `/share/:id`. */
  readonly path: string
  readonly summary: string
  handler(request: WebRequest): Promise<WebResponse>
}

/** Viewers are pages of any origin. No cookie means anything here, so an origin gains nothing by being let in. */
const openToAll = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'Retry-After, WWW-Authenticate',
} as const

const neverKept = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
} as const

function respond(status: number, type: string, body: string): WebResponse {
  return { status, headers: { 'Content-Type': type, ...openToAll, ...neverKept }, body }
}

/** JSON that no cache keeps and a page of any origin may read. */
export function jsonAnswer(status: number, value: unknown): WebResponse {
  return respond(status, 'application/json; charset=utf-8', JSON.stringify(value))
}

/** A compact JWE: https://hl7.org/fhir/uv/smart-health-cards-and-links/STU1/links-specification.html */
export function joseAnswer(jwe: string): WebResponse {
  return respond(200, 'application/jose', jwe)
}

/** The answer to a preflight; the same whether or not the link exists. */
export function preflightAnswer(methods: string): WebResponse {
  return {
    status: 204,
    headers: {
      ...openToAll,
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': 'Authorization, Content-Type, Accept',
      'Access-Control-Max-Age': '600',
    },
  }
}

function problemAnswer(problem: Problem): WebResponse {
  const { httpStatus } = problemTable[problem.kind]
  const answer = respond(httpStatus, 'application/fhir+json; charset=utf-8', printJson(operationOutcome(problem)))
  const challenge = problem.kind === 'unauthenticated' ? { 'WWW-Authenticate': 'Bearer realm="Kinhold"' } : {}
  return { ...answer, headers: { ...answer.headers, ...challenge } }
}

/**
 * Answers Problems here, because `http` would leave out the CORS headers and a viewer could not read why. Faults of our
 * own are for `http` to log.
 */
export function answering(handler: WebRoute['handler']): WebRoute['handler'] {
  return async request => {
    try {
      return await handler(request)
    } catch (error) {
      if (isProblem(error) && error.kind !== 'fault') return problemAnswer(error)
      throw error
    }
  }
}
