import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import { Problem } from '#kernel'

/** So many of something in so many seconds. */
export interface Limit {
  readonly points: number
  readonly seconds: number
}

/** What is counted: requests of a network, of a token, of a network without a valid token; and asking for what is not theirs. */
export type LimitName = 'network' | 'token' | 'strangers' | 'misses'

export type LimitTable = Readonly<Record<LimitName, Limit>>

/**
 * What is allowed when nothing else is configured. The first two lie above what two cores answer – who goes on is decided by
 * fair queues – and are there to be lowered; the others no app and no feed has reason to reach.
 */
export const limitTable: LimitTable = {
  network: { points: 500_000, seconds: 10 },
  token: { points: 500_000, seconds: 10 },
  strangers: { points: 600, seconds: 10 },
  misses: { points: 300, seconds: 10 },
}

/** What one network may miss is this many times what one token may. */
const tokensOfNetwork = 4
/** So many who are blocked are remembered at once; beyond that those whose time is over are forgotten. */
const mostBlocked = 10_000

/**
 * One kind of limit: who has reached it, and until when, in milliseconds of a clock that nobody sets: one that jumps back by hours
 * would block somebody for as long.
 */
class Counter {
  readonly #limiter: RateLimiterMemory | undefined
  readonly #longestMs: number
  readonly #blockedUntilMs = new Map<string, number>()

  constructor({ points, seconds }: Limit) {
    this.#longestMs = seconds * 1000
    // Names of keys are the caller's, so no prefix is put before each.
    if (Number.isFinite(points)) this.#limiter = new RateLimiterMemory({ points, duration: seconds, keyPrefix: '' })
  }

  /** The limiter answers in a promise; the one request that goes by meanwhile does no harm. */
  count(key: string): void {
    this.#limiter?.consume(key).catch(({ msBeforeNext }: RateLimiterRes) => {
      this.block(key, performance.now() + Math.min(msBeforeNext, this.#longestMs))
    })
  }

  /** Until when a key is blocked; undefined where it is not. */
  blockedUntil(key: string): number | undefined {
    if (this.#blockedUntilMs.size === 0) return undefined
    const untilMs = this.#blockedUntilMs.get(key)
    if (untilMs === undefined || untilMs > performance.now()) return untilMs
    this.#blockedUntilMs.delete(key)
    return undefined
  }

  block(key: string, untilMs: number): void {
    if (this.#blockedUntilMs.size >= mostBlocked) this.#forgetPast()
    this.#blockedUntilMs.set(key, untilMs)
  }

  #forgetPast(): void {
    for (const [key, untilMs] of this.#blockedUntilMs)
      if (untilMs <= performance.now()) this.#blockedUntilMs.delete(key)
  }
}

/**
 * How often somebody may ask. Counts are kept by `rate-limiter-flexible` in the memory of this process.
 *
 * All `check…` throw Problem `throttled` · `request.too-many` with the seconds to wait.
 */
export class Limits {
  readonly #network: Counter
  readonly #token: Counter
  readonly #strangers: Counter
  readonly #misses: Counter
  readonly #missesOfNetwork: Counter

  constructor(table: LimitTable = limitTable) {
    const { network, token, strangers, misses } = table
    this.#network = new Counter(network)
    this.#token = new Counter(token)
    this.#strangers = new Counter(strangers)
    this.#misses = new Counter(misses)
    this.#missesOfNetwork = new Counter({ ...misses, points: tokensOfNetwork * misses.points })
  }

  /** Counts a request, whoever sends it. */
  checkNetwork(network: string): void {
    check(this.#network, network)
    this.#network.count(network)
  }

  /** Counts a request that carries no proof of who sends it, or a wrong one. */
  checkStranger(network: string): void {
    check(this.#strangers, network)
    this.#strangers.count(network)
  }

  /** Counts such a request when it has been answered. */
  countStranger(network: string): void {
    this.#strangers.count(network)
  }

  /** Counts a request with a valid token. */
  checkToken(token: string): void {
    check(this.#token, token)
    check(this.#misses, token)
    this.#token.count(token)
  }

  /**
   * Somebody asked for what is not there or not theirs. A network from which many tokens do so has used up what each of them
   * may, but only of those that do.
   */
  countMiss(token: string, network: string): void {
    this.#misses.count(token)
    this.#missesOfNetwork.count(network)
    const untilMs = this.#missesOfNetwork.blockedUntil(network)
    if (untilMs !== undefined) this.#misses.block(token, untilMs)
  }
}

function check(counter: Counter, key: string): void {
  const untilMs = counter.blockedUntil(key)
  if (untilMs === undefined) return
  throw new Problem('throttled', 'request.too-many', 'This was asked too often. Please wait before the next request.', {
    retryAfterSeconds: Math.max(1, Math.ceil((untilMs - performance.now()) / 1000)),
  })
}
