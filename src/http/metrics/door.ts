import type { Request, RequestHandler } from 'express'
import { gauge } from '#kernel'
import type { Admission } from '../admission/admission.ts'
import type { Connections } from '../admission/connections.ts'
import { noRoute, type RequestMeter } from './requests.ts'

/** Shows who is at the door, who waits, and what is held for them. */
export function showDoor(admission: Admission, connections: Connections): void {
  for (const [lane, queue] of admission.queues) {
    const labels = { lane }
    gauge(queue, { name: 'kinhold_queue_waiting', help: 'Requests that wait for their turn', labels }, of => of.waiting)
    const help = 'Units of work that go on: one for each request, more for large ones'
    gauge(queue, { name: 'kinhold_queue_running', help, labels }, of => of.running)
  }
  const held = { name: 'kinhold_held_bytes', help: 'Bytes of long bodies and answers in memory' } as const
  gauge(admission.holdings, held, of => of.all)
  gauge(connections, { name: 'kinhold_connections', help: 'Connections that are open' }, of => of.count)
}

/** Counts what is answered beside FHIR, by the pattern that Express found. */
export function measured(meter: RequestMeter): RequestHandler {
  return (request, response, next) => {
    const startedMs = performance.now()
    response.once('close', () =>
      meter.answered(request.method, patternOf(request), {
        status: response.statusCode,
        ms: performance.now() - startedMs,
      }),
    )
    next()
  }
}

/** Patterns are of our tables; of the path itself, which is whatever somebody asked for, nothing is said. */
function patternOf({ route, baseUrl }: Request): string {
  if (baseUrl === '/docs') return baseUrl
  return typeof route?.path === 'string' ? route.path : noRoute
}
