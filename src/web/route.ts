/** A request as rooms see it; `http` makes it from whatever carried it. */
export interface WebRequest {
  readonly method: string
  /** Path without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** A header's value, whatever the case of `name`. */
  header(name: string): string | undefined
  body(): Promise<Buffer>
  /** The address that throttling counts by. */
  readonly remoteAddress: string
}

/** An answer; a header with several values (Set-Cookie) is a list. */
export interface WebResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer
}

/** Which pages of other origins may read an answer: none, those of registered apps, or any. */
export type Readers = 'nobody' | 'clients' | 'anybody'

/** What a caller must show: nothing, a person's session in a cookie, a client's proof of itself, or an access token. */
export type Access = 'nothing' | 'session' | 'client' | 'bearer'

/** The body of a POST: its media type, and the names of its fields, those that may be left out with a question mark. */
export interface Form {
  readonly type: 'application/x-www-form-urlencoded' | 'application/json'
  readonly fields: readonly string[]
}

/** One row of what a room answers. Preflights are the carrier's to answer, from `readers`. */
export interface WebRoute {
  readonly method: 'GET' | 'POST'
  /** Path from the origin; `:name` stands for one segment, e.g. `/share/:id`. */
  readonly path: string
  readonly summary: string
  readonly readers: Readers
  readonly access: Access
  /** Names of query parameters, those that may be left out with a question mark. */
  readonly query?: readonly string[]
  readonly form?: Form
  /** Media type of the answer when all goes well; absent where that is a redirect. */
  readonly answers?:
    | 'text/html'
    | 'text/javascript'
    | 'application/json'
    | 'application/jose'
    | 'application/x-x509-ca-cert'
  handler(request: WebRequest): Promise<WebResponse>
}

/** Nothing that is said here may be kept by a cache; `Pragma` because SMART's test kits look for it. */
export const neverStore = { 'Cache-Control': 'no-store', Pragma: 'no-cache' } as const

/** A JSON answer that no cache keeps. */
export function jsonResponse(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string | string[]>> = {},
): WebResponse {
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
      ...neverStore,
      ...headers,
    },
    body: JSON.stringify(value),
  }
}

/** As pages have it: a window that was opened by our own page must stay related to it on the way through redirects too. */
const redirecting = { 'Referrer-Policy': 'no-referrer', 'Cross-Origin-Opener-Policy': 'same-origin' } as const

/**
 * A redirect after which the browser asks with GET, so that no form body travels on.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-4.12
 */
export function redirectResponse(
  location: string,
  headers: Readonly<Record<string, string | string[]>> = {},
): WebResponse {
  return {
    status: 303,
    headers: { Location: location, ...redirecting, ...neverStore, ...headers },
  }
}
