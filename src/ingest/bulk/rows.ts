import type { Reason } from '../outcome.ts'
import { reasonTexts } from '../reasons.ts'

/** What became of a row. `known`: it says what is there already; `passed`: of a type that is not taken in. */
export type RowFate = 'taken' | 'known' | 'passed' | 'waiting' | 'refused'

const fates: readonly (RowFate | undefined)[] = [undefined, 'taken', 'known', 'passed', 'waiting', 'refused']

/** Why a row is not in, at its place. Names elements, never values. */
export interface RowFault {
  /** Index of the file among the inputs. */
  readonly input: number
  readonly line: number
  readonly isWaiting: boolean
  readonly text: string
  readonly expression?: string
}

/** How many rows of a file came to what. */
export type RowCounts = Readonly<Record<RowFate, number>>

/** More are counted and not named. */
const mostFaults = 10_000

/** The rows of all files: where each stands, and what became of it. Held as numbers, since there may be millions. */
export class Rows {
  readonly #files: number[] = []
  readonly #lines: number[] = []
  readonly #froms: number[] = []
  readonly #untils: number[] = []
  readonly #fates: number[] = []
  readonly faults: RowFault[] = []
  /** Faults that are not named. */
  unnamed = 0
  settled = 0

  get count(): number {
    return this.#files.length
  }

  /** @returns its number among all rows */
  add(file: number, line: { readonly number: number; readonly from: number; readonly until: number }): number {
    this.#files.push(file)
    this.#lines.push(line.number)
    this.#froms.push(line.from)
    this.#untils.push(line.until)
    this.#fates.push(0)
    return this.#files.length - 1
  }

  rangeOf(row: number): { readonly file: number; readonly from: number; readonly until: number } {
    return { file: this.#files[row] ?? 0, from: this.#froms[row] ?? 0, until: this.#untils[row] ?? 0 }
  }

  isSettled(row: number): boolean {
    return (this.#fates[row] ?? 0) > 0
  }

  /** What goes with several people has the fate that it had with the first of them. */
  settle(row: number, fate: Exclude<RowFate, 'waiting' | 'refused'>): void {
    if (this.isSettled(row)) return
    this.#fates[row] = fates.indexOf(fate)
    this.settled += 1
  }

  refuse(row: number, reason: Reason, expression?: string): void {
    this.fault(row, reasonTexts[reason], expression)
  }

  fault(row: number, text: string, expression?: string, isWaiting = false): void {
    if (this.isSettled(row)) return
    this.#fates[row] = fates.indexOf(isWaiting ? 'waiting' : 'refused')
    this.settled += 1
    const where = { input: this.#files[row] ?? 0, line: this.#lines[row] ?? 0 }
    const fault = { ...where, isWaiting, text, ...(expression === undefined ? {} : { expression }) }
    if (this.faults.length < mostFaults) this.faults.push(fault)
    else this.unnamed += 1
  }

  /** Of each file, by its index. */
  counts(files: number): readonly RowCounts[] {
    const counts = Array.from({ length: files }, () => ({ taken: 0, known: 0, passed: 0, waiting: 0, refused: 0 }))
    for (const [row, fate] of this.#fates.entries()) {
      const of = counts[this.#files[row] ?? 0]
      const name = fates[fate]
      if (of !== undefined && name !== undefined) of[name] += 1
    }
    return counts
  }
}
