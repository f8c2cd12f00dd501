import type { FileHandle } from 'node:fs/promises'
import { newScratchSeal, type ScratchSeal } from '#vault'
import type { ByteSource } from './byte-source.ts'

const plainSize = 64 * 1024

/** What becomes of a file when nobody needs it any more. */
type Ending = (storedBytes: number) => Promise<void>

/** What a sealed file is told of its bytes on disk: before each piece is written, and at its end. */
export interface Keeper {
  /** @throws Problem when there is no room for so many more bytes */
  claim(bytes: number): void | Promise<void>
  readonly ended: Ending
}

/** A file of pieces of 64 KiB, each sealed by itself under a key that exists in this object alone. It owns its handle. */
export class SealedFile implements ByteSource {
  readonly #file: FileHandle
  readonly #keeper: Keeper
  readonly #scratch: ScratchSeal
  readonly #sealedSize: number
  #rest: Buffer[] = []
  #restSize = 0
  #pieces = 0
  #stored = 0
  #closing: Promise<void> | undefined
  sizeBytes: number

  /** @param sizeBytes  of the plain bytes that it holds already */
  constructor(file: FileHandle, keeper: Keeper, scratch = newScratchSeal(), sizeBytes = 0) {
    this.#file = file
    this.#keeper = keeper
    this.#scratch = scratch
    this.#sealedSize = plainSize + scratch.overheadBytes
    this.sizeBytes = sizeBytes
  }

  /** @throws the file system's error, and Problem as `Keeper.claim` */
  async append(bytes: Uint8Array): Promise<void> {
    this.#rest.push(Buffer.from(bytes))
    this.#restSize += bytes.length
    this.sizeBytes += bytes.length
    if (this.#restSize < plainSize) return
    const all = Buffer.concat(this.#rest)
    const whole = all.length - (all.length % plainSize)
    for (let at = 0; at < whole; at += plainSize) await this.#write(all.subarray(at, at + plainSize))
    this.#rest = [all.subarray(whole)]
    this.#restSize = all.length - whole
  }

  /** Writes what is left; nothing is appended afterwards. */
  async finish(): Promise<void> {
    if (this.#restSize > 0) await this.#write(Buffer.concat(this.#rest))
    this.#rest = []
    this.#restSize = 0
  }

  /** Makes what was written durable. */
  async flush(): Promise<void> {
    await this.#file.sync()
  }

  async #write(plain: Buffer): Promise<void> {
    const index = this.#pieces++
    const sealed = this.#scratch.seal(index, plain)
    await this.#keeper.claim(sealed.length)
    this.#stored += sealed.length
    const start = index * this.#sealedSize
    // @NOTE a disk that is filling takes a part of what it is given, and says so only by the number.
    for (let done = 0; done < sealed.length; ) {
      const { bytesWritten } = await this.#file.write(sealed, done, sealed.length - done, start + done)
      done += bytesWritten
    }
  }

  async *read(from: number, until: number): AsyncGenerator<Buffer, void, void> {
    const end = Math.min(until, this.sizeBytes)
    for (let at = from; at < end; ) {
      const index = Math.floor(at / plainSize)
      const start = index * plainSize
      const plain = await this.#open(index, Math.min(plainSize, this.sizeBytes - start))
      yield plain.subarray(at - start, Math.min(plain.length, end - start))
      at = start + plain.length
    }
  }

  /** @throws Problem `fault` · `vault.seal-broken` for what is not as it was written */
  async #open(index: number, size: number): Promise<Buffer> {
    const sealed = Buffer.alloc(size + this.#scratch.overheadBytes)
    const start = index * this.#sealedSize
    for (let done = 0; done < sealed.length; ) {
      const { bytesRead } = await this.#file.read(sealed, done, sealed.length - done, start + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return this.#scratch.open(index, sealed)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#file.close()
    } finally {
      await this.#keeper.ended(this.#stored)
    }
  }
}
