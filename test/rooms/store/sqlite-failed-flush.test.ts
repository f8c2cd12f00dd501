/**
 * The log is flushed outside the event loop, and the disk says once that it could not take it: what was not written then counts as written
 * from there on (https://lwn.net/Articles/752063/), so that a flush that ends well afterwards says nothing of what lies before it.
 */
import { statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openSqliteKeys, openSqliteStore, type Store } from '#store'
import { anna, append, ben, codeOf, id, won } from '../../contracts/store-fixtures.ts'
import { inDirectory } from './new-directory.ts'

const io = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO', errno: -5, syscall: 'fdatasync' })

/** The next flush by Node ends so, and those after it as they do. @returns what puts that back */
async function failOnce(path: string): Promise<() => void> {
  const file = await open(path)
  const handles: Pick<FileHandle, 'datasync'> = Object.getPrototypeOf(file)
  await file.close()
  const real = handles.datasync
  const mend = () => {
    handles.datasync = real
  }
  handles.datasync = async () => {
    mend()
    throw io
  }
  return mend
}

interface Scene {
  readonly path: string
  /** Another process stops reading: until then the log cannot be emptied. */
  free(): void
  readonly logBytes: () => number
}

async function onScene(test: (scene: Scene) => Promise<void>): Promise<void> {
  await inDirectory(async directory => {
    const path = join(directory, 'store.db')
    // SQLite makes the file and its log.
    await (await openSqliteStore({ path })).close()
    const reader = new DatabaseSync(path)
    reader.exec('BEGIN; SELECT count(*) FROM sqlite_schema')
    const mend = await failOnce(path)
    try {
      await test({ path, free: () => reader.exec('ROLLBACK'), logBytes: () => statSync(`${path}-wal`).size })
    } finally {
      mend()
      reader.close()
    }
  })
}

const waitMs = 20
const unhurried = (compartment: string, head: number) => ({
  appends: [append(compartment, head, [id('1', head)])],
  unhurried: true,
})
const locatorOf = (at: number) => at.toString(16).padStart(8, '0') + id('2').slice(0, 24)
/** Enough for the thread that writes long commits. */
const many = append(ben, 0, ...Array.from({ length: 600 }, (_, at) => [locatorOf(at)] as const))

/** What comes after a flush that failed, none of which may be said to be durable. */
const later: readonly (readonly [string, (store: Store) => Promise<unknown>])[] = [
  ['asks whether all is durable', store => store.durable()],
  ['writes what somebody waits for', store => store.commit({ appends: [append(ben, 0, [id('2')])] })],
  ['writes what nobody waits for', store => store.commit(unhurried(ben, 0))],
  ['writes thousands of entries', store => store.commit({ appends: [many] })],
]

describe('a flush of the log that fails', () => {
  it.each(later)('is remembered by whoever %s, until the log is in the file', (_, attempt) =>
    onScene(async ({ path, free, logBytes }) => {
      const store = await openSqliteStore({ path, waitMs })
      expect(await codeOf(store.commit(unhurried(anna, 0)))).toBe('store.busy')
      expect(await codeOf(attempt(store))).toBe('store.busy')
      expect(await codeOf(store.durable())).toBe('store.busy')
      free()
      await store.durable()
      expect(logBytes()).toBe(0)
      expect(await store.commit(unhurried(anna, 1))).toEqual(won)
      await attempt(store)
      await store.close()
    }),
  )

  it('is the failure of those too whose own flush began behind it', () =>
    onScene(async ({ path, free }) => {
      const store = await openSqliteStore({ path, waitMs })
      const all = await Promise.all([store.durable(), store.durable(), store.durable()].map(codeOf))
      expect(all).toEqual(['store.busy', 'store.busy', 'store.busy'])
      free()
      await store.durable()
      await store.close()
    }))

  it('costs nobody anything where nobody reads', () =>
    onScene(async ({ path, free, logBytes }) => {
      free()
      const store = await openSqliteStore({ path, waitMs })
      expect(await store.commit(unhurried(anna, 0))).toEqual(won)
      expect(logBytes()).toBe(0)
      await store.close()
    }))

  it('is remembered of the keys as well', () =>
    onScene(async ({ path, free }) => {
      const keys = await openSqliteKeys({ path: join(path, '..', 'keys.db'), waitMs })
      const put = { notes: [{ name: 'head', value: new Uint8Array([1]) }] }
      const reader = new DatabaseSync(join(path, '..', 'keys.db'))
      reader.exec('BEGIN; SELECT count(*) FROM sqlite_schema')
      expect(await codeOf(keys.change({ put, unhurried: true }))).toBe('store.busy')
      expect(await codeOf(keys.durable())).toBe('store.busy')
      reader.close()
      await keys.durable()
      expect(await keys.note('head')).toEqual(put.notes[0])
      free()
      await keys.close()
    }))
})
