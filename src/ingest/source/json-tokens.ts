import { jsonParser, type Token } from 'stream-json/core/parser.js'
import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import { decoded } from './text.ts'

/** A JSON value whose numbers are still text, with the digits they came with: nanoseconds do not fit into a JavaScript number. */
export type Loose = string | boolean | null | readonly Loose[] | { readonly [name: string]: Loose }

/**
 * The tokens of a JSON file, as its pieces stream by. Whether it ends before its last element is closed is to be seen by whoever counts
 * what is open.
 *
 * @throws Problem `invalid` · `ingest.json-malformed`; `too-large` · `ingest.token-too-long`
 */
export async function* jsonTokens(
  chunks: AsyncIterable<Uint8Array>,
  { maxToken }: Pick<IngestLimits, 'maxToken'>,
): AsyncGenerator<readonly Token[], void, void> {
  const parse = jsonParser({ packValues: true, streamValues: false })
  let sinceToken = 0
  for await (const text of decoded(chunks, () => {})) {
    const tokens = parsed(parse, text)
    sinceToken = tokens.length > 0 ? 0 : sinceToken + text.length
    if (sinceToken > maxToken) throw tooLong(maxToken)
    yield tokens
  }
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

export function truncated(): Problem {
  return new Problem('invalid', 'ingest.truncated', 'The file ends before its last element is closed.')
}

export function tooLong(longest: number): Problem {
  const text = `One element of the file is longer than ${longest} characters.`
  return new Problem('too-large', 'ingest.token-too-long', text)
}

export function tooDeep({ maxDepth }: Pick<IngestLimits, 'maxDepth'>): Problem {
  const text = `The elements of the file are nested deeper than ${maxDepth} levels.`
  return new Problem('too-large', 'ingest.too-deep', text)
}
