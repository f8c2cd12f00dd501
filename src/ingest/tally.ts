import type { Outcome, Reason } from './outcome.ts'

/** How many different kinds of rows a report lists; a file of noise must not make a report of any length. */
const maxNames = 500

const otherName = 'other'

/** What became of the rows so far. */
export class Tally {
  rows = 0
  mapped = 0
  folded = 0
  created = 0
  updated = 0
  duplicate = 0
  readonly unmapped = new Map<string, number>()
  /** By row kind, reason and expression. */
  readonly rejected = new Map<string, RejectedCount>()
  readonly warnings = new Set<string>()

  /** Counts one row; what becomes of its resource is counted when it is committed. */
  count(outcome: Outcome): void {
    if (outcome.kind === 'warning') {
      this.warn(outcome.text)
      return
    }
    if (outcome.kind === 'unread') {
      this.warn(`${outcome.place}: unmapped`)
      return
    }
    if (outcome.kind === 'mapped' && outcome.warning !== undefined) this.warn(outcome.warning)
    const rows = 'rows' in outcome ? (outcome.rows ?? 1) : 1
    this.rows += rows
    if (outcome.kind === 'folded') this.folded += 1
    else if (outcome.kind === 'unmapped') this.countUnmapped(outcome.row)
    else if (outcome.kind === 'rejected') this.reject(outcome.row, outcome.reason, outcome.expression)
    else this.mapped += rows
  }

  countUnmapped(row: string, count = 1): void {
    const name = this.unmapped.has(row) || this.unmapped.size < maxNames ? row : otherName
    this.unmapped.set(name, (this.unmapped.get(name) ?? 0) + count)
  }

  reject(row: string, reason: Reason, expression?: string): void {
    const key = `${row} ${reason} ${expression ?? ''}`
    const known = this.rejected.get(key)
    if (known !== undefined) known.count += 1
    else if (row !== otherName && this.rejected.size >= maxNames) this.reject(otherName, reason)
    else this.rejected.set(key, { row, reason, expression, count: 1 })
  }

  warn(text: string): void {
    if (this.warnings.size < maxNames) this.warnings.add(text)
  }
}

export interface RejectedCount {
  readonly row: string
  readonly reason: Reason
  readonly expression: string | undefined
  count: number
}
