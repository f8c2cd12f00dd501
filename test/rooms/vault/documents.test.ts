import { FixedClock } from '#kernel'
import { openMemoryStore, type Store } from '#store'
import { type Documents, openDocuments, type Vault } from '#vault'
import { newVault, problemOf, sealBroken } from './arrange.ts'

interface Client {
  title: string
  uses: number
}
const client: Client = { title: 'Ärztin «Ω»', uses: 1 }

describe('sealed documents – ARCHITECTURE §3, collection `documents`', () => {
  let store: Store
  let vault: Vault
  let clock: FixedClock
  let documents: Documents
  beforeEach(async () => {
    store = openMemoryStore()
    vault = await newVault()
    clock = new FixedClock(1_000)
    documents = openDocuments(store, vault, clock)
  })

  it('gives back what was put, with its revision', async () => {
    expect(await documents.get('clients', 'a')).toBeUndefined()
    expect(await documents.put('clients', 'a', client)).toBe(true)
    expect(await documents.get<Client>('clients', 'a')).toEqual({ value: client, revision: 1 })
    expect(await documents.put('clients', 'a', { ...client, uses: 2 })).toBe(true)
    expect(await documents.get<Client>('clients', 'a')).toEqual({ value: { ...client, uses: 2 }, revision: 2 })
  })

  it.each([null, false, 0, '', 'text', [], [1, [2]], {}, { a: { b: 'c' } }, '\u0000\ud83d\ude00'])(
    'keeps %j',
    async value => {
      await documents.put('any', 'x', value)
      expect((await documents.get('any', 'x'))?.value).toEqual(value)
    },
  )

  it('writes only at the revision that was named', async () => {
    expect(await documents.put('clients', 'a', client, { ifRevision: 1 })).toBe(false)
    expect(await documents.put('clients', 'a', client, { ifRevision: 0 })).toBe(true)
    expect(await documents.put('clients', 'a', client, { ifRevision: 0 })).toBe(false)
    expect(await documents.put('clients', 'a', client, { ifRevision: 1 })).toBe(true)
    expect(await documents.delete('clients', 'a', { ifRevision: 1 })).toBe(false)
    expect(await documents.delete('clients', 'a', { ifRevision: 2 })).toBe(true)
    expect(await documents.get('clients', 'a')).toBeUndefined()
  })

  describe('asked for again and again', () => {
    const recent = () => documents.recent<Client>('clients', 'a')

    it('are the same object until a document is written, and opened again only when it is this one', async () => {
      expect(await recent()).toBeUndefined()
      await documents.put('clients', 'a', client)
      const first = await recent()
      expect(first).toEqual({ name: 'a', value: client, revision: 1 })
      expect(await recent()).toBe(first)
      await documents.put('clients', 'b', client)
      expect(await recent()).toBe(first)
      await documents.put('clients', 'a', { ...client, uses: 2 })
      expect(await recent()).toEqual({ name: 'a', value: { ...client, uses: 2 }, revision: 2 })
    })

    it('are what another process has made of them', async () => {
      const other = openDocuments(store, vault, clock)
      await documents.put('clients', 'a', client)
      await recent()
      await other.put('clients', 'a', { ...client, uses: 3 })
      expect((await recent())?.value.uses).toBe(3)
      await other.delete('clients', 'a')
      expect(await recent()).toBeUndefined()
      await other.put('clients', 'a', client)
      expect((await recent())?.revision).toBe(1)
    })

    it('are gone when their time is over, though nothing was written', async () => {
      await documents.put('clients', 'a', client, { expiresAtMs: 2_000 })
      expect((await recent())?.value).toEqual(client)
      clock.advance(999)
      expect((await recent())?.value).toEqual(client)
      clock.advance(1)
      expect(await recent()).toBeUndefined()
    })

    it('are not remembered under another name or in another collection', async () => {
      await documents.put('clients', 'a', client)
      await recent()
      expect(await documents.recent('clients', 'b')).toBeUndefined()
      expect(await documents.recent('others', 'a')).toBeUndefined()
    })
  })

  it('lets one of many racing writers win', async () => {
    const writes = Array.from({ length: 10 }, (_, uses) => documents.put('c', 'a', uses, { ifRevision: 0 }))
    expect((await Promise.all(writes)).filter(won => won)).toHaveLength(1)
  })

  it('is taken by nobody when a damaged store does not let go of it', async () => {
    await documents.put('codes', 'one-time', client)
    store.commit = async () => ({ ok: false, heads: [], locators: [], documents: ['codes'] })
    expect(await documents.take('codes', 'one-time')).toBeUndefined()
  })

  it('is taken by exactly one of many', async () => {
    await documents.put('codes', 'one-time', client)
    const taken = await Promise.all(Array.from({ length: 20 }, () => documents.take<Client>('codes', 'one-time')))
    expect(taken.filter(value => value !== undefined)).toEqual([client])
    expect(await documents.take('codes', 'one-time')).toBeUndefined()
  })

  it('lists a collection, and a group of it, with the names', async () => {
    await documents.put('tokens', 'a', 1, { group: 'family-1' })
    await documents.put('tokens', 'b', 2, { group: 'family-2' })
    await documents.put('tokens', 'c', 3, { group: 'family-1' })
    await documents.put('clients', 'd', 4, { group: 'family-1' })
    const names = async (group?: string) =>
      (await documents.list('tokens', group === undefined ? {} : { group })).map(({ name }) => name).sort()
    expect(await names()).toEqual(['a', 'b', 'c'])
    expect(await names('family-1')).toEqual(['a', 'c'])
    expect(await names('family-3')).toEqual([])
    expect(await documents.list('tokens', { group: 'family-2' })).toEqual([{ name: 'b', value: 2, revision: 1 }])
  })

  it('gives a collection one after the other, each once, whatever is written meanwhile', async () => {
    const names = Array.from({ length: 50 }, (_, nth) => `name-${nth}`)
    for (const name of names) await documents.put('tokens', name, name.length)
    // Of collections that stand before it and behind it in whatever order.
    for (const collection of ['token', 'tokens-a', 'tokensa']) await documents.put(collection, 'x', 1)
    const given: string[] = []
    for await (const { name, value, revision } of documents.each<number>('tokens')) {
      expect([name, value, revision]).toEqual([name, name.length, 1])
      given.push(name)
      await documents.put('clients', name, client)
      await documents.delete('tokens', name)
    }
    expect(given.toSorted()).toEqual(names.toSorted())
    for await (const _ of documents.each('tokens')) throw new Error('something is left')
  })

  it('is absent from its expiry on, for every way of asking', async () => {
    await documents.put('tokens', 'a', client, { expiresAtMs: 2_000 })
    clock.advance(999)
    expect((await documents.get('tokens', 'a'))?.revision).toBe(1)
    clock.advance(1)
    expect(await documents.get('tokens', 'a')).toBeUndefined()
    expect(await documents.list('tokens')).toEqual([])
    for await (const found of documents.each('tokens')) expect(found).toBeUndefined()
    expect(await documents.take('tokens', 'a')).toBeUndefined()
    expect(await documents.put('tokens', 'a', client, { ifRevision: 0 })).toBe(true)
    expect((await documents.get('tokens', 'a'))?.value).toEqual(client)
  })

  it('shows the store neither name, group nor value, and its size in steps only', async () => {
    await documents.put('clients', 'secret-name', { title: 'secret-value' }, { group: 'secret-group' })
    await documents.put('clients', 'other-name!', { title: 'secret-valu' }, { group: 'secret-group' })
    const stored = await store.documents('clients', 0)
    for (const { key, group, sealed } of stored) {
      expect(`${key}${group}${Buffer.from(sealed).toString('latin1')}`).not.toContain('secret')
      expect(group).toMatch(/^[0-9a-f]{32}$/)
    }
    const [size, ...others] = new Set(stored.map(({ sealed }) => sealed.length))
    expect([size === undefined ? 1 : (size - 42) % 64, others]).toEqual([0, []])
  })

  it('puts one group under different names in different collections', async () => {
    await documents.put('a', 'x', 1, { group: 'account-1' })
    await documents.put('b', 'x', 1, { group: 'account-1' })
    const [[a], [b]] = [await store.documents('a', 0), await store.documents('b', 0)]
    expect(a?.group === b?.group || a?.key === b?.key).toBe(false)
  })

  it('refuses a document that was moved to another name or collection', async () => {
    await documents.put('clients', 'a', client)
    const [stored] = await store.documents('clients', 0)
    if (stored === undefined) throw new Error('no document')
    const { sealed } = stored
    const put = (collection: string, key: string) =>
      store.commit({ appends: [], documents: [{ op: 'put', collection, key, sealed }] })
    await put('clients', vault.documentKey('clients', 'b'))
    await put('grants', vault.documentKey('grants', 'a'))
    expect(await problemOf(() => documents.get('clients', 'b'))).toBe(sealBroken)
    expect(await problemOf(() => documents.get('grants', 'a'))).toBe(sealBroken)
    expect(await problemOf(() => documents.list('grants'))).toBe(sealBroken)
    expect(await problemOf(() => documents.each('grants').next())).toBe(sealBroken)
    expect((await documents.get('clients', 'a'))?.value).toEqual(client)
  })

  it("refuses another instance's documents", async () => {
    await documents.put('clients', 'a', client)
    const [stored] = await store.documents('clients', 0)
    const other = await newVault()
    expect(await problemOf(() => stored && other.openDocument(stored))).toBe(sealBroken)
  })

  it('prepares a write that its caller commits with others', async () => {
    const writes = [documents.write('c', 'a', 1), documents.write('c', 'b', 2, { ifRevision: 0, group: 'g' })]
    expect(await documents.get('c', 'a')).toBeUndefined()
    expect(await documents.commit(writes)).toBe(true)
    expect([(await documents.get('c', 'a'))?.value, (await documents.get('c', 'b'))?.value]).toEqual([1, 2])
  })
})
