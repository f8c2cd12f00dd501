import type { Clients } from '../clients/clients.ts'
import type { WebRequest, WebResponse } from '../web.ts'

type Headers = Readonly<Record<string, string>>

/** Browsers send `null` for pages without an origin of their own; such a page proves nothing about itself. */
function originOf(request: WebRequest): string | undefined {
  const origin = request.header('origin')
  return origin === undefined || origin === 'null' || !/^https?:\/\/[\x21-\x7e]+$/.test(origin) ? undefined : origin
}

/** For documents that anybody may read from anywhere. */
export function publicCors(request: WebRequest): Headers {
  const origin = originOf(request)
  return origin === undefined ? { Vary: 'Origin' } : { Vary: 'Origin', 'Access-Control-Allow-Origin': origin }
}

/**
 * For endpoints that registered apps call from their own origin. Credentials are allowed because SMART's client library
 * sends them; these endpoints look at no cookie.
 */
export async function clientCors(request: WebRequest, clients: Clients): Promise<Headers> {
  const origin = originOf(request)
  if (origin === undefined || !(await clients.hasOrigin(origin))) return { Vary: 'Origin' }
  return {
    Vary: 'Origin',
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Credentials': 'true',
  }
}

/** The answer to a preflight. */
export function preflight(cors: Headers, method: 'GET' | 'POST'): WebResponse {
  return {
    status: 204,
    headers: {
      ...cors,
      'Access-Control-Allow-Methods': method,
      'Access-Control-Allow-Headers': 'Authorization, Content-Type, Accept',
      'Access-Control-Max-Age': '600',
    },
  }
}

/** The same answer with the CORS headers on it. */
export function withHeaders(response: WebResponse, headers: Headers): WebResponse {
  return { ...response, headers: { ...response.headers, ...headers } }
}
