import { join } from 'node:path'
import fc from 'fast-check'
import { type Append, type Commit, type DocumentWrite, openMemoryStore, openSqliteStore, type Store } from '#store'
import { Follower } from '../../contracts/store-feed.ts'
import { entry, id, put } from '../../contracts/store-fixtures.ts'
import { inDirectory } from './new-directory.ts'

const compartments = ['a', 'b', 'c'].map(letter => id(letter))
// The first two share the part of them that SQLite's index holds.
const locators = [id('1', 1), id('1', 2), id('2')]
const keys = ['aa', 'bb']

/** What may happen to a store; `slip` makes heads, versions and revisions wrong now and then, `shared` has a copy in each. */
type Step =
  | {
      readonly does: 'commit'
      readonly into: readonly number[]
      readonly of: readonly number[]
      readonly slip: number
      readonly shared: number | undefined
    }
  | { readonly does: 'drop'; readonly compartment: number }

const index = fc.nat({ max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      does: fc.constant('commit' as const),
      into: fc.uniqueArray(index, { minLength: 1, maxLength: 2 }),
      of: fc.array(index, { maxLength: 5 }),
      slip: fc.nat({ max: 12 }),
      shared: fc.option(index, { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('drop' as const), compartment: index }) },
)

async function commitFor(store: Store, { into, of, slip, shared }: Extract<Step, { does: 'commit' }>): Promise<Commit> {
  const heads = await store.allHeads()
  const places = await store.places(locators, undefined)
  const versions = new Map(
    locators.map(locator => [locator, (places.get(locator)?.[0]?.version ?? 0) + (slip === 1 ? 1 : 0)]),
  )
  const common = locators[shared ?? locators.length]
  if (common !== undefined) versions.set(common, (versions.get(common) ?? 0) + 1)
  const commonVersion = versions.get(common ?? '')
  const appends: Append[] = into.map((number, turn) => {
    const compartment = compartments[number] ?? ''
    const expectedHead = (heads.get(compartment) ?? 0) + (slip === 2 ? 1 : 0)
    const mine = of.filter((_, at) => at % into.length === turn)
    const copies = common === undefined ? [] : [entry(compartment, expectedHead + 1, common, commonVersion)]
    const own = mine.map((which, at) => {
      const locator = locators[which] ?? ''
      const version = (versions.get(locator) ?? 0) + 1
      versions.set(locator, version)
      return entry(compartment, expectedHead + 1 + copies.length + at, locator, version)
    })
    return { compartment, expectedHead, entries: [...copies, ...own] }
  })
  return { appends, documents: of.length > 3 ? await documentsFor(store, slip) : [] }
}

async function documentsFor(store: Store, slip: number): Promise<DocumentWrite[]> {
  const key = keys[slip % 2] ?? ''
  const revision = (await store.document('tokens', key, 0))?.revision ?? 0
  if (slip > 9) return [{ op: 'delete', collection: 'tokens', key }]
  return [put(key, `after ${revision}`, { ifRevision: slip === 3 ? revision + 1 : revision })]
}

async function take(store: Store, step: Step): Promise<unknown> {
  if (step.does === 'drop') return store.dropCompartment(compartments[step.compartment] ?? '')
  return store.commit(await commitFor(store, step))
}

/** Which copy comes first is no store's promise. */
const inOrder = <T extends { readonly compartment: string; readonly version: number }>(copies: readonly T[]) =>
  copies.toSorted((a, b) => b.version - a.version || (a.compartment < b.compartment ? -1 : 1))

const byName = <T>(map: ReadonlyMap<string, T>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

/** All that a caller can find out. */
async function everythingIn(store: Store) {
  const versions = await Promise.all(
    locators.map(async locator => inOrder(await store.versions(locator, compartments))),
  )
  const places = [...(await store.places(locators, undefined))].map(
    ([locator, copies]) => [locator, inOrder(copies)] as const,
  )
  const documents = await store.documents('tokens', 0)
  return {
    heads: byName(await store.allHeads()),
    places: byName(new Map(places)),
    newest: await Promise.all(compartments.flatMap(of => locators.map(locator => store.newest(locator, [of])))),
    versions,
    second: await Promise.all(compartments.flatMap(of => locators.map(locator => store.version(locator, 2, [of])))),
    entries: await Promise.all(compartments.map(compartment => store.entriesFrom(compartment, 1, 100))),
    documents: [...documents].sort((a, b) => (a.key < b.key ? -1 : 1)),
    faults: await store.check(),
  }
}

describe('the stores', () => {
  it('cannot be told apart, whatever is done to them', () =>
    inDirectory(async directory => {
      let runs = 0
      const steps = fc.array(step, { minLength: 1, maxLength: 15 })
      await fc.assert(
        fc.asyncProperty(steps, async steps => {
          const memory = openMemoryStore()
          const sqlite = await openSqliteStore({ path: join(directory, `${runs++}.db`) })
          const followers = [new Follower(2), new Follower(1)] as const
          for (const step of steps) {
            expect(await take(sqlite, step)).toEqual(await take(memory, step))
            await followers[0].follow(sqlite)
            await followers[1].follow(memory)
          }
          expect(followers[0].heads).toEqual(await sqlite.allHeads())
          expect(followers[1].heads).toEqual(await memory.allHeads())
          expect(await everythingIn(sqlite)).toEqual(await everythingIn(memory))
          await sqlite.close()
        }),
        { numRuns: 60 },
      )
    }))
})
