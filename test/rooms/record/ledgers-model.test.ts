/**
 * A house of many patients, whatever is done in it by several processes, holds what a plain model holds: that one has no ledgers that
 * are opened and closed, no rows that are sealed, no slices, no keys that leave. Of all that each process may keep next to nothing.
 *
 * `KINHOLD_TEST_SEED=…` draws other acts, `KINHOLD_TEST_ACTS=20000` more of them.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMemoryKeys, openMemoryStore, openMongoKeys, openMongoStore, openSqliteKeys, openSqliteStore } from '#store'
import { newMongoDatabase, stopSharedMongo, whereMongoIs } from '../../contracts/mongo-server.ts'
import { Dice } from '../../journeys/non-interference/dice.ts'
import { actOnce, takeIn } from './ledgers-model/acts.ts'
import { checkAudit } from './ledgers-model/asks.ts'
import { type Connection, TestHouse } from './ledgers-model/house.ts'
import { turns, World } from './ledgers-model/world.ts'

const seed = Number(process.env.KINHOLD_TEST_SEED ?? 1)
const acts = Number(process.env.KINHOLD_TEST_ACTS ?? 120)
const actsOnMongo = Number(process.env.KINHOLD_TEST_MONGODB_ACTS ?? 20)
/** From so many on some patients have so much that segments are full. */
const manyActs = 500
const patients = 8
/** Ends what would never end, and says nothing of speed. */
const patienceMs = 120_000 + acts * 500

const folder = mkdtempSync(join(tmpdir(), 'kinhold-ledgers-model-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const stores: Readonly<Record<string, (name: string) => () => Promise<Connection>>> = {
  memory: () => {
    const [store, keys] = [openMemoryStore(), openMemoryKeys()]
    return async () => ({ store, keys, close: async () => undefined })
  },
  SQLite: name => async () => {
    const store = await openSqliteStore({ path: join(folder, `${name}.sqlite`) })
    const keys = await openSqliteKeys({ path: join(folder, `${name}-keys.sqlite`) })
    return { store, keys, close: async () => void (await Promise.all([store.close(), keys.close()])) }
  },
}

async function live(world: World, processes: number, count: number): Promise<void> {
  for (let at = 0; at < processes; at++) await world.start()
  for (let at = 0; at < patients; at++) await takeIn(world)
  for (let act = 0; act < count; act++) {
    await actOnce(world)
    await turns(2)
  }
  await checkAudit(world)
  // Looks through a store of which nobody sees one moment: what is written meanwhile may show in a part of it.
  for (const { record } of world.processes) await record.flush()
  for await (const finding of world.record().verify()) throw new Error(finding.text)
  await world.close()
}

/** @throws what is wrong, with what was done last */
async function compare(connect: () => Promise<Connection>, processes: number, count = acts): Promise<World> {
  const world = new World(new TestHouse(connect), new Dice(seed), count >= manyActs)
  try {
    await live(world, processes, count)
  } catch (error) {
    const last = world.told.slice(-12).join('\n')
    throw new Error(`KINHOLD_TEST_SEED=${seed}, act ${world.told.length}:\n${last}`, { cause: error })
  }
  return world
}

describe.each([
  ['memory', 3],
  ['SQLite', 1],
  ['SQLite', 2],
] as const)('a house of many patients, %s, %i processes', (kind, processes) => {
  it(
    'holds what a plain model holds, though next to nothing stays in memory',
    async () => {
      const connect = stores[kind]?.(`${kind}-${processes}`) as () => Promise<Connection>
      const { counted } = await compare(connect, processes)
      for (const what of ['search', 'pages', 'read', 'update', 'once', 'transaction', 'tidy'])
        expect([what, counted.get(what) ?? 0]).not.toEqual([what, 0])
    },
    patienceMs,
  )
})

whereMongoIs(() => {
  describe('a house of many patients on a MongoDB, 2 processes', () => {
    afterAll(stopSharedMongo)

    it('holds it too', async () => {
      const { uri, remove } = await newMongoDatabase()
      const connect = async () => {
        const [store, keys] = [await openMongoStore({ uri }), await openMongoKeys({ uri: `${uri}-keys` })]
        return { store, keys, close: async () => void (await Promise.all([store.close(), keys.close()])) }
      }
      await compare(connect, 2, actsOnMongo)
      await remove()
    }, 600_000)
  })
})
