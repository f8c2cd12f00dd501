import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Grant } from '#access'
import { printJson } from '#fhir'
import {
  type FhirRequest,
  type FhirResponse,
  fhirJson,
  formatOfError,
  type Match,
  type Matcher,
  perform,
  type Rooms,
  type Route,
} from '#interactions'
import { isProblem, type Log, type LogFields, newRequestId, Problem, type Span, spanned, traced } from '#kernel'
import { prefersPage } from '#web'
import type { Addresses } from './admission/addresses.ts'
import type { Admission } from './admission/admission.ts'
import { laneOf, leastUnitsOf } from './admission/lanes.ts'
import type { Limits } from './admission/limits.ts'
import { leaving, Visit } from './admission/visit.ts'
import { parseBearer } from './bearer.ts'
import { type BodyLimits, readBody, streamBody } from './body.ts'
import { isPreflight, letPagesRead } from './cross-origin.ts'
import type { Handler } from './front-door.ts'
import { noRoute, type RequestMeter, toldMethod } from './metrics/requests.ts'
import { Outbox } from './outbox.ts'
import { acceptPatch, answerProblem, toProblem } from './problem-response.ts'
import { sendStream, takesGzip } from './streamed.ts'

/** What the endpoint needs to answer. */
export interface EndpointRooms {
  readonly rooms: Rooms
  /** Who presents this token. @throws Problem `unauthenticated` */
  authenticate(bearer: string): Promise<Grant>
  readonly admission: Admission
  readonly addresses: Addresses
  readonly limits: Limits
  readonly log: Log
  /** The origin, from the configuration. */
  readonly baseUrl: string
  readonly body: BodyLimits
  readonly maxStreamBytes: number
  readonly headers: Readonly<Record<string, string>>
  /** Counts what is answered, where somebody wants to see it. */
  readonly meter?: RequestMeter
}

/**
 * Answers FHIR requests: who asks, what answers, the answer. One function instead of a route for each row, because
 * reads must not pay for sixty patterns.
 */
export function fhirEndpoint(endpoint: EndpointRooms, matcher: Matcher, mount: string): Handler {
  const outbox = new Outbox()
  return (request: IncomingMessage, response: ServerResponse): void =>
    void new Exchange({ request, response, endpoint, matcher, mount, outbox }).run()
}

/** Of a content that goes to where it is kept as it arrives, with what is sealed of it at once. */
const arrivingHeldBytes = 8 * 1024 * 1024

const shortBodyBytes = 64 * 1024

/** Whether much may still come that nobody will read: then the connection is not worth keeping. */
function isLeftUnread({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > shortBodyBytes
}

interface ExchangeParts {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly endpoint: EndpointRooms
  readonly matcher: Matcher
  readonly mount: string
  readonly outbox: Outbox
}

/** Headers are all that is wanted of whoever asks for a next step. */
const nothingElse = () => undefined

/** Answers that a token should not need often: whoever tries out ids hears nothing else. */
const misses: ReadonlySet<Problem['kind']> = new Set(['forbidden', 'not-found'])

/** One request and its answer. */
class Exchange {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #endpoint: EndpointRooms
  readonly #matcher: Matcher
  readonly #outbox: Outbox
  readonly #startedMs = performance.now()
  readonly #requestId = newRequestId()
  readonly #network: string
  readonly #path: string
  readonly #search: string
  #match: Match | undefined
  #grant: Grant | undefined
  #visit: Visit | undefined
  #span: Span | undefined

  constructor({ request, response, endpoint, matcher, mount, outbox }: ExchangeParts) {
    this.#request = request
    this.#response = response
    this.#endpoint = endpoint
    this.#matcher = matcher
    this.#outbox = outbox
    this.#network = endpoint.addresses.of(request).network
    const url = request.url ?? '/'
    const question = url.indexOf('?')
    this.#path = url.slice(mount.length, question === -1 ? undefined : question)
    this.#search = question === -1 ? '' : url.slice(question + 1)
  }

  /** Answers, whatever goes wrong. */
  run(): Promise<void> {
    return spanned('http.request', span => {
      this.#span = span
      return this.#answer()
    })
  }

  async #answer(): Promise<void> {
    try {
      const { method = 'GET' } = this.#request
      if (this.#request.headers.origin !== undefined) letPagesRead(this.#request, this.#response, nothingElse)
      if (isPreflight(this.#request)) return this.#send(204, {})
      this.#endpoint.limits.checkNetwork(this.#network)
      this.#match = this.#matcher.match(method, this.#path)
      if (this.#match?.route.public === true) this.#endpoint.limits.checkStranger(this.#network)
      else this.#grant = await this.#authenticate()
      if (method === 'OPTIONS') return this.#send(204, this.#allowed())
      if (this.#match === undefined) throw this.#matcher.explainMiss(this.#path)
      const visit = this.#beginVisit(this.#match.route)
      const pause = visit.arrive(this.#request, this.#startedMs)
      if (pause !== undefined) await pause
      const sending = this.#sendFhir(await this.#perform(this.#match, this.#fhirRequest(method, visit)))
      if (sending !== undefined) await sending
    } catch (error) {
      if (isProblem(error, 'throttled')) await this.#endpoint.admission.pause(this.#startedMs)
      this.#fail(error)
    } finally {
      this.#visit?.end()
    }
  }

  #perform(match: Match, request: FhirRequest): Promise<FhirResponse> {
    return traced('interactions.perform', () => perform(match, request, this.#endpoint.rooms))
  }

  /** Fair between tokens; without one, between networks. */
  #beginVisit(route: Route): Visit {
    const caller = this.#grant?.id ?? this.#network
    this.#visit = new Visit(this.#endpoint.admission, laneOf(route), caller, this.#response, leastUnitsOf(route))
    return this.#visit
  }

  #allowed(): Readonly<Record<string, string>> {
    const methods = this.#matcher.allowed(this.#path)
    return { allow: ['OPTIONS', ...methods].join(', '), ...(methods.includes('PATCH') ? acceptPatch : {}) }
  }

  /** Whatever went wrong, told in the one way. */
  #fail(error: unknown): void {
    const problem = toProblem(error, this.#endpoint.log)
    if (this.#grant !== undefined && misses.has(problem.kind))
      this.#endpoint.limits.countMiss(this.#grant.id, this.#network)
    const answer = answerProblem(problem, {
      baseUrl: this.#endpoint.baseUrl,
      tokenPresented: this.#request.headers.authorization !== undefined,
      allowed: this.#matcher.allowed(this.#path),
      method: this.#request.method,
      format: formatOfError(this.#asking()),
      page: prefersPage(this.#request.headers.accept) && !this.#search.includes('_format='),
    })
    if (this.#response.headersSent) {
      this.#span?.end({ code: problem.code })
      this.#response.destroy()
    } else this.#send(answer.status, answer.headers, answer.body, problem)
  }

  /** Who shows no token, or one that is none, is a stranger; guessing is counted, and what valid tokens ask for is not. */
  async #authenticate(): Promise<Grant> {
    const { limits, authenticate } = this.#endpoint
    try {
      const bearer = parseBearer(this.#request.headers.authorization)
      if (bearer === undefined)
        throw new Problem('unauthenticated', 'token.missing', 'This needs an access token: Authorization: Bearer …')
      const grant = await traced('smart.authenticate', () => authenticate(bearer))
      limits.checkToken(grant.id)
      return grant
    } catch (error) {
      if (isProblem(error, 'unauthenticated')) limits.checkStranger(this.#network)
      throw error
    }
  }

  async #body(visit: Visit): Promise<Buffer> {
    const bytes = await readBody(this.#request, this.#endpoint.body, more => visit.body.grow(more))
    await visit.begin(bytes.length, performance.now())
    return bytes
  }

  /** What comes first and is worked on later keeps no place while it comes, but counts as what is held of it. */
  async *#arriving(visit: Visit, maxBytes: number): AsyncGenerator<Uint8Array, void, void> {
    visit.body.grow(arrivingHeldBytes)
    yield* streamBody(this.#request, Math.min(maxBytes, this.#endpoint.maxStreamBytes))
    await visit.begin(0, performance.now())
  }

  async *#stream(visit: Visit): AsyncGenerator<Uint8Array, void, void> {
    await visit.begin(0, performance.now())
    yield* streamBody(this.#request, this.#endpoint.maxStreamBytes)
  }

  #asking(): Pick<FhirRequest, 'query' | 'header'> {
    const { headers } = this.#request
    const header = (name: string) => {
      const value = headers[name]
      return typeof value === 'string' ? value : value?.join(', ')
    }
    return { query: new URLSearchParams(this.#search), header }
  }

  #fhirRequest(method: string, visit: Visit): FhirRequest {
    return {
      method,
      path: this.#path,
      ...this.#asking(),
      body: () => this.#body(visit),
      stream: maxBytes => (maxBytes === undefined ? this.#stream(visit) : this.#arriving(visit, maxBytes)),
      grant: this.#grant,
      renew: () => this.#authenticate(),
      gone: () => leaving(this.#response),
      baseUrl: `${this.#endpoint.baseUrl}/fhir`,
    }
  }

  #sendFhir({ status, headers, body, stream }: FhirResponse): Promise<void> | undefined {
    if (stream !== undefined) return this.#sendStreamed(status, headers, stream)
    const bytes = body === undefined || Buffer.isBuffer(body) || typeof body === 'string' ? body : printJson(body)
    if (bytes !== undefined && this.#request.method !== 'HEAD') this.#visit?.answer(bytes.length)
    this.#send(status, headers, bytes)
    return undefined
  }

  async #sendStreamed(
    status: number,
    headers: FhirResponse['headers'],
    stream: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    // Of what has a length nothing but itself may go, or a part would be one of something else.
    const isPacked = headers['content-length'] === undefined && takesGzip(this.#request)
    await this.#visit?.goOn('files')
    this.#response.writeHead(status, {
      ...this.#head(headers),
      vary: 'Origin, Accept, Accept-Encoding',
      ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
    })
    if (this.#request.method === 'HEAD') this.#response.end()
    else await sendStream(stream, this.#response, { isPacked })
    this.#count(status, undefined)
    this.#log(status, 0, undefined)
  }

  #head(headers: Readonly<Record<string, string | string[]>>): Record<string, string | string[]> {
    return {
      ...this.#endpoint.headers,
      vary: 'Origin, Accept',
      'x-request-id': this.#requestId,
      ...(isLeftUnread(this.#request) ? { connection: 'close' } : {}),
      ...headers,
    }
  }

  #send(
    status: number,
    headers: Readonly<Record<string, string | string[]>>,
    body?: Buffer | string,
    problem?: Problem,
  ): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const head = this.#head(headers)
    if (bytes !== undefined) head['content-type'] ??= fhirJson
    if (status !== 204 && status !== 304) head['content-length'] = String(bytes?.length ?? 0)
    this.#response.writeHead(status, head)
    this.#outbox.put(this.#response, this.#request.method === 'HEAD' ? undefined : bytes)
    this.#count(status, problem)
    this.#log(status, bytes?.length ?? 0, problem)
  }

  #count(status: number, problem: Problem | undefined): void {
    const { meter } = this.#endpoint
    const code = problem === undefined ? {} : { code: problem.code }
    this.#span?.end({ method: toldMethod(this.#request.method), route: this.#route, status, ...code })
    if (meter === undefined) return
    meter.answered(this.#request.method, this.#route, { status, ms: performance.now() - this.#startedMs })
    if (problem !== undefined) meter.refused(problem.code)
  }

  get #route(): string {
    return this.#match?.route.path ?? noRoute
  }

  /** By route template: what was asked for in particular is nobody's business but the audit's. */
  #log(status: number, sizeBytes: number, problem: Problem | undefined): void {
    const { log } = this.#endpoint
    // What waits in vain is refused, and no fault.
    if (status >= 500 && problem?.kind !== 'busy')
      log.error('request failed', this.#logFields(status, sizeBytes, problem))
    else if (status >= 400) log.info('request refused', this.#logFields(status, sizeBytes, problem))
    else if (log.writesDebug) log.debug('request answered', this.#logFields(status, sizeBytes, problem))
  }

  #logFields(status: number, sizeBytes: number, problem: Problem | undefined): LogFields {
    return {
      requestId: this.#requestId,
      method: this.#request.method ?? '',
      route: this.#route,
      status,
      sizeBytes,
      durationMs: Math.round((performance.now() - this.#startedMs) * 1000) / 1000,
      ...(problem === undefined ? {} : { code: problem.code }),
      ...(problem?.detail === undefined ? {} : { detail: problem.detail }),
    }
  }
}
