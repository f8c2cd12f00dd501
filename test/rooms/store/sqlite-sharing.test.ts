import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { openSqliteStore, type Store } from '#store'
import { append, codeOf, entry, id, put } from '../../contracts/store-fixtures.ts'
import { inDirectory } from './new-directory.ts'

const anna = id('a')

const withStores = (count: number, test: (stores: Store[], path: string) => Promise<void>, waitMs = 2_000) =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const stores = await Promise.all(Array.from({ length: count }, () => openSqliteStore({ path, waitMs })))
    await test(stores, path)
    for (const store of stores) await store.close()
  })

/** Frames of the log that end a transaction: https://sqlite.org/fileformat2.html#the_write_ahead_log */
function transactionsInLog(path: string): number {
  const log = readFileSync(`${path}-wal`)
  let count = 0
  for (let at = 32; at + 24 <= log.length; at += 24 + 4096) if (log.readUInt32BE(at + 4) > 0) count++
  return count
}

describe('group commit', () => {
  it('writes the commits of one turn in one transaction', () =>
    withStores(1, async ([store], path) => {
      const before = transactionsInLog(path)
      const commits = Array.from({ length: 50 }, (_, index) => append(id('c', index), 0, [id('1', index)]))
      await Promise.all(commits.map(one => store?.commit({ appends: [one] })))
      expect(transactionsInLog(path) - before).toBe(1)
      await store?.commit({ appends: [append(anna, 0, [id('2')])] })
      expect(transactionsInLog(path) - before).toBe(2)
    }))

  it('tells all who shared a transaction that it failed, writes none of it, and goes on', () =>
    withStores(1, async ([store], path) => {
      const database = new DatabaseSync(path)
      // What is no JSON fails when it is to be indexed; a trigger would not be run.
      database.exec(`CREATE INDEX full ON entries (CASE WHEN version = 2 THEN json('{') END)`)
      database.close()
      const good = { appends: [append(anna, 0, [id('1')])], documents: [put('aa', 'x')] }
      const bad = { appends: [append(id('b'), 0, [id('2')], [id('2'), 2])] }
      const codes = await Promise.all(
        [good, bad, { appends: [] }].map(commit => codeOf(store?.commit(commit) ?? Promise.resolve())),
      )
      expect(codes).toEqual(['store.failed', 'store.failed', 'store.failed'])
      expect(await store?.stats()).toMatchObject({ entries: 0, documents: 0 })
      expect(await store?.commit(good)).toEqual({ ok: true })
    }))

  it('takes more than one transaction for what is too much for one', () =>
    withStores(1, async ([store], path) => {
      const before = transactionsInLog(path)
      const many = (letter: string) =>
        append(id(letter), 0, ...Array.from({ length: 6_000 }, (_, index) => [id(letter, index)] as const))
      const results = await Promise.all(['1', '2', '3'].map(letter => store?.commit({ appends: [many(letter)] })))
      expect(results).toEqual([{ ok: true }, { ok: true }, { ok: true }])
      expect(transactionsInLog(path) - before).toBe(3)
    }))
})

describe('several processes on one file', () => {
  it('create it together', () =>
    withStores(5, async stores => {
      for (const store of stores) expect(await store.allHeads()).toEqual(new Map())
    }))

  it('see at once what another has committed', () =>
    withStores(2, async ([server, command]) => {
      expect(await server?.newest(id('1'), undefined)).toBeUndefined()
      await command?.commit({ appends: [append(anna, 0, [id('1')])] })
      // A request that comes in later comes in on a later turn.
      await new Promise(setImmediate)
      expect(await server?.newest(id('1'), [anna])).toEqual(entry(anna, 1, id('1')))
      expect(await server?.heads([anna])).toEqual(new Map([[anna, 1]]))
    }))

  it('see by the mark of the documents that another has written one', () =>
    withStores(2, async ([server, command]) => {
      const mark = async () => {
        await new Promise(setImmediate)
        return server?.documentsMark()
      }
      const before = await mark()
      await server?.commit({ appends: [append(anna, 0, [id('1')])] })
      await server?.commit({
        appends: [],
        documents: [{ op: 'check', collection: 'tokens', key: 'aa', ifRevision: 0 }],
      })
      expect(await mark()).toBe(before)
      await command?.commit({ appends: [], documents: [put('aa', 'x')] })
      const seen = await mark()
      expect(seen).not.toBe(before)
      await command?.commit({ appends: [], documents: [put('aa', 'y')] })
      expect(await mark()).not.toBe(seen)
      await server?.commit({ appends: [], documents: [put('aa', 'z')] })
      expect(await mark()).not.toBe(seen)
    }))

  it('see at last what another has done even when they never leave their turn', () =>
    withStores(1, async ([store], path) => {
      await store?.commit({ appends: [append(anna, 0, [id('1')])] })
      expect(await store?.heads([anna])).toEqual(new Map([[anna, 1]]))
      const other = new DatabaseSync(path)
      other.exec('DELETE FROM entries')
      other.close()
      const deadline = performance.now() + 20_000
      let head = 1
      while (performance.now() < deadline && head === 1) head = (await store?.heads([anna]))?.get(anna) ?? 0
      expect(head).toBe(0)
    }))

  it('lose races to each other as they do to themselves', () =>
    withStores(3, async stores => {
      const results = await Promise.all(stores.map(store => store.commit({ appends: [append(anna, 0, [id('1')])] })))
      expect(results.filter(({ ok }) => ok)).toHaveLength(1)
    }))

  it('all get their turn when they write at the same time', () =>
    withStores(3, async stores => {
      const writes = stores.map(async (store, of) => {
        for (let head = 0; head < 20; head++)
          expect(await store.commit({ appends: [append(id('c', of), head, [id('1', of * 100 + head)])] })).toEqual({
            ok: true,
          })
      })
      await Promise.all(writes)
      expect(await stores[0]?.stats()).toMatchObject({ compartments: 3, entries: 60 })
    }))

  it('append to one ledger without losing or doubling anything', () =>
    withStores(1, async ([store], path) => {
      const script = fileURLToPath(new URL('contending-writer.ts', import.meta.url))
      const run = async (letter: string) => {
        const child = spawn(process.execPath, [script, path, letter], { stdio: 'inherit' })
        expect(await once(child, 'close')).toEqual([0, null])
      }
      await Promise.all(['1', '2'].map(run))
      expect(await store?.heads([anna])).toEqual(new Map([[anna, 200]]))
      const found = (await store?.entriesFrom(anna, 1, 1_000)) ?? []
      expect(new Set(found.map(({ locator }) => locator)).size).toBe(200)
      expect(await store?.check()).toEqual([])
    }))

  it('do not confuse a dropped compartment with one that comes after it', () =>
    withStores(2, async ([server, command]) => {
      await server?.commit({ appends: [append(anna, 0, [id('1')])] })
      expect(await server?.newest(id('1'), [anna])).toBeDefined()
      await command?.dropCompartment(anna)
      await command?.commit({ appends: [append(id('b'), 0, [id('2')])] })
      await new Promise(setImmediate)
      expect(await server?.newest(id('2'), [anna])).toBeUndefined()
      expect(await server?.newest(id('2'), [id('b')])).toEqual(entry(id('b'), 1, id('2')))
    }))

  const whileLocked = async (path: string, work: (release: () => void) => Promise<void>) => {
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await work(() => other.exec('ROLLBACK'))
    other.close()
  }

  it('are told that the store is busy when another does not let go of it, and can read meanwhile', () =>
    withStores(
      1,
      async ([store], path) => {
        await store?.commit({ appends: [append(anna, 0, [id('1')])] })
        await whileLocked(path, async () => {
          const refused = codeOf(store?.commit({ appends: [append(anna, 1, [id('2')])] }) ?? Promise.resolve())
          expect(await store?.newest(id('1'), [anna])).toBeDefined()
          expect(await refused).toBe('store.busy')
        })
        expect(await store?.heads([anna])).toEqual(new Map([[anna, 1]]))
      },
      150,
    ))

  it('wait for another that lets go in time, and gather what arrives meanwhile', () =>
    withStores(1, async ([store], path) => {
      await whileLocked(path, async release => {
        const results = [0, 1, 2].map(head => store?.commit({ appends: [append(anna, head, [id('1', head)])] }))
        setTimeout(release, 120)
        expect(await Promise.all(results)).toEqual([{ ok: true }, { ok: true }, { ok: true }])
      })
    }))
})
