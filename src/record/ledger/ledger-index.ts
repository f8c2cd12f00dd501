import { parseResource } from '#fhir'
import { giveWay, inSlices, isProblem, type Log, Problem, type Steps, withBudget } from '#kernel'
import { CompartmentIndex, encodeSegmentInSteps, extractRow, type Holder, type IndexRow } from '#search'
import type { Entry, Segment, Store } from '#store'
import { type CompartmentKeys, isSealFault } from '#vault'
import type { KeptSegments } from './kept-segments.ts'
import { decodePayload, type Payload } from './payload.ts'
import { rowsOfSegment, Tail } from './tail.ts'

/** Rows that are taken into an index in one go; about a millisecond. */
const rowsAtATime = 128

/** A row of more values is taken into an index bit by bit. */
const manyValues = 1_000

function hasMany({ cells, contained = [] }: IndexRow): boolean {
  return [cells, ...contained.map(within => within.cells)].some(each => each.some(({ count }) => count > manyValues))
}

/** Entries that are fetched at once. */
export const readAhead = 1024

/**
 * Rows that no segment holds are sealed when they are at least so many, and at least half as many as the segment that they make
 * longer holds already: so that what is written once more each time adds up to a small multiple of all rows.
 */
const fewRows = 4

/** After so many looks without anything new the rows that a segment holds are forgotten. */
const quietTimes = 12

/** What the index of a ledger asks of the ledger, and of what is around it. */
export interface IndexedLedger {
  readonly holder: Holder
  readonly keys: CompartmentKeys
  readonly store: Store
  readonly log: Log
  /** Where the segments are kept that were read as it was opened. */
  readonly kept: KeptSegments
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
  /** What a segment holds of the rows behind the last full one. */
  #partUntil = 0
  /** Where the rows ended when it was last looked whether there are more, and how often there were not. */
  #quiet = { until: 0, times: 0 }

  constructor(ledger: IndexedLedger) {
    this.#ledger = ledger
  }

  /** What the rows at hand and – once somebody has searched this compartment – the open index take in memory. */
  get sizeBytes(): number {
    return (this.#index?.sizeBytes ?? 0) + this.#tail.sizeBytes
  }

  /** Of these, what the rows at hand take. */
  get rowBytes(): number {
    return this.#tail.sizeBytes
  }

  /**
   * Begins behind these segments; an index that was open is opened anew when it is asked for.
   *
   * @returns the seq up to which they go
   */
  startBehind(segments: readonly Segment[]): number {
    const { fromSeq, untilSeq } = segments.at(-1) ?? nothingSealed
    this.#index = undefined
    this.#tail.startAt(untilSeq + 1, untilSeq - fromSeq + 1 < rowsOfSegment ? fromSeq : untilSeq + 1)
    this.#partUntil = untilSeq
    this.#ledger.kept.keep(this, segments)
    return untilSeq
  }

  /** Passes over the rows up to a seq: they are made from the entries when they are needed. */
  skipTo(seq: number): void {
    this.#tail.startAt(seq + 1, this.#tail.start)
  }

  /** Rows behind the last segment, between two seqs, both included; undefined unless all of them are here, and sound. */
  rowsAtHand(fromSeq: number, untilSeq: number): readonly IndexRow[] | undefined {
    if (this.#damaged || this.#tail.from > fromSeq) return undefined
    const rows = this.#tail.between(fromSeq, untilSeq)
    return rows.length === untilSeq - fromSeq + 1 ? rows : undefined
  }

  add(row: IndexRow): void {
    this.#tail.push(row)
    this.#index?.addRow(row)
  }

  /** What may be done before a row of many values is added; also where it has no seq yet. */
  *prepare(row: IndexRow): Steps<void> {
    if (this.#index !== undefined) yield* this.#index.prepareRow(row)
  }

  /** Nobody will open it any more. */
  abandon(): void {
    this.#ledger.kept.take(this)
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
    const { holder, store, kept, durableHead } = this.#ledger
    const index = new CompartmentIndex(holder)
    while (this.#index === undefined && !this.#damaged) {
      const read = kept.take(this) ?? (await store.segments(holder.compartment))
      const segments = joined(read).filter(({ untilSeq }) => untilSeq <= durableHead())
      const last = segments.at(-1) ?? nothingSealed
      this.#adopt(last)
      if (last.untilSeq < this.#tail.from - 1) return this.#takeBack(last.untilSeq + 1)
      // What came from the tail and was sealed since, with more behind it, cannot be told from the rest: begin anew.
      if (segments.some(({ fromSeq, untilSeq }) => fromSeq <= index.head && index.head < untilSeq)) return
      if (!(await this.#addSegments(index, segments))) return this.#renew(segments)
      await this.#addTail(index)
    }
  }

  /** All segments but the last are full; of the last one only its rows tell. */
  #adopt({ fromSeq, untilSeq }: Pick<Segment, 'fromSeq' | 'untilSeq'>): void {
    this.#partUntil = untilSeq
    if (this.#tail.start !== untilSeq + 1 && this.#tail.start !== fromSeq) this.#tail.restartAt(fromSeq)
  }

  /**
   * Rows of the tail that the index does not have yet; when that is all of them, it is open. Others may seal or append rows
   * meanwhile, so that what is missing may have gone into segments.
   */
  async #addTail(index: CompartmentIndex): Promise<void> {
    while (index.head >= this.#tail.from - 1) {
      const { rows, from } = this.#tail
      for (let row = rows[index.head + 1 - from]; row !== undefined; row = rows[index.head + 1 - from]) {
        if (hasMany(row)) await inSlices(index.prepareRow(row))
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
    try {
      for (const segment of segments) {
        if (segment.fromSeq <= index.head) continue
        await inSlices(index.addSegmentInSteps(this.#ledger.keys.openSegment(segment)))
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
        sealed: keys.sealSegment(await inSlices(encodeSegmentInSteps(rows)), at),
      })
    }
  }

  /** Begins to seal what fills whole segments; nobody needs to wait for it. */
  sealSoon(): void {
    if (!this.#damaged && (this.#tail.fullUntil !== undefined || this.#tail.lacksRows)) void this.#seal('full')
  }

  /** Seals what there is; resolves when it is kept. */
  seal(): Promise<void> {
    return this.#seal('all')
  }

  /**
   * To be called now and then: seals what there is when nothing was added since the last time, and forgets the rows when nothing
   * comes for long, or at once where their room is needed. Undefined when there is nothing to do, as mostly.
   *
   * @param room  whether there is room for rows that may be of use again
   */
  settle(room: 'enough' | 'short' = 'enough'): Promise<void> | undefined {
    const { until } = this.#tail
    const isQuiet = until === this.#quiet.until
    this.#quiet = { until, times: isQuiet ? this.#quiet.times + 1 : 0 }
    if (!isQuiet) return undefined
    const isLeft = room === 'short' || this.#quiet.times > quietTimes
    if (isLeft) this.#forgetRows()
    if (!this.#isWorthSealing()) return undefined
    return isLeft ? this.#seal('all').then(() => this.#forgetRows()) : this.#seal('all')
  }

  /** Those that a segment holds, and those that are too few for one. */
  #forgetRows(): void {
    const until = this.#isWorthSealing() ? this.#partUntil : Math.min(this.#tail.until, this.#ledger.durableHead())
    if (until >= this.#tail.from) this.#tail.forgetUntil(until)
  }

  #isWorthSealing(): boolean {
    const until = Math.min(this.#tail.until, this.#ledger.durableHead())
    const start = this.#tail.start
    const more = until - Math.max(this.#partUntil, start - 1)
    return !this.#damaged && more >= fewRows && more >= (this.#partUntil - start + 1) / 2
  }

  /** Those who ask meanwhile wait for the same sealing. */
  async #seal(what: 'full' | 'all'): Promise<void> {
    const running = this.#sealing
    this.#sealing ??= withBudget('unbounded', () => this.#sealAll(what)).finally(() => {
      this.#sealing = undefined
    })
    await this.#sealing
    if (running !== undefined && what === 'all') await this.#seal(what)
  }

  async #sealAll(what: 'full' | 'all'): Promise<void> {
    try {
      if (this.#tail.lacksRows || (what === 'all' && this.#isWorthSealing())) await this.#takeBackFromStart()
      for (let full = this.#fullUntil(); full !== undefined; full = this.#fullUntil()) await this.#sealUntil(full)
      if (what === 'all') await this.#sealRest()
    } catch (error) {
      const errorName = error instanceof Error ? error.name : 'unknown'
      this.#ledger.log.warn('an index segment was not written; it will be tried again', { room: 'record', errorName })
    }
  }

  async #takeBackFromStart(): Promise<void> {
    if (this.#tail.start < this.#tail.from) await this.#takeBack(this.#tail.start)
  }

  /** The end of the next segment that can be sealed: a full one of durable rows. */
  #fullUntil(): number | undefined {
    const { fullUntil } = this.#tail
    const { alive, durableHead } = this.#ledger
    return alive() && !this.#damaged && fullUntil !== undefined && fullUntil <= durableHead() ? fullUntil : undefined
  }

  async #sealUntil(untilSeq: number): Promise<void> {
    await this.#put(untilSeq)
    this.#tail.dropUntil(untilSeq)
  }

  /** What does not fill a segment: the rows stay at hand, for a longer one takes its place. */
  async #sealRest(): Promise<void> {
    const { alive, durableHead } = this.#ledger
    const { start, from, until } = this.#tail
    if (!alive() || start !== from || !this.#isWorthSealing()) return
    const untilSeq = Math.min(until, durableHead())
    await this.#put(untilSeq)
    this.#partUntil = Math.max(this.#partUntil, untilSeq)
  }

  async #put(untilSeq: number): Promise<void> {
    const { holder, keys, store, kept } = this.#ledger
    const at = { fromSeq: this.#tail.start, untilSeq }
    const rows = this.#tail.rows.filter(({ seq }) => seq <= untilSeq)
    const sealed = keys.sealSegment(await inSlices(encodeSegmentInSteps(rows)), at)
    kept.take(this)
    await store.putSegment({ compartment: holder.compartment, ...at, sealed })
  }
}

/** Segments as far as they join up: somebody may have dropped those before the ones that are there. */
function joined(segments: readonly Segment[]): readonly Segment[] {
  const gap = segments.findIndex(({ fromSeq }, at) => fromSeq !== (segments[at - 1]?.untilSeq ?? 0) + 1)
  return gap < 0 ? segments : segments.slice(0, gap)
}

const nothingSealed = { fromSeq: 1, untilSeq: 0 }

/** What an entry says; undefined when it is not what was written. */
export function soundPayload(keys: CompartmentKeys, entry: Entry): Payload | undefined {
  try {
    return decodePayload(keys.openEntry(entry))
  } catch (error) {
    if (isSealFault(error)) return undefined
    throw error
  }
}

/** The index row of an entry that was written before. */
export function rowOf(
  { seq, version }: Entry,
  { json, lastUpdatedMs, deleted, supersedes, copies, creator, named }: Payload,
): IndexRow {
  return extractRow(parseResource(json), {
    seq,
    version,
    lastUpdatedMs,
    supersedes: supersedes || undefined,
    deleted,
    shared: copies.length > 0,
    creator,
    named,
  })
}

export const ledgerDamaged = (): Problem =>
  new Problem(
    'fault',
    'record.ledger-damaged',
    'Stored data are damaged, so a search might miss something; verify names the place. Reading goes on.',
  )
