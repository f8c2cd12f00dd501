import { open, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { newSecret, type StorageFault, storageFaultOf } from '#kernel'
import { Reserve } from './reserve.ts'

/** A folder that is looked at. */
export interface WatchedFolder {
  /** What it is for, as logs and answers name it. */
  readonly name: 'data' | 'keys' | 'temporary'
  readonly path: string
  /** Bytes that are kept free for what must always be possible; without it the folder is only looked at. */
  readonly reserveBytes?: number
}

/** A small disk is not to be given up for its reserve. */
const largestShare = 20
/** Free bytes, beside the reserve, below which nothing new is begun. */
const marginBytes = 1024 * 1024
const smallestShare = 100
/** The reserve is made when there is so much more than it needs, so that it does not come and go. */
const ease = 1.25

/** One folder: whether it takes writes, how much room there is, and its reserve. */
export class Folder {
  readonly name: WatchedFolder['name']
  readonly #path: string
  readonly #reserve: Reserve | undefined
  readonly #reserveBytes: number
  readonly #keeps: boolean

  /** @param keeps  whether this process makes the reserve; one that only passes by leaves it as it is */
  constructor({ name, path, reserveBytes = 0 }: WatchedFolder, keeps: boolean) {
    this.name = name
    this.#path = path
    this.#reserve = reserveBytes > 0 ? new Reserve(path) : undefined
    this.#reserveBytes = reserveBytes
    this.#keeps = keeps
  }

  /** What is wrong; undefined while it takes writes and has room. */
  async look(): Promise<StorageFault | undefined> {
    try {
      const { bavail, blocks, bsize } = await statfs(this.#path)
      if (!(await this.#hasRoom(bavail * bsize, blocks * bsize))) return 'full'
      await this.#probe()
      return undefined
    } catch (error) {
      return storageFaultOf(error) ?? 'failing'
    }
  }

  /** Gives up the reserve. @returns whether there was one */
  release(): boolean {
    return this.#reserve?.release() ?? false
  }

  async #hasRoom(free: number, total: number): Promise<boolean> {
    const margin = Math.min(marginBytes, total / smallestShare)
    const wanted = Math.min(this.#reserveBytes, Math.floor(total / largestShare))
    const held = this.#reserve?.sizeBytes
    if (this.#reserve === undefined || (held === undefined && !this.#keeps)) return free > margin
    if ((held ?? 0) >= wanted) return free > margin
    if (free + (held ?? 0) < wanted * ease + margin) return false
    if (this.#keeps) await this.#reserve.make(wanted)
    return true
  }

  async #probe(): Promise<void> {
    if ((this.#reserve?.sizeBytes ?? 0) > 0) return this.#reserve?.probe()
    const path = join(this.#path, `kinhold-probe-${newSecret(9)}`)
    await using file = await open(path, 'wx', 0o600)
    await unlink(path)
    await file.write(Buffer.alloc(4096, 1))
  }
}
