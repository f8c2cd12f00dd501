import { giveWay } from '#kernel'
import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import type { IngestLimits } from '../limits.ts'
import { wideEncodingOf } from '../source/text.ts'
import { CommentSieve } from './comments.ts'
import type { AppleElement } from './element.ts'
import { knownOf } from './map-me.ts'
import { RowReader } from './rows.ts'

/** `Me` has a dozen attributes. Characters. */
const longest = 8 * 1024

/**
 * What an export says of its person, each time that it does, wherever it stands: found by its bytes, so that whom an export
 * is about is known before anything of it is written. Real exports have it second; the whole is looked through because a file may have
 * it last, or twice.
 */
export async function findMe(chunks: AsyncIterable<Buffer>, limits: IngestLimits): Promise<readonly PersonClaims[]> {
  const found: PersonClaims[] = []
  for await (const element of meIn(chunks, limits)) found.push(claimsOf(knownOf(element)))
  return found
}

async function* meIn(chunks: AsyncIterable<Buffer>, limits: IngestLimits): AsyncGenerator<AppleElement, void, void> {
  const sieve = new CommentSieve()
  let decode: ((chunk: Buffer) => string) | undefined
  let rest = ''
  for await (const chunk of chunks) {
    decode ??= decoderOf(chunk)
    rest += sieve.take(decode(chunk))
    const { elements, until } = startsIn(rest, limits)
    yield* elements
    // What the next text may go on with.
    rest = rest.slice(until)
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  yield* startsIn(`${rest}${sieve.end()}${' '.repeat(longest)}`, limits).elements
}

/** What is looked for is ASCII in any encoding, so bytes are taken for letters where they are not 16 bits wide. */
function decoderOf(head: Buffer): (chunk: Buffer) => string {
  const encoding = wideEncodingOf(head)
  if (encoding === undefined) return chunk => chunk.toString('latin1')
  const decoder = new TextDecoder(encoding)
  return chunk => decoder.decode(chunk, { stream: true })
}

/** The elements that begin in a text, and from where it must be looked at again with what follows. */
function startsIn(text: string, limits: IngestLimits): { elements: AppleElement[]; until: number } {
  const elements: AppleElement[] = []
  for (const { index } of text.matchAll(/<Me\s/g)) {
    if (index + longest > text.length) return { elements, until: index }
    const element = elementOf(text.slice(index, index + longest), limits)
    if (element !== undefined) elements.push(element)
  }
  return { elements, until: Math.max(0, text.length - '<Me'.length) }
}

/** The element at the beginning of a text, read as the rows of an export are. */
function elementOf(text: string, limits: IngestLimits): AppleElement | undefined {
  const [tag] = /^<Me(?:\s[^>]*)?>/.exec(text) ?? []
  if (tag === undefined) return undefined
  let found: AppleElement | undefined
  const take = (element: AppleElement) => {
    found ??= element
  }
  const reader = new RowReader(limits, { row: take, broken: () => undefined, blemish: () => undefined })
  reader.write(`<HealthData>${tag.replace(/\s*\/?>$/, '/>')}</HealthData>`)
  reader.close()
  return found
}
