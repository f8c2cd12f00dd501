import { fromUtf8, type Problem } from '#kernel'

const bytesAtATime = 512 * 1024

/**
 * The text of bytes, piece by piece, so that whoever reads it can give way in between. No piece ends within a character.
 *
 * @param refused  the Problem of bytes that are not UTF-8
 * @throws that Problem
 */
export function* textPieces(bytes: Uint8Array, refused: (cause: unknown) => Problem): Generator<string, void, void> {
  const decoder = bytes.length <= bytesAtATime ? undefined : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  for (let from = 0; from < bytes.length; from += bytesAtATime) {
    const until = from + bytesAtATime
    try {
      yield decoder?.decode(bytes.subarray(from, until), { stream: until < bytes.length }) ?? fromUtf8(bytes)
    } catch (cause) {
      throw refused(cause)
    }
  }
}
