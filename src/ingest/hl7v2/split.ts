import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import type { Steps } from '../turns.ts'
import { type Cut, Frames, unended } from './frame-ends.ts'
import { segmentOfLine } from './line-heads.ts'
import { MessageSize } from './message-size.ts'
import { isKnownSegment } from './structure.ts'

/** The segments of one message, its MSH first. */
export interface RawMessage {
  readonly lines: readonly string[]
  /** In which batch of the file it came, from 0. */
  readonly batch: number
  /** Why it is not read: it is too large. Then its first segment is all that is kept of it. */
  readonly refused?: Problem
}

export interface SplitFile {
  readonly messages: readonly RawMessage[]
  readonly warnings: readonly string[]
  /** Segments, fields and parts of the messages that are not refused. */
  readonly values: number
  /** Whether an envelope says that it is a batch or a file of batches. */
  readonly isBatch: boolean
  /** The FHS segment. */
  readonly file: string | undefined
  /** The BHS segments by number of the batch; empty for what stands in none. */
  readonly batches: readonly (string | undefined)[]
}

const segmentStart = /^[A-Z][A-Z0-9]{2}(?:[^A-Za-z0-9\s]|$)/
/** Line ends of every kind, and the MLLP frame. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what separates
const lineEnds = /[\r\n\v\x1c\x85\u2028\u2029]+/g
/** Where a line break inside a segment was. */
const join = '\\.br\\'
/** What ends a message that is too large; the rest of it need not be cut. */
const headers = /MSH|[FB][HT]S/
const envelopes = new Set(['FHS', 'BHS', 'BTS', 'FTS'])

const said = {
  broken: 'Some segments had line breaks inside; the pieces were joined again',
  orphan: 'Some segments stood outside of any message and were passed over.',
  count: 'The number of messages that the file states is not the number it has.',
  batches: 'The number of batches that the file states is not the number it has.',
  noTrailer: 'A batch has no BTS segment at its end: messages may be missing.',
  noFileTrailer: 'The file has no FTS segment at its end: batches may be missing.',
  noHeader: 'A batch ends that did not begin: messages may be missing.',
} as const

/**
 * Cuts a file or a message into messages, whatever its line ends, blank lines, MLLP frame or batch envelope. What is too
 * large is found out before anything is made of it. Yields after each piece of text, and each some hundred lines of one.
 *
 * @throws Problem `too-large` · `ingest.token-too-long`
 */
export function* splitMessages(texts: Iterable<string>, limits: IngestLimits): Steps<SplitFile> {
  const cutting = new Cutting(limits)
  let open = ''
  /** What stands before the line that is open: ends of lines and of frames. */
  let before = ''
  for (const text of texts) {
    if (cutting.isSkipping && open === '' && !headers.test(text)) {
      open = text.slice(Math.max(text.lastIndexOf('\r'), text.lastIndexOf('\n')) + 1)
      yield
      continue
    }
    let from = 0
    let lines = 0
    for (const { 0: ends, index } of text.matchAll(lineEnds)) {
      const line = open + text.slice(from, index)
      cutting.take(line, before)
      before = line.trim() === '' ? before + ends : ends
      open = ''
      from = index + ends.length
      if (++lines % linesAtATime === 0) yield
    }
    open += text.slice(from)
    if (open.length > limits.maxToken) throw tooLong()
    yield
  }
  cutting.take(open, before)
  return cutting.end(open.trim() === '' ? before : '')
}

/** Lines that are cut in one go. */
const linesAtATime = 256

function tooLong(): Problem {
  return new Problem('too-large', 'ingest.token-too-long', 'One segment of the file is longer than is accepted.')
}

function brokenIn(name: string): string {
  return isKnownSegment(name) ? `${said.broken}: ${name}.` : `${said.broken}.`
}

/** Where the first of a separator stands in a line, else its end; and how many there are. */
function found(line: string, separator: string): { readonly at: number; readonly count: number } {
  const first = line.indexOf(separator)
  let count = 0
  for (let at = first; at >= 0; at = line.indexOf(separator, at + 1)) count += 1
  return { at: first < 0 ? line.length : first, count }
}

class Cutting {
  readonly #limits: IngestLimits
  readonly #messages: Cut[] = []
  /** Frames, as MLLP has them: of a message that began one and did not end it nobody knows how much is missing. */
  readonly #frames = new Frames()
  readonly #warnings = new Set<string>()
  /** The message that is open; none before the first MSH and after a trailer. */
  #lines: string[] | undefined
  /** Pieces of the segment that is open. */
  #pieces: string[] = []
  #length = 0
  /** Its name and how many fields it has. */
  #head = { name: '', fields: 0 }
  #size: MessageSize | undefined
  #values = 0
  /** Messages before the batch that is open; undefined outside of one. */
  #batchFrom: number | undefined
  #inFile = false
  #isBatch = false
  #isLoose = false
  #file: string | undefined
  #headers: (string | undefined)[] = []

  constructor(limits: IngestLimits) {
    this.#limits = limits
  }

  /** Whether the message that is open is refused already. */
  get isSkipping(): boolean {
    return this.#lines !== undefined && this.#messages.at(-1)?.refused !== undefined
  }

  /** @param before  what stands between the line before that is not blank and this one */
  take(raw: string, before: string): void {
    const line = raw.trimStart()
    if (line === '') return
    this.#frames.pass(before)
    const name = line.slice(0, 3)
    if (name === 'MSH' && segmentStart.test(line)) this.#begin(line, before)
    else if (envelopes.has(name) && segmentStart.test(line)) this.#envelope(name, line)
    else if (this.#lines === undefined) this.#warnings.add(said.orphan)
    else this.#takeLine(line)
  }

  end(behind: string): SplitFile {
    this.#close()
    this.#frames.pass(behind)
    for (const message of this.#frames.end())
      if (message.refused === undefined)
        Object.assign(message, { refused: unended(), lines: message.lines.slice(0, 1) })
    if (this.#batchFrom !== undefined) this.#warnings.add(said.noTrailer)
    if (this.#inFile) this.#warnings.add(said.noFileTrailer)
    const [messages, warnings, batches] = [this.#messages, [...this.#warnings], this.#headers]
    return { messages, warnings, values: this.#values, isBatch: this.#isBatch, file: this.#file, batches }
  }

  #begin(line: string, before: string): void {
    this.#close()
    this.#lines = []
    if (this.#batchFrom === undefined && !this.#isLoose) this.#openBatch(undefined)
    const message = { lines: this.#lines, batch: this.#headers.length - 1 }
    this.#messages.push(message)
    this.#frames.begin(message, before)
    this.#size = new MessageSize(line, this.#limits)
    this.#open(line)
  }

  /** A segment's name and the separator of its own message: a line of text may begin with three capitals. */
  #takeLine(line: string): void {
    const segment = segmentOfLine(line, this.#separator, this.#head)
    if (segment === undefined) this.#warnings.add(brokenIn(this.#head.name))
    else this.#finish()
    this.#add(segment ?? line)
  }

  get #separator(): string {
    return (this.#lines?.[0] ?? this.#pieces[0] ?? '')[3] ?? '|'
  }

  #open(line: string): void {
    this.#finish()
    this.#add(line)
  }

  #add(line: string): void {
    this.#length += line.length + join.length
    if (this.#length > this.#limits.maxToken) throw tooLong()
    const { at, count } = found(line, this.#separator)
    if (this.#pieces.length === 0) this.#head = { name: line.slice(0, at), fields: 0 }
    this.#head.fields += count
    this.#pieces.push(line)
  }

  #finish(): void {
    if (this.#pieces.length > 0) this.#keep(this.#pieces.join(join))
    this.#pieces = []
    this.#length = 0
  }

  /** What is too large costs itself, and not the messages before and behind it. */
  #keep(segment: string): void {
    const message = this.#messages.at(-1)
    if (message === undefined || message.refused !== undefined || this.#lines === undefined) return
    const refused = this.#size?.add(segment)
    if (refused === undefined) message.lines.push(segment)
    else Object.assign(message, { refused, lines: message.lines.slice(0, 1) })
  }

  #close(): void {
    this.#finish()
    if (this.#lines !== undefined && !this.isSkipping) this.#values += this.#size?.values ?? 0
    this.#lines = undefined
  }

  #envelope(name: string, line: string): void {
    this.#close()
    this.#isBatch = true
    const stated = countIn(line)
    if (name === 'FHS') this.#beginFile(line)
    else if (name === 'BHS') this.#beginBatch(line)
    else if (name === 'BTS') this.#endBatch(stated)
    else this.#endFile(stated)
  }

  #beginFile(line: string): void {
    this.#inFile = true
    this.#file ??= line
  }

  #beginBatch(line: string): void {
    if (this.#batchFrom !== undefined) this.#warnings.add(said.noTrailer)
    this.#batchFrom = this.#messages.length
    this.#openBatch(line)
  }

  /** @param line  its BHS; undefined for messages that stand in no batch */
  #openBatch(line: string | undefined): void {
    this.#headers.push(line)
    this.#isLoose = line === undefined
  }

  #endBatch(stated: number | undefined): void {
    if (this.#batchFrom === undefined) this.#warnings.add(said.noHeader)
    const isWrong = stated !== undefined && stated !== this.#messages.length - (this.#batchFrom ?? 0)
    if (isWrong) this.#warnings.add(said.count)
    this.#batchFrom = undefined
  }

  #endFile(stated: number | undefined): void {
    const batches = this.#headers.filter(header => header !== undefined).length
    if (stated !== undefined && batches > 0 && stated !== batches) this.#warnings.add(said.batches)
    this.#inFile = false
  }
}

/** BTS-1, FTS-1: undefined where the sender does not count, not a number where nobody can read it. */
function countIn(trailer: string): number | undefined {
  const [text = ''] = trailer.slice(4).split(trailer.charAt(3))
  const digits = text.replace(/^"+$/, '').trim()
  return digits === '' ? undefined : /^\d+$/.test(digits) ? Number(digits) : Number.NaN
}
