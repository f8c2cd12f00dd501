import { type FileHandle, open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { limitBytes, newResourceId } from '#kernel'
import { newScratchSeal } from '#vault'
import type { IngestLimits } from '../limits.ts'
import { type ByteSource, bufferSource } from './byte-source.ts'

/**
 * Takes in a body, so that it can be read more than once. Small ones stay in memory. Larger ones go to a temporary
 * file, chunk by chunk under a scratch seal of the vault, whose key is made for this body and never leaves the process, and
 * the file has no name while it is in use, so nothing of it can be read even by somebody who pulls the plug and takes the disk.
 *
 * @throws Problem `too-large` · `body.too-large`
 */
export async function spool(body: AsyncIterable<Uint8Array>, limits: IngestLimits): Promise<ByteSource> {
  const held: Uint8Array[] = []
  let size = 0
  let file: SealedFile | undefined
  try {
    for await (const chunk of limitBytes(body, limits.maxFile)) {
      size += chunk.length
      if (file === undefined && size <= limits.spoolFrom) {
        held.push(chunk)
        continue
      }
      file ??= await openSealed(held.splice(0))
      await file.append(chunk)
    }
    await file?.finish()
    return file ?? bufferSource(Buffer.concat(held))
  } catch (error) {
    await file?.close()
    throw error
  }
}

const plainSize = 64 * 1024

async function openSealed(held: readonly Uint8Array[]): Promise<SealedFile> {
  const path = join(tmpdir(), `kinhold-${newResourceId()}`)
  const handle = await open(path, 'wx+', 0o600)
  // A file without a name lives as long as it is open. Windows cannot do so and removes it on closing.
  const nameless = process.platform !== 'win32'
  if (nameless) await unlink(path)
  const file = new SealedFile(handle, nameless ? undefined : path)
  for (const chunk of held) await file.append(chunk)
  return file
}

class SealedFile implements ByteSource {
  readonly #file: FileHandle
  readonly #path: string | undefined
  readonly #scratch = newScratchSeal()
  readonly #sealedSize = plainSize + this.#scratch.overheadBytes
  #rest: Buffer[] = []
  #restSize = 0
  #chunks = 0
  sizeBytes = 0

  constructor(file: FileHandle, path: string | undefined) {
    this.#file = file
    this.#path = path
  }

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

  async finish(): Promise<void> {
    if (this.#restSize > 0) await this.#write(Buffer.concat(this.#rest))
    this.#rest = []
  }

  async #write(plain: Buffer): Promise<void> {
    const index = this.#chunks++
    const sealed = this.#scratch.seal(index, plain)
    await this.#file.write(sealed, 0, sealed.length, index * this.#sealedSize)
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

  async #open(index: number, size: number): Promise<Buffer> {
    const sealed = Buffer.allocUnsafe(size + this.#scratch.overheadBytes)
    await this.#file.read(sealed, 0, sealed.length, index * this.#sealedSize)
    return this.#scratch.open(index, sealed)
  }

  async close(): Promise<void> {
    await this.#file.close()
    if (this.#path !== undefined) await unlink(this.#path)
  }
}
