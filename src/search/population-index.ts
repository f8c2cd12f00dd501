import { atOnce, randomId16 } from '#kernel'
import { GrowFloat64, GrowUint32 } from './columns/growable.ts'
import { packId } from './columns/ids.ts'
import { TypeTable } from './columns/type-table.ts'
import { rowsUnordered } from './compartment-index.ts'
import type { IndexRow } from './extraction/row.ts'
import type { Holder, RowIndex } from './row-index.ts'
import { decodeSegment } from './segments/decode.ts'

/** What a holder takes beside its rows, roughly: its place among the numbers, and what it is called. */
const holderBytes = 200

/** So many rows of holders that have left are not worth making the index anew. */
const fewGoneRows = 10_000

/**
 * What is searched when many are asked: the rows of all their compartments in the same tables.
 *
 * Rows arrive in runs: neighbouring seqs of one holder. A run is four numbers, so that a holder whose ledger arrives as one
 * segment costs those and no column beside each row.
 */
export class PopulationIndex implements RowIndex {
  readonly name = randomId16().toString('hex')
  readonly tables = new Map<string, TypeTable>()
  readonly holders: Holder[] = []
  departures = 0
  readonly #contained = new Map<string, TypeTable>()
  readonly #numbers = new Map<string, number>()
  /** By holder: the seq of its last version, and its last run plus one. */
  readonly #heads = new GrowUint32()
  readonly #lastRuns = new GrowUint32()
  /** By run: its first arrival, the seq of that, whose it is, and the run of the same holder before it plus one. */
  readonly #arrivals = new GrowUint32()
  readonly #seqs = new GrowUint32()
  readonly #whose = new GrowUint32()
  readonly #before = new GrowUint32()
  /** Arrivals that replaced or removed something, ascending, and when each was written. */
  readonly #replacing = new GrowUint32()
  readonly #replacingMs = new GrowFloat64()
  #head = 0
  #newestMs = 0
  #goneRows = 0
  #hasTimeless = false

  get head(): number {
    return this.#head
  }

  /** When the newest version that is here was written, Unix milliseconds. */
  get newestMs(): number {
    return this.#newestMs
  }

  /** Whether of some deletion it is not known when it was written: an earlier release did not say so. */
  get hasTimeless(): boolean {
    return this.#hasTimeless
  }

  /** Whether most of it is of holders that have left: their rows take room until the index is made anew. */
  get isWorn(): boolean {
    return this.#goneRows > fewGoneRows && this.#goneRows > this.#head / 2
  }

  /** About how much memory it takes. */
  get sizeBytes(): number {
    const runs = [this.#heads, this.#lastRuns, this.#arrivals, this.#seqs, this.#whose, this.#before, this.#replacing]
    let size = this.holders.length * holderBytes + this.#replacingMs.array.byteLength
    for (const { array } of runs) size += array.byteLength
    for (const tables of [this.tables, this.#contained]) for (const table of tables.values()) size += table.sizeBytes
    return size
  }

  /** Types of the resources that lie within others. */
  get containedTypes(): Iterable<string> {
    return this.#contained.keys()
  }

  /** The number of a holder, and under which arrival one of its seqs stands; undefined when it is not here. */
  arrivalIn(compartment: string, seq: number): { readonly holder: number; readonly arrival: number } | undefined {
    const holder = this.#numbers.get(compartment)
    return holder === undefined ? undefined : { holder, arrival: this.#arrivalOf(holder, seq) }
  }

  /** Seq of the last version of a compartment that is here; undefined when the compartment is not. */
  headOf(compartment: string): number | undefined {
    const number = this.#numbers.get(compartment)
    return number === undefined ? undefined : this.#heads.array[number]
  }

  /** Whose a compartment is that is here. */
  holderOf(compartment: string): Holder | undefined {
    const number = this.#numbers.get(compartment)
    return number === undefined ? undefined : this.holders[number]
  }

  holderAt(arrival: number): number {
    return this.#whose.array[this.#runAt(arrival)] as number
  }

  seqAt(arrival: number): number {
    const run = this.#runAt(arrival)
    return (this.#seqs.array[run] as number) + arrival - (this.#arrivals.array[run] as number)
  }

  writtenMs(arrival: number): number {
    const at = lastUntil(this.#replacing, arrival)
    return at >= 0 && this.#replacing.array[at] === arrival ? (this.#replacingMs.array[at] as number) : 0
  }

  /** What replaced or removed rows of holders who have not left, with when it was written. */
  *replacements(): Generator<{ readonly arrival: number; readonly atMs: number }, void, void> {
    for (let at = this.#replacing.length - 1; at >= 0; at--) {
      const arrival = this.#replacing.array[at] as number
      const number = this.holderAt(arrival)
      if (this.#numbers.get((this.holders[number] as Holder).compartment) === number)
        yield { arrival, atMs: this.#replacingMs.array[at] as number }
    }
  }

  stretches(table: TypeTable, from: number, to: number, use: (holder: number, from: number, to: number) => void): void {
    const seqs = table.seqs.array
    const arrivals = this.#arrivals.array
    const runs = this.#arrivals.length
    let run = from < to ? this.#runAt(seqs[from] as number) : 0
    for (let row = from; row < to; run++) {
      const next = run + 1 < runs ? (arrivals[run + 1] as number) : Number.POSITIVE_INFINITY
      const first = row
      while (row < to && (seqs[row] as number) < next) row++
      if (row > first) use(this.#whose.array[run] as number, first, row)
    }
  }

  /** Makes a holder known that has no rows yet. */
  admit(holder: Holder): void {
    this.#numberOf(holder)
  }

  /**
   * Applies the rows of a segment that begins behind the holder's head. A segment that is refused takes its holder with it.
   *
   * @throws Problem `fault` · `search.segment-outdated`, `search.segment-malformed`, `search.rows-unordered`
   */
  addSegment(holder: Holder, bytes: Uint8Array): void {
    const number = this.#numberOf(holder)
    const known = this.#heads.array[number] as number
    const shift = this.#head - known
    const replacing: { readonly by: number; readonly atMs: number }[] = []
    try {
      const decoding = decodeSegment(bytes, {
        begin: lastSeq => this.#arrive(number, lastSeq - known),
        tableOf: type => this.#table(type, this.tables),
        containedOf: type => this.#table(type, this.#contained),
        wrote: atMs => this.#wrote(atMs),
        arrivalOf: seq => (seq > known ? seq + shift : this.#arrivalOf(number, seq)),
        replace: (table, superseded, by, atMs) => {
          table.supersede(superseded, by)
          replacing.push({ by, atMs })
        },
      })
      atOnce(decoding)
      // A segment names them type by type.
      for (const { by, atMs } of replacing.sort((a, b) => a.by - b.by)) this.#noteReplacing(by, atMs)
    } catch (error) {
      this.drop(holder.compartment)
      throw error
    }
  }

  /**
   * Applies one version: the one that follows the holder's head.
   *
   * @throws Problem `fault` · `search.rows-unordered`
   */
  addRow(holder: Holder, row: IndexRow): void {
    const number = this.#numberOf(holder)
    if (row.seq !== (this.#heads.array[number] as number) + 1) throw rowsUnordered()
    const { supersedes = 0 } = row
    const superseded = supersedes > 0 ? this.#arrivalOf(number, supersedes) : 0
    this.#arrive(number, 1)
    this.#wrote(row.lastUpdatedMs)
    const table = this.#table(row.type, this.tables)
    if (superseded > 0) {
      table.supersede(superseded, this.#head)
      this.#noteReplacing(this.#head, row.lastUpdatedMs)
    }
    if (!row.deleted) table.append(this.#head, row.lastUpdatedMs, packId(row.id), row.cells)
    for (const { type, fragment, cells } of row.contained ?? [])
      this.#table(type, this.#contained).append(this.#head, Number.NaN, packId(fragment), cells)
  }

  /** Takes a holder's rows away, from what they were at any moment too. */
  drop(compartment: string): void {
    const number = this.#numbers.get(compartment)
    if (number === undefined) return
    this.#numbers.delete(compartment)
    this.departures++
    for (let run = this.#lastRuns.array[number] as number; run !== 0; run = this.#before.array[run - 1] as number)
      this.#dropRun(run - 1)
  }

  #dropRun(run: number): void {
    const first = this.#arrivals.array[run] as number
    const next = run + 1 < this.#arrivals.length ? (this.#arrivals.array[run + 1] as number) : this.#head + 1
    for (const table of this.tables.values()) this.#goneRows += table.forget(first, next - 1)
  }

  #numberOf(holder: Holder): number {
    const known = this.#numbers.get(holder.compartment)
    if (known !== undefined) return known
    const number = this.holders.length
    this.holders.push(holder)
    this.#numbers.set(holder.compartment, number)
    this.#heads.push(0)
    this.#lastRuns.push(0)
    return number
  }

  /** So many more versions of a holder. */
  #arrive(number: number, count: number): void {
    if (count <= 0) throw rowsUnordered()
    const isNext = this.#whose.length > 0 && this.#whose.array[this.#whose.length - 1] === number
    if (!isNext) {
      this.#arrivals.push(this.#head + 1)
      this.#seqs.push((this.#heads.array[number] as number) + 1)
      this.#whose.push(number)
      this.#before.push(this.#lastRuns.array[number] as number)
      this.#lastRuns.array[number] = this.#arrivals.length
    }
    this.#heads.array[number] = (this.#heads.array[number] as number) + count
    this.#head += count
  }

  #wrote(atMs: number): void {
    if (atMs > this.#newestMs) this.#newestMs = atMs
  }

  #runAt(arrival: number): number {
    return lastUntil(this.#arrivals, arrival)
  }

  /** Under which arrival a seq of a holder stands; 0 when it is not here. */
  #arrivalOf(number: number, seq: number): number {
    let run = this.#lastRuns.array[number] as number
    while (run !== 0 && (this.#seqs.array[run - 1] as number) > seq) run = this.#before.array[run - 1] as number
    return run === 0 ? 0 : (this.#arrivals.array[run - 1] as number) + seq - (this.#seqs.array[run - 1] as number)
  }

  #noteReplacing(by: number, atMs: number): void {
    this.#hasTimeless ||= atMs === 0
    this.#replacing.push(by)
    this.#replacingMs.push(atMs)
  }

  #table(type: string, tables: Map<string, TypeTable>): TypeTable {
    const table = tables.get(type) ?? new TypeTable(type, this.#contained)
    tables.set(type, table)
    return table
  }
}

/** Where the last number that is at most `value` stands in an ascending list; -1 when none is. */
function lastUntil({ array, length }: GrowUint32, value: number): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((array[middle] as number) <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}
