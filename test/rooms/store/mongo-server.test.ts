import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import mongoose from 'mongoose'
import { isProblem } from '#kernel'
import { openMongoKeys, openMongoStore, type Store } from '#store'
import { onDatabase as onDatabaseAt } from '../../contracts/mongo-rows.ts'
import {
  canStartMongo,
  type MongoServer,
  newMongoDatabase,
  startMongo,
  stopSharedMongo,
  whereMongoIs,
} from '../../contracts/mongo-server.ts'
import { anna, append, codeOf, id, lost, pulse, put, sealedForTest, won } from '../../contracts/store-fixtures.ts'
import { type Between, openProxy, replacing } from './proxy.ts'

type Opened = Awaited<ReturnType<typeof openMongoStore>>

/** Runs a test on a database of its own. */
const onDatabase = (test: (uri: string) => Promise<void>) => async () => {
  const { uri, remove } = await newMongoDatabase()
  try {
    await test(uri)
  } finally {
    await remove()
  }
}

const withStores = (count: number, test: (stores: Opened[], uri: string) => Promise<void>) =>
  onDatabase(async uri => {
    const stores: Opened[] = []
    for (let each = 0; each < count; each++) stores.push(await openMongoStore({ uri }))
    try {
      await test(stores, uri)
    } finally {
      for (const store of stores) await store.close()
    }
  })

/** A store whose way to the server leads past somebody who does harm. */
const byProxy = (test: (proxy: Between, name: string, uri: string) => Promise<void>) =>
  onDatabase(async uri => {
    const proxy = await openProxy(uri)
    try {
      await test(proxy, new URL(uri).pathname.slice(1), uri)
    } finally {
      await proxy.close()
    }
  })

whereMongoIs(() => {
  describe('several processes on one MongoDB', () => {
    it(
      'append to one ledger without losing or doubling anything',
      withStores(1, async ([store], uri) => {
        const script = fileURLToPath(new URL('contending-writer.ts', import.meta.url))
        const run = async (letter: string) => {
          const child = spawn(process.execPath, [script, uri, letter, '15'], { stdio: 'inherit' })
          expect(await once(child, 'close')).toEqual([0, null])
        }
        await Promise.all(['1', '2', '3'].map(run))
        expect(await store?.heads([anna])).toEqual(new Map([[anna, 45]]))
        const found = (await store?.entriesFrom(anna, 1, 1_000)) ?? []
        expect(new Set(found.map(({ locator }) => locator)).size).toBe(45)
        expect((await store?.document('counts', 'cc', 0))?.revision).toBe(45)
        expect(await store?.check()).toEqual([])
      }),
    )

    it(
      'are looked through while others write, and nothing of that is a fault',
      withStores(2, async ([store, writer]) => {
        let head = 0
        let isOver = false
        const writing = (async () => {
          for (; !isOver; head += 3) {
            const entries = [[id('1', head)], [pulse, head / 3 + 1], [id('2', head)]] as const
            expect(await writer?.commit({ appends: [append(anna, head, ...entries)] })).toEqual(won)
            const other = id('b', head)
            expect(await writer?.commit({ appends: [append(other, 0, [id('3', head)])] })).toEqual(won)
            if (head % 2 === 0) await writer?.dropCompartment(other)
          }
        })()
        try {
          for (let looked = 0; looked < 12; looked++) expect(await store?.check()).toEqual([])
        } finally {
          isOver = true
          await writing
        }
        expect(head).toBeGreaterThan(12)
      }),
    )

    it.each([
      ['entries: a compartment has 1 entries', 'entries', 'deleteOne', { s: 1 }],
      ['entries: 1 compartments have entries and no head', 'heads', 'deleteOne', {}],
      ['entries: 2 of resources that have no place', 'places', 'deleteMany', {}],
      ['places: 1 point to another entry or to none', 'entries', 'deleteOne', { s: 2 }],
    ] as const)('and what is a fault is told: %s', (fault, name, harm, of) =>
      withStores(1, async ([store], uri) => {
        await store?.commit({ appends: [append(anna, 0, [id('1', 1)], [id('1', 2)])] })
        expect(await store?.check()).toEqual([])
        await onDatabaseAt(uri, data => data.collection(name)[harm](of))
        expect(await store?.check()).toContainEqual(expect.stringContaining(fault))
      })(),
    )

    it(
      'all write a document that needs no revision, however often they meet',
      withStores(3, async stores => {
        const writes = stores.flatMap(store =>
          Array.from({ length: 6 }, () => store.commit({ appends: [], documents: [put('aa', 'x')] })),
        )
        expect(await Promise.all(writes)).toEqual(Array(18).fill(won))
        expect((await stores[0]?.document('tokens', 'aa', 0))?.revision).toBe(18)
      }),
    )

    it(
      'cannot both decide on what the other changes: a claim of a head, of a revision, or of absence is a write',
      withStores(2, async ([one, other]) => {
        const claims = [
          { appends: [append(anna, 0)], documents: [] },
          { appends: [], documents: [{ op: 'check', collection: 'tokens', key: 'aa', ifRevision: 0 } as const] },
        ]
        const changes = [
          { appends: [append(anna, 0, [pulse])], documents: [] },
          { appends: [], documents: [put('aa', 'x', { ifRevision: 0 })] },
        ]
        for (const [at, claim] of claims.entries()) {
          const theirs = changes[at] ?? claim
          // Each decides that the other's condition holds, and writes what breaks it.
          const first = {
            appends: [...claim.appends, append(id('b', at), 0, [id('3', at)])],
            documents: claim.documents,
          }
          const second = {
            appends: [...theirs.appends, append(id('b', at), 0)],
            documents: theirs.documents,
          }
          const results = await Promise.all([one?.commit(first), other?.commit(second)])
          expect(results.filter(result => result?.ok === true)).toHaveLength(1)
        }
      }),
    )

    it(
      'are told by a mark that somebody else has written, and not by what they wrote themselves',
      withStores(2, async ([server, command]) => {
        const before = await server?.othersMark()
        await server?.commit({ appends: [append(anna, 0, [pulse])] })
        expect(await server?.othersMark()).toBe(before)
        await command?.commit({ appends: [], documents: [put('aa', 'x')] })
        const seen = await server?.othersMark()
        expect(seen).not.toBe(before)
        expect(await server?.othersMark()).toBe(seen)
      }),
    )

    it(
      'follow what others append, and what they remove, while somebody writes all the while',
      withStores(3, async ([server, command, busy]) => {
        let goesOn = true
        const write = async () => {
          while (goesOn) await busy?.commit({ appends: [], documents: [put('aa', 'x')] })
        }
        const writing = write()
        let mark = (await server?.changesSince(undefined, 10))?.mark
        for (let at = 0; at < 10; at++) {
          const who = id('b', at)
          await command?.commit({ appends: [append(who, 0, [id('2', at)])] })
          const appended = await server?.changesSince(mark, 10)
          expect(appended?.moved).toEqual(new Map([[who, 1]]))
          await command?.dropCompartment(who)
          const removed = await server?.changesSince(appended?.mark, 10)
          expect(removed?.moved).toEqual(new Map([[who, 0]]))
          mark = removed?.mark
        }
        goesOn = false
        await writing
      }),
    )

    it(
      'are told the same from an older mark',
      withStores(2, async ([server, command]) => {
        const mark = (await server?.changesSince(undefined, 10))?.mark
        await command?.commit({ appends: [append(anna, 0, [pulse])] })
        const appended = await server?.changesSince(mark, 10)
        expect(appended?.moved).toEqual(new Map([[anna, 1]]))
        await command?.dropCompartment(anna)
        expect((await server?.changesSince(appended?.mark, 10))?.moved).toEqual(new Map([[anna, 0]]))
        expect((await command?.changesSince(mark, 10))?.moved).toEqual(new Map([[anna, 0]]))
      }),
    )

    it(
      'keep out who wants to be alone, and are kept out by who is',
      withStores(1, async ([store], uri) => {
        expect(await codeOf(openMongoStore({ uri, alone: true, waitMs: 0 }))).toBe('store.busy')
        await store?.close()
        const alone = await openMongoStore({ uri, alone: true, waitMs: 0 })
        expect(await codeOf(openMongoStore({ uri, waitMs: 0 }))).toBe('store.busy')
        await alone.close()
        await (await openMongoStore({ uri, waitMs: 0 })).close()
      }),
    )

    it(
      'let in who wants to be alone once the server has given up what one who died had begun in the door',
      onDatabase(async uri => {
        await (await openMongoStore({ uri })).close()
        await onDatabaseAt(uri, async data => {
          const session = data.client.startSession()
          session.startTransaction()
          await data
            .collection<{ _id: Buffer }>('openings')
            .updateOne({ _id: Buffer.from('door') }, { $set: { x: 1 } }, { session })
          const opening = openMongoStore({ uri, alone: true })
          // Longer than who died stands there.
          await Promise.race([opening, new Promise(resolve => setTimeout(resolve, 15_000))])
          await session.abortTransaction()
          await (await opening).close()
        })
      }),
    )
  })

  describe('what somebody writes with a client of the database', () => {
    it(
      'is told of by a number that own writes leave as it is, and is looked for by check',
      withStores(1, async ([store], uri) => {
        await store?.commit({ appends: [append(anna, 0, [pulse])], documents: [put('aa', 'x')] })
        let mark = await store?.othersMark()
        await store?.commit({ appends: [append(anna, 1, [id('2', 2)])], documents: [put('aa', 'y')] })
        await store?.dropSegments(anna)
        expect(await store?.othersMark()).toBe(mark)
        for (const name of ['heads', 'entries', 'places', 'documents']) {
          await onDatabaseAt(uri, data => data.collection(name).updateOne({}, { $set: { x: 1 } }))
          const next = await store?.othersMark()
          expect([name, next === mark]).toEqual([name, false])
          mark = next
        }
        expect(await store?.check()).toEqual([])
        await onDatabaseAt(uri, data => data.collection('heads').updateOne({}, { $set: { t: Buffer.alloc(16) } }))
        expect(await store?.check()).toEqual([expect.stringContaining('tag of another entry')])
      }),
    )
  })

  describe('commits that meet', () => {
    /** Each transaction leaves one row. */
    const transactionsIn = (uri: string) => onDatabaseAt(uri, data => data.collection('commits').countDocuments())
    const records = Array.from({ length: 20 }, (_, at) => id('c', at))
    const first = (record: string, at: number) => ({ appends: [append(record, 0, [id('1', at + 10)])] })

    it(
      'share a transaction, also those that build on each other',
      withStores(1, async ([store], uri) => {
        const before = await transactionsIn(uri)
        const apart = records.map((record, at) => ({ ...first(record, at), documents: [put(`a${at % 10}`, 'x')] }))
        const chained = records.map((_, at) => ({
          appends: [append(anna, at, [pulse, at + 1])],
          documents: [put('bb', `${at}`, { ifRevision: at })],
        }))
        const results = await Promise.all([...apart, ...chained].map(commit => store?.commit(commit)))
        expect(results).toEqual(results.map(() => won))
        expect(await transactionsIn(uri)).toBe(before + 1)
        expect((await store?.newest(pulse, undefined))?.version).toBe(20)
        expect((await store?.document('tokens', 'bb', 0))?.revision).toBe(20)
        expect(await store?.check()).toEqual([])
      }),
    )

    it(
      'are lost one by one: who loses a race, or cannot be kept, takes nobody along',
      withStores(1, async ([store]) => {
        const huge = put('dd', '', { sealed: sealedForTest(Buffer.alloc(17_000_000)) })
        const check = { op: 'check', collection: 'tokens', key: 'aa', ifRevision: 0 } as const
        const outcomes = await Promise.allSettled([
          ...records.map((record, at) => store?.commit(first(record, at))),
          store?.commit({ appends: [append(anna, 7, [pulse])] }),
          store?.commit({ appends: [], documents: [huge] }),
          store?.commit({ appends: [], documents: [{ op: 'delete', collection: 'tokens', key: 'ee' }] }),
          store?.commit({ appends: [], documents: [check] }),
          store?.commit({ appends: [], documents: [check] }),
        ])
        const told = outcomes.map(each => (each.status === 'fulfilled' ? each.value : each.reason.code))
        expect(told.slice(records.length)).toEqual([lost({ heads: [anna] }), 'store.row-too-large', won, won, won])
        expect(told.slice(0, records.length)).toEqual(records.map(() => won))
      }),
    )

    it(
      'are kept from nothing by one that somebody else has in hand',
      onDatabase(async uri => {
        const store = await openMongoStore({ uri, waitMs: 2_000 })
        await store.commit({ appends: [append(anna, 0, [pulse])] })
        await onDatabaseAt(uri, async data => {
          await using session = data.client.startSession()
          session.startTransaction()
          await data.collection('heads').updateOne({}, { $set: { w: Buffer.alloc(16) } }, { session })
          const held = codeOf(store.commit({ appends: [append(anna, 1, [pulse, 2])] }))
          const others = records.map((record, at) => store.commit(first(record, at)))
          expect(await Promise.all(others)).toEqual(records.map(() => won))
          expect(await held).toBe('store.busy')
          await session.abortTransaction()
        })
        expect(await store.commit({ appends: [append(anna, 1, [pulse, 2])] })).toEqual(won)
        await store.close()
      }),
    )
  })

  describe('a process that dies in the middle of a write', () => {
    it(
      'leaves nothing in hand for longer than it is taken for alive: the others end what it had begun',
      byProxy(async (proxy, name, uri) => {
        const living = await openMongoStore({ uri, waitMs: 120_000 })
        const dying = await openMongoStore({ uri: proxy.uri(name), waitMs: 500 })
        // The last word never arrives, and then nothing does.
        proxy.tamper({ toServer: data => (data.includes('commitTransaction') ? undefined : data) })
        expect(await codeOf(dying.commit({ appends: [append(anna, 0, [pulse])] }))).toBe('store.outcome-unknown')
        proxy.cut()
        expect(await living.commit({ appends: [append(anna, 0, [pulse])] })).toEqual(won)
        expect(await living.stats()).toMatchObject({ entries: 1 })
        const openings = await onDatabaseAt(uri, data =>
          data.collection('openings').countDocuments({ seen: { $exists: true } }),
        )
        // The living one, and the door.
        expect(openings).toBe(2)
        await Promise.all([living.close(), dying.close()])
      }),
    )
  })

  describe('an answer that is lost', () => {
    const ends = (word: string, times: number) => {
      let left = times
      let isSent = false
      return {
        toServer: (data: Buffer) => {
          isSent ||= data.includes(word)
          return data
        },
        // The server has done it, and nobody hears of it.
        toClient: (data: Buffer) => {
          if (!isSent || left === 0) return data
          left--
          isSent = false
          return undefined
        },
      }
    }

    it.each([
      ['once', 1],
      ['again and again', 4],
    ])('%s does not make a commit happen twice, nor a lost race of it', (_, times) =>
      byProxy(async (proxy, name) => {
        const store = await openMongoStore({ uri: proxy.uri(name) })
        proxy.tamper(ends('commitTransaction', times))
        const commit = { appends: [append(anna, 0, [pulse])], documents: [put('aa', 'x')] }
        expect(await store.commit(commit)).toEqual(won)
        expect(await store.heads([anna])).toEqual(new Map([[anna, 1]]))
        expect((await store.document('tokens', 'aa', 0))?.revision).toBe(1)
        expect(await store.check()).toEqual([])
        await store.close()
      })(),
    )

    it(
      'for longer than anybody waits is told as what it is',
      byProxy(async (proxy, name, uri) => {
        const store = await openMongoStore({ uri: proxy.uri(name), waitMs: 2_000 })
        let isSent = false
        proxy.tamper({
          toServer: data => {
            isSent ||= data.includes('commitTransaction')
            return data
          },
          toClient: data => {
            if (!isSent) return data
            proxy.cut()
            return undefined
          },
        })
        expect(await codeOf(store.commit({ appends: [append(anna, 0, [pulse])] }))).toBe('store.outcome-unknown')
        proxy.tamper({})
        proxy.mend()
        const direct = await openMongoStore({ uri })
        expect(await direct.heads([anna])).toEqual(new Map([[anna, 1]]))
        await direct.close()
        await store.close()
      }),
    )
  })

  describe('what is refused at the start', () => {
    const problemOf = async (work: Promise<unknown>) => {
      const error = await work.then(() => undefined).catch((thrown: unknown) => thrown)
      return isProblem(error) ? [error.kind, error.code] : [error]
    }

    it(
      'a server that says it has transactions and has none',
      byProxy(async (proxy, name) => {
        // Of the same length, so that all the rest of a message stays right.
        const deaf = [replacing('startTransaction', 'xtartTransaction'), replacing('autocommit', 'xutocommit')]
        proxy.tamper({ toServer: data => deaf.reduce((changed, change) => change(changed), data) })
        expect(await problemOf(openMongoStore({ uri: proxy.uri(name) }))).toEqual([
          'unsupported',
          'store.mongodb-unfit',
        ])
      }),
    )

    it(
      'one whose memory anybody can read who reaches its port – CVE-2025-14847',
      byProxy(async (proxy, name, uri) => {
        const connection = await mongoose.createConnection(uri).asPromise()
        const { version } = await connection.getClient().db().admin().command({ buildInfo: 1 })
        await connection.close()
        const old = `5.${String(version).slice(2)}`
        proxy.tamper({ toClient: replacing(String(version), old) })
        expect(await problemOf(openMongoStore({ uri: proxy.uri(name) }))).toEqual([
          'unsupported',
          'store.mongodb-too-old',
        ])
      }),
    )

    it.each([
      ['no address at all', 'mongodb://'],
      ['an option that there is not', 'mongodb://anna:Gartentor7@127.0.0.1:1/kinhold?frobnicate=1'],
    ])('%s, without a word of what it holds', async (_, uri) => {
      const error: unknown = await openMongoStore({ uri, waitMs: 0 }).catch((thrown: unknown) => thrown)
      expect(isProblem(error) && [error.kind, error.code]).toEqual(['invalid', 'store.address-refused'])
      expect(JSON.stringify([error, String(error), isProblem(error) && error.detail])).not.toContain('Gartentor7')
    })

    it('a server that is not there', async () => {
      const uri = 'mongodb://anna:Gartentor7@127.0.0.1:1/kinhold'
      const error: unknown = await openMongoStore({ uri, waitMs: 200 }).catch((thrown: unknown) => thrown)
      expect(isProblem(error) && [error.kind, error.code]).toEqual(['busy', 'store.unreachable'])
      expect(JSON.stringify([error, String(error), isProblem(error) && error.detail])).not.toContain('Gartentor7')
    })

    it(
      'a database of somebody else, of the keys, or of a later release',
      onDatabase(async uri => {
        const connection = await mongoose.createConnection(uri).asPromise()
        const database = connection.getClient().db(connection.name)
        await database.collection('recipes').insertOne({ of: 'somebody' })
        expect(await codeOf(openMongoStore({ uri }))).toBe('store.not-ours')
        await database.dropDatabase()
        expect(await codeOf(openMongoStore({ uri, make: false }))).toBe('store.database-absent')
        expect(await database.listCollections().toArray()).toEqual([])
        await (await openMongoKeys({ uri })).close()
        expect(await codeOf(openMongoStore({ uri }))).toBe('store.not-ours')
        await database.dropDatabase()
        await (await openMongoStore({ uri })).close()
        await database.collection('house').updateMany({}, { $set: { version: 99 } })
        expect(await codeOf(openMongoStore({ uri }))).toBe('store.schema-newer')
        await connection.close()
      }),
    )

    it(
      'a part that is larger than a row of the database may be',
      withStores(1, async ([store]) => {
        const huge = put('aa', '', { sealed: sealedForTest(new Uint8Array(17 * 1024 * 1024)) })
        expect(await codeOf(store?.commit({ appends: [], documents: [huge] }) ?? Promise.resolve())).toBe(
          'store.row-too-large',
        )
        expect(await store?.commit({ appends: [], documents: [put('aa', 'x')] })).toEqual(won)
      }),
    )
  })
})

whereMongoIs(() => {
  describe('a MongoDB that is killed', () => {
    let server: MongoServer
    let store: Opened
    beforeAll(async () => {
      server = await startMongo()
      store = await openMongoStore({ uri: server.uri('killed'), waitMs: 1_000 })
    })
    afterAll(async () => {
      await store.close()
      await server.stop()
    })

    /** Appends until it is told to stop, and counts what was acknowledged; what was refused is looked up and gone on from. */
    async function write(
      to: Store,
      writer: number,
      isOver: () => boolean,
      onAcknowledged: () => void,
    ): Promise<{ acknowledged: number; codes: Set<string> }> {
      const record = id('a', writer)
      const codes = new Set<string>()
      let acknowledged = 0
      let head = 0
      while (!isOver()) {
        try {
          const commit = {
            appends: [append(record, head, [id('1', writer * 10_000 + head)])],
            documents: [put(`c${writer}`, 'x')],
          }
          if ((await to.commit(commit)).ok) {
            acknowledged = ++head
            onAcknowledged()
          } else head = (await to.heads([record])).get(record) ?? 0
        } catch (error) {
          codes.add(isProblem(error) ? `${error.code} ${error.detail ?? ''}`.trim() : String(error))
          await new Promise(resolve => setTimeout(resolve, 50))
        }
      }
      return { acknowledged, codes }
    }

    it('loses nothing that was acknowledged, is known to be away, and is written to again without a new start', async () => {
      let isOver = false
      const written = new Set<number>()
      const writing = Promise.all(
        [1, 2, 3].map(writer =>
          write(
            store,
            writer,
            () => isOver,
            () => written.add(writer),
          ),
        ),
      )
      /** However slow the machine is, each of them has been acknowledged something since. */
      const eachHasWritten = async () => {
        written.clear()
        while (written.size < 3) await new Promise(resolve => setTimeout(resolve, 20))
      }
      await eachHasWritten()
      await server.kill()
      while (store.isReady()) await new Promise(resolve => setTimeout(resolve, 20))
      expect(await codeOf(store.commit({ appends: [], documents: [put('aa', 'x')] }))).toBe('store.unreachable')
      await server.start()
      while (!store.isReady()) await new Promise(resolve => setTimeout(resolve, 20))
      await eachHasWritten()
      isOver = true
      const results = await writing
      for (const { acknowledged, codes } of results) {
        expect(acknowledged).toBeGreaterThan(0)
        expect([...codes].filter(code => !/^store\.(unreachable|outcome-unknown|busy)$/.test(code))).toEqual([])
      }
      const heads = await store.heads([1, 2, 3].map(writer => id('a', writer)))
      for (const [at, { acknowledged }] of results.entries()) {
        const head = heads.get(id('a', at + 1)) ?? 0
        expect(head).toBeGreaterThanOrEqual(acknowledged)
        expect((await store.document('tokens', `c${at + 1}`, 0))?.revision).toBe(head)
      }
      expect(await store.check()).toEqual([])
    })
  })

  it('refuses a standalone, which has no transactions', async () => {
    const alone = await startMongo({ standalone: true })
    expect(await codeOf(openMongoStore({ uri: alone.uri('alone') }))).toBe('store.mongodb-standalone')
    await alone.stop()
  })
}, canStartMongo)

afterAll(stopSharedMongo)
