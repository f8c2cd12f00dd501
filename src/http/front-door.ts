import type { IncomingMessage, ServerResponse } from 'node:http'
import { Problem, withBudget } from '#kernel'

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

const malformed = (text: string) => new Problem('invalid', 'request.malformed', text)

/** What needs a second look: an encoding, or a byte that stands in no URI. */
const suspect = /[^\x21-\x24\x26-\x7e]/

/**
 * Refuses a target that means no text, whatever route it would have taken.
 *
 * @throws Problem `invalid` · `request.malformed`
 * @see https://www.rfc-editor.org/rfc/rfc3986#section-2.1
 */
function checkTarget(url: string): void {
  if (!suspect.test(url)) return
  try {
    decodeURIComponent(url)
  } catch (cause) {
    const text = 'The path or the query holds an encoding that means no text.'
    throw new Problem('invalid', 'request.malformed', text, { cause })
  }
  if (/[^\x21-\x7e]/.test(url))
    throw malformed('The path or the query holds a byte that must be percent-encoded there.')
}

/** Names and values in turn. More than a client has reason to send, and less than what a proxy might count otherwise. */
const mostHeaders = 200
const host = /^[\w.~!$&'()*+,;=:%[\]-]*$/

/**
 * Exactly one Host in HTTP/1.1, at most one in HTTP/1.0, and nothing in it that two readers would read in two ways.
 *
 * @throws Problem `invalid` · `request.malformed`; `too-large` · `request.headers-too-many`
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */
function checkHead({ rawHeaders, headers, httpVersion }: IncomingMessage, hosts: number): void {
  if (rawHeaders.length > 2 * mostHeaders)
    throw new Problem(
      'too-large',
      'request.headers-too-many',
      `A request may have at most ${mostHeaders} header lines.`,
    )
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1'))
    throw malformed('A request must have exactly one Host header.')
  if (!host.test(headers.host ?? '')) throw malformed('The Host header is not the name of a host.')
}

function hostsOf({ rawHeaders }: IncomingMessage): number {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') hosts++
  return hosts
}

/** @throws Problem where a request could be read in two ways, or means nothing */
function checkRequest(request: IncomingMessage, url: string, hosts = hostsOf(request)): void {
  checkHead(request, hosts)
  checkTarget(url)
}

/** What is wrong with a request whose connection is to become something else than HTTP, before anybody looks at who sends it. */
export function checkUpgrade(request: IncomingMessage): void {
  checkRequest(request, request.url ?? '')
}

/** Who answers what. */
export interface Doors {
  /** Whether a connection may have one more answer. */
  takes(request: IncomingMessage, response: ServerResponse): boolean
  /** Answers and says true where the server's health is asked for: before anything is looked at but the number of Hosts. */
  health(url: string, request: IncomingMessage, response: ServerResponse): boolean
  /** @throws Problem when nobody can be served: who may see what is not known */
  checkTrusted(): void
  readonly fhir: Handler
  readonly beside: Handler
  /** Tells what was wrong with a request that goes no further. */
  refuse(problem: Problem, request: IncomingMessage, response: ServerResponse): void
}

/**
 * FHIR requests go straight to their function; Express, which costs as much as a decryption, routes the rest. Each request has
 * a budget of its own, from here to its answer.
 */
export function frontDoor({ takes, health, checkTrusted, fhir, beside, refuse }: Doors): Handler {
  return (request, response) => {
    if (!takes(request, response)) return
    const url = originForm(request.url ?? '/')
    request.url = url
    const hosts = hostsOf(request)
    if (hosts < 2 && health(url, request, response)) return
    try {
      checkRequest(request, url, hosts)
      checkTrusted()
    } catch (error) {
      refuse(error as Problem, request, response)
      return
    }
    const answer = isFhir(url) ? fhir : beside
    withBudget(
      {},
      () => answer(request, response),
      () => response.writableEnded || !response.destroyed,
    )
  }
}
