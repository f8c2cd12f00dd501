import { jsonParser, type Token } from 'stream-json/core/parser.js'
import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import type { Loose } from './data-point.ts'

const pointLists = new Set(['Data Points', 'point'])

/**
 * The data points of one Takeout file, as they stream by, with numbers as text.
 *
 * @throws Problem `invalid` · `ingest.json-malformed`, `ingest.truncated`; `too-large` · `ingest.token-too-long`,
 *   `ingest.too-deep`
 */
export async function* readPoints(
  chunks: AsyncIterable<Uint8Array>,
  limits: IngestLimits,
): AsyncGenerator<readonly Loose[], void, void> {
  const decoder = new TextDecoder('utf-8')
  const parse = jsonParser({ packValues: true, streamValues: false })
  const gatherer = new PointGatherer(limits)
  let sinceToken = 0
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true })
    const tokens = parsed(parse, text)
    sinceToken = tokens.length > 0 ? 0 : sinceToken + text.length
    if (sinceToken > limits.maxToken) throw tooLong()
    for (const token of tokens) gatherer.take(token)
    yield gatherer.points()
  }
  if (!gatherer.ended)
    throw new Problem('invalid', 'ingest.truncated', 'The file ends before its last element is closed.')
}

function tooLong(): Problem {
  return new Problem('too-large', 'ingest.token-too-long', 'One element of the file is longer than is accepted.')
}

function parsed(parse: ReturnType<typeof jsonParser>, text: string): readonly Token[] {
  try {
    const result = parse(text)
    return typeof result === 'object' && result !== null && 'values' in result ? (result.values as Token[]) : []
  } catch {
    // The parser's message may quote the file; ours says all that may be said.
    throw new Problem('invalid', 'ingest.json-malformed', 'The JSON is malformed.')
  }
}

type Open = { readonly list: Loose[] } | { readonly object: Record<string, Loose>; key: string }

/** Puts tokens together to points; what stands elsewhere in the file is dropped as it comes. */
class PointGatherer {
  readonly #limits: IngestLimits
  readonly #path: Open[] = []
  #points: Loose[] = []
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
    if (this.#path.length >= this.#limits.maxDepth)
      throw new Problem('too-large', 'ingest.too-deep', 'The elements of the file are nested deeper than is accepted.')
    this.#path.push(open)
  }

  #close(): void {
    const open = this.#path.pop()
    if (open === undefined) return
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
    if ('object' in top) {
      // The root's own members are not kept: one of them is the list of all points.
      if (this.#path.length > 1) top.object[top.key] = value
    } else if (this.#isPointList()) this.#points.push(value)
    else if (top.list.length < 10_000) top.list.push(value)
  }

  #isPointList(): boolean {
    const root = this.#path[0]
    return this.#path.length === 2 && root !== undefined && 'object' in root && pointLists.has(root.key)
  }
}
