import { isStorageProblem, type Log, Problem, type StorageFault, silentLog, storageProblem } from '#kernel'
import { Folder, type WatchedFolder } from './folder.ts'

/** Which folder cannot be written to, and why. */
export interface Shortage {
  readonly folder: WatchedFolder['name']
  readonly fault: StorageFault
}

/** The room on the disks of a house, looked at every few seconds. */
export interface Space {
  /** What is wrong with the first folder that something is wrong with; for those who ask whether the server is ready. */
  readonly shortage: Shortage | undefined
  /** @throws Problem `full` · `store.reserved` while data must not grow; `storage.…` when a folder takes no writes */
  check(): void
  /**
   * Runs a write that must be possible on a full disk: when it fails for want of room, the reserve is given up, it is run once
   * more, and data must not grow until there is room again.
   */
  urgently<T>(folder: Shortage['folder'], write: () => Promise<T>): Promise<T>
  /** A write there has failed for want of room: data must not grow from now on. @returns whether a reserve was given up for it */
  release(folder: Shortage['folder']): boolean
  /** Told each time that there is room again. */
  onRoom(listener: () => void): void
  look(): Promise<void>
  close(): void
}

/** What is watched, and by whom. */
export interface SpaceOptions {
  readonly folders: readonly WatchedFolder[]
  /** Whether this process makes the reserves: a server does, a command takes them as they are. */
  readonly keeps: boolean
  readonly log?: Log
}

/** For stores that lie on no disk, or on one that nobody watches. */
export const boundless: Space = {
  shortage: undefined,
  check: () => undefined,
  urgently: (_folder, write) => write(),
  release: () => false,
  onRoom: () => undefined,
  look: async () => undefined,
  close: () => undefined,
}

const lookEveryMs = { well: 5_000, short: 1_000 } as const

/** Looks at the folders for the first time, and goes on. */
export async function openSpace({ folders, keeps, log = silentLog }: SpaceOptions): Promise<Space> {
  const space = new WatchedSpace(
    folders.map(folder => new Folder(folder, keeps)),
    log,
  )
  await space.look()
  space.goOn()
  return space
}

/** Folders whose want of room stops the growth of data; a full temporary folder stops only what needs it. */
const growing: ReadonlySet<WatchedFolder['name']> = new Set(['data', 'keys'])

class WatchedSpace implements Space {
  readonly #folders: readonly Folder[]
  readonly #log: Log
  readonly #listeners: (() => void)[] = []
  #shortages: readonly Shortage[] = []
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(folders: readonly Folder[], log: Log) {
    this.#folders = folders
    this.#log = log
  }

  get shortage(): Shortage | undefined {
    return this.#shortages[0]
  }

  check(): void {
    const shortage = this.#shortages.find(({ folder }) => growing.has(folder))
    if (shortage === undefined) return
    if (shortage.fault !== 'full') throw storageProblem(shortage.fault, { detail: shortage.folder })
    throw reserved(shortage)
  }

  async urgently<T>(folder: Shortage['folder'], write: () => Promise<T>): Promise<T> {
    try {
      return await write()
    } catch (error) {
      if (!isStorageProblem(error) || error.kind !== 'full' || !this.release(folder)) throw error
      return write()
    }
  }

  release(folder: Shortage['folder']): boolean {
    const others = this.#shortages.filter(each => each.folder !== folder)
    const now: readonly Shortage[] = [...others, { folder, fault: 'full' }]
    this.#tell(this.#shortages, now)
    this.#shortages = now
    this.#lookIn(lookEveryMs.short)
    return this.#folders.some(each => each.name === folder && each.release())
  }

  onRoom(listener: () => void): void {
    this.#listeners.push(listener)
  }

  async look(): Promise<void> {
    const before = this.#shortages
    const now: Shortage[] = []
    // One after the other: two of them may be the same folder.
    for (const folder of this.#folders) {
      const fault = await folder.look()
      if (fault !== undefined) now.push({ folder: folder.name, fault })
    }
    // What has failed in the meantime is looked at the next time.
    if (this.#closed || before !== this.#shortages) return
    this.#shortages = now
    this.#tell(before, now)
  }

  #tell(before: readonly Shortage[], now: readonly Shortage[]): void {
    for (const { folder, fault } of now)
      if (!before.some(each => each.folder === folder && each.fault === fault))
        this.#log.error('a folder takes no more data', { room: 'store', detail: `${folder}: ${fault}` })
    if (before.length === 0 || now.length > 0) return
    this.#log.warn('there is room on the disk again', said)
    for (const listener of this.#listeners) listener()
  }

  goOn(): void {
    this.#lookIn(this.#shortages.length === 0 ? lookEveryMs.well : lookEveryMs.short)
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer)
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.look().finally(() => this.goOn()), ms).unref()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }
}

const said = { room: 'store' } as const

function reserved({ folder }: Shortage): Problem {
  const text =
    "The server's disk is full: nothing new is taken in until somebody makes room. Access can be ended, and patients erased."
  return new Problem('full', 'store.reserved', text, { retryAfterSeconds: 60, detail: folder })
}
