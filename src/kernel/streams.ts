import { Problem } from './problem.ts'

/**
 * Passes chunks through until `limitBytes` have gone by.
 *
 * @throws Problem `too-large` · `body.too-large`
 */
export async function* limitBytes(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  let seen = 0
  for await (const chunk of chunks) {
    seen += chunk.length
    if (seen > limitBytes)
      throw new Problem('too-large', 'body.too-large', `There are more than the ${limitBytes} bytes that are taken.`)
    yield chunk
  }
}

/**
 * Gathers a stream into one buffer, at most `limit` bytes of it.
 *
 * @throws Problem `too-large` · `body.too-large`
 */
export async function collect(chunks: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of limitBytes(chunks, limit)) parts.push(chunk)
  return Buffer.concat(parts)
}
