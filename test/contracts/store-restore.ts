import type { Entry, Store, StoredDocument } from '#store'
import {
  anna,
  append,
  ben,
  chunksOf,
  codeOf,
  entry,
  type Held,
  id,
  pulse,
  put,
  sealedForTest,
  weight,
  won,
} from './store-fixtures.ts'

/** The part of the store contract that is about taking in what another store held. */
export function restoreContract(held: Held<Store>): void {
  const restore = async (...entries: Entry[]) => {
    for (const each of entries) await held.subject.restoreEntries(each.compartment, [each])
  }

  describe('taking in what another store held', () => {
    it('finds the newest version of each resource, in whatever order compartments come', async () => {
      // It moved from Ben to Anna, whose ledger comes first; of another one Ben has a copy, and its first version went with somebody.
      await held.subject.restoreEntries(anna, [
        entry(anna, 1, pulse, 3),
        entry(anna, 2, pulse, 4),
        entry(anna, 3, weight, 2),
      ])
      await restore(entry(ben, 1, pulse, 1), entry(ben, 2, pulse, 2), entry(ben, 3, weight, 2))
      expect(await held.subject.newest(pulse, undefined)).toEqual(entry(anna, 2, pulse, 4))
      expect(await held.subject.newest(pulse, [ben])).toBeUndefined()
      expect(await held.subject.newest(weight, [ben])).toEqual(entry(ben, 3, weight, 2))
      expect(await held.subject.newest(weight, [anna])).toEqual(entry(anna, 3, weight, 2))
      expect((await held.subject.versions(pulse, [anna, ben])).map(({ version }) => version)).toEqual([4, 3, 2, 1])
      expect(await held.subject.misplaced(anna, 1, 9)).toEqual([])
      expect(await held.subject.misplaced(ben, 1, 9)).toEqual([])
      expect(await held.subject.check()).toEqual([])
    })

    it('is written to afterwards as if it had always been here', async () => {
      await restore(entry(anna, 1, pulse, 3), entry(ben, 1, pulse, 2))
      expect(await held.subject.allHeads()).toEqual(
        new Map([
          [anna, 1],
          [ben, 1],
        ]),
      )
      expect(await held.subject.commit({ appends: [append(anna, 1, [pulse, 4])] })).toEqual(won)
      await held.subject.dropCompartment(anna)
      expect(await held.subject.newest(pulse, undefined)).toEqual(entry(ben, 1, pulse, 2))
    })

    it('leaves no seq out and takes none twice', async () => {
      await restore(entry(anna, 1, pulse))
      expect(await codeOf(restore(entry(anna, 1, weight)))).not.toBe('nothing was thrown')
      expect(await codeOf(restore(entry(anna, 3, weight)))).not.toBe('nothing was thrown')
      expect(await held.subject.allHeads()).toEqual(new Map([[anna, 1]]))
    })

    it('keeps documents with their revisions', async () => {
      const sealed = sealedForTest('x')
      const documents: StoredDocument[] = [
        { collection: 'tokens', key: 'aa', revision: 7, sealed, group: 'f1', expiresAtMs: 10 },
        { collection: 'clients', key: 'bb', revision: 1, sealed },
      ]
      await held.subject.commit({ appends: [], documents: [put('aa', 'was there')] })
      await held.subject.restoreDocuments(documents)
      expect(await held.subject.everyDocument(undefined, 9)).toEqual(documents.toReversed())
      expect(await held.subject.commit({ appends: [], documents: [put('aa', 'y', { ifRevision: 7 })] })).toEqual(won)
    })

    it('tells the names of attachments', async () => {
      for (const name of ['scan', 'film']) await held.subject.putBlob(anna, name, chunksOf('one'))
      await held.subject.dropBlob(anna, 'film')
      expect(await held.subject.blobNames(anna)).toEqual(['scan'])
      expect(await held.subject.blobNames(id('f'))).toEqual([])
    })
  })
}
