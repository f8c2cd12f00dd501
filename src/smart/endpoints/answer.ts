import { isProblem, type Problem } from '#kernel'
import { faultPage, jsonResponse, type WebRequest, type WebResponse } from '#web'
import { toWireError } from '../oauth-problem.ts'

type Handler = (request: WebRequest) => Promise<WebResponse>

/** A page; a Problem becomes a page that says it. */
export function answerPage(handler: Handler): Handler {
  return async request => {
    try {
      return await handler(request)
    } catch (error) {
      if (isProblem(error) && error.kind !== 'fault') return faultPage(error)
      throw error
    }
  }
}

/** What a Problem without an OAuth name becomes: the client may try again later. */
const laterStatus: Readonly<Partial<Record<Problem['kind'], number>>> = {
  throttled: 429,
  busy: 503,
  timeout: 503,
  'too-large': 413,
}

/** The JSON in which OAuth tells errors; undefined for what is our own fault. RFC 6749 §5.2 */
export function oauthErrorResponse(problem: Problem, request: WebRequest): WebResponse | undefined {
  const wire = toWireError(problem)
  if (wire !== undefined) {
    const usedBasic = request.header('authorization')?.toLowerCase().startsWith('basic') === true
    const challenge = wire.status === 401 && usedBasic ? { 'WWW-Authenticate': 'Basic realm="Kinhold"' } : {}
    return jsonResponse(wire.status, { error: wire.error, error_description: problem.text }, challenge)
  }
  const status = laterStatus[problem.kind]
  if (status === undefined) return undefined
  const retry = problem.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(problem.retryAfterSeconds) }
  return jsonResponse(status, { error: 'temporarily_unavailable', error_description: problem.text }, retry)
}

/** A JSON endpoint of OAuth. */
export function answerOauth(handler: Handler): Handler {
  return async request => {
    try {
      return await handler(request)
    } catch (error) {
      const response = isProblem(error) ? oauthErrorResponse(error, request) : undefined
      if (response === undefined) throw error
      return response
    }
  }
}
