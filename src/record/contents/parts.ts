import { giveWay, Problem } from '#kernel'
import type { Content } from '../types.ts'

/** Each part is an attachment of its own, so that a range needs no more than the parts in which it lies. */
export const partBytes = 4 * 1024 * 1024

/** A part as an attachment of the store. */
export function partName(name: string, part: number): string {
  return `${name}.${part}`
}

/**
 * Bytes of a content from one place to before another; what is damaged is never told as the whole.
 *
 * @param blob  opens an attachment
 * @throws Problem `fault` · `record.content-damaged`, and whatever `blob` throws
 */
export async function* bytesOf(
  { name, sizeBytes }: Content,
  blob: (name: string) => AsyncIterable<Buffer> | Promise<AsyncIterable<Buffer>>,
  from = 0,
  until = sizeBytes,
): AsyncGenerator<Buffer, void, void> {
  let at = from
  for (let part = Math.floor(from / partBytes); at < until; part++) {
    let seen = part * partBytes
    for await (const piece of await blob(partName(name, part))) {
      const wanted = piece.subarray(Math.max(0, at - seen), Math.max(0, until - seen))
      seen += piece.length
      at += wanted.length
      if (wanted.length > 0) yield wanted
      if (at >= until) return
      // What is copied, or taken as fast as it comes, waits for nothing else.
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
    if (at < (part + 1) * partBytes) throw contentDamaged()
  }
}

function contentDamaged(): Problem {
  return new Problem('fault', 'record.content-damaged', 'A part of the content is missing, or is not what was written.')
}
