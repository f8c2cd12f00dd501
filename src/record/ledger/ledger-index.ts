import { parseResource } from '#fhir'
import { giveWay, isProblem, type Log, Problem, withBudget } from '#kernel'
import { CompartmentIndex, encodeSegment, extractRow, type Holder, type IndexRow } from '#search'
import type { Entry, Segment, Store } from '#store'
import type { CompartmentKeys } from '#vault'
import { decodePayload, type Payload } from './payload.ts'
import { Tail } from './tail.ts'

/** Rows that are taken into an index in one go; about a millisecond. */
const rowsAtATime = 128

/** Entries that are fetched at once. */
export const readAhead = 1024

/** What the index of a ledger asks of the ledger, and of what is around it. */
export interface IndexedLedger {
  readonly holder: Holder
  readonly keys: CompartmentKeys
  readonly store: Store
  readonly log: Log
  /** Rows up to here may be sealed, and shown. */
  durableHead(): number
  /** False when the ledger was thrown away: then nothing of it is sealed any more. */
  alive(): boolean
}

/**
 * The index rows of one ledger: those behind its last segment, and – when somebody searched it – all of them. Segments are
 * derived: losing one costs only time.
 */
export class LedgerIndex {
  readonly #ledger: IndexedLedger
  readonly #tail = new Tail()
  #index: CompartmentIndex | undefined
  #opening: Promise<void> | undefined
  #sealing: Promise<void> | undefined
  /** An entry is missing or cannot be opened, so no index of this ledger would be complete. */
  #damaged = false

  constructor(ledger: IndexedLedger) {
    this.#ledger = ledger
  }

  /** What the open index takes in memory; 0 while nobody has searched this compartment. */
  get sizeBytes(): number {
    return this.#index?.sizeBytes ?? 0
  }

  /** Begins behind the segments that end before this seq; an index that was open is opened anew when it is asked for. */
  startAt(seq: number): void {
    this.#index = undefined
    this.#tail.startAt(seq)
  }

  /** Rows behind the last segment, between two seqs, both included; undefined unless all of them are here, and sound. */
  rowsAtHand(fromSeq: number, untilSeq: number): readonly IndexRow[] | undefined {
    if (this.#damaged || this.#tail.from > fromSeq) return undefined
    const rows = this.#tail.rows.filter(({ seq }) => seq >= fromSeq && seq <= untilSeq)
    return rows.length === untilSeq - fromSeq + 1 ? rows : undefined
  }

  add(row: IndexRow): void {
    this.#tail.push(row)
    this.#index?.addRow(row)
  }

  markDamaged(): void {
    this.#damaged = true
  }

  /**
   * The index, opened on first use and then kept up by every row.
   *
   * @throws Problem `fault` · `record.ledger-damaged`
   */
  async open(): Promise<CompartmentIndex> {
    for (;;) {
      if (this.#damaged) throw ledgerDamaged()
      if (this.#index !== undefined) return this.#index
      // Those who ask meanwhile wait for the same opening, so that it is on nobody's budget.
      this.#opening ??= withBudget('unbounded', () => this.#join()).finally(() => {
        this.#opening = undefined
      })
      await this.#opening
    }
  }

  /**
   * Joins the segments with the rows that none of them holds. Another process may have sealed segments of what is in our
   * tail, or dropped those that our tail begins behind. What changes while we wait makes us look again.
   */
  async #join(): Promise<void> {
    const { holder, store, durableHead } = this.#ledger
    const index = new CompartmentIndex(holder)
    while (this.#index === undefined && !this.#damaged) {
      const segments = (await store.segments(holder.compartment)).filter(({ untilSeq }) => untilSeq <= durableHead())
      const sealedUntil = segments.at(-1)?.untilSeq ?? 0
      this.#tail.dropUntil(sealedUntil)
      if (sealedUntil !== this.#tail.from - 1) return this.#takeBack(sealedUntil + 1)
      // What came from the tail and was sealed since, with more behind it, cannot be told from the rest: begin anew.
      if (segments.some(({ fromSeq, untilSeq }) => fromSeq <= index.head && index.head < untilSeq)) return
      if (!(await this.#addSegments(index, segments))) return this.#renew(segments)
      await this.#addTail(index)
    }
  }

  /**
   * Rows of the tail that the index does not have yet; when that is all of them, it is open. Others may seal or append rows
   * meanwhile, so that what is missing may have gone into segments.
   */
  async #addTail(index: CompartmentIndex): Promise<void> {
    while (index.head >= this.#tail.from - 1) {
      const { rows, from } = this.#tail
      for (let row = rows[index.head + 1 - from]; row !== undefined; row = rows[index.head + 1 - from]) {
        index.addRow(row)
        const pause = index.head % rowsAtATime === 0 ? giveWay() : undefined
        if (pause !== undefined) await pause
      }
      if (rows !== this.#tail.rows) continue
      this.#index = index
      return
    }
  }

  /** Rows that no segment holds any more are made again from the entries. */
  async #takeBack(fromSeq: number): Promise<void> {
    const untilSeq = this.#tail.from
    const rows = await this.#rowsBetween(fromSeq, untilSeq)
    if (rows !== undefined && this.#tail.from === untilSeq) this.#tail.prepend(rows, fromSeq)
  }

  /** The rows of the entries from one seq up to another; undefined when an entry is damaged. */
  async #rowsBetween(fromSeq: number, untilSeq: number): Promise<readonly IndexRow[] | undefined> {
    const { holder, keys, store } = this.#ledger
    const rows: IndexRow[] = []
    while (fromSeq + rows.length < untilSeq) {
      const next = fromSeq + rows.length
      const entries = await store.entriesFrom(holder.compartment, next, Math.min(readAhead, untilSeq - next))
      this.#damaged ||= entries.length === 0
      for (const [at, entry] of entries.entries()) {
        const payload = entry.seq === next + at ? soundPayload(keys, entry) : undefined
        this.#damaged ||= payload === undefined
        if (payload !== undefined) rows.push(rowOf(entry, payload))
        const pause = giveWay()
        if (pause !== undefined) await pause
      }
      if (this.#damaged) return undefined
    }
    return rows
  }

  /** Of the segments those that the index does not have yet; false when one is of another release, whose rows came out differently. */
  async #addSegments(index: CompartmentIndex, segments: readonly Segment[]): Promise<boolean> {
    if (segments.some(({ fromSeq }, at) => fromSeq !== (segments[at - 1]?.untilSeq ?? 0) + 1)) throw ledgerDamaged()
    try {
      for (const segment of segments) {
        if (segment.fromSeq <= index.head) continue
        index.addSegment(this.#ledger.keys.openSegment(segment))
        const pause = giveWay()
        if (pause !== undefined) await pause
      }
      return true
    } catch (error) {
      if (isProblem(error) && error.code === 'search.segment-outdated') return false
      throw error
    }
  }

  /** Makes segments anew, one after the other, so that only the rows of one are in memory. */
  async #renew(segments: readonly Segment[]): Promise<void> {
    const { holder, keys, store, log } = this.#ledger
    log.info('index segments of another release are made anew', { room: 'record' })
    for (const { fromSeq, untilSeq } of segments) {
      const rows = await this.#rowsBetween(fromSeq, untilSeq + 1)
      if (rows === undefined) return
      const at = { fromSeq, untilSeq }
      await store.putSegment({
        compartment: holder.compartment,
        ...at,
        sealed: keys.sealSegment(encodeSegment(rows), at),
      })
    }
  }

  /** Begins to seal what fills whole segments; nobody needs to wait for it. */
  sealSoon(): void {
    if (this.#tail.fullUntil !== undefined) void this.seal()
  }

  /** Seals what fills whole segments; resolves when they are kept. Those who ask meanwhile wait for the same sealing. */
  seal(): Promise<void> {
    this.#sealing ??= withBudget('unbounded', () => this.#sealAll()).finally(() => {
      this.#sealing = undefined
    })
    return this.#sealing
  }

  async #sealAll(): Promise<void> {
    try {
      for (let full = this.#fullUntil(); full !== undefined; full = this.#fullUntil()) await this.#sealUntil(full)
    } catch (error) {
      const errorName = error instanceof Error ? error.name : 'unknown'
      this.#ledger.log.warn('an index segment was not written; it will be tried again', { room: 'record', errorName })
    }
  }

  /** The end of the next segment that can be sealed: a full one of durable rows. */
  #fullUntil(): number | undefined {
    const { fullUntil } = this.#tail
    const { alive, durableHead } = this.#ledger
    return alive() && !this.#damaged && fullUntil !== undefined && fullUntil <= durableHead() ? fullUntil : undefined
  }

  async #sealUntil(untilSeq: number): Promise<void> {
    const { holder, keys, store } = this.#ledger
    const at = { fromSeq: this.#tail.from, untilSeq }
    const rows = this.#tail.rows.filter(({ seq }) => seq <= untilSeq)
    const sealed = keys.sealSegment(encodeSegment(rows), at)
    await store.putSegment({ compartment: holder.compartment, ...at, sealed })
    this.#tail.dropUntil(untilSeq)
  }
}

/** What an entry says; undefined when it is not what was written. */
export function soundPayload(keys: CompartmentKeys, entry: Entry): Payload | undefined {
  try {
    return decodePayload(keys.openEntry(entry))
  } catch (error) {
    if (isProblem(error) && error.code === 'vault.seal-broken') return undefined
    throw error
  }
}

/** The index row of an entry that was written before. */
export function rowOf(
  { seq, version }: Entry,
  { json, lastUpdatedMs, deleted, supersedes, copies, creator }: Payload,
): IndexRow {
  return extractRow(parseResource(json), {
    seq,
    version,
    lastUpdatedMs,
    supersedes: supersedes || undefined,
    deleted,
    shared: copies.length > 0,
    creator,
  })
}

const ledgerDamaged = (): Problem =>
  new Problem(
    'fault',
    'record.ledger-damaged',
    'Stored data are damaged, so a search might miss something; verify names the place. Reading goes on.',
  )
