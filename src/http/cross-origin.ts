import type { IncomingMessage } from 'node:http'
import cors, { type CorsOptions } from 'cors'
import type { Readers, WebRoute } from '#web'

/** What pages of other origins may read of an answer beside its body. */
const exposedHeaders = [
  'ETag',
  'Location',
  'Content-Location',
  'Last-Modified',
  'Content-Disposition',
  'Content-Range',
  'Accept-Ranges',
  'X-Security-Context',
  'X-Progress',
  'X-Request-Id',
  'Retry-After',
  'WWW-Authenticate',
]

/** What they may send. */
const allowedHeaders = [
  'Authorization',
  'Content-Type',
  'Accept',
  'Prefer',
  'If-Match',
  'If-None-Match',
  'If-None-Exist',
  'If-Modified-Since',
  'If-Unmodified-Since',
  'If-Range',
  'Range',
  'X-Security-Context',
  'Content-Encoding',
]

const shared = { exposedHeaders, allowedHeaders, maxAge: 600 } as const

/** Browsers send `null` for pages without an origin of their own; such a page proves nothing about itself. */
function isOrigin(origin: string | undefined): origin is string {
  return origin !== undefined && origin !== 'null'
}

/** Echoes whatever origin asks; not `*`, because SMART's client library needs its own name. */
const anybody: CorsOptions = { ...shared, origin: (origin, tell) => tell(null, isOrigin(origin)) }

/**
 * For FHIR: pages of any origin. No cookie means anything there, so an origin gains nothing but what its own token gives
 * it, and credentials are never allowed. The caller ends preflights itself.
 *
 * @see https://hl7.org/fhir/smart-app-launch/app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support
 */
export const letPagesRead = cors({
  ...anybody,
  methods: 'GET, HEAD, POST, PUT, PATCH, DELETE',
  preflightContinue: true,
})

/** Whether a browser asks if it may ask. Such a question carries no token, and its answer tells nothing. */
export function isPreflight({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

/**
 * For the routes beside FHIR, by who may read their answers.
 *
 * @param allowsOrigin  whether pages of an origin belong to a registered app. Credentials are allowed to those because
 *   SMART's client library sends them; the endpoints look at no cookie.
 */
export function crossOriginFor(
  {
    readers,
    methods,
  }: { readonly readers: Exclude<Readers, 'nobody'>; readonly methods: readonly WebRoute['method'][] },
  allowsOrigin: (origin: string) => Promise<boolean>,
) {
  if (readers === 'anybody') return cors({ ...anybody, methods: [...methods] })
  return cors({
    ...shared,
    methods: [...methods],
    credentials: true,
    origin: (origin, tell) => {
      if (!isOrigin(origin)) return tell(null, false)
      allowsOrigin(origin).then(allowed => tell(null, allowed), tell)
    },
  })
}
