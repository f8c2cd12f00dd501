import type { Token } from 'stream-json/core/parser.js'
import type { IngestLimits } from '../limits.ts'
import { jsonTokens, type Loose, tooDeep, truncated } from '../source/json-tokens.ts'

const pointLists = new Set(['Data Points', 'point'])
const sourceKeys = new Set(['Data Source', 'dataSourceId'])

/**
 * The data points of one file, as they stream by, with numbers as text. They stand in a Takeout file, in a dataset of the REST
 * interface, or in the buckets of an aggregate.
 *
 * @throws Problem `invalid` · `ingest.json-malformed`, `ingest.truncated`; `too-large` · `ingest.token-too-long`,
 *   `ingest.too-deep`
 */
export async function* readPoints(
  chunks: AsyncIterable<Uint8Array>,
  limits: IngestLimits,
): AsyncGenerator<readonly Loose[], void, void> {
  for await (const gatherer of gathering(chunks, limits)) yield gatherer.points()
}

/** What a file says its points come from, wherever it says so. Throws as `readPoints`. */
export async function findSource(chunks: AsyncIterable<Uint8Array>, limits: IngestLimits): Promise<string | undefined> {
  for await (const gatherer of gathering(chunks, limits)) {
    gatherer.points()
    if (gatherer.source !== undefined) return gatherer.source
  }
  return undefined
}

async function* gathering(
  chunks: AsyncIterable<Uint8Array>,
  limits: IngestLimits,
): AsyncGenerator<PointGatherer, void, void> {
  const gatherer = new PointGatherer(limits)
  for await (const tokens of jsonTokens(chunks, limits)) {
    for (const token of tokens) gatherer.take(token)
    yield gatherer
  }
  if (!gatherer.ended) throw truncated()
}

type Open = { readonly list: Loose[] } | { readonly object: Record<string, Loose>; key: string }

/** Puts tokens together to points, wherever in the file a list of them stands; what is no point is dropped as it comes. */
class PointGatherer {
  readonly #limits: IngestLimits
  readonly #path: Open[] = []
  #points: Loose[] = []
  /** How deep the list of points is open. */
  #listDepth: number | undefined
  /** What the file says its points come from, the first time. */
  source: string | undefined
  ended = false

  constructor(limits: IngestLimits) {
    this.#limits = limits
  }

  points(): readonly Loose[] {
    const points = this.#points
    this.#points = []
    return points
  }

  take(token: Token): void {
    if (token.name === 'startObject') this.#open({ object: Object.create(null), key: '' })
    else if (token.name === 'startArray') this.#open({ list: [] })
    else if (token.name === 'endObject' || token.name === 'endArray') this.#close()
    else if (token.name === 'keyValue') this.#key(token.value)
    else if ('value' in token) this.#put(token.value)
  }

  #open(open: Open): void {
    if (this.#path.length >= this.#limits.maxDepth) throw tooDeep(this.#limits)
    const holder = this.#path.at(-1)
    this.#path.push(open)
    if (this.#listDepth === undefined && 'list' in open && holder !== undefined && isPointKey(holder))
      this.#listDepth = this.#path.length
  }

  #close(): void {
    const open = this.#path.pop()
    if (open === undefined) return
    if (this.#listDepth !== undefined && this.#path.length < this.#listDepth) this.#listDepth = undefined
    if (this.#path.length === 0) this.ended = true
    else this.#put('list' in open ? open.list : open.object)
  }

  #key(key: string): void {
    const top = this.#path.at(-1)
    if (top !== undefined && 'object' in top) top.key = key
  }

  #put(value: Loose): void {
    const top = this.#path.at(-1)
    if (top === undefined) return
    if (this.#listDepth === undefined) this.#noteSource(top, value)
    else if (this.#path.length === this.#listDepth) this.#points.push(value)
    else if ('object' in top) top.object[top.key] = value
    else top.list.push(value)
  }

  #noteSource(top: Open, value: Loose): void {
    if ('object' in top && sourceKeys.has(top.key) && typeof value === 'string') this.source ??= value
  }
}

function isPointKey(open: Open): boolean {
  return 'object' in open && pointLists.has(open.key)
}
