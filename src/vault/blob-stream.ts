import type { BlobChunk } from '#store'
import { parseEnvelope } from './envelope.ts'
import { mint } from './mint.ts'
import { type Ring, sealBroken } from './ring.ts'

/** Bytes of plaintext in each chunk but the last. */
export const chunkBytes = 64 * 1024

const kind = 'blob'
const noStream = new Uint8Array(0)

/**
 * What a chunk is bound to, in the manner of STREAM: its blob, its index, whether it is the last, and the nonce of
 * chunk 0, so that chunks of two sealings of the same blob cannot be mixed.
 *
 * @see https://eprint.iacr.org/2015/189
 */
function place(blob: string, index: number, isLast: boolean, stream: Uint8Array): (string | Uint8Array)[] {
  return [blob, isLast ? 'last' : 'more', String(index), stream]
}

/** Seals a stream in chunks, holding one chunk at a time. An empty source becomes one empty chunk. */
export async function* sealChunks(
  ring: Ring,
  blob: string,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<BlobChunk, void, void> {
  let index = 0
  let stream: Uint8Array = noStream
  for await (const { item: bytes, isLast } of markLast(reblock(source))) {
    const sealed = mint(ring.seal(kind, place(blob, index, isLast, stream), bytes))
    if (index === 0) stream = nonceOf(sealed)
    yield { index, sealed }
    index += 1
  }
}

/**
 * Opens what `sealChunks` sealed; each chunk is authenticated before any of it is passed on.
 *
 * @throws Problem `fault` · `vault.seal-broken` at the first chunk that is missing, moved, doubled or foreign; a
 *   truncated blob fails at its end
 */
export async function* openChunks(
  ring: Ring,
  blob: string,
  chunks: AsyncIterable<BlobChunk>,
): AsyncGenerator<Buffer, void, void> {
  let index = 0
  let stream: Uint8Array = noStream
  for await (const { item: chunk, isLast } of markLast(chunks)) {
    if (chunk.index !== index) throw sealBroken(kind)
    const plain = ring.open(kind, place(blob, index, isLast, stream), chunk.sealed)
    if (index === 0) stream = nonceOf(chunk.sealed)
    if (plain.length > 0) yield plain
    index += 1
  }
  if (index === 0) throw sealBroken(kind)
}

/** Chunk 0's nonce names the sealing; a copy, because the store may reuse its buffers. */
function nonceOf(sealedBytes: Uint8Array): Uint8Array {
  return Uint8Array.from(parseEnvelope(sealedBytes)?.nonce ?? noStream)
}

/** Cuts a stream into blocks of `chunkBytes`; the last may be shorter, and there is always one. */
async function* reblock(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  let block = Buffer.allocUnsafe(chunkBytes)
  let filled = 0
  let yielded = false
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.subarray(at, at + chunkBytes - filled)
      block.set(taken, filled)
      at += taken.length
      filled += taken.length
      if (filled < chunkBytes) continue
      yield block
      yielded = true
      block = Buffer.allocUnsafe(chunkBytes)
      filled = 0
    }
  }
  if (filled > 0 || !yielded) yield block.subarray(0, filled)
}

/** Tells of each item whether another follows, by looking one ahead. */
async function* markLast<T>(items: AsyncIterable<T>): AsyncGenerator<{ item: T; isLast: boolean }, void, void> {
  let held: { item: T } | undefined
  for await (const item of items) {
    if (held) yield { item: held.item, isLast: false }
    held = { item }
  }
  if (held) yield { item: held.item, isLast: true }
}
