import type { KeyStore, WrappedKey } from '#store'
import { anna, ben, codeOf, type Opening } from './store-fixtures.ts'

/** What every keystore must do. */
export function keysContract(name: string, open: Opening<KeyStore>): void {
  describe(`${name} as a keystore`, () => {
    let keys: KeyStore
    let dispose: () => Promise<void>

    beforeEach(async () => {
      const opened = await open()
      keys = opened.subject
      dispose = opened.dispose
    })
    afterEach(() => dispose())

    const key = (
      owner: string,
      kind: string,
      version: number,
      wrapped = `${owner} ${kind} ${version}`,
    ): WrappedKey => ({
      owner,
      kind,
      version,
      wrapped: new Uint8Array(Buffer.from(wrapped)),
      params: { salt: 'c2FsdA', cost: 3 },
    })
    const sorted = (list: readonly WrappedKey[]) =>
      [...list].sort((a, b) => (a.kind + a.version < b.kind + b.version ? -1 : 1))

    it('keeps a key as it was given', async () => {
      await keys.add(key(anna, 'patient', 1))
      await keys.add(key(anna, 'patient', 2))
      await keys.add(key('instance', 'instance:file', 1))
      expect(sorted(await keys.of(anna))).toEqual([key(anna, 'patient', 1), key(anna, 'patient', 2)])
      expect(await keys.all()).toHaveLength(3)
      expect(await keys.of(ben)).toEqual([])
    })

    it('refuses a key whose owner, kind and version are taken', async () => {
      await keys.add(key(anna, 'patient', 1))
      expect(await codeOf(keys.add(key(anna, 'patient', 1, 'another')))).toBe('keys.exists')
      expect(await keys.of(anna)).toEqual([key(anna, 'patient', 1)])
    })

    it('replaces the keys of one owner and kind together', async () => {
      await keys.add(key('instance', 'instance:file', 1))
      await keys.add(key('instance', 'instance:file', 2))
      await keys.add(key('instance', 'instance:recovery', 1))
      await keys.replace('instance', 'instance:file', [key('instance', 'instance:passphrase', 1)])
      expect(sorted(await keys.of('instance'))).toEqual([
        key('instance', 'instance:passphrase', 1),
        key('instance', 'instance:recovery', 1),
      ])
    })

    it('replaces all of them or none', async () => {
      await keys.add(key(anna, 'patient', 1))
      await keys.add(key(anna, 'audit', 1))
      const refused = keys.replace(anna, 'patient', [key(anna, 'patient', 2), key(anna, 'audit', 1)])
      expect(await codeOf(refused)).toBe('keys.exists')
      expect(sorted(await keys.of(anna))).toEqual([key(anna, 'audit', 1), key(anna, 'patient', 1)])
    })

    it('destroys every key of an owner and remembers that it did', async () => {
      await keys.add(key(anna, 'patient', 1))
      await keys.add(key(anna, 'patient', 2))
      await keys.add(key(ben, 'patient', 1))
      await keys.destroy(anna, 1_700_000_000_000)
      expect(await keys.of(anna)).toEqual([])
      expect(await keys.all()).toEqual([key(ben, 'patient', 1)])
      expect(await keys.tombstones()).toEqual([{ owner: anna, atMs: 1_700_000_000_000 }])
    })

    it('keeps the time of the first destruction when the shred ledger is replayed', async () => {
      await keys.destroy(anna, 5)
      await keys.destroy(anna, 9)
      expect(await keys.tombstones()).toEqual([{ owner: anna, atMs: 5 }])
    })

    it('does not let a re-wrapping bring a destroyed key back', async () => {
      await keys.add(key(anna, 'patient', 1))
      await keys.destroy(anna, 5)
      expect(await codeOf(keys.replace(anna, 'patient', [key(anna, 'patient', 1)]))).toBe('keys.destroyed')
      expect(await codeOf(keys.add(key(anna, 'patient', 2)))).toBe('keys.destroyed')
      expect(await keys.of(anna)).toEqual([])
    })

    it('keeps notes by name', async () => {
      expect(await keys.note('head')).toBeUndefined()
      await keys.setNote('head', Uint8Array.of(1, 2))
      await keys.setNote('head', Uint8Array.of(3))
      expect(await keys.note('head')).toEqual(Uint8Array.of(3))
      await keys.setNotes(
        new Map([
          ['head', Uint8Array.of(4)],
          ['tail', Uint8Array.of(5)],
        ]),
      )
      expect([await keys.note('head'), await keys.note('tail')]).toEqual([Uint8Array.of(4), Uint8Array.of(5)])
    })

    it('never sets a note back that only rises', async () => {
      await keys.raiseNotes(new Map([['head', Uint8Array.of(0, 2, 9)]]))
      await keys.raiseNotes(
        new Map([
          ['head', Uint8Array.of(0, 1, 255)],
          ['tail', Uint8Array.of(1)],
        ]),
      )
      expect([await keys.note('head'), await keys.note('tail')]).toEqual([Uint8Array.of(0, 2, 9), Uint8Array.of(1)])
      await keys.raiseNotes(new Map([['head', Uint8Array.of(0, 3)]]))
      expect(await keys.note('head')).toEqual(Uint8Array.of(0, 3))
    })

    it('keeps the first of a note that is kept once', async () => {
      expect(await keys.keepNote('which', Uint8Array.of(2))).toEqual(Uint8Array.of(2))
      expect(await keys.keepNote('which', Uint8Array.of(1))).toEqual(Uint8Array.of(2))
    })

    it('tells of notes by the beginning of their names, and removes them', async () => {
      await keys.setNotes(
        new Map([
          ['head:b', Uint8Array.of(2)],
          ['head:a', Uint8Array.of(1)],
          ['ahead', Uint8Array.of(3)],
        ]),
      )
      const heads = new Map([
        ['head:a', Uint8Array.of(1)],
        ['head:b', Uint8Array.of(2)],
      ])
      expect(await keys.notes('head:')).toEqual(heads)
      await keys.setNotes(new Map([['head:a', undefined]]))
      expect([...(await keys.notes('head:')).keys()]).toEqual(['head:b'])
      expect(await keys.check()).toEqual([])
    })

    it('answers nothing once it is closed', async () => {
      await keys.close()
      expect(await codeOf(keys.all())).toBe('store.closed')
      expect(await codeOf(keys.add(key(anna, 'patient', 1)))).toBe('store.closed')
      await keys.close()
    })
  })
}
