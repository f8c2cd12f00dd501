import type { Steps } from '#kernel'
import type { Cell, Source } from '../extraction/cell.ts'
import { Dictionary } from './dictionary.ts'
import { type EntryKeys, EntryLookup } from './entry-lookup.ts'
import { GrowFloat64, GrowUint32 } from './growable.ts'

/** Values of a column as a segment hands them over: `counts` values for each row, one each when undefined. */
export interface Block {
  readonly rows: number
  readonly counts: Uint32Array | undefined
  /** Whether some row has more than one value. */
  readonly many: boolean
  readonly ids: Uint32Array | undefined
  readonly lows: Float64Array | undefined
  readonly highs: Float64Array | undefined
  readonly groups: Uint32Array | undefined
}

/**
 * The values of one source for all rows of a type. While every row has at most one value, the value of row r lies at r
 * (an empty place holds 0 or NaN); with the first row that has more, `starts` says where a row's values begin.
 */
export class Column {
  readonly source: Source
  /** Rows covered; rows beyond have no value. */
  rows = 0
  starts: GrowUint32 | undefined
  readonly dictionary: Dictionary | undefined
  readonly ids: GrowUint32 | undefined
  readonly lows: GrowFloat64 | undefined
  /** The same array as `lows` until a value has two different ends. */
  highs: GrowFloat64 | undefined
  readonly groups: GrowUint32 | undefined
  #lookup: EntryLookup | undefined
  /** Whose texts these are. */
  readonly #whole: Column | undefined
  /** The numbers of texts that were given them before: a text keeps its number. */
  readonly #prepared = new WeakMap<Cell, Uint32Array>()

  constructor(source: Source, whole?: Column) {
    this.source = source
    this.#whole = whole
    if (source.storage !== 'range') {
      this.dictionary = whole?.dictionary ?? new Dictionary()
      this.ids = new GrowUint32()
    }
    if (source.storage !== 'text') {
      this.lows = new GrowFloat64()
      this.highs = this.lows
    }
    if (source.grouped) {
      this.groups = new GrowUint32()
      this.starts = new GrowUint32()
      this.starts.push(0)
    }
  }

  get sizeBytes(): number {
    const { dictionary, ids, lows, highs, groups, starts } = this
    const arrays = [ids, lows, highs === lows ? undefined : highs, groups, starts]
    const held = arrays.reduce((sum, array) => sum + (array?.array.byteLength ?? 0), 0)
    return held + (dictionary?.sizeBytes ?? 0) + (this.#lookup?.sizeBytes ?? 0)
  }

  /** The way from a key to entries of the dictionary; always ask with the same function, that of the source's kind. */
  lookup(keysOf: EntryKeys): EntryLookup | undefined {
    if (this.#whole !== undefined) return this.#whole.lookup(keysOf)
    if (this.dictionary !== undefined) this.#lookup ??= new EntryLookup(this.dictionary, keysOf)
    return this.#lookup
  }

  /** Value places in use. */
  get places(): number {
    return (this.ids ?? this.lows)?.length ?? 0
  }

  startOf(row: number): number {
    return this.starts === undefined ? row : (this.starts.array[row] as number)
  }

  endOf(row: number): number {
    return this.starts === undefined ? row + 1 : (this.starts.array[row + 1] as number)
  }

  /** The dictionary entries of a row. */
  textsOf(row: number): readonly string[] {
    const { dictionary, ids } = this
    if (dictionary === undefined || ids === undefined || row >= this.rows) return []
    const texts: string[] = []
    for (let place = this.startOf(row); place < this.endOf(row); place++) {
      const id = ids.array[place] as number
      if (id !== 0) texts.push(dictionary.text(id))
    }
    return texts
  }

  /** Whether a place holds a value; only a row without one has an empty place. */
  isFilled(place: number): boolean {
    return this.ids !== undefined ? this.ids.array[place] !== 0 : !Number.isNaN(this.lows?.array[place])
  }

  /** The values of the rows from one on, with the same numbers of the same texts. */
  since(from: number): Column {
    const part = new Column(this.source, this)
    const first = from < this.rows ? this.startOf(from) : this.places
    part.rows = Math.max(0, this.rows - from)
    appendAll(part.ids, this.ids?.array.slice(first, this.places))
    if (this.highs !== this.lows) part.#splitHighs()
    appendAll(part.lows, this.lows?.array.slice(first, this.places))
    if (this.highs !== this.lows) appendAll(part.highs, this.highs?.array.slice(first, this.places))
    appendAll(part.groups, this.groups?.array.slice(first, this.places))
    if (this.starts === undefined) return part
    part.starts = new GrowUint32()
    for (let row = from; row <= this.rows; row++) part.starts.push(this.startOf(row) - first)
    return part
  }

  /** Gives the texts of a cell their numbers before it is appended, which takes longest. */
  *prepare(cell: Cell): Steps<void> {
    const { dictionary } = this
    if (dictionary === undefined) return
    const numbers = new Uint32Array(cell.texts.length)
    for (const [at, text] of cell.texts.entries()) {
      yield
      numbers[at] = dictionary.numberOf(text)
    }
    this.#prepared.set(cell, numbers)
  }

  /** Appends the values of row `row`; rows left out before it have none. */
  append(row: number, cell: Cell): void {
    this.padTo(row)
    if (cell.count > 1) this.#allowMany()
    this.#appendTexts(cell)
    this.#appendRanges(cell)
    if (this.groups !== undefined) for (let i = 0; i < cell.count; i++) this.groups.push(cell.groups[i] ?? 0)
    this.rows = row + 1
    this.starts?.push(this.places)
  }

  #appendTexts(cell: Cell): void {
    const { ids, dictionary } = this
    if (ids === undefined || dictionary === undefined) return
    const numbers = this.#prepared.get(cell)
    this.#prepared.delete(cell)
    if (numbers !== undefined) appendAll(ids, numbers)
    else for (const text of cell.texts) ids.push(dictionary.numberOf(text))
  }

  #appendRanges({ lows, highs }: Cell): void {
    if (this.lows !== undefined)
      for (let i = 0; i < lows.length; i++) this.#pushRange(lows[i] as number, highs[i] as number)
  }

  #pushRange(low: number, high: number): void {
    if (low !== high) this.#splitHighs()
    this.lows?.push(low)
    if (this.highs !== this.lows) this.highs?.push(high)
  }

  #splitHighs(): void {
    if (this.highs !== this.lows || this.lows === undefined) return
    this.highs = new GrowFloat64()
    this.highs.reserve(this.lows.length)
    this.highs.array.set(this.lows.array.subarray(0, this.lows.length))
    this.highs.length = this.lows.length
  }

  /** Leaves rows up to `row` (exclusive) without values. */
  padTo(row: number): void {
    if (row <= this.rows) return
    this.rows = row
    if (this.starts !== undefined) this.starts.fillTo(row + 1, this.places)
    else {
      this.ids?.fillTo(row, 0)
      this.lows?.fillTo(row, Number.NaN)
      if (this.highs !== this.lows) this.highs?.fillTo(row, Number.NaN)
    }
  }

  /** From one place per row to any number of them: empty places are closed up. */
  #allowMany(): void {
    if (this.starts !== undefined) return
    const starts = new GrowUint32()
    starts.reserve(this.rows + 1)
    this.#renewArrays()
    let kept = 0
    for (let row = 0; row < this.rows; row++) {
      starts.push(kept)
      if (this.isFilled(row)) this.#move(row, kept++)
    }
    starts.push(kept)
    for (const array of [this.ids, this.lows, this.highs]) if (array !== undefined) array.length = kept
    this.starts = starts
  }

  /** A search that was interrupted may still look at the arrays as they were. */
  #renewArrays(): void {
    const { ids, lows, highs } = this
    if (ids !== undefined) ids.array = ids.array.slice()
    if (lows !== undefined) lows.array = lows.array.slice()
    if (highs !== undefined && highs !== lows) highs.array = highs.array.slice()
  }

  #move(from: number, to: number): void {
    for (const array of [this.ids, this.lows, this.highs]) {
      if (array !== undefined) array.array[to] = array.array[from] as number
    }
  }

  /** Appends the values of `block.rows` rows that follow the present ones. */
  appendBlock(firstRow: number, block: Block): void {
    this.padTo(firstRow)
    if (block.many) this.#allowMany()
    this.#appendValues(this.starts === undefined ? spread(block) : block)
    this.rows = firstRow + block.rows
    this.#appendStarts(block)
  }

  #appendStarts({ rows, counts }: Block): void {
    const { starts } = this
    if (starts === undefined) return
    starts.reserve(rows)
    let at = starts.array[starts.length - 1] as number
    for (let i = 0; i < rows; i++)
      starts.array[starts.length + i] = at += counts === undefined ? 1 : (counts[i] as number)
    starts.length += rows
  }

  #appendValues({ ids, lows, highs, groups }: Block): void {
    if (ids !== undefined) appendAll(this.ids, ids)
    if (highs !== lows) this.#splitHighs()
    if (this.highs !== this.lows) appendAll(this.highs, highs ?? lows)
    if (lows !== undefined) appendAll(this.lows, lows)
    if (groups !== undefined) appendAll(this.groups, groups)
  }
}

/** One place for each row, an empty one where the row has no value. */
function spread(block: Block): Block {
  const { rows, counts, ids, lows, highs } = block
  if (counts === undefined) return block
  const spreadLows = lows === undefined ? undefined : spreadOver(counts, lows, new Float64Array(rows).fill(Number.NaN))
  return {
    ...block,
    ids: ids === undefined ? undefined : spreadOver(counts, ids, new Uint32Array(rows)),
    lows: spreadLows,
    highs:
      highs === lows || highs === undefined
        ? spreadLows
        : spreadOver(counts, highs, new Float64Array(rows).fill(Number.NaN)),
  }
}

function spreadOver<A extends Uint32Array | Float64Array>(counts: Uint32Array, values: A, places: A): A {
  let next = 0
  for (let row = 0; row < counts.length; row++) if (counts[row] !== 0) places[row] = values[next++] as number
  return places
}

function appendAll<A extends Uint32Array | Float64Array>(
  target: { array: A; length: number; reserve(more: number): void } | undefined,
  values: A | undefined,
): void {
  if (target === undefined || values === undefined) return
  target.reserve(values.length)
  target.array.set(values as never, target.length)
  target.length += values.length
}
