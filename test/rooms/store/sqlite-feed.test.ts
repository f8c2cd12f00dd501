import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { openSqliteStore, type Store } from '#store'
import { toRowId } from '../../../src/store/sqlite/row-ids.ts'
import { Follower } from '../../contracts/store-feed.ts'
import { append, id } from '../../contracts/store-fixtures.ts'
import { inDirectory } from './new-directory.ts'

const anna = id('a')
const ben = id('b')

async function within<T>(path: string, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openSqliteStore({ path })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** Appends to a compartment so many entries, one per commit. */
async function grow(store: Store, compartment: string, count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    const head = (await store.heads([compartment])).get(compartment) ?? 0
    const locator = compartment.slice(0, 1) + id('0', head).slice(1)
    await store.commit({ appends: [append(compartment, head, [locator])] })
  }
}

function change(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
}

describe('what moved in a file', () => {
  it('goes on from the same mark after it was opened again', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      const { mark } = await within(path, async store => {
        await grow(store, anna, 2)
        return store.changesSince(undefined, 10)
      })
      await within(path, store => grow(store, ben, 1))
      const answer = await within(path, store => store.changesSince(mark, 10))
      expect(answer).toMatchObject({ moved: new Map([[ben, 1]]), anew: false })
    }))

  it('is told of what other processes do while they do it', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      await within(path, async store => {
        const script = fileURLToPath(new URL('contending-writer.ts', import.meta.url))
        const follower = new Follower(5)
        let writing = true
        const written = Promise.all(
          ['1', '2'].map(async letter => {
            const child = spawn(process.execPath, [script, path, letter], { stdio: 'inherit' })
            expect(await once(child, 'close')).toEqual([0, null])
          }),
        ).finally(() => (writing = false))
        const answers = []
        while (writing) {
          answers.push(...(await follower.follow(store)))
          await new Promise(resolve => setTimeout(resolve, 5))
        }
        await written
        answers.push(...(await follower.follow(store)))
        expect(follower.heads).toEqual(new Map([[anna, 200]]))
        expect(answers.filter(({ anew }) => anew)).toHaveLength(1)
      })
    }))

  it('is told of what another process removes', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      await within(path, store =>
        within(path, async other => {
          await grow(store, anna, 2)
          const { mark } = await store.changesSince(undefined, 10)
          await other.dropCompartment(anna)
          await new Promise(setImmediate)
          expect((await store.changesSince(mark, 10)).moved).toEqual(new Map([[anna, 0]]))
        }),
      )
    }))

  it.each([
    ['before anything else was written', 0],
    ['with as many commits since', 3],
    ['with more commits since', 9],
  ])('begins anew where an older copy of it was put back, %s', (_, since) =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      await within(path, store => grow(store, anna, 2))
      copyFileSync(path, join(directory, 'backup.db'))
      const { mark } = await within(path, async store => {
        await grow(store, ben, 3)
        return store.changesSince(undefined, 10)
      })
      copyFileSync(join(directory, 'backup.db'), path)
      await within(path, store => grow(store, id('c'), since))
      const answer = await within(path, store => store.changesSince(mark, 10))
      const moved = since === 0 ? [[anna, 2] as const] : [[anna, 2] as const, [id('c'), since] as const]
      expect(answer).toMatchObject({ moved: new Map(moved), more: false, anew: true })
    }),
  )

  it('is kept from the moment on in which a file of the first release is opened', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      await within(path, store => grow(store, anna, 2))
      change(path, 'DROP TABLE moves; PRAGMA user_version = 1')
      const { mark } = await within(path, async store => {
        const answer = await store.changesSince(undefined, 10)
        expect(answer).toMatchObject({ moved: new Map([[anna, 2]]), more: false, anew: true })
        return answer
      })
      await within(path, store => grow(store, ben, 1))
      const answer = await within(path, store => store.changesSince(mark, 10))
      expect(answer).toMatchObject({ moved: new Map([[ben, 1]]), anew: false })
    }))

  it('is forgotten after long, and who asks with an old mark is told everything anew', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      await within(path, store => grow(store, anna, 1))
      // As many moves as are kept, on one number that is the last to be pruned at.
      const { mark, later } = await within(path, async store => {
        const { mark } = await store.changesSince(undefined, 10)
        change(
          path,
          'INSERT INTO moves (at, number, epoch) SELECT 1023 + 131072, number, epoch FROM moves WHERE at = 2',
        )
        await grow(store, ben, 1)
        return { mark, later: (await store.changesSince(undefined, 10)).mark }
      })
      await within(path, async store => {
        expect(await store.changesSince(mark, 10)).toMatchObject({
          moved: new Map([
            [anna, 1],
            [ben, 1],
          ]),
          anew: true,
        })
        expect(await store.changesSince(later, 10)).toMatchObject({ moved: new Map(), anew: false })
      })
    }))

  it('tells nothing of a transaction that was rolled back', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      await within(path, async store => {
        await grow(store, anna, 1)
        const { mark } = await store.changesSince(undefined, 10)
        // What is no JSON fails when it is to be indexed, of any entry after the one that is there; a trigger would not be run.
        change(path, `CREATE INDEX full ON entries (CASE WHEN id > ${toRowId(1, 1)} THEN json('{') END)`)
        await expect(grow(store, ben, 1)).rejects.toMatchObject({ code: 'store.failed' })
        expect(await store.changesSince(mark, 10)).toEqual({ mark, moved: new Map(), more: false, anew: false })
        change(path, 'DROP INDEX full')
        await grow(store, ben, 1)
        expect((await store.changesSince(mark, 10)).moved).toEqual(new Map([[ben, 1]]))
      })
    }))
})
