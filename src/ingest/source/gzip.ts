import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { isProblem, Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import type { ByteSource } from './byte-source.ts'

/** Whether a file begins as gzip does: https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1 */
export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b
}

/**
 * What was packed, held to the limits of archives.
 *
 * @throws Problem `invalid` · `ingest.zip-malformed`; `too-large` · `ingest.zip-bomb`
 */
export async function* unpackGzip(source: ByteSource, limits: IngestLimits): AsyncGenerator<Buffer, void, void> {
  const most = Math.min(limits.maxUnpacked, Math.max(limits.ratioFrom, source.sizeBytes * limits.maxRatio))
  let size = 0
  // Whoever stops reading ends the stream; what went wrong is told by the loop.
  const unpacked = pipeline(Readable.from(source.read(0, source.sizeBytes)), createGunzip(), () => {})
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > most) throw new Problem('too-large', 'ingest.zip-bomb', `The file unpacks to more than ${most} bytes.`)
      yield chunk
    }
  } catch (cause) {
    if (isProblem(cause)) throw cause
    throw new Problem('invalid', 'ingest.zip-malformed', 'The packed file is damaged.', { cause })
  }
}
