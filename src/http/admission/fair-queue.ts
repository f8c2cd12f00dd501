import type { LaneRow } from './lanes.ts'

/** Somebody who waits until work may begin. */
export interface Waiter {
  readonly units: number
  readonly sinceMs: number
  begin(): void
  refuse(): void
}

/** What one caller has going on, and who waits of theirs, the first first. */
interface Line {
  readonly caller: string
  running: number
  /** Units that it may still begin in this round. */
  credit: number
  readonly waiters: Waiter[]
}

/** Units that each caller may begin in a round. */
const quantum = 4

/**
 * Who goes on and who waits of one kind of work. Callers take turns by deficit round robin: each may begin as many units in
 * a round as every other, however many wait of theirs and however large they are.
 *
 * @see https://doi.org/10.1109/90.502236
 */
export class FairQueue {
  readonly row: LaneRow
  readonly #lines = new Map<string, Line>()
  /** Lines in which somebody waits, in the order of their turns. */
  readonly #turns: Line[] = []
  #running = 0
  #waiting = 0
  #standsSinceMs: number | undefined

  constructor(row: LaneRow) {
    this.row = row
  }

  get waiting(): number {
    return this.#waiting
  }

  get running(): number {
    return this.#running
  }

  /** Since when somebody has been waiting without a pause. */
  get standsSinceMs(): number | undefined {
    return this.#standsSinceMs
  }

  /** Since when the one has been waiting who has waited longest; `nowMs` where nobody waits. */
  oldestSinceMs(nowMs: number): number {
    let oldestMs = nowMs
    for (const { waiters } of this.#turns) oldestMs = Math.min(oldestMs, waiters[0]?.sinceMs ?? nowMs)
    return oldestMs
  }

  /** Whether work may begin at once, which is then counted as going on. */
  tryBegin(caller: string, units: number, atOnce: number): boolean {
    if (this.#waiting > 0 || !this.#fits(units, atOnce)) return false
    if (this.row.ofOne < this.row.atOnce) {
      if ((this.#lines.get(caller)?.running ?? 0) + units > this.row.ofOne) return false
      this.#lineOf(caller).running += units
    }
    this.#running += units
    return true
  }

  /** Whether one more of this caller may wait, when `limit` may in all: each has an equal share, who has none finds a place still. */
  hasRoom(caller: string, limit: number): boolean {
    const own = this.#lines.get(caller)?.waiters.length ?? 0
    const callers = this.#turns.length + (own === 0 ? 1 : 0)
    if (own === 0) return this.#waiting < 1.5 * limit
    return this.#waiting < limit && own < Math.ceil(limit / callers)
  }

  wait(caller: string, waiter: Waiter): void {
    const line = this.#lineOf(caller)
    if (line.waiters.push(waiter) === 1) this.#turns.push(line)
    this.#standsSinceMs ??= waiter.sinceMs
    this.#waiting++
  }

  /** Begins what has its turn; undefined when nobody waits, or nothing more may begin now. */
  next(atOnce: number): Waiter | undefined {
    for (let left = this.#turns.length * this.row.ofOne; left > 0 && this.#turns.length > 0; left--) {
      const line = this.#turns[0] as Line
      const waiter = line.waiters[0] as Waiter
      if (!this.#fits(waiter.units, atOnce)) return undefined
      const mayBegin = line.running + waiter.units <= this.row.ofOne
      if (mayBegin && line.credit >= waiter.units) return this.#begin(line, waiter)
      if (mayBegin) line.credit += quantum
      this.#turns.push(this.#turns.shift() as Line)
    }
    return undefined
  }

  /** Work has ended. */
  end(caller: string, units: number): void {
    this.#running -= units
    if (this.row.ofOne >= this.row.atOnce) return
    const line = this.#lineOf(caller)
    line.running -= units
    this.#forget(line)
  }

  /** Somebody does not wait any more. */
  leave(caller: string, waiter: Waiter): void {
    const line = this.#lines.get(caller)
    const at = line?.waiters.indexOf(waiter) ?? -1
    if (line === undefined || at === -1) return
    line.waiters.splice(at, 1)
    this.#left(line)
  }

  /** Takes out those who have waited since before an instant. */
  takeOverdue(beforeMs: number): Waiter[] {
    const overdue: Waiter[] = []
    for (const line of [...this.#turns])
      for (let first = line.waiters[0]; first !== undefined && first.sinceMs < beforeMs; first = line.waiters[0]) {
        overdue.push(first)
        line.waiters.shift()
        this.#left(line)
      }
    return overdue
  }

  #fits(units: number, atOnce: number): boolean {
    return this.#running === 0 || this.#running + units <= atOnce
  }

  #begin(line: Line, waiter: Waiter): Waiter {
    line.credit -= waiter.units
    line.waiters.shift()
    this.#running += waiter.units
    if (this.row.ofOne < this.row.atOnce) line.running += waiter.units
    this.#left(line)
    return waiter
  }

  /** One fewer waits in a line. */
  #left(line: Line): void {
    this.#waiting--
    if (this.#waiting === 0) this.#standsSinceMs = undefined
    if (line.waiters.length > 0) return
    line.credit = 0
    this.#turns.splice(this.#turns.indexOf(line), 1)
    this.#forget(line)
  }

  #lineOf(caller: string): Line {
    const known = this.#lines.get(caller)
    if (known !== undefined) return known
    const line: Line = { caller, running: 0, credit: 0, waiters: [] }
    this.#lines.set(caller, line)
    return line
  }

  #forget(line: Line): void {
    if (line.running === 0 && line.waiters.length === 0) this.#lines.delete(line.caller)
  }
}
