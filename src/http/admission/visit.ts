import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Admission, Place } from './admission.ts'
import { type Lane, unitsOf } from './lanes.ts'

/** Whether a body comes with a request. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

/**
 * One request on its way through admission. What comes with a body is read before it waits for its turn, so that nobody
 * keeps a place by sending slowly; whether it has a chance at all is asked before that.
 */
export class Visit {
  readonly #admission: Admission
  readonly #lane: Lane
  readonly #caller: string
  readonly #response: ServerResponse
  #place: Place | undefined

  constructor(admission: Admission, lane: Lane, caller: string, response: ServerResponse) {
    this.#admission = admission
    this.#lane = lane
    this.#caller = caller
    this.#response = response
  }

  /**
   * Undefined where the request may go on, else a promise of that.
   *
   * @throws Problem `busy` · `request.queue-full`, in the promise
   */
  arrive(request: IncomingMessage, nowMs: number): Promise<void> | undefined {
    const reads = request.method === 'GET' || request.method === 'HEAD' || !hasBody(request)
    return reads ? this.begin(0, nowMs) : this.#admission.check(this.#lane, this.#caller, nowMs)
  }

  /** As `arrive`, with the body at hand. */
  begin(bodyBytes: number, nowMs: number): Promise<void> | undefined {
    if (this.#place !== undefined) return undefined
    const units = unitsOf(bodyBytes, this.#admission.row(this.#lane))
    const place = { lane: this.#lane, caller: this.#caller, units }
    const pause = this.#admission.enter(place, nowMs, this.#untilGone)
    if (pause !== undefined) return this.#beginAfter(pause, place)
    this.#place = place
    return undefined
  }

  /** The place is free for others. */
  end(): void {
    const place = this.#place
    this.#place = undefined
    if (place !== undefined) this.#admission.leave(place)
  }

  async #beginAfter(pause: Promise<void>, place: Place): Promise<void> {
    await pause
    this.#place = place
  }

  readonly #untilGone = (): AbortSignal => {
    const gone = new AbortController()
    this.#response.once('close', () => gone.abort())
    return gone.signal
  }
}
