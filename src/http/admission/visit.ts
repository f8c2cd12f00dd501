import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Admission, Place } from './admission.ts'
import { HeldBody } from './holdings.ts'
import { type Lane, unitsOf } from './lanes.ts'

/** Aborted when the connection ends before the answer was sent; at once where it has ended already. */
export function leaving(response: ServerResponse): AbortSignal {
  if (response.closed && !response.writableFinished) return AbortSignal.abort()
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  return gone.signal
}

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
  #lane: Lane
  readonly #caller: string
  readonly #response: ServerResponse
  readonly #leastUnits: number
  /** What of its body is in memory. */
  readonly body: HeldBody
  #place: Place | undefined

  constructor(admission: Admission, lane: Lane, caller: string, response: ServerResponse, leastUnits = 1) {
    this.#leastUnits = leastUnits
    this.#admission = admission
    this.#lane = lane
    this.#caller = caller
    this.#response = response
    this.body = new HeldBody(admission.holdings, caller)
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
    this.#checkHoldings()
    const units = unitsOf(bodyBytes, this.#admission.row(this.#lane), this.#leastUnits)
    const place = { lane: this.#lane, caller: this.#caller, units }
    const pause = this.#admission.enter(place, nowMs, this.#untilGone)
    if (pause !== undefined) return this.#beginAfter(pause, place)
    this.#place = place
    return undefined
  }

  /**
   * An answer of so many bytes goes out. What only reads may be asked again; of all else it was asked before it was done.
   *
   * @throws Problem `busy` · `request.queue-full`
   */
  answer(bytes: number): void {
    const { holdings } = this.#admission
    if (this.#response.req.method === 'GET') holdings.keepIfRoom(this.#caller, this.#response, bytes)
    else holdings.keep(this.#caller, this.#response, bytes)
  }

  /** From here on it is work of another kind: what takes as long as whoever takes it wants keeps no place of what is short. */
  goOn(lane: Lane): Promise<void> | undefined {
    if (this.#lane === lane) return undefined
    const place = this.#place
    this.#place = undefined
    if (place !== undefined) this.#admission.leave(place)
    this.#lane = lane
    return this.begin(0, performance.now())
  }

  /** The place is free for others. */
  end(): void {
    this.body.end()
    const place = this.#place
    this.#place = undefined
    if (place !== undefined) this.#admission.leave(place)
  }

  async #beginAfter(pause: Promise<void>, place: Place): Promise<void> {
    await pause
    this.#place = place
    this.#checkHoldings()
  }

  /** What is written must be told, so there must be room for an answer before it begins. */
  #checkHoldings(): void {
    if (this.#response.req.method !== 'GET' && this.#lane !== 'pages') this.#admission.holdings.check(this.#caller)
  }

  readonly #untilGone = (): AbortSignal => leaving(this.#response)
}
