import { statSync, truncateSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { newSecret } from '#kernel'

/** What the file is called, so that whoever finds it knows whose it is. */
const fileName = 'kinhold.reserve'

const stepBytes = 1024 * 1024
const probeBytes = 4096

/** A file that holds nothing but its place: given up when the disk is full, so that what must be written still can be. */
export class Reserve {
  readonly #path: string

  constructor(folder: string) {
    this.#path = join(folder, fileName)
  }

  /** How large it is now; undefined when there is none. */
  get sizeBytes(): number | undefined {
    return statSync(this.#path, { throwIfNoEntry: false })?.size
  }

  /** Synchronous, because it is needed in the middle of a write. @returns whether there was anything to give up */
  release(): boolean {
    if ((this.sizeBytes ?? 0) === 0) return false
    truncateSync(this.#path, 0)
    return true
  }

  /** Takes its place again, wholly or not at all. */
  async make(sizeBytes: number): Promise<void> {
    await using file = await open(this.#path, 'w', 0o600)
    const step = incompressible(Math.min(stepBytes, sizeBytes))
    try {
      for (let at = 0; at < sizeBytes; at += step.length) await writeAll(file, step.subarray(0, sizeBytes - at), at)
    } catch (error) {
      await file.truncate(0)
      throw error
    }
  }

  /** Writes where it lies already: this needs no room, so only a disk that takes no writes at all refuses it. */
  async probe(): Promise<void> {
    await using file = await open(this.#path, 'r+')
    await writeAll(file, incompressible(probeBytes), 0)
  }
}

/** Some file systems keep zeros, and what repeats, in no place at all. */
function incompressible(bytes: number): Buffer {
  const pieces = Array.from({ length: Math.ceil(bytes / 4096) }, () => newSecret(3072))
  return Buffer.from(pieces.join('').slice(0, bytes), 'latin1')
}

/** A short write is how a full disk first shows itself. */
async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten
}
