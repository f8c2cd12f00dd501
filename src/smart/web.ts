/** A request as this room sees it; `http` makes it from whatever carried it. */
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

/** One row of what this room answers. OPTIONS rows are the CORS preflights of the rows beside them. */
export interface WebRoute {
  readonly method: 'GET' | 'POST' | 'OPTIONS'
  /** Exact path from the origin, e.g. `/auth/token`. */
  readonly path: string
  readonly summary: string
  handler(request: WebRequest): Promise<WebResponse>
}

/** Nothing this room says may be kept by a cache; `Pragma` because SMART's test kits look for it. */
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
    headers: { Location: location, 'Referrer-Policy': 'no-referrer', ...neverStore, ...headers },
  }
}
