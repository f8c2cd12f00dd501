import type { Express, RequestHandler, Response } from 'express'
import type { WebRoute } from '#web'
import type { EndpointRooms } from './fhir-endpoint.ts'
import { metricsPath } from './metrics/desk.ts'

/** Where what a caller shows in the Authorization header is looked at. */
export function markProving(app: Express, webRoutes: readonly WebRoute[], withMetrics: boolean): void {
  const proving = webRoutes.filter(({ access }) => access === 'client' || access === 'bearer')
  const paths = new Set(proving.map(({ path }) => path))
  for (const path of withMetrics ? [...paths, metricsPath] : paths)
    app.all(path, (_request, response, next) => {
      response.locals.isProving = true
      next()
    })
}

/** Statuses of who has proved nothing, or has not even been asked to. */
const unproved = new Set([401, 404, 405])

/**
 * Counts what is asked beside FHIR. Whoever shows something where that is looked at – a token, a client's secret – is a stranger only
 * when that is refused; elsewhere a header proves nothing.
 */
export function countStrangers({ addresses, limits }: Pick<EndpointRooms, 'addresses' | 'limits'>): RequestHandler {
  return (request, response, next) => {
    const { network } = addresses.of(request)
    limits.checkNetwork(network)
    const isProving = request.headers.authorization !== undefined && response.locals.isProving === true
    if (isProving) response.locals.judge = (status: number) => judge(status, network)
    else limits.checkStranger(network)
    next()
  }

  /** What is malformed is counted, and told as such: it may be what somebody sent who has shown who they are. */
  function judge(status: number, network: string): void {
    if (unproved.has(status)) limits.checkStranger(network)
    else if (status === 400) limits.countStranger(network)
  }
}

/**
 * To be asked before each answer: whether what the caller showed was worth nothing, and strangers of that network have asked enough.
 *
 * @throws Problem `throttled` · `request.too-many`, to be answered in place of it
 */
export function checkProved(response: Response, status: number): void {
  response.locals.judge?.(status)
}
