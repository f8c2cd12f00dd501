import type { Steps } from '#kernel'
import { neverThere } from './columns/type-table.ts'
import type { PopulationIndex } from './population-index.ts'

/** Rows that are looked at in one go. */
const rowsAtATime = 16_384

/** What was written, by its arrival, and when, Unix milliseconds. */
export interface Written {
  readonly arrival: number
  readonly atMs: number
}

/** Which versions and deletions are wanted. */
export interface WrittenQuery {
  /** Of versions those of this type alone. Deletions are told of whatever type. */
  readonly type: string | undefined
  /** Both inclusive. */
  readonly fromMs: number
  readonly untilMs: number
  /** So many of the newest, and whatever was written at the same moment as the last of them. */
  readonly count: number
}

/** What was written last in many compartments, each version and deletion once, in no order. */
export function* newestWritten(index: PopulationIndex, asked: WrittenQuery): Steps<readonly Written[]> {
  const { untilMs, count } = asked
  const newest = new Newest(count)
  yield* everyMoment(index, asked, atMs => newest.offer(atMs))
  const fromMs = Math.max(asked.fromMs, newest.least())
  const found = new Map<number, Written>()
  yield* everyMoment(index, { ...asked, fromMs, untilMs }, (atMs, arrival) => found.set(arrival, { arrival, atMs }))
  return [...found.values()]
}

/** A deletion has no row; what replaces a row has one, and comes twice. */
function* everyMoment(
  index: PopulationIndex,
  { type, fromMs, untilMs }: WrittenQuery,
  use: (atMs: number, arrival: number) => void,
): Steps<void> {
  for (const [name, { seqs, updated, deadAt, count }] of index.tables) {
    if (type !== undefined && name !== type) continue
    for (let row = count - 1; row >= 0; row--) {
      const atMs = updated.array[row] as number
      if (atMs >= fromMs && atMs <= untilMs && deadAt.array[row] !== neverThere) use(atMs, seqs.array[row] as number)
      if (row % rowsAtATime === 0) yield
    }
  }
  let looked = 0
  for (const { arrival, atMs } of index.replacements()) {
    if (atMs >= fromMs && atMs <= untilMs) use(atMs, arrival)
    if (++looked % rowsAtATime === 0) yield
  }
}

/** The latest of many moments. */
class Newest {
  readonly #count: number
  #kept: number[] = []
  #least = Number.NEGATIVE_INFINITY

  constructor(count: number) {
    this.#count = count
  }

  offer(atMs: number): void {
    if (atMs < this.#least) return
    this.#kept.push(atMs)
    if (this.#kept.length >= 4 * this.#count) this.#cut()
  }

  /** The last of them. */
  least(): number {
    this.#cut()
    return this.#least
  }

  #cut(): void {
    this.#kept = this.#kept.sort((a, b) => b - a).slice(0, this.#count)
    if (this.#kept.length === this.#count) this.#least = this.#kept.at(-1) ?? this.#least
  }
}
