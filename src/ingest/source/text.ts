import { isUtf8 } from 'node:buffer'
import { giveWay } from '#kernel'

/**
 * UTF-16 in one of its orders, if that is what the first bytes are: a mark, or a first letter of ASCII in 16 bits. Undefined for
 * everything that ASCII begins.
 */
export function wideEncodingOf([first, second]: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (first === undefined || second === undefined) return undefined
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le'
  return (first === 0xfe && second === 0xff) || (first === 0 && second !== 0) ? 'utf-16be' : undefined
}

/** What an XML declaration says, where this machine knows the encoding; UTF-8 needs no saying. */
function declaredEncodingOf(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.subarray(0, 200)).toString('latin1')
  const label = /^(?:\xef\xbb\xbf)?\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([\w.:-]{1,40})["']/.exec(text)?.[1]
  if (label === undefined) return undefined
  try {
    const { encoding } = new TextDecoder(label)
    // A declaration that can be read as ASCII is not in 16 bits, whatever it claims.
    return encoding.startsWith('utf-') ? undefined : encoding
  } catch {
    return undefined // an encoding that this machine does not know, or that nobody does
  }
}

/** The first bytes of a file as text, in the encoding they show or declare. */
export function decodedHead(head: Uint8Array): string {
  const label = wideEncodingOf(head) ?? declaredEncodingOf(head) ?? 'utf-8'
  return new TextDecoder(label).decode(head)
}

/**
 * A file as text, without its byte order mark. It is what its mark or its XML declaration says, else UTF-8; lines that are not
 * UTF-8 are taken for windows-1252, so that a byte of another encoding costs no more than a doubtful letter. It comes in pieces
 * between which others have their turn.
 *
 * @param onDoubt  called once when bytes were taken for windows-1252 that nothing declared
 */
export async function* decoded(
  chunks: AsyncIterable<Uint8Array>,
  onDoubt: () => void,
): AsyncGenerator<string, void, void> {
  let decode: ((chunk: Uint8Array, last: boolean) => string) | undefined
  for await (const chunk of chunks) {
    if (chunk.length === 0) continue
    decode ??= decoderOf(chunk, onDoubt)
    yield* inPieces(decode(chunk, false))
  }
  if (decode !== undefined) yield decode(new Uint8Array(), true)
}

/** What is read of a piece takes some milliseconds; between two of them others have their turn. Characters. */
const pieceSize = 16 * 1024

async function* inPieces(text: string): AsyncGenerator<string, void, void> {
  for (let at = 0; at < text.length; at += pieceSize) {
    yield text.slice(at, at + pieceSize)
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
}

function decoderOf(head: Uint8Array, onDoubt: () => void): (chunk: Uint8Array, last: boolean) => string {
  const label = wideEncodingOf(head) ?? declaredEncodingOf(head)
  if (label === undefined) return lenientUtf8(onDoubt)
  const decoder = new TextDecoder(label)
  return (chunk, last) => decoder.decode(chunk, { stream: !last })
}

const newline = 0x0a

function lenientUtf8(onDoubt: () => void): (chunk: Uint8Array, last: boolean) => string {
  const windows1252 = new TextDecoder('windows-1252')
  let pending = Buffer.alloc(0)
  let begun = false
  let doubted = false
  const line = (bytes: Buffer) => {
    if (isUtf8(bytes)) return bytes.toString('utf8')
    if (!doubted) onDoubt()
    doubted = true
    return windows1252.decode(bytes)
  }
  return (chunk, last) => {
    const bytes =
      pending.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([pending, chunk])
    const until = last ? bytes.length : bytes.length - unfinishedBytes(bytes)
    // @NOTE what is kept for the next chunk is copied: readers reuse their buffers.
    pending = Buffer.from(bytes.subarray(until))
    const whole = bytes.subarray(0, until)
    const text = isUtf8(whole) ? whole.toString('utf8') : linesOf(whole).map(line).join('')
    const marked = !begun && text.startsWith('\uFEFF')
    begun ||= text !== ''
    return marked ? text.slice(1) : text
  }
}

/** Lines, each with its end. */
function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(newline, from)
    const until = end < 0 ? bytes.length : end + 1
    lines.push(bytes.subarray(from, until))
    from = until
  }
  return lines
}

/** How many bytes at the end begin a character that goes on in the next chunk: at most three. */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte < 0xc0) continue
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return length > back ? back : 0
  }
  return 0
}
