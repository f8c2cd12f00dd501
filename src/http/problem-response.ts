import { encodeXmlInSteps, operationOutcome, printJson, problemTable } from '#fhir'
import { type Format, mediaTypes, patchTypes } from '#interactions'
import { atOnce, isProblem, type Log, Problem, storageFaultOf, storageProblem } from '#kernel'
import { faultPage, html } from '#web'
import { lowerCased } from './security-headers.ts'

/** An answer ready to be sent. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: string
}

/** What the answer to a Problem must say beside the Problem itself. */
export interface Context {
  /** The origin of this server, from the configuration. */
  readonly baseUrl: string
  /** Whether the caller presented a token at all. */
  readonly tokenPresented: boolean
  /** Methods that the path answers. */
  readonly allowed: readonly string[]
  /** How it was asked. */
  readonly method?: string | undefined
  /** In which format a program is to read it; JSON unless told. */
  readonly format?: Format
  /** Whether a person is to read it. */
  readonly page: boolean
}

/** The languages of patches: https://www.rfc-editor.org/rfc/rfc5789#section-3.1 */
export const acceptPatch = {
  'accept-patch': [...patchTypes, 'application/fhir+json', 'application/fhir+xml'].join(', '),
}

type Extra = (problem: Problem, context: Context) => Readonly<Record<string, string>>

/** Headers that a kind of Problem needs. */
const extras: Partial<Readonly<Record<Problem['kind'], Extra>>> = {
  unauthenticated: (_problem, context) => ({ 'www-authenticate': challenge(context) }),
  forbidden: (problem, { baseUrl }) =>
    problem.code === 'scope.missing'
      ? { 'www-authenticate': `Bearer realm="${baseUrl}/fhir", error="insufficient_scope"` }
      : {},
  'not-allowed': (_problem, { allowed }) => ({ allow: allowed.join(', ') }),
  'unsupported-media': (_problem, { method }) => (method === 'PATCH' ? acceptPatch : {}),
  // What the caller still sends is not read.
  'too-large': () => ({ connection: 'close' }),
}

/** @see https://www.rfc-editor.org/rfc/rfc6750#section-3 and https://www.rfc-editor.org/rfc/rfc9728#section-5.1 */
function challenge({ baseUrl, tokenPresented }: Context): string {
  const parts = [
    `realm="${baseUrl}/fhir"`,
    `resource_metadata="${baseUrl}/.well-known/oauth-protected-resource/fhir"`,
    ...(tokenPresented ? ['error="invalid_token"'] : []),
  ]
  return `Bearer ${parts.join(', ')}`
}

/** The one way in which a failure becomes an answer. */
export function answerProblem(problem: Problem, context: Context): Answer {
  const retry = problem.retryAfterSeconds === undefined ? {} : { 'retry-after': String(problem.retryAfterSeconds) }
  const headers = { ...retry, ...extras[problem.kind]?.(problem, context) }
  const status = problemTable[problem.kind].httpStatus
  if (context.page) return answerPage(problem, status, headers)
  const { type, body } = outcomeIn(context.format, problem)
  return { status, headers: { 'content-type': type, ...headers }, body }
}

/** A place may be called by what XML cannot say; then it is told in JSON. */
function outcomeIn(format: Format | undefined, problem: Problem): { readonly type: string; readonly body: string } {
  const outcome = operationOutcome(problem)
  try {
    if (format === 'xml') return { type: mediaTypes.xml, body: String(atOnce(encodeXmlInSteps(outcome))) }
  } catch (error) {
    if (!isProblem(error, 'not-acceptable')) throw error
  }
  return { type: mediaTypes.json, body: printJson(outcome) }
}

const wayOut = html`<p>You may want the <a href="/">first page</a>, <a href="/account">your account</a> or the
<a href="/docs/">API page</a>, which can ask with an access token.</p>`

function answerPage(problem: Problem, status: number, headers: Readonly<Record<string, string>>): Answer {
  const page = faultPage(problem, { status, headers, below: wayOut })
  return { status, headers: lowerCased(page.headers), body: String(page.body) }
}

/** Whatever was thrown, as a Problem. What nobody foresaw is logged by its name and place, and told as a fault without detail. */
export function toProblem(error: unknown, log: Log): Problem {
  if (isProblem(error)) return error
  // Express and what serves its files say so themselves when it was the request that was wrong.
  if (isRefusal(error))
    return new Problem('invalid', 'request.malformed', 'The request cannot be read as one that is answered here.', {
      cause: error,
    })
  const fault = storageFaultOf(error)
  if (fault !== undefined) return storageProblem(fault, { detail: placeOf(error), cause: error })
  log.error('unexpected error', { errorName: nameOf(error), detail: placeOf(error) })
  return new Problem('fault', 'fault.unexpected', 'Something went wrong here; it has been logged.', { cause: error })
}

function isRefusal(error: unknown): boolean {
  const { status } = (error ?? {}) as { readonly status?: unknown }
  return typeof status === 'number' && status >= 400 && status < 500
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}

/** Where it was thrown. The message is left out: it may quote what the caller sent. */
function placeOf(error: unknown): string {
  const frames = (error instanceof Error ? (error.stack ?? '') : '').split('\n').filter(line => /^\s+at /.test(line))
  return frames
    .slice(0, 4)
    .map(frame => frame.trim().replace(/\(?(?:file:\/\/)?\/.*\/(src|node_modules)\//, '($1/'))
    .join(' < ')
}
