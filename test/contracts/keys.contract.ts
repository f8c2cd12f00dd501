import type { KeyRows, KeyStore, Note, Tombstone, WrappedKey } from '#store'
import { anna, ben, codeOf, type Opening } from './store-fixtures.ts'

const bytes = (text: string) => new Uint8Array(Buffer.from(text))

const key = (owner: string, kind: string, version: number, more: Partial<WrappedKey> = {}): WrappedKey => ({
  owner,
  kind,
  version,
  wrapped: bytes(`${owner} ${kind} ${version}`),
  params: { salt: 'c2FsdA', cost: 3 },
  ...more,
})
const note = (name: string, value: string, more: Partial<Note> = {}): Note => ({ name, value: bytes(value), ...more })
const sorted = (list: readonly WrappedKey[]) =>
  [...list].sort((a, b) => (a.owner + a.kind + a.version < b.owner + b.kind + b.version ? -1 : 1))

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

    const put = (rows: Partial<KeyRows>) => keys.change({ put: rows })

    async function everything(): Promise<KeyRows> {
      const all = { keys: [] as WrappedKey[], tombstones: [] as Tombstone[], notes: [] as Note[] }
      for await (const rows of keys.everything()) {
        all.keys.push(...rows.keys)
        all.tombstones.push(...rows.tombstones)
        all.notes.push(...rows.notes)
      }
      return all
    }

    it('keeps keys as they were given, with or without what vouches for them', async () => {
      const three = [key(anna, 'patient', 1), key(anna, 'patient', 2, { mac: bytes('mac') }), key('instance', 'i', 1)]
      expect(await put({ keys: three })).toBe(true)
      expect(sorted(await keys.of(anna))).toEqual(three.slice(0, 2))
      expect(sorted(await keys.all())).toEqual(sorted(three))
      expect(await keys.of(ben)).toEqual([])
    })

    it('gives the keys of several owners together, and nothing for those who have none', async () => {
      const four = [key(anna, 'patient', 1), key(anna, 'patient', 2), key(ben, 'audit', 1), key('instance', 'i', 1)]
      await put({ keys: four })
      expect(sorted(await keys.ofEach([ben, anna, 'nobody']))).toEqual(sorted(four.slice(0, 3)))
      expect(await keys.ofEach([])).toEqual([])
    })

    it('puts a row in the place of the one of the same name, and removes others in the same change', async () => {
      await put({ keys: [key(anna, 'patient', 1), key(anna, 'audit', 1)], notes: [note('a', '1'), note('b', '1')] })
      const anew = key(anna, 'patient', 1, { wrapped: bytes('anew'), params: {} })
      const dropped = { keys: [key(anna, 'audit', 1)], notes: ['b', 'never was'] }
      await keys.change({ dropped, put: { keys: [anew], notes: [note('a', '2', { mac: bytes('m') })] } })
      expect(await keys.of(anna)).toEqual([anew])
      expect([await keys.note('a'), await keys.note('b')]).toEqual([note('a', '2', { mac: bytes('m') }), undefined])
    })

    it('keeps tombstones, by owner', async () => {
      const tombstones = [
        { owner: anna, atMs: 1_700_000_000_000 },
        { owner: ben, atMs: 5, mac: bytes('m') },
      ]
      await put({ tombstones })
      expect([...(await keys.tombstones())].sort((a, b) => a.atMs - b.atMs)).toEqual(tombstones.toReversed())
      expect([await keys.tombstone(ben), await keys.tombstone('c'.repeat(32))]).toEqual([tombstones[1], undefined])
      await keys.change({ dropped: { tombstones: [ben] } })
      expect(await keys.tombstones()).toEqual(tombstones.slice(0, 1))
    })

    it('tells of notes by name and by the beginning of their names', async () => {
      const heads = [note('head:a', '1'), note('head:b', '2')]
      await put({ notes: [...heads, note('ahead', '3'), note('%', '4')] })
      expect([...(await keys.notes('head:'))].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(heads)
      expect(await keys.notes('')).toHaveLength(4)
      expect(await keys.note('head:')).toBeUndefined()
      expect(await keys.check()).toEqual([])
    })

    it('gives each of very many rows once, also while others are written', async () => {
      const name = (at: number) => `${at}`.padStart(5, '0')
      const many = Array.from({ length: 600 }, (_, at) => name(at))
      const notes = many.map(each => note(`head:${each}`, each))
      const beside = ['head', 'head9', 'head;', 'alarm:1', 'heae:'].map(each => note(each, '1'))
      const tombstones = many.map(owner => ({ owner, atMs: 1 }))
      const all = many.map((owner, at) => key(owner, at % 2 ? 'audit' : 'patient', 1 + (at % 3)))
      await put({ notes: [...notes, ...beside], tombstones, keys: all })
      const asked = [keys.all(), keys.notes('head:'), keys.notes(''), keys.tombstones()] as const
      await put({ notes: [note('head:00300', 'later')], keys: [key('00300', 'patient', 1, { params: {} })] })
      const [allKeys, heads, allNotes, buried] = await Promise.all(asked)
      const nameOfKey = (of: WrappedKey) => `${of.owner} ${of.kind} ${of.version}`
      expect(allKeys.map(nameOfKey).toSorted()).toEqual(all.map(nameOfKey).toSorted())
      expect(heads.map(each => each.name).toSorted()).toEqual(notes.map(each => each.name))
      expect(allNotes.map(each => each.name).toSorted()).toEqual(
        [...notes, ...beside].map(each => each.name).toSorted(),
      )
      expect(buried.map(({ owner }) => owner).toSorted()).toEqual(many)
    })

    it.each([
      ['the last of one unit', '\uffff'],
      ['the last before the surrogates', '\ud7ff'],
      ['one of two units', '\u{1f600}'],
      ['the last of those with one first unit', '\u{103ff}'],
      ['the last of all', '\u{10ffff}'],
      ['a wild card', '%_*.'],
      ['one that takes two bytes', '\u00e4'],
    ])('tells of notes that begin with whatever sign: %s', async (_, sign) => {
      const begin = [sign, `${sign}:1`, `${sign}${sign}`, `${sign}x\u{10ffff}`]
      const beside = ['!', 'zz', '\ue000', '\u{10400}', '\u{1f601}', `x${sign}`]
      await put({ notes: [...begin, ...beside].map(each => note(each, '1')) })
      const found = async (prefix: string) => (await keys.notes(prefix)).map(each => each.name).toSorted()
      expect(await found(sign)).toEqual(begin.toSorted())
      expect(await found(`${sign}:`)).toEqual([`${sign}:1`])
      expect(await found(`x${sign}`)).toEqual([`x${sign}`])
      expect(await found('')).toHaveLength(begin.length + beside.length)
    })

    it('changes all or nothing, and nothing unless a note is what it was', async () => {
      const change = { put: { keys: [key(anna, 'patient', 1)], notes: [note('seal', '1')] } }
      expect(await keys.change({ ...change, ifNote: { name: 'seal', value: bytes('0') } })).toBe(false)
      expect([await keys.all(), await keys.note('seal')]).toEqual([[], undefined])
      expect(await keys.change({ ...change, ifNote: { name: 'seal', value: undefined } })).toBe(true)
      const next = { put: { notes: [note('seal', '2')] }, dropped: { keys: [key(anna, 'patient', 1)] } }
      for (const value of [undefined, bytes('2'), bytes(''), bytes('11')])
        expect(await keys.change({ ...next, ifNote: { name: 'seal', value } })).toBe(false)
      expect(await keys.all()).toHaveLength(1)
      const both = [1, 2].map(() => keys.change({ ...next, ifNote: { name: 'seal', value: bytes('1') } }))
      expect((await Promise.all(both)).toSorted()).toEqual([false, true])
      expect(await keys.all()).toEqual([])
    })

    it('changes what nobody waits for in its turn, and by the same condition', async () => {
      const change = (from: string | undefined, to: string, more = {}) =>
        keys.change({
          ifNote: { name: 'seal', value: from === undefined ? undefined : bytes(from) },
          put: { notes: [note('seal', to)] },
          ...more,
        })
      expect(await change(undefined, '1', { unhurried: true })).toBe(true)
      expect(await change('1', '2')).toBe(true)
      expect(await change('1', '3', { unhurried: true })).toBe(false)
      await keys.durable()
      expect(await keys.note('seal')).toEqual(note('seal', '2'))
    })

    it('gives every row as all were at one moment, whatever is written meanwhile', async () => {
      const many = Array.from({ length: 1_200 }, (_, at) => note(`note ${at}`, 'before'))
      const rows = { keys: [key(anna, 'patient', 1)], tombstones: [{ owner: ben, atMs: 1 }], notes: many }
      await put(rows)
      const reading = keys.everything()[Symbol.asyncIterator]()
      const first = (await reading.next()).value as KeyRows
      await put({ notes: many.map(({ name }) => note(name, 'after')), keys: [key(ben, 'patient', 1)] })
      const values = first.notes.map(({ value }) => Buffer.from(value).toString())
      let owners = first.keys.length
      for (let page = await reading.next(); page.done !== true; page = await reading.next()) {
        values.push(...page.value.notes.map(({ value }) => Buffer.from(value).toString()))
        owners += page.value.keys.length
      }
      expect([values.length, new Set(values), owners]).toEqual([1_200, new Set(['before']), 1])
      expect((await everything()).keys).toHaveLength(2)
      expect((await everything()).tombstones).toEqual(rows.tombstones)
    })

    it('answers nothing once it is closed', async () => {
      await keys.close()
      expect(await codeOf(keys.all())).toBe('store.closed')
      expect(await codeOf(put({ keys: [key(anna, 'patient', 1)] }))).toBe('store.closed')
      expect(await codeOf(everything())).toBe('store.closed')
      await keys.close()
    })
  })
}
