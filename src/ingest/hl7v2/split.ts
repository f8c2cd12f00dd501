import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'

/** The lines of one message, its MSH first; `fault` when the file is broken at this place. */
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
const lineEnds = /[\r\n\v\x1c]+/
const envelopes = new Set(['FHS', 'BHS', 'BTS', 'FTS'])

const brokenLine = 'Some segments had line breaks inside; the pieces were joined again.'
const orphan = 'Some segments stood outside of any message and were passed over.'
const wrongCount = 'The number of messages that the file states is not the number it has.'

/**
 * Cuts a file or a message into messages, whatever its line ends, blank lines, MLLP frame or batch envelope.
 *
 * @throws Problem `too-large` · `ingest.token-too-long`
 */
export function splitMessages(text: string, limits: IngestLimits): SplitFile {
  const messages: { lines: string[] }[] = []
  const warnings = new Set<string>()
  for (const raw of text.split(lineEnds)) {
    const line = raw.trimStart()
    if (line === '') continue
    if (line.length > limits.maxToken)
      throw new Problem('too-large', 'ingest.token-too-long', 'One segment of the file is longer than is accepted.')
    const name = line.slice(0, 3)
    const current = messages.at(-1)
    if (name === 'MSH' && segmentStart.test(line)) messages.push({ lines: [line] })
    else if (envelopes.has(name)) checkCount(line, messages.length, warnings)
    else if (current === undefined) warnings.add(orphan)
    else addLine(current.lines, line, warnings)
  }
  return { messages, warnings: [...warnings] }
}

function addLine(lines: string[], line: string, warnings: Set<string>): void {
  if (segmentStart.test(line)) {
    lines.push(line)
    return
  }
  warnings.add(brokenLine)
  lines.push(`${lines.pop()}\\.br\\${line}`)
}

function checkCount(line: string, seen: number, warnings: Set<string>): void {
  if (!line.startsWith('BTS')) return
  const stated = Number(line.slice(4).split(/\D/, 1)[0])
  if (stated > 0 && stated !== seen) warnings.add(wrongCount)
}
