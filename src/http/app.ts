import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from 'express'
import { problemTable } from '#fhir'
import { catalogue, matcher, type Rooms, rootMatcher } from '#interactions'
import { isProblem, type Log, Problem } from '#kernel'
import type { Share } from '#share'
import type { Smart } from '#smart'
import { prefersPage, type WebRoute } from '#web'
import { openAddresses } from './admission/addresses.ts'
import { Admission } from './admission/admission.ts'
import { type ConnectionLimits, Connections } from './admission/connections.ts'
import { portionOf } from './admission/divided.ts'
import type { LaneTable } from './admission/lanes.ts'
import { Limits, type LimitTable, limitTable, type SharedCounts } from './admission/limits.ts'
import { Visit } from './admission/visit.ts'
import { authorityRoutes, type TrustedAuthority } from './authority-pages.ts'
import { docsRouter } from './docs.ts'
import { type EndpointRooms, fhirEndpoint } from './fhir-endpoint.ts'
import { type Doors, fhirMount, frontDoor } from './front-door.ts'
import { healthDesk, healthPaths, type Readiness } from './health.ts'
import { homeHandler } from './home.ts'
import { type MetricsAccess, metricsHandler, metricsPath } from './metrics/desk.ts'
import { measured, showDoor } from './metrics/door.ts'
import type { FiguresOfAll } from './metrics/exposition.ts'
import { noRoute, RequestMeter } from './metrics/requests.ts'
import { Documents } from './openapi/documents.ts'
import { typeCapabilities } from './openapi/statement.ts'
import { answerProblem, toProblem } from './problem-response.ts'
import { protectedResource } from './protected-resource.ts'
import { headersFor } from './security-headers.ts'
import { type LinesPort, Sockets } from './sockets.ts'
import { checkProved, countStrangers, markProving } from './strangers.ts'
import { mountRoutes, otherMethods } from './web-routes.ts'

/** What the server is told about itself; sizes and times have defaults. */
export interface HttpConfig {
  /** Origin of every link, without a slash at its end. Host and X-Forwarded-* headers are never believed. */
  readonly baseUrl: string
  /** The largest body that is held in memory; 32 MiB unless told. */
  readonly maxBodyBytes?: number
  /** The largest body that is streamed ($ingest); 64 GiB unless told. */
  readonly maxStreamBytes?: number
  /** Within which a body that is held in memory must have arrived; one minute unless told. */
  readonly bodyDeadlineMs?: number
  /** Addresses or CIDRs of proxies whose X-Forwarded-For and Forwarded headers are believed; none unless told. */
  readonly trustedProxies?: readonly string[]
  /** How much of each kind of work goes on at once and waits; the table of `admission/lanes.ts` unless told. */
  readonly lanes?: LaneTable
  /** How often somebody may ask; `admission/limits.ts` has the rest. */
  readonly limits?: Partial<LimitTable>
  /** How many connections there may be and how long they may keep the server waiting; see `admission/connections.ts`. */
  readonly connections?: Partial<ConnectionLimits>
  /** Who may see figures; without it nothing is counted, and nobody may. */
  readonly metrics?: MetricsAccess
  /** How many processes serve the same house: what waits, is held and is open is divided by it. One unless told. */
  readonly processes?: number
}

/** The rooms and settings an app is made of. */
export interface AppRooms {
  readonly rooms: Rooms
  readonly smart: Pick<
    Smart,
    'authenticate' | 'routes' | 'configuration' | 'allowsOrigin' | 'docsClientId' | 'isClaimed'
  >
  /** What is told over websockets; without it none are taken. */
  readonly lines?: LinesPort
  /** Links to sealed copies; without it there are none. */
  readonly share?: Pick<Share, 'routes'>
  /** Who has signed the server's certificate, where it is one of its own. */
  readonly authority?: TrustedAuthority
  readonly log: Log
  readonly config: HttpConfig
  /** Whether what must be written can be; without it, it always can. */
  storageIsReady?(): boolean
  /** What other processes that serve the same house find wrong. */
  faultsElsewhere?(): readonly string[]
  /** Counts of all processes that serve the same house; those of this one unless told. */
  readonly counts?: SharedCounts
  /** Figures of all of them; those of this one unless told. */
  readonly figures?: FiguresOfAll
}

/** What answers requests; a listener of `node:http`. */
export interface App {
  (request: IncomingMessage, response: ServerResponse): void
  /** Somebody has connected. */
  connect(socket: Socket): void
  /** Whether somebody waits for an answer there, and for nothing else. */
  awaitsAnswer(socket: Socket): boolean
  /** Whether a request asks for a connection that speaks something else from then on, and that is spoken here. */
  upgrades(request: IncomingMessage): boolean
  /** Takes over the connection of such a request. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void
  /** From now on `/readyz` says that the server is closing, and whoever waits for a turn is asked to come again. */
  drain(): void
}

const mebibyte = 1024 * 1024
const formBytes = 64 * 1024

/**
 * The whole web face of the server: FHIR under /fhir, /hl7v2, the authorization server's routes, /docs, /openapi.json,
 * /healthz and /readyz. It listens nowhere yet.
 */
export function createApp(app: AppRooms): App {
  const { rooms, smart, log, config } = app
  const { baseUrl, maxBodyBytes = 32 * mebibyte, maxStreamBytes = 65_536 * mebibyte, bodyDeadlineMs = 60_000 } = config
  const headers = headersFor(baseUrl)
  const state = { draining: false }
  const portion = portionOf(config.processes ?? 1)
  const endpoint: EndpointRooms = {
    rooms,
    authenticate: bearer => smart.authenticate(bearer),
    admission: new Admission(config.lanes ?? portion.lanes, portion.held),
    addresses: openAddresses(config.trustedProxies ?? []),
    limits: new Limits({ ...limitTable, ...config.limits }, app.counts),
    log,
    baseUrl,
    body: { maxBytes: maxBodyBytes, deadlineMs: bodyDeadlineMs },
    maxStreamBytes,
    headers,
    ...(config.metrics === undefined ? {} : { meter: new RequestMeter() }),
  }
  const { addresses } = endpoint
  const connections = new Connections({ addresses, log }, { ...portion.connections, ...config.connections })
  if (config.metrics !== undefined) showDoor(endpoint.admission, connections)
  const { storageIsReady = () => true, faultsElsewhere = () => [] } = app
  const readiness = (): Readiness => {
    if (state.draining) return { ready: false, status: 'closing' }
    if (!storageIsReady()) return { ready: false, status: 'unready', reason: 'storage' }
    const faults = [...new Set([...rooms.record.faults(), ...faultsElsewhere()])]
    return faults.length === 0
      ? { ready: true, status: 'ready' }
      : { ready: false, status: 'unready', reason: faults.join('; ') }
  }
  const door = frontDoor({
    takes: (request, response) => connections.takes(request, response),
    health: healthDesk(headers, readiness),
    checkTrusted: () => rooms.record.checkTrusted(),
    fhir: fhirEndpoint(endpoint, matcher, fhirMount),
    beside: besideFhir(app, { endpoint, readiness }),
    refuse: refuseAtDoor(endpoint),
  })
  const sockets = new Sockets(app.lines, {
    ...endpoint,
    allowsOrigin: origin => smart.allowsOrigin(origin),
    checkTrusted: () => rooms.record.checkTrusted(),
    handOver: socket => connections.handOver(socket),
    limits: portion.sockets,
    counts: endpoint.limits,
  })
  const drain = () => {
    state.draining = true
    endpoint.admission.close()
    sockets.close()
  }
  return Object.assign(door, {
    drain,
    connect: (socket: Socket) => connections.add(socket),
    awaitsAnswer: (socket: Socket) => connections.awaitsAnswer(socket),
    upgrades: (request: IncomingMessage) => sockets.takes(request),
    upgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => sockets.upgrade(request, socket, head),
  })
}

/** Whoever sends what cannot be read is not listened to any longer. */
function refuseAtDoor({ baseUrl, headers, meter }: EndpointRooms): Doors['refuse'] {
  return (problem, request, response) => {
    const page = prefersPage(request.headers.accept)
    const answer = answerProblem(problem, { baseUrl, tokenPresented: false, allowed: [], page })
    meter?.refused(problem.code)
    meter?.answered(request.method, noRoute, { status: answer.status, ms: 0 })
    response
      .writeHead(answer.status, { ...headers, vary: 'Accept', ...answer.headers, connection: 'close' })
      .end(answer.body)
  }
}

interface BesideParts {
  readonly endpoint: EndpointRooms
  readiness(): Readiness
}

/** Everything that is not below the FHIR base. */
function besideFhir({ rooms, smart, share, config, authority, figures }: AppRooms, parts: BesideParts): Express {
  const { endpoint, readiness } = parts
  const { baseUrl, headers, body, admission, addresses } = endpoint
  const app = express()
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').set('query parser', false)
  app.use(varyByAccept)
  const hl7v2 = fhirEndpoint(endpoint, rootMatcher, '')
  for (const route of catalogue) if (route.root === true) app.all(route.path, hl7v2)
  if (endpoint.meter !== undefined) app.use(measured(endpoint.meter))
  const own = authority === undefined ? [] : authorityRoutes(authority)
  const webRoutes = [...smart.routes, ...(share?.routes ?? []), ...own]
  markProving(app, webRoutes, config.metrics !== undefined)
  app.use(countStrangers(endpoint))
  mountMetrics(app, endpoint, { access: config.metrics, figures })
  app.get(
    '/',
    homeHandler({ baseUrl, software: rooms.software, headers, readiness, isClaimed: () => smart.isClaimed() }),
  )
  mountRoutes(app, webRoutes, {
    headers,
    body: { ...body, maxBytes: formBytes },
    admission,
    addresses,
    allowsOrigin: origin => smart.allowsOrigin(origin),
  })
  app.get(
    '/.well-known/oauth-protected-resource/fhir',
    jsonHandler(headers, () => protectedResource(baseUrl, smart)),
  )
  app.get('/openapi.json', openApiHandler({ rooms, smart, webRoutes, endpoint }))
  app.use('/docs', docsRouter({ headers, baseUrl, clientId: smart.docsClientId }))
  app.all(readOnlyPaths, otherMethods(['GET']))
  app.use(unknownPath)
  app.use(errorHandler(endpoint))
  return app
}

/** Where nobody may see figures, nothing is there. */
function mountMetrics(
  app: Express,
  { headers, meter }: EndpointRooms,
  { access, figures }: { readonly access: MetricsAccess | undefined; readonly figures: FiguresOfAll | undefined },
): void {
  if (meter === undefined || access === undefined) return
  app.get(
    metricsPath,
    metricsHandler(access, headers, {
      own: () => meter.families(),
      ...(figures === undefined ? {} : { figures }),
    }),
  )
  app.all(metricsPath, otherMethods(['GET']))
}

/** What is served beside the rows of rooms can only be read. */
const readOnlyPaths = [
  '/',
  '/.well-known/oauth-protected-resource/fhir',
  '/openapi.json',
  '/docs{/*file}',
  ...healthPaths,
]

function jsonHandler(headers: Readonly<Record<string, string>>, value: () => object): RequestHandler {
  return (_request, response) => sendJson(response, 200, headers, value())
}

/** What each type offers is looked up when the document is first asked for. */
function openApiHandler(parts: {
  readonly rooms: Rooms
  readonly smart: Pick<Smart, 'configuration'>
  readonly webRoutes: readonly WebRoute[]
  readonly endpoint: EndpointRooms
}): RequestHandler {
  const { rooms, smart, webRoutes, endpoint } = parts
  const { baseUrl, headers, admission, addresses, limits } = endpoint
  const frame = { smart, webRoutes, baseUrl, catalogue, software: rooms.software }
  const documents = new Documents(frame, () => typeCapabilities(rooms, baseUrl))
  return async (request, response) => {
    const { network } = addresses.of(request)
    const visit = new Visit(admission, 'pages', network, response)
    try {
      await visit.arrive(request, performance.now())
      const only = new URL(request.originalUrl, baseUrl).searchParams.get('type')
      const document = await documents.of(only, cost => {
        limits.checkStranger(network)
        limits.countStranger(network, cost)
      })
      sendJson(response, 200, headers, document)
    } finally {
      visit.end()
    }
  }
}

function sendJson(response: Response, status: number, headers: Readonly<Record<string, string>>, value: object): void {
  response
    .writeHead(status, { ...headers, 'content-type': 'application/json; charset=utf-8' })
    .end(Buffer.isBuffer(value) ? value : JSON.stringify(value))
}

/** Whatever goes wrong is told as a page or in JSON. */
const varyByAccept: RequestHandler = (_request, response, next) => {
  response.vary('Accept')
  next()
}

const unknownPath: RequestHandler = () => {
  throw new Problem('not-found', 'request.path-unknown', 'Nothing is served under this path.')
}

/** What is answered to a failure: that a stranger has asked too often, where it is one. */
function judged(error: unknown, response: Response): unknown {
  try {
    if (isProblem(error)) checkProved(response, problemTable[error.kind].httpStatus)
    return error
  } catch (refusal) {
    return refusal
  }
}

/** The same error path as for FHIR, for everything beside it. */
function errorHandler({ headers, baseUrl, log, admission, meter }: EndpointRooms): ErrorRequestHandler {
  return async (thrown, request, response, _next) => {
    const error = judged(thrown, response)
    if (isProblem(error, 'throttled')) await admission.pause(performance.now())
    const context = {
      baseUrl,
      tokenPresented: request.headers.authorization !== undefined,
      allowed: response.locals.allowed ?? [],
      page: prefersPage(request.headers.accept),
    }
    const problem = toProblem(error, log)
    meter?.refused(problem.code)
    const answer = answerProblem(problem, context)
    if (response.headersSent) response.destroy()
    else response.writeHead(answer.status, { ...headers, ...answer.headers }).end(answer.body)
  }
}
