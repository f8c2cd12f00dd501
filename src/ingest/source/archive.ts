import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import yauzl from 'yauzl'
import { isProblem, Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import type { ByteSource } from './byte-source.ts'

/** A file inside an archive. Its name is used to recognise it where another file of the archive names it, and for nothing else. */
export interface Part {
  readonly extension: string
  /** The last part of its path. */
  readonly baseName: string
  readonly sizeBytes: number
  /** The unpacked bytes; breaks off with a Problem when they are not what the directory says. */
  open(): AsyncIterable<Buffer>
  /** The first bytes, at most `bytes` of them. */
  head(bytes: number): Promise<Buffer>
}

class SourceReader extends yauzl.RandomAccessReader {
  readonly #source: ByteSource
  constructor(source: ByteSource) {
    super()
    this.#source = source
  }
  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#source.read(start, end), { objectMode: false })
  }
  override close(callback: (error: Error | null) => void): void {
    callback(null) // whoever opened the source closes it
  }
}

/**
 * The files of a zip, by its central directory: sizes are known before anything is unpacked, and what is unpacked is
 * held to them. Names with `..`, absolute names and NULs make the whole archive refused; archives within are not opened.
 *
 * @throws Problem `invalid` · `ingest.zip-malformed`; `too-large` · `ingest.zip-bomb`
 */
export async function openArchive(source: ByteSource, limits: IngestLimits): Promise<readonly Part[]> {
  try {
    const zip = await yauzl.fromRandomAccessReaderPromise(new SourceReader(source), source.sizeBytes, {
      autoClose: false,
    })
    if (zip.entryCount > limits.maxEntries) throw bomb()
    return await listParts(zip, limits)
  } catch (error) {
    throw isProblem(error) ? error : malformed(error)
  }
}

async function listParts(zip: yauzl.ZipFile, limits: IngestLimits): Promise<readonly Part[]> {
  const parts: Part[] = []
  const unpacked = { bytes: 0 }
  for await (const entry of zip.eachEntry()) {
    if (parts.length >= limits.maxEntries) throw bomb()
    if (entry.fileName.includes('\0')) throw malformed(undefined)
    if (!entry.fileName.endsWith('/') && !isLink(entry)) parts.push(partOf(zip, entry, limits, unpacked))
  }
  return parts
}

/** A symbolic link says where, not what; nothing in an export needs one. */
function isLink(entry: yauzl.Entry): boolean {
  return entry.externalFileAttributes >>> 28 === 0xa
}

function partOf(zip: yauzl.ZipFile, entry: yauzl.Entry, limits: IngestLimits, unpacked: { bytes: number }): Part {
  const open = () => unpack(zip, entry, limits, unpacked)
  return {
    baseName: entry.fileName.split(/[\\/]/).at(-1) ?? '',
    extension: /\.([A-Za-z0-9]{1,8})$/.exec(entry.fileName)?.[1]?.toLowerCase() ?? '',
    sizeBytes: entry.uncompressedSize,
    open,
    head: async bytes => {
      const chunks: Buffer[] = []
      let size = 0
      for await (const chunk of open()) {
        chunks.push(chunk)
        size += chunk.length
        if (size >= bytes) break
      }
      return Buffer.concat(chunks).subarray(0, bytes)
    },
  }
}

async function* unpack(
  zip: yauzl.ZipFile,
  entry: yauzl.Entry,
  limits: IngestLimits,
  unpacked: { bytes: number },
): AsyncGenerator<Buffer, void, void> {
  const { uncompressedSize, compressedSize } = entry
  if (uncompressedSize > limits.ratioFrom && uncompressedSize > compressedSize * limits.maxRatio) throw bomb()
  let checksum = 0
  try {
    const stream = await zip.openReadStreamPromise(entry)
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      unpacked.bytes += chunk.length
      if (unpacked.bytes > limits.maxUnpacked) throw bomb()
      checksum = crc32(chunk, checksum)
      yield chunk
    }
  } catch (error) {
    throw isProblem(error) ? error : malformed(error)
  }
  if (checksum !== entry.crc32 >>> 0) throw malformed(undefined)
}

function bomb(): Problem {
  return new Problem('too-large', 'ingest.zip-bomb', 'The archive unpacks to more than is accepted.')
}

function malformed(cause: unknown): Problem {
  return new Problem('invalid', 'ingest.zip-malformed', 'The archive is damaged, encrypted or not a plain zip.', {
    cause,
  })
}
