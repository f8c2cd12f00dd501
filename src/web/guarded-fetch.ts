import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { collect } from '#kernel'
import { Forbidden, openGuard } from './guard.ts'

/** What of the web's `fetch` can be asked for. */
export interface FetchInit {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | URLSearchParams | Uint8Array
  readonly signal?: AbortSignal
}

/** The web's `fetch` for small answers, which come whole. It rejects where the answer cannot be had. */
export type GuardedFetch = (url: string, init?: FetchInit) => Promise<Response>

const mostBytes = 64 * 1024
const timeoutMs = 5_000

/** Statuses with which a Response takes no body: https://fetch.spec.whatwg.org/#null-body-status */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Fetches under the guard: the open network by https alone, and what was allowed beside. Redirects are answers like others and not followed;
 * the answer is whole within the time and the bytes, or there is none.
 *
 * @param networks  addresses and CIDRs that are allowed beside the open network, also by http
 */
export function openGuardedFetch(
  networks: readonly string[],
  limits: { readonly timeoutMs?: number; readonly mostBytes?: number } = {},
): GuardedFetch {
  const guarded = openGuard(networks)
  const { timeoutMs: patienceMs, mostBytes: most } = { timeoutMs, mostBytes, ...limits }
  return async (text, init = {}) => {
    const url = URL.parse(text)
    if (url === null || !/^https?:$/.test(url.protocol)) throw new Forbidden()
    const patience = AbortSignal.timeout(patienceMs)
    const signal = init.signal === undefined ? patience : AbortSignal.any([init.signal, patience])
    const sent = { ...init.headers, ...typeOf(init.body), 'accept-encoding': 'identity' }
    const request = guarded(url, { method: init.method ?? 'GET', headers: sent, signal })
    if (request === undefined) throw new Forbidden()
    const response = await answerTo(request, init.body)
    try {
      return await whole(response, most)
    } finally {
      request.destroy()
    }
  }
}

/** As `fetch` has it for a form. */
function typeOf(body: FetchInit['body']): Readonly<Record<string, string>> {
  return body instanceof URLSearchParams ? { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' } : {}
}

function answerTo(request: ClientRequest, body: FetchInit['body']): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Also of what comes after the answer: whoever reads that is told by its stream.
    request.on('error', reject)
    request.on('response', resolve)
    request.end(body instanceof URLSearchParams ? body.toString() : body)
  })
}

async function whole(response: IncomingMessage, most: number): Promise<Response> {
  const status = response.statusCode ?? 0
  const bytes = await collect(response, most)
  return new Response(bodiless.has(status) ? null : new Uint8Array(bytes), {
    status,
    headers: toHeaders(response.headers),
  })
}

function toHeaders(received: IncomingHttpHeaders): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(received))
    for (const each of [value ?? []].flat()) headers.append(name, each)
  return headers
}
