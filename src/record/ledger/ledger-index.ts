import { parseResource } from '#fhir'
import { isProblem, type Log, Problem } from '#kernel'
import { CompartmentIndex, encodeSegment, extractRow, type Holder, type IndexRow } from '#search'
import type { Entry, Segment, Store } from '#store'
import type { CompartmentKeys } from '#vault'
import { decodePayload, type Payload } from './payload.ts'
import { Tail } from './tail.ts'

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
  #sealing = false
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
      await this.#join()
    }
  }

  /**
   * Joins the segments with the rows that none of them holds. Another process may have sealed segments of what is in our
   * tail, or dropped those that our tail begins behind. What changes while we wait makes us look again.
   */
  async #join(): Promise<void> {
    const { holder, store, durableHead } = this.#ledger
    const segments = (await store.segments(holder.compartment)).filter(({ untilSeq }) => untilSeq <= durableHead())
    if (this.#index !== undefined) return
    const sealedUntil = segments.at(-1)?.untilSeq ?? 0
    this.#tail.dropUntil(sealedUntil)
    if (sealedUntil !== this.#tail.from - 1) return this.#takeBack(sealedUntil + 1)
    this.#index = this.#build(segments)
    if (this.#index === undefined) await this.#renew(segments)
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
      const sound = entries.map((entry, at) => (entry.seq === next + at ? soundPayload(keys, entry) : undefined))
      this.#damaged ||= entries.length === 0 || sound.includes(undefined)
      if (this.#damaged) return undefined
      for (const [at, entry] of entries.entries()) rows.push(rowOf(entry, sound[at] as Payload))
    }
    return rows
  }

  /** Undefined when a segment is of another release, whose rows came out differently. */
  #build(segments: readonly Segment[]): CompartmentIndex | undefined {
    const index = new CompartmentIndex(this.#ledger.holder)
    if (segments.some(({ fromSeq }, at) => fromSeq !== (segments[at - 1]?.untilSeq ?? 0) + 1)) throw ledgerDamaged()
    try {
      for (const segment of segments) index.addSegment(this.#ledger.keys.openSegment(segment))
    } catch (error) {
      if (isProblem(error) && error.code === 'search.segment-outdated') return undefined
      throw error
    }
    for (const row of this.#tail.rows) index.addRow(row)
    return index
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

  /** Seals what fills whole segments; resolves when they are kept. */
  async seal(): Promise<void> {
    if (this.#sealing || this.#damaged) return
    this.#sealing = true
    try {
      for (let full = this.#fullUntil(); full !== undefined; full = this.#fullUntil()) await this.#sealUntil(full)
    } catch (error) {
      const errorName = error instanceof Error ? error.name : 'unknown'
      this.#ledger.log.warn('an index segment was not written; it will be tried again', { room: 'record', errorName })
    } finally {
      this.#sealing = false
    }
  }

  /** The end of the next segment that can be sealed: a full one of durable rows. */
  #fullUntil(): number | undefined {
    const { fullUntil } = this.#tail
    const { alive, durableHead } = this.#ledger
    return alive() && fullUntil !== undefined && fullUntil <= durableHead() ? fullUntil : undefined
  }

  async #sealUntil(untilSeq: number): Promise<void> {
    const { holder, keys, store } = this.#ledger
    const at = { fromSeq: this.#tail.from, untilSeq }
    const sealed = keys.sealSegment(encodeSegment(this.#tail.rows.filter(({ seq }) => seq <= untilSeq)), at)
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
  { json, lastUpdatedMs, deleted, supersedes, copies }: Payload,
): IndexRow {
  return extractRow(parseResource(json), {
    seq,
    version,
    lastUpdatedMs,
    supersedes: supersedes || undefined,
    deleted,
    shared: copies.length > 0,
  })
}

const ledgerDamaged = (): Problem =>
  new Problem(
    'fault',
    'record.ledger-damaged',
    'Stored data are damaged, so a search might miss something; verify names the place. Reading goes on.',
  )
