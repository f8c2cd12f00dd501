import type { IncomingMessage, ServerResponse } from 'node:http'
import { withBudget } from '#kernel'

/** Answers one request, as `node:http` hands it over. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Where FHIR is served. */
export const fhirMount = '/fhir'

const slash = '/'.charCodeAt(0)
const question = '?'.charCodeAt(0)

function isFhir(url: string): boolean {
  if (!url.startsWith(fhirMount)) return false
  const next = url.charCodeAt(fhirMount.length)
  return Number.isNaN(next) || next === slash || next === question
}

/**
 * The path and query that a request asks for, of the absolute form too.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
 */
function originForm(url: string): string {
  if (url.charCodeAt(0) === slash) return url
  const parsed = URL.parse(url)
  return parsed === null ? url : `${parsed.pathname}${parsed.search}`
}

/**
 * FHIR requests go straight to their function; Express, which costs as much as a decryption, routes the rest. Each request has a
 * budget of its own.
 */
export function frontDoor(fhir: Handler, beside: Handler): Handler {
  return (request, response) => {
    const url = originForm(request.url ?? '/')
    request.url = url
    const answer = isFhir(url) ? fhir : beside
    withBudget(
      {},
      () => answer(request, response),
      () => response.writableEnded || !response.destroyed,
    )
  }
}
