import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import { Problem } from '#kernel'

/** So many of something in so many seconds. */
export interface Limit {
  readonly points: number
  readonly seconds: number
}

/** What one process has counted of something since it told the others last. */
export interface CountSheet {
  /** What is counted. */
  readonly counter: string
  readonly limit: Limit
  /** How often, by key. */
  readonly counted: ReadonlyMap<string, number>
}

/** Counts of several processes that serve one house, added up. */
export interface SharedCounts {
  /**
   * @param block  told when all processes together have counted more of a key than is allowed, and for how long it is to be refused
   * @returns counts so many of a key, one unless told
   */
  counter(name: string, limit: Limit, block: (key: string, forMs: number) => void): (key: string, many?: number) => void
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
  readonly #blockedUntilMs = new Map<string, number>()
  /** What is reached is told a moment later; the few requests that go by meanwhile do no harm. */
  readonly count: (key: string, many?: number) => void

  constructor(name: string, limit: Limit, counts: SharedCounts) {
    const block = (key: string, forMs: number) => this.block(key, performance.now() + forMs)
    this.count = Number.isFinite(limit.points) ? counts.counter(name, limit, block) : () => undefined
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

/** Counts of this process alone, kept by `rate-limiter-flexible` in its memory. */
const ownCounts: SharedCounts = {
  counter(_name, { points, seconds }, block) {
    // Names of keys are the caller's, so no prefix is put before each.
    const limiter = new RateLimiterMemory({ points, duration: seconds, keyPrefix: '' })
    return (key, many = 1) => {
      limiter
        .consume(key, many)
        .catch(({ msBeforeNext }: RateLimiterRes) => block(key, Math.min(msBeforeNext, seconds * 1000)))
    }
  },
}

/**
 * How often somebody may ask, of one process or of several together.
 *
 * All `check…` throw Problem `throttled` · `request.too-many` with the seconds to wait.
 */
export class Limits {
  readonly #network: Counter
  readonly #token: Counter
  readonly #strangers: Counter
  readonly #misses: Counter
  readonly #missesOfNetwork: Counter

  constructor(table: LimitTable = limitTable, counts: SharedCounts = ownCounts) {
    const { network, token, strangers, misses } = table
    this.#network = new Counter('network', network, counts)
    this.#token = new Counter('token', token, counts)
    this.#strangers = new Counter('strangers', strangers, counts)
    this.#misses = new Counter('misses', misses, counts)
    const ofNetwork = { ...misses, points: tokensOfNetwork * misses.points }
    this.#missesOfNetwork = new Counter('misses of a network', ofNetwork, counts)
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

  /** Counts such a request when it has been answered, or that it costs as much as so many. */
  countStranger(network: string, many = 1): void {
    this.#strangers.count(network, many)
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
