import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'

/** Bytes that can be read again and anywhere, which a zip's directory and a second pass need. */
export interface ByteSource {
  readonly sizeBytes: number
  /** The bytes `from … until`, `until` exclusive. */
  read(from: number, until: number): AsyncIterable<Buffer>
  close(): Promise<void>
}

const step = 256 * 1024

class FileSource implements ByteSource {
  readonly sizeBytes: number
  readonly #file: FileHandle

  constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file
    this.sizeBytes = sizeBytes
  }

  async *read(from: number, until: number): AsyncGenerator<Buffer, void, void> {
    let at = from
    while (at < until) {
      const { bytesRead, buffer } = await this.#file.read(
        Buffer.allocUnsafe(Math.min(step, until - at)),
        0,
        Math.min(step, until - at),
        at,
      )
      if (bytesRead === 0) return
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** A file on this machine. @throws the file system's error when it cannot be opened, TypeError when it is a folder */
export async function openFile(path: string): Promise<ByteSource> {
  const file = await open(path, 'r')
  const found = await file.stat()
  if (found.isFile()) return new FileSource(file, found.size)
  await file.close()
  throw new TypeError('this is no file')
}

/** Bytes in memory. */
export function bufferSource(bytes: Buffer): ByteSource {
  return {
    sizeBytes: bytes.length,
    async *read(from, until) {
      const end = Math.min(until, bytes.length)
      for (let at = from; at < end; at += step) {
        // What is in memory waits for nothing; whoever else has something to do gets a turn.
        await setImmediate()
        yield bytes.subarray(at, Math.min(at + step, end))
      }
    },
    close: async () => {},
  }
}

/** The same source, telling how much of it has been read. */
export function counted(source: ByteSource, onRead: (bytes: number) => void): ByteSource {
  return {
    sizeBytes: source.sizeBytes,
    async *read(from, until) {
      for await (const chunk of source.read(from, until)) {
        onRead(chunk.length)
        yield chunk
      }
    },
    close: () => source.close(),
  }
}

/** SHA-256 of everything, hex: what a file is known by when it is imported again. */
export async function digestOf(source: ByteSource): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of source.read(0, source.sizeBytes)) hash.update(chunk)
  return hash.digest('hex')
}

/** The first `bytes` bytes, or all when there are fewer. */
export async function headOf(source: ByteSource, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of source.read(0, Math.min(bytes, source.sizeBytes))) chunks.push(chunk)
  return Buffer.concat(chunks)
}
