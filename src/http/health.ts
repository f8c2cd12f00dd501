import type { IncomingMessage, ServerResponse } from 'node:http'

/** Whether requests are taken, in one word: `ready`, `closing`, `unready`; `reason` says what is at fault. */
export interface Readiness {
  readonly ready: boolean
  readonly status: string
  readonly reason?: string
}

/** Where the server's health is told. */
export const healthPaths = ['/healthz', '/readyz'] as const

/**
 * Answers `/healthz` and `/readyz` by itself: no route, no token, no queue and no limit stands before them, so that whoever
 * watches the server hears of it also when it has more to do than it can.
 */
export function healthDesk(
  headers: Readonly<Record<string, string>>,
  readiness: () => Readiness,
): (url: string, request: IncomingMessage, response: ServerResponse) => boolean {
  const head = { ...headers, 'content-type': 'application/json; charset=utf-8' }
  const answers: Readonly<Record<string, () => Readiness>> = {
    '/healthz': () => ({ ready: true, status: 'ok' }),
    '/readyz': readiness,
  }
  return (url, request, response) => {
    if (!url.startsWith('/healthz') && !url.startsWith('/readyz')) return false
    if (request.method !== 'GET' && request.method !== 'HEAD') return false
    const found = answers[url.split('?', 1)[0] ?? '']
    if (found === undefined) return false
    const { ready, ...said } = found()
    const body = JSON.stringify(said)
    response.writeHead(ready ? 200 : 503, { ...head, 'content-length': String(Buffer.byteLength(body)) })
    response.end(request.method === 'HEAD' ? undefined : body)
    return true
  }
}
