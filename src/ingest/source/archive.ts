import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { crc32, inflateRawSync } from 'node:zlib'
import yauzl from 'yauzl'
import { giveWay, isProblem, Problem } from '#kernel'
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

/** What is read at once: the directory of an archive is read forty bytes at a time. */
const blockSize = 256 * 1024

class SourceReader extends yauzl.RandomAccessReader {
  readonly #source: ByteSource
  #block = { from: 0, bytes: Buffer.alloc(0) }

  constructor(source: ByteSource) {
    super()
    this.#source = source
  }

  override _readStreamForRange(start: number, end: number): Readable {
    const held = this.#held(start, end)
    const chunks = held.length === end - start ? [held] : this.#source.read(start, end)
    return Readable.from(chunks, { objectMode: false })
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#fill(position, position + length).then(
      bytes => {
        bytes.copy(buffer, offset)
        callback(null)
      },
      (error: Error) => callback(error),
    )
  }

  async #fill(from: number, until: number): Promise<Buffer> {
    const held = this.#held(from, until)
    if (held.length === until - from) return held
    const chunks: Buffer[] = []
    for await (const chunk of this.#source.read(from, Math.max(until, from + blockSize))) chunks.push(chunk)
    this.#block = { from, bytes: Buffer.concat(chunks) }
    return this.#held(from, until)
  }

  /** What of a range is in the block that was read last, if its beginning is. */
  #held(from: number, until: number): Buffer {
    const at = from - this.#block.from
    return at < 0 ? Buffer.alloc(0) : this.#block.bytes.subarray(at, until - this.#block.from)
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
    if (zip.entryCount > limits.maxEntries) throw bomb(limits)
    return await listParts(zip, limits)
  } catch (error) {
    throw isProblem(error) ? error : malformed(error)
  }
}

async function listParts(zip: yauzl.ZipFile, limits: IngestLimits): Promise<readonly Part[]> {
  const parts: Part[] = []
  const size = new Measured(limits, zip.fileSize)
  const held = { bytes: 0 }
  for await (const entry of zip.eachEntry()) {
    size.add(entry)
    if (entry.fileName.includes('\0')) throw malformed(undefined)
    if (!entry.fileName.endsWith('/') && !isLink(entry)) parts.push(partOf(zip, slim(entry), entry.fileName, held))
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return parts
}

/** What the directory of an archive says of it, held against the limits while it is read. */
class Measured {
  readonly #limits: IngestLimits
  readonly #sizeBytes: number
  #entries = 0
  #directory = 0
  #packed = 0
  #unpacked = 0

  constructor(limits: IngestLimits, sizeBytes: number) {
    this.#limits = limits
    this.#sizeBytes = sizeBytes
  }

  /** @throws Problem `too-large` · `ingest.zip-bomb`; `invalid` · `ingest.zip-malformed` for files that lie over each other */
  add(entry: yauzl.Entry): void {
    const { maxEntries, maxUnpacked, maxRatio, ratioFrom } = this.#limits
    this.#entries += 1
    this.#directory += entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength
    this.#packed += entry.compressedSize
    this.#unpacked += entry.uncompressedSize
    const { compressedSize, uncompressedSize } = entry
    const isBomb =
      (uncompressedSize > ratioFrom && uncompressedSize > compressedSize * maxRatio) ||
      (this.#unpacked > ratioFrom && this.#unpacked > this.#sizeBytes * maxRatio)
    if (this.#entries > maxEntries || this.#directory > maxDirectory || this.#unpacked > maxUnpacked || isBomb)
      throw bomb(this.#limits)
    if (this.#packed > this.#sizeBytes) throw malformed(undefined)
  }
}

/** Names and remarks of all files together. */
const maxDirectory = 64 * 1024 ** 2

/** A symbolic link says where, not what; nothing in an export needs one. */
function isLink(entry: yauzl.Entry): boolean {
  return entry.externalFileAttributes >>> 28 === 0xa
}

/** An entry as far as it is needed to unpack it: there may be many thousands. */
function slim(entry: yauzl.Entry): yauzl.Entry {
  const { compressedSize, uncompressedSize, compressionMethod, crc32, generalPurposeBitFlag } = entry
  const { relativeOffsetOfLocalHeader } = entry
  const needed = { compressedSize, uncompressedSize, compressionMethod, crc32, generalPurposeBitFlag }
  return Object.assign(Object.create(yauzl.Entry.prototype), { ...needed, relativeOffsetOfLocalHeader })
}

/** Small files that were read whole to be recognised are held, up to this many bytes of an archive: there may be thousands. */
const mostHeld = 32 * 1024 ** 2

function partOf(zip: yauzl.ZipFile, entry: yauzl.Entry, name: string, held: { bytes: number }): Part {
  let whole: Buffer | undefined
  const open = () => (whole === undefined ? unpack(zip, entry) : given(whole))
  return {
    baseName: name.split(/[\\/]/).at(-1) ?? '',
    extension: /\.([A-Za-z0-9]{1,8})$/.exec(name)?.[1]?.toLowerCase() ?? '',
    sizeBytes: entry.uncompressedSize,
    open,
    head: async bytes => {
      const head = await firstOf(open(), bytes)
      if (entry.uncompressedSize <= bytes && held.bytes + head.length <= mostHeld && whole === undefined) {
        held.bytes += head.length
        whole = apart(head)
      }
      return head.subarray(0, bytes)
    },
  }
}

/** Bytes by themselves: a small Buffer is a piece of a larger one, all of which would be kept with it. */
function apart(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

async function firstOf(chunks: AsyncIterable<Buffer>, bytes: number): Promise<Buffer> {
  const held: Buffer[] = []
  let size = 0
  // Up to the end where that is near, so that the checksum is looked at.
  for await (const chunk of chunks) {
    held.push(chunk)
    size += chunk.length
    if (size > bytes) break
  }
  return Buffer.concat(held)
}

/** What is at hand waits for nothing; thousands of such files in a row would let nobody else have a turn. */
async function* given(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  await setImmediate()
  yield bytes
}

/**
 * What unpacks to no more than this is unpacked at once: a stream that inflates has some 100 KB outside of the heap until it is
 * collected, and there may be many thousands. Takes less than a millisecond.
 */
const smallBytes = 64 * 1024

/** Held to the size that the directory says, which was held to the limits. */
async function* unpack(zip: yauzl.ZipFile, entry: yauzl.Entry): AsyncGenerator<Buffer, void, void> {
  let checksum = 0
  const isSmall = entry.compressionMethod === 8 && Math.max(entry.uncompressedSize, entry.compressedSize) <= smallBytes
  // Small ones come out of a block that is held: thousands of them would be read without the loop being left.
  const pause = giveWay()
  if (pause !== undefined) await pause
  try {
    for await (const chunk of isSmall ? inflated(zip, entry) : await streamed(zip, entry)) {
      checksum = crc32(chunk, checksum)
      yield chunk
    }
  } catch (error) {
    throw isProblem(error) ? error : malformed(error)
  }
  if (checksum !== entry.crc32 >>> 0) throw malformed(undefined)
}

function streamed(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<AsyncIterable<Buffer>> {
  return zip.openReadStreamPromise(entry)
}

/** @throws Error when it is damaged, or is longer or shorter than it says */
async function* inflated(zip: yauzl.ZipFile, entry: yauzl.Entry): AsyncGenerator<Buffer, void, void> {
  const packed: Buffer[] = []
  const stream = await zip.openReadStreamPromise(entry, { decompress: false })
  for await (const chunk of stream as AsyncIterable<Buffer>) packed.push(chunk)
  const bytes = inflateRawSync(Buffer.concat(packed), { maxOutputLength: Math.max(1, entry.uncompressedSize) })
  if (bytes.length !== entry.uncompressedSize) throw malformed(undefined)
  yield bytes
}

function bomb({ maxEntries, maxUnpacked, maxRatio }: IngestLimits): Problem {
  const text = `The archive has more than ${maxEntries} files, or unpacks to more than ${maxUnpacked} bytes or ${maxRatio} times its size.`
  return new Problem('too-large', 'ingest.zip-bomb', text)
}

function malformed(cause: unknown): Problem {
  return new Problem('invalid', 'ingest.zip-malformed', 'The archive is damaged, encrypted or not a plain zip.', {
    cause,
  })
}
