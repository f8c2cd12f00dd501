import type { ClientRequest, IncomingMessage } from 'node:http'
import { Forbidden, openGuard } from '#web'
import { isEndpoint } from './endpoints.ts'

/** A file from a foreign address as it comes, or why not, in constant words. */
export type Fetched = { readonly bytes: AsyncIterable<Uint8Array> } | { readonly refusal: string }

/**
 * Fetches a file. What breaks off while it comes is thrown by `bytes`.
 *
 * @param headers  to be sent beside
 */
export type Fetch = (url: string, ended: AbortSignal, headers?: Readonly<Record<string, string>>) => Promise<Fetched>

/** Nothing may come for so long, before the answer begins and within it. */
const quietMs = 60_000

const texts = {
  forbidden: 'The address lies where this server may not fetch from.',
  unreachable: 'The address could not be reached.',
  late: `Nothing came from the address for ${quietMs / 1000} seconds.`,
} as const

/**
 * Fetches from where notifications may be sent to (`openGuard`), and from nowhere else. Redirects are not followed.
 *
 * @param networks  addresses and CIDRs that are allowed beside the open network, also by http
 */
export function openFetch(networks: readonly string[]): Fetch {
  const guarded = openGuard(networks)
  return async (text, signal, headers = {}) => {
    if (!isEndpoint(text, networks)) return { refusal: texts.forbidden }
    const sent = { accept: 'application/fhir+ndjson, */*;q=0.1', 'accept-encoding': 'identity', ...headers }
    const request = guarded(new URL(text), { method: 'GET', headers: sent, signal })
    return request === undefined ? { refusal: texts.forbidden } : answerTo(request)
  }
}

function answerTo(request: ClientRequest): Promise<Fetched> {
  return new Promise(resolve => {
    request.setTimeout(quietMs, () => request.destroy(new Late()))
    request.on('error', error => resolve({ refusal: reasonOf(error) }))
    request.on('response', response => {
      const { statusCode = 0 } = response
      if (statusCode === 200) return resolve({ bytes: bytesOf(response) })
      resolve({ refusal: `The address answered with status ${statusCode}.` })
      request.destroy()
    })
    request.end()
  })
}

class Late extends Error {}

function reasonOf(error: Error): string {
  if (error instanceof Forbidden) return texts.forbidden
  return error instanceof Late ? texts.late : texts.unreachable
}

/** Whoever stops reading closes the connection. */
async function* bytesOf(response: IncomingMessage): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of response) yield chunk as Buffer
}
