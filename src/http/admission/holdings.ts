import type { ServerResponse } from 'node:http'
import { Problem } from '#kernel'

const mebibyte = 1024 * 1024

/** How many bytes of bodies and answers are in memory at once. */
export interface HoldingLimits {
  readonly all: number
  readonly ofOne: number
  /** For which an answer is kept for who takes it slowly, in ms, when others need the room. */
  readonly keptMs: number
}

export const holdingLimits: HoldingLimits = { all: 112 * mebibyte, ofOne: 48 * mebibyte, keptMs: 5_000 }

/** What is shorter is not counted: as many as may be here at once do no harm. */
const shortBytes = 64 * 1024

interface Untaken {
  readonly caller: string
  readonly bytes: number
  readonly sinceMs: number
}

/**
 * Long bodies, from their first byte until their request is done, and long answers until they have been taken. A few kilobytes
 * of gzip are megabytes of JSON, and a question of one line has an answer of thirty.
 */
export class Holdings {
  readonly #limits: HoldingLimits
  readonly #ofCaller = new Map<string, number>()
  /** Answers on their way, the oldest first. */
  readonly #untaken = new Map<ServerResponse, Untaken>()
  #all = 0
  #answers = 0

  constructor(limits: HoldingLimits = holdingLimits) {
    this.#limits = limits
  }

  /** Bytes that are held. */
  get all(): number {
    return this.#all
  }

  /**
   * Counts more of a body.
   *
   * @throws Problem `busy` · `request.queue-full`
   */
  take(caller: string, bytes: number): void {
    const fits = () => this.#hasRoom(caller, bytes)
    if (!fits() && !this.#makeRoom(fits)) throw noRoom()
    this.#add(caller, bytes)
  }

  /** A body is not needed any more. */
  give(caller: string, bytes: number): void {
    this.#add(caller, -bytes)
  }

  /**
   * Whether something may begin whose answer will be kept, whatever its size: what has been written must be told.
   *
   * @throws Problem `busy` · `request.queue-full`
   */
  check(caller: string): void {
    if (this.#isLeftWith(caller) && !this.#makeRoom(() => !this.#isLeftWith(caller))) throw noRoom()
  }

  /** Counts an answer until it has been taken. */
  keep(caller: string, response: ServerResponse, bytes: number): void {
    if (bytes <= shortBytes) return
    this.#add(caller, bytes)
    this.#answers += bytes
    this.#untaken.set(response, { caller, bytes, sinceMs: performance.now() })
    response.once('close', () => this.#forget(response))
  }

  #isLeftWith(caller: string): boolean {
    const { all, ofOne } = this.#limits
    return this.#answers > 0.75 * all || (this.#ofCaller.get(caller) ?? 0) > ofOne
  }

  /**
   * As `keep`, of what may be asked again.
   *
   * @throws Problem `busy` · `request.queue-full`
   */
  keepIfRoom(caller: string, response: ServerResponse, bytes: number): void {
    const fits = () => bytes <= shortBytes || this.#hasRoom(caller, bytes)
    if (!fits() && !this.#makeRoom(fits)) throw noRoom()
    this.keep(caller, response, bytes)
  }

  /** What is larger than anybody's share goes on alone. */
  #hasRoom(caller: string, bytes: number): boolean {
    const own = this.#ofCaller.get(caller) ?? 0
    const { all, ofOne } = this.#limits
    return (own === 0 || own + bytes <= ofOne) && (this.#all === 0 || this.#all + bytes <= all)
  }

  /** Whoever has left an answer lying makes room, the oldest first; connections that are gone have nothing to take. */
  #makeRoom(isEnough: () => boolean): boolean {
    const keptSinceMs = performance.now() - this.#limits.keptMs
    for (const [response, untaken] of this.#untaken) {
      const isGone = response.req.socket.destroyed
      if (!isGone && untaken.sinceMs > keptSinceMs) continue
      this.#forget(response)
      if (!isGone) response.req.socket.destroy()
      if (isEnough()) return true
    }
    return false
  }

  #forget(response: ServerResponse): void {
    const untaken = this.#untaken.get(response)
    if (untaken === undefined) return
    this.#untaken.delete(response)
    this.#answers -= untaken.bytes
    this.give(untaken.caller, untaken.bytes)
  }

  #add(caller: string, bytes: number): void {
    this.#all += bytes
    const own = (this.#ofCaller.get(caller) ?? 0) + bytes
    if (own > 0) this.#ofCaller.set(caller, own)
    else this.#ofCaller.delete(caller)
  }
}

function noRoom(): Problem {
  const text =
    'The server holds as much of long requests and answers as it can at the moment. Please ask again a little later.'
  return new Problem('busy', 'request.queue-full', text, { retryAfterSeconds: 1 + Math.floor(Math.random() * 3) })
}

/** One request's body while it arrives; the first bytes of it are nobody's concern. */
export class HeldBody {
  readonly #holdings: Holdings
  readonly #caller: string
  #arrived = 0
  #held = 0

  constructor(holdings: Holdings, caller: string) {
    this.#holdings = holdings
    this.#caller = caller
  }

  /** @throws Problem `busy` · `request.queue-full` */
  grow(bytes: number): void {
    this.#arrived += bytes
    const more = this.#arrived - shortBytes - this.#held
    if (more <= 0) return
    this.#holdings.take(this.#caller, more)
    this.#held += more
  }

  end(): void {
    if (this.#held > 0) this.#holdings.give(this.#caller, this.#held)
    this.#held = 0
  }
}
