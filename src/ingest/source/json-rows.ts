import type { Token } from 'stream-json/core/parser.js'
import type { IngestLimits } from '../limits.ts'
import { jsonTokens, type Loose, tooDeep, tooLong, truncated } from './json-tokens.ts'

/** The names and numbers that lead to a value: `data`, `metrics`, 0, `name`. */
export type Path = readonly (string | number)[]

/** A value of a file, with the way to it. */
export interface JsonRow {
  readonly path: Path
  readonly value: Loose
}

interface Frame {
  /** The next place in a list, or the name of the member that comes. */
  at: string | number
  readonly isList: boolean
  /** What is put together, within a row. */
  readonly list?: Loose[]
  readonly object?: Record<string, Loose>
}

/**
 * The values of a JSON file that are rows, as they stream by: one of them is held at a time, and what is none is passed over.
 *
 * @param isRow    of a way to a value; asked of values that stand in no row
 * @param longest  characters of a row
 * @throws Problem `invalid` · `ingest.json-malformed`, `ingest.truncated`; `too-large` · `ingest.token-too-long`, `ingest.too-deep`
 */
export async function* readJsonRows(
  chunks: AsyncIterable<Uint8Array>,
  limits: IngestLimits,
  isRow: (path: Path) => boolean,
  longest: number,
): AsyncGenerator<readonly JsonRow[], void, void> {
  const gatherer = new RowGatherer(limits, isRow, longest)
  for await (const tokens of jsonTokens(chunks, limits)) {
    for (const token of tokens) gatherer.take(token)
    yield gatherer.rows()
  }
  if (!gatherer.ended) throw truncated()
}

class RowGatherer {
  readonly #limits: IngestLimits
  readonly #isRow: (path: Path) => boolean
  readonly #longest: number
  readonly #frames: Frame[] = []
  #rows: JsonRow[] = []
  /** How many frames stand around the row that is open. */
  #rowDepth: number | undefined
  #length = 0
  ended = false

  constructor(limits: IngestLimits, isRow: (path: Path) => boolean, longest: number) {
    this.#limits = limits
    this.#isRow = isRow
    this.#longest = longest
  }

  rows(): readonly JsonRow[] {
    const rows = this.#rows
    if (rows.length > 0) this.#rows = []
    return rows
  }

  take(token: Token): void {
    if (token.name === 'startObject') this.#open(false)
    else if (token.name === 'startArray') this.#open(true)
    else if (token.name === 'endObject' || token.name === 'endArray') this.#close()
    else if (token.name === 'keyValue') this.#key(token.value)
    else if ('value' in token) this.#scalar(token.value)
  }

  #path(): Path {
    return this.#frames.map(({ at }) => at)
  }

  #open(isList: boolean): void {
    if (this.#frames.length >= this.#limits.maxDepth) throw tooDeep(this.#limits)
    if (this.#rowDepth === undefined && this.#frames.length > 0 && this.#isRow(this.#path())) {
      this.#rowDepth = this.#frames.length
      this.#length = 0
    }
    const content = this.#rowDepth === undefined ? {} : isList ? { list: [] } : { object: Object.create(null) }
    this.#frames.push({ isList, at: isList ? 0 : '', ...content })
  }

  #key(key: string): void {
    const frame = this.#frames.at(-1)
    if (frame !== undefined) frame.at = key
    this.#count(key.length)
  }

  #scalar(value: string | boolean | null): void {
    this.#count(typeof value === 'string' ? value.length : 1)
    if (this.#rowDepth === undefined) {
      const path = this.#path()
      if (this.#isRow(path)) this.#rows.push({ path, value })
      this.#next()
    } else this.#put(value)
  }

  #close(): void {
    const frame = this.#frames.pop()
    if (frame === undefined) return
    if (this.#frames.length === 0) this.ended = true
    const value = frame.list ?? frame.object
    if (value === undefined) this.#next()
    else if (this.#frames.length === this.#rowDepth) {
      this.#rows.push({ path: this.#path(), value })
      this.#rowDepth = undefined
      this.#next()
    } else this.#put(value)
  }

  #put(value: Loose): void {
    const frame = this.#frames.at(-1)
    if (frame?.list !== undefined) frame.list.push(value)
    else if (frame?.object !== undefined) frame.object[String(frame.at)] = value
    this.#next()
  }

  #next(): void {
    const frame = this.#frames.at(-1)
    if (frame?.isList === true) frame.at = Number(frame.at) + 1
  }

  #count(length: number): void {
    if (this.#rowDepth === undefined) return
    this.#length += length + 4
    if (this.#length > this.#longest) throw tooLong(this.#longest)
  }
}
