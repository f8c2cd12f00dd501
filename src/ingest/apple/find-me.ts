import { giveWay } from '#kernel'
import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import type { IngestLimits } from '../limits.ts'
import { wideEncodingOf } from '../source/text.ts'
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
  let sign: Sign | undefined
  let rest = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    sign ??= signOf(bytes)
    const { elements, until } = startsIn(bytes, sign, limits)
    yield* elements
    // What the next bytes may go on with. Copied, because readers reuse their buffers.
    rest = Buffer.from(bytes.subarray(until))
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  if (sign !== undefined) yield* startsIn(Buffer.concat([rest, sign.end]), sign, limits).elements
}

/** How `<Me` and what may follow it look in the encoding of a file. */
interface Sign {
  readonly bytes: Buffer
  readonly encoding: 'latin1' | 'utf-16le' | 'utf-16be'
  /** As much as an element can need, of nothing. */
  readonly end: Buffer
}

function signOf(head: Uint8Array): Sign {
  const encoding = wideEncodingOf(head) ?? 'latin1'
  const bytes = { latin1: '<Me', 'utf-16le': '<\0M\0e\0', 'utf-16be': '\0<\0M\0e' }[encoding]
  return { bytes: Buffer.from(bytes, 'latin1'), encoding, end: Buffer.alloc(2 * longest, 0x20) }
}

/** The elements that begin in some bytes, and from where they must be looked at again with what follows. */
function startsIn(bytes: Buffer, sign: Sign, limits: IngestLimits): { elements: AppleElement[]; until: number } {
  const elements: AppleElement[] = []
  let at = bytes.indexOf(sign.bytes)
  for (; at >= 0 && at + 2 * longest <= bytes.length; at = bytes.indexOf(sign.bytes, at + sign.bytes.length)) {
    // A MetadataEntry begins so, too, and there are millions of them.
    if (!isSpace(bytes[at + sign.bytes.length] || bytes[at + sign.bytes.length + 1])) continue
    const element = elementOf(textOf(bytes.subarray(at, at + 2 * longest), sign), limits)
    if (element !== undefined) elements.push(element)
  }
  return { elements, until: at >= 0 ? at : Math.max(0, bytes.length - sign.bytes.length + 1) }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
}

function textOf(bytes: Buffer, { encoding }: Sign): string {
  return encoding === 'latin1' ? bytes.toString('latin1') : new TextDecoder(encoding).decode(bytes)
}

/** The element at the beginning of a text, read as the rows of an export are. */
function elementOf(text: string, limits: IngestLimits): AppleElement | undefined {
  const [tag] = /^<Me(?:\s[^>]*)?>/.exec(text.slice(0, longest)) ?? []
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
