import { openMemoryStore, type Store, type StoredDocument } from '#store'
import { openTestRecord } from './family.ts'
import { storeWith } from './store-with.ts'

const unwritten = undefined

/** More than are read in one go, so that writes fall before and behind the place where a look is. */
const several = 450
const nameOf = (at: number) => `of ${at}`

/** A house with many documents, and a store that lets somebody write each time that rows of them were read. */
async function readBeside(meanwhile: (at: number) => Promise<unknown>, store: Store = openMemoryStore()) {
  const house = await openTestRecord(store)
  await Promise.all(Array.from({ length: several }, (_, at) => house.record.documents.put('lists', nameOf(at), at)))
  const limits: number[] = []
  const watched = storeWith(store, {
    everyDocument: async (after: Pick<StoredDocument, 'collection' | 'key'> | undefined, limit: number) => {
      const page = await store.everyDocument(after, limit)
      limits.push(limit)
      await meanwhile(limits.length)
      return page
    },
  })
  return { ...house, limits, open: () => house.beside({ store: watched }) }
}

describe('documents that are compared with their ledger while others write', () => {
  it('are compared to an end, some at a time, however often somebody writes', async () => {
    let write: (at: number) => Promise<unknown> = async () => unwritten
    const { record, limits, open } = await readBeside(at => write(at))
    write = async at => {
      await record.documents.put('lists', nameOf((at * 97) % several), -at)
      await record.documents.put('lists', `new ${at}`, at)
      await record.documents.delete('lists', nameOf((at * 61) % several))
    }
    const other = await open()
    expect(other.faults()).toEqual([])
    expect(await other.documents.get('lists', 'new 1')).toMatchObject({ value: 1 })
    // Twice at most, with as many pages as there are, and none of them is of all rows.
    expect(Math.max(...limits)).toBeLessThan(several)
    expect(limits.length).toBeLessThan(20)
    write = async () => unwritten
    await other.close()
    expect((await open()).faults()).toEqual([])
  })

  it.each([
    ['put back', 'put'],
    ['taken away', 'delete'],
  ] as const)('show what was %s meanwhile, and nothing else', async (_, op) => {
    let write: (at: number) => Promise<unknown> = async () => unwritten
    const store = openMemoryStore()
    const { record, open } = await readBeside(at => write(at), store)
    const [old] = await store.documents('lists', 0)
    if (old === undefined) throw new Error('there is no such document')
    // As it was before all of them were written anew.
    await Promise.all(Array.from({ length: several }, (_, at) => record.documents.put('lists', nameOf(at), at + 1)))
    const { collection, key, sealed } = old
    await store.commit({
      appends: [],
      documents: [op === 'put' ? { op, collection, key, sealed } : { op, collection, key }],
    })
    write = async at => at < 6 && record.documents.put('others', `${at}`, at)
    const other = await open()
    expect(other.faults()).toEqual([expect.stringMatching(/^1 documents are not what was written last/)])
    expect(await other.documents.get('others', '1')).toMatchObject({ value: 1 })
  })
})
