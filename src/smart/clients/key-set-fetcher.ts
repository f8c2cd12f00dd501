import type { JSONWebKeySet } from 'jose'
import { type Clock, collect } from '#kernel'
import { parseKeySet } from './key-sets.ts'
import { isKeySetUrl } from './urls.ts'

/** The part of the web's `fetch` that fetching keys needs; injected, so that a house can do without. */
export type Fetch = (
  url: string,
  init: {
    readonly redirect: 'error'
    readonly signal: AbortSignal
    readonly headers: Readonly<Record<string, string>>
  },
) => Promise<{
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: AsyncIterable<Uint8Array> | null
}>

/** The key set at a client's registered URL; undefined when it cannot be had. `fresh` asks past the cache. */
export type KeySetFetcher = (url: string, fresh?: boolean) => Promise<JSONWebKeySet | undefined>

const maxBytes = 64 * 1024
const timeoutMs = 5_000
const defaultLifeMs = 5 * 60_000
const maxLifeMs = 60 * 60_000
/** An assertion with an unknown `kid` may ask past the cache only this often, else strangers could make us fetch. */
const minRefetchMs = 30_000
const maxCached = 200

function lifeMs(cacheControl: string | null): number {
  const text = cacheControl?.toLowerCase() ?? ''
  if (/\b(no-store|no-cache)\b/.test(text)) return 0
  const maxAge = /\bmax-age=(\d{1,9})\b/.exec(text)?.[1]
  return maxAge === undefined ? defaultLifeMs : Math.min(Number(maxAge) * 1000, maxLifeMs)
}

/**
 * Fetches key sets with care: public https or loopback only, no redirects, 5 s, 64 KiB, and kept no longer than the
 * answer's Cache-Control allows. One address is asked once at a time.
 *
 * @see https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html#signature-verification
 */
export function openKeySetFetcher({ fetch, clock }: { fetch: Fetch; clock: Clock }): KeySetFetcher {
  const cache = new Map<string, { readonly keys: JSONWebKeySet; readonly atMs: number; readonly untilMs: number }>()

  const underWay = new Map<string, Promise<JSONWebKeySet | undefined>>()

  async function load(url: string): Promise<JSONWebKeySet | undefined> {
    const answer = await fetch(url, {
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: { Accept: 'application/json' },
    })
    if (answer.status !== 200 || answer.body === null) return undefined
    const keys = parseKeySet(JSON.parse((await collect(answer.body, maxBytes)).toString('utf8')))
    if (keys === undefined) return undefined
    const atMs = clock.nowMs()
    if (cache.size >= maxCached) cache.clear()
    cache.set(url, { keys, atMs, untilMs: atMs + lifeMs(answer.headers.get('cache-control')) })
    return keys
  }

  return async (url, fresh = false) => {
    if (!isKeySetUrl(url)) return undefined
    const kept = cache.get(url)
    const nowMs = clock.nowMs()
    if (kept !== undefined && nowMs < kept.untilMs && !(fresh && nowMs - kept.atMs > minRefetchMs)) return kept.keys
    const asked = underWay.get(url)
    if (asked !== undefined) return asked
    // Whatever a foreign server does (refuses, times out, sends rubbish), the client is simply not authenticated.
    const loading = load(url)
      .catch(() => undefined)
      .finally(() => underWay.delete(url))
    underWay.set(url, loading)
    return loading
  }
}
