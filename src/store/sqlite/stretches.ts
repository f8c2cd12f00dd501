import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CompartmentId, Entry, Segment, Stretch } from '../contract.ts'
import type { Compartments } from './compartments.ts'
import type { Ledger } from './ledger.ts'
import type { Segments } from './segments.ts'
import type { Transactions } from './transactions.ts'

/** What is read in one go, about a millisecond of it: so many bytes or compartments, and so many entries of one compartment. */
const atOnce = { bytes: 1024 * 1024, compartments: 128, entries: 128 }

/** A compartment, and the seq from which on it is still to be read. */
interface Left {
  readonly compartment: CompartmentId
  readonly number: number
  fromSeq: number
}

interface StretchParts {
  readonly transactions: Transactions
  readonly compartments: Compartments
  readonly ledger: Ledger
  readonly segments: Segments
}

const bytesOf = (kept: readonly (Segment | Entry)[]): number => kept.reduce((sum, { sealed }) => sum + sealed.length, 0)

/** Reads many compartments in the order of their numbers, in which their rows lie one behind the other in the file. */
export class Stretches {
  readonly #parts: StretchParts

  constructor(parts: StretchParts) {
    this.#parts = parts
  }

  async *of(compartments: readonly CompartmentId[]): AsyncGenerator<readonly Stretch[], void, void> {
    const numbered: Left[] = []
    const named = [...new Set(compartments)]
    for (let at = 0; at < named.length; at += atOnce.compartments) {
      const page = named.slice(at, at + atOnce.compartments)
      const { found, empty } = this.#parts.transactions.read(() => this.#numbered(page))
      numbered.push(...found)
      if (empty.length > 0) yield empty
      await nextTurn()
    }
    yield* this.#pages(numbered.sort((a, b) => a.number - b.number))
  }

  #numbered(compartments: readonly CompartmentId[]): { found: readonly Left[]; empty: readonly Stretch[] } {
    const found: Left[] = []
    const empty: Stretch[] = []
    for (const compartment of compartments) {
      const number = this.#parts.compartments.number(compartment)
      if (number === undefined) empty.push({ compartment, segments: [], entries: [], last: true })
      else found.push({ compartment, number, fromSeq: 1 })
    }
    return { found, empty }
  }

  async *#pages(left: readonly Left[]): AsyncGenerator<readonly Stretch[], void, void> {
    for (let done = 0; done < left.length; ) {
      const page = this.#parts.transactions.read(() => this.#page(left, done))
      done += page.filter(({ last }) => last).length
      yield page
      await nextTurn()
    }
  }

  #page(left: readonly Left[], from: number): readonly Stretch[] {
    const page: Stretch[] = []
    let bytes = 0
    for (const one of left.slice(from, from + atOnce.compartments)) {
      const stretch = this.#stretch(one, atOnce.bytes - bytes)
      page.push(stretch)
      bytes += bytesOf(stretch.segments) + bytesOf(stretch.entries)
      if (!stretch.last || bytes >= atOnce.bytes) break
    }
    return page
  }

  /** What comes next of one compartment. Segments that were made longer since the last page no longer join up: entries do. */
  #stretch(left: Left, bytes: number): Stretch {
    const { compartment, number } = left
    const segments: Segment[] = []
    for (let room = bytes; room > 0; ) {
      const segment = this.#parts.segments.beginningAt(compartment, number, left.fromSeq)
      if (segment === undefined) break
      segments.push(segment)
      room -= segment.sealed.length
      left.fromSeq = segment.untilSeq + 1
      if (room <= 0) return { compartment, segments, entries: [], last: false }
    }
    const entries = this.#parts.ledger.entriesFrom(compartment, left.fromSeq, atOnce.entries)
    left.fromSeq = (entries.at(-1)?.seq ?? left.fromSeq - 1) + 1
    const last = entries.length === 0 || left.fromSeq > this.#parts.ledger.head(compartment)
    return { compartment, segments, entries, last }
  }
}
