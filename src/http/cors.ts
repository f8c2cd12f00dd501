import type { IncomingMessage } from 'node:http'

const exposed =
  'ETag, Location, Content-Location, Last-Modified, X-Progress, X-Request-Id, Retry-After, WWW-Authenticate'
const requestHeaders =
  'Authorization, Content-Type, Accept, Prefer, If-Match, If-None-Match, If-None-Exist, If-Modified-Since, Content-Encoding'

/**
 * Lets pages of any origin read the answer. No cookie means anything here, so an origin gains nothing but what its own
 * token gives it; credentials are never allowed, and the opaque origin `null` is nobody.
 *
 * @see https://hl7.org/fhir/smart-app-launch/app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support
 */
export function corsHeaders(request: Pick<IncomingMessage, 'headers'>): Readonly<Record<string, string>> {
  const { origin } = request.headers
  if (origin === undefined) return noOrigin
  if (origin === 'null') return { vary: 'Origin' }
  return { 'access-control-allow-origin': origin, 'access-control-expose-headers': exposed, vary: 'Origin' }
}

const noOrigin: Readonly<Record<string, string>> = { vary: 'Origin' }

/** Whether a browser asks if it may ask. Such a question carries no token, and its answer tells nothing. */
export function isPreflight(request: Pick<IncomingMessage, 'headers' | 'method'>): boolean {
  return (
    request.method === 'OPTIONS' &&
    request.headers.origin !== undefined &&
    request.headers['access-control-request-method'] !== undefined
  )
}

/** The answer to a preflight; the same for every path, whether or not anything is there. */
export function preflightHeaders(request: Pick<IncomingMessage, 'headers'>): Readonly<Record<string, string>> {
  return {
    ...corsHeaders(request),
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
    'access-control-allow-headers': requestHeaders,
    'access-control-max-age': '600',
  }
}
