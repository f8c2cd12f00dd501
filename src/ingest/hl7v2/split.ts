import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'

/** The lines of one message, its MSH first. */
export interface RawMessage {
  readonly lines: readonly string[]
}

export interface SplitFile {
  readonly messages: readonly RawMessage[]
  readonly warnings: readonly string[]
}

const segmentStart = /^[A-Z][A-Z0-9]{2}(?:[^A-Za-z0-9\s]|$)/
/** Line ends of every kind, and the MLLP frame. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what separates
const lineEnds = /[\r\n\v\x1c\x85\u2028\u2029]+/
const envelopes = new Set(['FHS', 'BHS', 'BTS', 'FTS'])

const said = {
  broken: 'Some segments had line breaks inside; the pieces were joined again.',
  orphan: 'Some segments stood outside of any message and were passed over.',
  count: 'The number of messages that the file states is not the number it has.',
  batches: 'The number of batches that the file states is not the number it has.',
  noTrailer: 'A batch has no BTS segment at its end: messages may be missing.',
  noFileTrailer: 'The file has no FTS segment at its end: batches may be missing.',
  noHeader: 'A batch ends that did not begin: messages may be missing.',
} as const

/**
 * Cuts a file or a message into messages, whatever its line ends, blank lines, MLLP frame or batch envelope.
 *
 * @throws Problem `too-large` · `ingest.token-too-long`
 */
export function splitMessages(text: string, limits: IngestLimits): SplitFile {
  const cutting = new Cutting(limits)
  for (const raw of text.split(lineEnds)) {
    const line = raw.trimStart()
    if (line !== '') cutting.take(line)
  }
  return cutting.end()
}

class Cutting {
  readonly #limits: IngestLimits
  readonly #messages: { lines: string[] }[] = []
  readonly #warnings = new Set<string>()
  /** The message that is open; none before the first MSH and after a trailer. */
  #lines: string[] | undefined
  /** Pieces of the segment that is open. */
  #pieces: string[] = []
  #length = 0
  /** Messages before the batch that is open; undefined outside of one. */
  #batchFrom: number | undefined
  #inFile = false
  #batches = 0

  constructor(limits: IngestLimits) {
    this.#limits = limits
  }

  take(line: string): void {
    const name = line.slice(0, 3)
    if (name === 'MSH' && segmentStart.test(line)) this.#begin(line)
    else if (envelopes.has(name) && segmentStart.test(line)) this.#envelope(name, line)
    else if (this.#lines === undefined) this.#warnings.add(said.orphan)
    else if (this.#isSegment(line)) this.#open(line)
    else this.#continue(line)
  }

  end(): SplitFile {
    this.#close()
    if (this.#batchFrom !== undefined) this.#warnings.add(said.noTrailer)
    if (this.#inFile) this.#warnings.add(said.noFileTrailer)
    return { messages: this.#messages, warnings: [...this.#warnings] }
  }

  #begin(line: string): void {
    this.#close()
    this.#lines = []
    this.#messages.push({ lines: this.#lines })
    this.#open(line)
  }

  /** A segment's name and the separator of its own message: a line of text may begin with three capitals. */
  #isSegment(line: string): boolean {
    const separator = (this.#lines?.[0] ?? this.#pieces[0] ?? '')[3]
    return segmentStart.test(line) && (line.length === 3 || line[3] === separator)
  }

  #open(line: string): void {
    this.#finish()
    this.#add(line)
  }

  #continue(line: string): void {
    this.#warnings.add(said.broken)
    this.#add(line)
  }

  #add(line: string): void {
    this.#length += line.length
    if (this.#length > this.#limits.maxToken)
      throw new Problem('too-large', 'ingest.token-too-long', 'One segment of the file is longer than is accepted.')
    this.#pieces.push(line)
  }

  #finish(): void {
    if (this.#pieces.length > 0) this.#lines?.push(this.#pieces.join('\\.br\\'))
    this.#pieces = []
    this.#length = 0
  }

  #close(): void {
    this.#finish()
    this.#lines = undefined
  }

  #envelope(name: string, line: string): void {
    this.#close()
    const stated = Number(line.slice(4).split(/\D/, 1)[0])
    if (name === 'FHS') this.#inFile = true
    else if (name === 'BHS') this.#beginBatch()
    else if (name === 'BTS') this.#endBatch(stated)
    else this.#endFile(stated)
  }

  #beginBatch(): void {
    if (this.#batchFrom !== undefined) this.#warnings.add(said.noTrailer)
    this.#batchFrom = this.#messages.length
    this.#batches += 1
  }

  #endBatch(stated: number): void {
    if (this.#batchFrom === undefined) this.#warnings.add(said.noHeader)
    if (stated > 0 && stated !== this.#messages.length - (this.#batchFrom ?? 0)) this.#warnings.add(said.count)
    this.#batchFrom = undefined
  }

  #endFile(stated: number): void {
    if (stated > 0 && this.#batches > 0 && stated !== this.#batches) this.#warnings.add(said.batches)
    this.#inFile = false
  }
}
