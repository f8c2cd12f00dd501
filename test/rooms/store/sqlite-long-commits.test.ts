import { readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { openSqliteStore, type Store } from '#store'
import { append, chunksOf, codeOf, id, lost, put, read, sealedForTest, won } from '../../contracts/store-fixtures.ts'
import { inDirectory } from './new-directory.ts'

const anna = id('a')
const ben = id('b')
/** Far more than goes into one turn of the event loop. */
const count = 8_000

/** Found by its first digits, as those of the server are: these differ. */
const locatorOf = (letter: string, number: number) => number.toString(16).padStart(8, '0') + id(letter).slice(0, 24)

const many = (compartment: string, head = 0, letter = '1') =>
  append(compartment, head, ...Array.from({ length: count }, (_, index) => [locatorOf(letter, head + index)] as const))

const withStore = (test: (store: Store, path: string) => Promise<void>) =>
  inDirectory(async directory => {
    const path = join(directory, 'store.db')
    const store = await openSqliteStore({ path })
    await test(store, path)
    await store.close()
  })

/** Does something in each turn of the event loop until a promise settles. @returns how many turns that were */
async function eachTurnUntil(settled: Promise<unknown>, work: () => Promise<void>): Promise<number> {
  let isDone = false
  void settled.then(() => {
    isDone = true
  })
  let turns = 0
  for (; !isDone; turns++) {
    await work()
    await nextTurn()
  }
  return turns
}

const headOf = async (store: Store, compartment: string) => (await store.heads([compartment])).get(compartment)

describe('a commit of thousands of entries', () => {
  it('lets reads go on, which see all of it or nothing', () =>
    withStore(async store => {
      await store.commit({ appends: [append(ben, 0, [id('2')])] })
      const seen = new Set<number | undefined>()
      const committing = store.commit({ appends: [many(anna)], documents: [put('aa', 'x')] })
      const turns = await eachTurnUntil(committing, async () => {
        seen.add(await headOf(store, anna))
        expect(await store.newest(id('2'), [ben])).toMatchObject({ seq: 1 })
      })
      expect(await committing).toEqual(won)
      // Written in one turn, it would let in as few as a small one.
      expect(turns).toBeGreaterThan(10)
      seen.add(await headOf(store, anna))
      expect([...seen]).toEqual([0, count])
      expect(await store.newest(locatorOf('1', count - 1), [anna])).toMatchObject({ seq: count, version: 1 })
      expect(await store.document('tokens', 'aa', 0)).toMatchObject({ revision: 1, sealed: sealedForTest('x') })
      expect(await store.check()).toEqual([])
    }))

  it('lets other writers wait, refuses none, and writes each of them once', () =>
    withStore(async store => {
      const first = store.commit({ appends: [many(anna)] })
      await nextTurn()
      const others = [
        store.commit({ appends: [append(ben, 0, [id('2')])] }),
        store.commit({ appends: [many(anna, count, '1')] }),
        store.restoreEntries(id('c'), append(id('c'), 0, [id('3')]).entries),
        store.putBlob(ben, 'scan', chunksOf('one', 'two')),
        store.putSegment({ compartment: anna, fromSeq: 1, untilSeq: 1, sealed: sealedForTest('rows') }),
        store.dropSegments(ben),
      ]
      expect(await Promise.all([first, ...others])).toEqual([won, won, won, ...Array(4).fill(undefined)])
      expect(await store.allHeads()).toEqual(
        new Map([
          [anna, 2 * count],
          [ben, 1],
          [id('c'), 1],
        ]),
      )
      expect(await read(store.blob(ben, 'scan'))).toEqual(['0:one', '1:two'])
      expect(await store.check()).toEqual([])
    }))

  it('waits for another process that holds the lock, and the other for it', () =>
    withStore(async (store, path) => {
      const other = new DatabaseSync(path)
      other.exec('BEGIN IMMEDIATE')
      const committing = store.commit({ appends: [many(anna)] })
      for (let turn = 0; turn < 200; turn++) await nextTurn()
      other.exec('COMMIT')
      other.close()
      expect(await committing).toEqual(won)
      const beside = await openSqliteStore({ path })
      const both = [store.commit({ appends: [many(anna, count)] }), beside.commit({ appends: [many(ben, 0, '2')] })]
      expect(await Promise.all(both)).toEqual([won, won])
      await beside.close()
      expect(await store.check()).toEqual([])
    }))

  it('is told what it lost its race over, and nothing of it is written', () =>
    withStore(async store => {
      await store.commit({ appends: [append(anna, 0, [locatorOf('1', 5)])], documents: [put('aa', 'x')] })
      const late = { appends: [many(anna)], documents: [put('aa', 'y', { ifRevision: 0 })] }
      expect(await store.commit(late)).toEqual(
        lost({ heads: [anna], locators: [locatorOf('1', 5)], documents: ['tokens/aa'] }),
      )
      expect(await store.stats()).toMatchObject({ entries: 1, documents: 1 })
      const both = [store.commit(late), store.commit({ appends: [many(ben, 0, '2')] })]
      expect(await Promise.all(both)).toMatchObject([{ ok: false }, won])
      expect(await store.stats()).toMatchObject({ entries: 1 + count })
    }))

  it('is wholly undone when it fails, and the next one goes on', () =>
    withStore(async (store, path) => {
      const database = new DatabaseSync(path)
      // What is no JSON fails when it is to be indexed; a trigger would not be run.
      database.exec(`CREATE INDEX full ON entries (CASE WHEN version = 2 THEN json('{') END)`)
      database.close()
      const one = many(anna)
      const bad = { ...one, entries: [...one.entries, { ...append(anna, count, [locatorOf('1', 0), 2]).entries[0] }] }
      expect(await codeOf(store.commit({ appends: [bad as typeof one] }))).toBe('store.failed')
      expect(await store.stats()).toMatchObject({ entries: 0, compartments: 0 })
      expect(await store.commit({ appends: [one] })).toEqual(won)
    }))

  it('is no write of somebody else, as long as nobody else writes', () =>
    withStore(async (store, path) => {
      const marks = async () => {
        await nextTurn()
        return { others: await store.othersMark(), documents: await store.documentsMark() }
      }
      const before = await marks()
      await store.commit({ appends: [many(anna)] })
      const own = await marks()
      expect(own.others).toBe(before.others)
      expect(own.documents).not.toBe(before.documents)
      const other = await openSqliteStore({ path })
      // Beside it, in whichever order: one of both waits for the other.
      await Promise.all([
        store.commit({ appends: [many(anna, count)] }),
        other.commit({ appends: [append(ben, 0, [id('2')])] }),
      ])
      const beside = await marks()
      expect(beside.others).not.toBe(own.others)
      await other.commit({ appends: [append(ben, 1, [id('2', 1)])] })
      await store.commit({ appends: [many(anna, 2 * count)] })
      expect((await marks()).others).not.toBe(beside.others)
      await other.close()
    }))

  it('goes into the file that was opened, whatever lies there now', () =>
    withStore(async (store, path) => {
      await store.commit({ appends: [append(anna, 0, [id('1')])] })
      renameSync(path, `${path}.away`)
      const stranger = await openSqliteStore({ path: `${path}.new` })
      await stranger.close()
      expect(await store.commit({ appends: [many(anna, 1)] })).toEqual(won)
      renameSync(`${path}.new`, path)
      expect(await store.commit({ appends: [many(anna, count + 1)] })).toEqual(won)
      expect(await headOf(store, anna)).toBe(2 * count + 1)
      renameSync(path, `${path}.new`)
      renameSync(`${path}.away`, path)
    }))

  it('is finished before the store is closed, and leaves no log behind', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      const store = await openSqliteStore({ path })
      const committing = store.commit({ appends: [many(anna)] })
      await store.close()
      expect(await committing).toEqual(won)
      expect(readdirSync(directory)).toEqual(['store.db'])
      const again = await openSqliteStore({ path, alone: true })
      expect(await headOf(again, anna)).toBe(count)
      // Whoever holds the file alone can have no second connection.
      expect(await again.commit({ appends: [many(anna, count)] })).toEqual(won)
      expect(await headOf(again, anna)).toBe(2 * count)
      await again.close()
    }))
})
