import { type FileHandle, open, realpath } from 'node:fs/promises'

/**
 * Flushes the write-ahead log of a database outside the event loop, for commits that were written without a flush of their own. SQLite
 * locks other files and never this one, so that it may be closed here.
 */
export class LogFlush {
  readonly #file: FileHandle
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** @param path  of a database that has been written to, and is open: its log stays the same file until then */
  static async of(path: string): Promise<LogFlush> {
    // SQLite keeps the log of a file to which a symbolic link leads beside that file.
    return new LogFlush(await open(`${await realpath(path)}-wal`, 'r+'))
  }

  /**
   * Resolves when all that stands in the log is on the disk. Who comes while a flush is under way shares the one behind it.
   *
   * @throws whatever the file system says
   */
  now(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#file.datasync().finally(() => {
        this.#running = undefined
      })
      return this.#running
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.now()
      })
    return this.#next
  }

  /** Lets go of the file, once what is under way has ended. */
  async close(): Promise<void> {
    await (this.#next ?? this.#running)?.catch(() => undefined)
    await this.#file.close()
  }
}
