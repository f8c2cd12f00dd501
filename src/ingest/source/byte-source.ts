import { createHash } from 'node:crypto'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { Problem } from '#kernel'

/** Bytes that can be read again and anywhere, which a zip's directory and a second pass need. Whoever has it closes it. */
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
    const end = Math.min(until, this.sizeBytes)
    for (let at = from; at < end; ) {
      const size = Math.min(step, end - at)
      const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(size), 0, size, at)
      if (bytesRead === 0) throw becameShorter()
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

function becameShorter(): Problem {
  return new Problem('invalid', 'ingest.truncated', 'The file became shorter while it was read.')
}

/** A file on this machine. @throws the file system's error when it cannot be opened, TypeError when it is a folder */
export async function openFile(path: string): Promise<ByteSource> {
  // Asked before it is opened: a pipe would wait for somebody to write.
  if (!(await stat(path)).isFile()) throw new TypeError('this is no file')
  await using owned = new AsyncDisposableStack()
  const file = owned.adopt(await open(path, 'r'), handle => handle.close())
  const { size } = await file.stat()
  owned.move()
  return new FileSource(file, size)
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
