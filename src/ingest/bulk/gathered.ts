import { type Resource, toResource } from '#fhir'
import { giveWay } from '#kernel'
import type { ByteSource } from '../source/byte-source.ts'
import { parseRow } from '../source/parse-row.ts'
import type { Spool } from '../source/spool.ts'

/** Bytes `from … until` of a source. */
export interface Range {
  readonly source: ByteSource
  readonly from: number
  readonly until: number
}

/** No file came. */
export const empty: ByteSource = { sizeBytes: 0, async *read() {}, close: async () => {} }

/**
 * Files that are here, in their order. Small ones are put together into one, so that ten thousand of them take neither memory nor handles.
 * It owns what is added.
 */
export class Gathered implements AsyncDisposable {
  readonly files: ByteSource[] = []
  readonly #owned = new AsyncDisposableStack()
  readonly #together: Pick<Spool, 'take'>
  readonly #owner: string
  readonly #small: number
  /** Of those that are in memory: which of the files each is. */
  #held: number[] = []
  #heldBytes = 0

  /**
   * @param spoolFrom  bytes; what is not larger is in memory
   * @param owner      as `Spool.take`
   */
  constructor(spool: Pick<Spool, 'take'>, { spoolFrom }: { readonly spoolFrom: number }, owner: string) {
    this.#together = spool
    this.#small = spoolFrom
    this.#owner = owner
  }

  /** @throws Problem as `Spool.take` */
  async add(source: ByteSource): Promise<void> {
    const at = this.files.push(source) - 1
    if (source.sizeBytes > this.#small) {
      this.#owned.use({ [Symbol.asyncDispose]: () => source.close() })
      return
    }
    // What is in memory has nothing to close, and is let go once it lies elsewhere.
    this.#held.push(at)
    this.#heldBytes += source.sizeBytes
    if (this.#heldBytes > this.#small) await this.#putTogether()
  }

  async #putTogether(): Promise<void> {
    const held = this.#held
    const sources = held.map(at => this.files[at] ?? empty)
    const together = await this.#together.take(inTurn(sources), this.#owner)
    this.#owned.use({ [Symbol.asyncDispose]: () => together.close() })
    let from = 0
    for (const [index, at] of held.entries()) {
      const size = sources[index]?.sizeBytes ?? 0
      this.files[at] = partOf(together, from, size)
      from += size
    }
    this.#held = []
    this.#heldBytes = 0
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync()
  }
}

async function* inTurn(sources: readonly ByteSource[]): AsyncGenerator<Buffer, void, void> {
  for (const source of sources) yield* source.read(0, source.sizeBytes)
}

/** Whoever has the source closes it. */
function partOf(source: ByteSource, start: number, sizeBytes: number): ByteSource {
  return {
    sizeBytes,
    read: (from, until) => source.read(start + from, start + Math.min(until, sizeBytes)),
    close: async () => {},
  }
}

/** @throws Problem as `ByteSource.read` */
export async function bytesOf({ source, from, until }: Range): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of source.read(from, until)) chunks.push(Buffer.from(chunk))
  const [first, second] = chunks
  return first !== undefined && second === undefined ? first : Buffer.concat(chunks)
}

/** @throws Problem as `parseRow` and `toResource` */
export async function resourceOf(bytes: Buffer): Promise<Resource> {
  return toResource(await parseRow(bytes.toString('utf8')))
}

const newline = Buffer.from('\n')

/** Ranges as lines. */
export async function* linesOf(ranges: Iterable<Range>): AsyncGenerator<Buffer, void, void> {
  for (const range of ranges) {
    yield await bytesOf(range)
    yield newline
  }
}

/**
 * Resources as a Bundle in which each has its address on the server that it comes from.
 *
 * @see https://hl7.org/fhir/R4/bundle.html#references
 */
export async function* bundleOf(ranges: Iterable<Range>, server: string): AsyncGenerator<Buffer, void, void> {
  yield Buffer.from('{"resourceType":"Bundle","type":"collection","entry":[')
  let between = ''
  for (const range of ranges) {
    const bytes = await bytesOf(range)
    const { resourceType, id } = await resourceOf(bytes)
    const address = id === undefined ? '' : `"fullUrl":${JSON.stringify(`${server}/${resourceType}/${id}`)},`
    yield Buffer.from(`${between}{${address}"resource":`)
    yield bytes
    yield Buffer.from('}')
    between = ','
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  yield Buffer.from(']}')
}
