import { type Steps, spend } from '#kernel'

/** Rows that are looked at in one go where each takes a few nanoseconds. */
const manyRows = 65_536

/** Calls `each` for one stretch of rows after the other, each short enough for one go. */
export function* pieces(count: number, each: (from: number, to: number) => void, rows = manyRows): Steps<void> {
  for (let from = 0; from < count; from += rows) {
    if (from > 0) yield
    each(from, Math.min(from + rows, count))
  }
}

/** What comparing a text takes, in values compared: decoding and folding it. */
const textWork = { each: 40, character: 1 }

/** After how much of it others are let in; about 0.2 ms. */
const goWork = 20_000

/** Charges the comparing of texts, and says when to give way: `if (pace.read(text)) yield`. */
export class Pace {
  #sum = 0

  /** @throws Problem `too-costly` · `budget.work-exceeded` */
  read(characters: number, times = 1): boolean {
    this.#sum += (textWork.each + characters * textWork.character) * times
    if (this.#sum < goWork) return false
    this.end()
    return true
  }

  /** Charges what was not charged yet. */
  end(): void {
    spend('work', this.#sum)
    this.#sum = 0
  }
}

/** How many rows are in. */
export function countOf(rows: Uint8Array): number {
  let count = 0
  for (let row = 0; row < rows.length; row++) count += rows[row] as number
  return count
}
