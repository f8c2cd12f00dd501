import { ownText } from '#kernel'
import type { Fate, Item } from './committing/items.ts'
import type { Outcome, Reason } from './outcome.ts'
import { reasonTexts } from './reasons.ts'

/** How many different kinds of rows a report lists; a file of noise must not make a report of any length. */
const maxNames = 500

const otherName = 'other'
const furtherWarnings = 'Further warnings are not listed.'

/** A tally as it is kept with a checkpoint. */
export interface Settled {
  readonly mapped: number
  readonly duplicate: number
  readonly folded: number
  readonly created: number
  readonly updated: number
  readonly unmapped: readonly (readonly [row: string, count: number])[]
  readonly rejected: readonly RejectedCount[]
  readonly warnings: readonly string[]
}

/**
 * What became of the rows so far. Each row is exactly one of mapped, duplicate, unmapped and rejected, so the four add
 * up to what was read. A row that became a resource is counted when that is committed.
 */
export class Tally {
  mapped = 0
  duplicate = 0
  /** Of the duplicates, those that say what another row of the same file says. */
  folded = 0
  /** Resources. */
  created = 0
  updated = 0
  readonly unmapped = new Map<string, number>()
  /** By row kind, reason and expression. */
  readonly rejected = new Map<string, RejectedCount>()
  readonly warnings = new Set<string>()

  /** Rows whose fate is known. */
  get rows(): number {
    const rejected = this.rejected.values().reduce((sum, { count }) => sum + count, 0)
    return this.mapped + this.duplicate + this.unmapped.values().reduce((sum, count) => sum + count, 0) + rejected
  }

  /** Counts a row that comes to nothing that could be committed. */
  count(outcome: Exclude<Outcome, Item>): void {
    if (outcome.kind === 'warning') this.warn(outcome.text)
    else if (outcome.kind === 'unread') this.warn(`${outcome.place}: unmapped`)
    else if (outcome.kind === 'unmapped') this.countUnmapped(outcome.row, outcome.rows)
    else if (outcome.kind === 'rejected') this.reject(outcome.row, outcome.reason, outcome.expression)
    else {
      this.folded += 1
      this.duplicate += 1
    }
  }

  /** Counts the rows of an item whose commit is decided. */
  settle(item: Item, fate: Fate): void {
    const rows = item.rows ?? 1
    if (fate === 'mapped') this.mapped += rows
    else if (fate === 'duplicate') this.duplicate += rows
    else if (rows > 0) this.reject(item.row, fate.reason, fate.expression, rows)
    else this.warn(`Of a row ${item.row} something was left out: ${fate.expression ?? reasonTexts[fate.reason]}`)
    if (item.kind === 'mapped' && item.warning !== undefined) this.warn(item.warning)
  }

  countUnmapped(row: string, count = 1): void {
    const name = this.unmapped.has(row) || this.unmapped.size < maxNames ? ownText(row) : otherName
    this.unmapped.set(name, (this.unmapped.get(name) ?? 0) + count)
  }

  reject(row: string, reason: Reason, expression?: string, count = 1): void {
    const key = `${row} ${reason} ${expression ?? ''}`
    const known = this.rejected.get(key)
    if (known !== undefined) known.count += count
    else if (row !== otherName && this.rejected.size >= maxNames) this.reject(otherName, reason, undefined, count)
    else this.rejected.set(key, { row: ownText(row), reason, expression: expression && ownText(expression), count })
  }

  warn(text: string): void {
    this.warnings.add(this.warnings.has(text) || this.warnings.size < maxNames ? ownText(text) : furtherWarnings)
  }

  /** Adds what another tally has counted. */
  add(other: Settled | Tally): void {
    for (const name of counted) this[name] += other[name]
    for (const [row, count] of other.unmapped) this.countUnmapped(row, count)
    const rejected = other instanceof Tally ? other.rejected.values() : other.rejected
    for (const { row, reason, expression, count } of rejected) this.reject(row, reason, expression, count)
    for (const text of other.warnings) this.warn(text)
  }

  settled(): Settled {
    const { mapped, duplicate, folded, created, updated } = this
    const lists = { unmapped: [...this.unmapped], rejected: [...this.rejected.values()], warnings: [...this.warnings] }
    return { mapped, duplicate, folded, created, updated, ...lists }
  }
}

const counted = ['mapped', 'duplicate', 'folded', 'created', 'updated'] as const

export interface RejectedCount {
  readonly row: string
  readonly reason: Reason
  readonly expression: string | undefined
  count: number
}
