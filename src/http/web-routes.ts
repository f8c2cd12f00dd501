import type { Express, Request, RequestHandler, Response } from 'express'
import { Problem } from '#kernel'
import type { WebRequest, WebResponse, WebRoute } from '#web'
import type { Addresses } from './admission/addresses.ts'
import type { Admission } from './admission/admission.ts'
import { Visit } from './admission/visit.ts'
import { type BodyLimits, readBody } from './body.ts'
import { crossOriginFor } from './cross-origin.ts'
import { checkProved } from './strangers.ts'

/** What carrying routes needs. */
export interface Carrying {
  /** The strict headers; a route's own win over them. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: BodyLimits
  readonly admission: Admission
  readonly addresses: Addresses
  allowsOrigin(origin: string): Promise<boolean>
}

/** Mounts the rows of rooms: handlers, CORS headers, preflights, and 405 for what is left of their paths. */
export function mountRoutes(app: Express, routes: readonly WebRoute[], carrying: Carrying): void {
  for (const [path, rows] of Map.groupBy(routes, route => route.path)) mountPath(app, path, rows, carrying)
}

const mounts = { GET: 'get', POST: 'post' } as const

function mountPath(app: Express, path: string, rows: readonly WebRoute[], carrying: Carrying): void {
  const methods = rows.map(({ method }) => method)
  const readers = rows.map(row => row.readers).find(each => each !== 'nobody')
  if (readers !== undefined)
    app.all(
      path,
      varyByOrigin,
      crossOriginFor({ readers, methods }, origin => carrying.allowsOrigin(origin)),
    )
  for (const row of rows) app[mounts[row.method]](path, webHandler(row, carrying))
  app.all(path, otherMethods(methods))
}

const varyByOrigin: RequestHandler = (_request, response, next) => {
  response.vary('Origin')
  next()
}

/** A preflight of an origin that may not read gets an answer without its name, all other methods 405. */
export function otherMethods(methods: readonly WebRoute['method'][]): RequestHandler {
  const allowed = methods.flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
  return (request, response) => {
    response.locals.allowed = allowed
    if (request.method !== 'OPTIONS')
      throw new Problem('not-allowed', 'request.method-unsupported', 'This method is not supported here; see Allow.')
    response.writeHead(204, { allow: allowed.join(', ') }).end()
  }
}

/** A route as Express runs it. */
function webHandler(route: WebRoute, { headers, body, admission, addresses }: Carrying): RequestHandler {
  return async (request: Request, response: Response) => {
    const { address, network } = addresses.of(request)
    const visit = new Visit(admission, 'pages', network, response)
    try {
      await visit.arrive(request, performance.now())
      const answer = await route.handler({
        ...questionOf(request),
        body: async () => {
          const bytes = await readBody(request, body)
          await visit.begin(bytes.length, performance.now())
          return bytes
        },
        remoteAddress: address,
      })
      checkProved(response, answer.status)
      send(answer, request, response, headers)
    } finally {
      visit.end()
    }
  }
}

function questionOf(request: Request): Pick<WebRequest, 'method' | 'path' | 'query' | 'header'> {
  const { originalUrl: url, method, path, headers } = request
  const question = url.indexOf('?')
  return {
    method,
    path,
    query: new URLSearchParams(question === -1 ? '' : url.slice(question + 1)),
    header: name => {
      const value = headers[name.toLowerCase()]
      return typeof value === 'string' ? value : value?.join(', ')
    },
  }
}

function send(answer: WebResponse, request: Request, response: Response, headers: Carrying['headers']): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value)
  response.statusCode = answer.status
  response.end(request.method === 'HEAD' ? undefined : answer.body)
}
