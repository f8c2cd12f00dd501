import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Record } from '#record'
import {
  type Entry,
  type KeyStore,
  openMemoryKeys,
  openMemoryStore,
  openSqliteStore,
  type Store,
  type StoredDocument,
} from '#store'
import { openInstance } from '../../../src/vault/instance.ts'
import { mint } from '../../../src/vault/mint.ts'
import { Ring } from '../../../src/vault/ring.ts'
import { execute } from '../../journeys/rollback/rows.ts'
import { until } from '../../journeys/server/waiting.ts'
import { byHand } from '../vault/by-hand.ts'
import { create, everything, heartRate, ids, openTestRecord, patient, testRoot } from './family.ts'
import { storeWith } from './store-with.ts'

const all = everything()

async function findings(record: Record): Promise<string[]> {
  const found: string[] = []
  for await (const { kind, text } of record.verify()) found.push(`${kind} ${text}`)
  return found
}

async function filled(on: Store = openMemoryStore()) {
  const house = await openTestRecord(on, openMemoryKeys())
  const amsel = await create(house.record, all, patient('Amsel'))
  await create(house.record, all, heartRate(amsel.id, 60))
  await house.record.documents.put('tokens', 'a', { of: 'amsel' }, { group: 'amsel', expiresAtMs: 9e14 })
  return { ...house, amsel }
}

async function rowOf(store: Store, collection: string): Promise<StoredDocument> {
  const [row] = await store.documents(collection, 0)
  if (row === undefined) throw new Error('there is no such document')
  return row
}

/** Writes a row past everything that keeps count of them, as somebody with the database would. */
async function write(store: Store, { collection, key, sealed, group, expiresAtMs }: StoredDocument): Promise<void> {
  const belongs = { ...(group === undefined ? {} : { group }), ...(expiresAtMs === undefined ? {} : { expiresAtMs }) }
  await store.commit({ appends: [], documents: [{ op: 'put', collection, key, sealed, ...belongs }] })
}

describe('the ledger of documents', () => {
  it('agrees with the documents after many writes at once, in two processes', async () => {
    const { record, beside, again } = await filled()
    const other = await beside()
    const puts = Array.from({ length: 60 }, (_, at) =>
      (at % 2 ? record : other).documents.put('counts', `${at % 7}`, { at }, at % 3 ? {} : { ifRevision: 0 }),
    )
    const patients = Array.from({ length: 12 }, (_, at) => create(at % 2 ? record : other, all, patient(`P${at}`)))
    const takes = Array.from({ length: 6 }, () => record.documents.take('counts', '3'))
    await Promise.all([...puts, ...patients, ...takes])
    expect([record.faults(), other.faults()]).toEqual([[], []])
    expect(await findings(record)).toEqual([])
    await Promise.all([record.close(), other.close()])
    expect((await again()).faults()).toEqual([])
  })

  it('leaves no key behind when patients come at once', async () => {
    const { record, keys } = await filled()
    const before = (await keys.all()).length
    await Promise.all(Array.from({ length: 10 }, (_, at) => create(record, all, patient(`P${at}`))))
    expect((await keys.all()).length - before).toBe(20)
  })

  it('counts the removal of what has expired, and a new document in its place', async () => {
    const { record, clock, again } = await filled()
    const soon = () => ({ ifRevision: 0, expiresAtMs: clock.nowMs() + 1_000 })
    expect(await record.documents.put('tries', 'a', 1, soon())).toBe(true)
    expect(await record.documents.put('tries', 'b', 1, soon())).toBe(true)
    clock.advance(2_000)
    expect(await record.documents.put('tries', 'a', 2, soon())).toBe(true)
    expect(await record.documents.purge()).toBe(1)
    expect(await findings(record)).toEqual([])
    await record.close()
    expect((await again()).faults()).toEqual([])
  })

  it('refuses what is not the newest, what was deleted and what is missing – and nothing else', async () => {
    const { record, store, again } = await filled()
    const { documents } = record
    await documents.put('tokens', 'revoked', 1)
    await documents.put('accounts', 'b', 'old')
    await documents.put('clients', 'c', 1)
    await documents.put('clients', 'd', 1)
    const kept = await Promise.all((await store.collections()).map(async each => store.documents(each, 0)))
    await documents.delete('tokens', 'revoked')
    await documents.put('accounts', 'b', 'new')
    await record.close()
    const deleted = (await store.documents('clients', 0))[0]
    if (deleted !== undefined) await store.commit({ appends: [], documents: [{ ...deleted, op: 'delete' }] })
    for (const row of kept.flat().filter(({ collection }) => ['tokens', 'accounts'].includes(collection)))
      await write(store, row)
    const after = await again()
    expect(after.faults()).toEqual([expect.stringContaining('documents')])
    const stale = { kind: 'fault', code: 'record.document-stale' }
    for (const [collection, name] of [
      ['tokens', 'revoked'],
      ['accounts', 'b'],
    ] as const) {
      await expect(after.documents.get(collection, name)).rejects.toMatchObject(stale)
      await expect(after.documents.put(collection, name, 'x')).rejects.toMatchObject(stale)
    }
    await expect(after.documents.list('clients')).rejects.toMatchObject(stale)
    expect(await after.documents.put('others', 'e', 1)).toBe(true)
    const named = (await findings(after)).join('\n')
    for (const text of [
      'collection tokens',
      'collection accounts',
      'document-missing A document of the collection clients',
    ])
      expect(named).toContain(text)
  })

  it('takes in what an earlier release has written, once', async () => {
    const { record, store, keys, vault, amsel, beside } = await filled()
    await record.close()
    const instance = (await openInstance(keys, testRoot, false)).keys
    const unbound = new Ring(instance, 'documents')
    const earlier = (row: StoredDocument) => {
      const plain = vault.openDocument(row)
      return { ...row, sealed: mint(unbound.seal('document', [row.collection, row.key], plain)) }
    }
    for (const collection of await store.collections())
      for (const row of await store.documents(collection, 0)) await write(store, earlier(row))
    await forgetLedger(store, keys)
    await byHand.unseal(keys)
    const after = await beside()
    expect(after.faults()).toEqual([])
    expect((await after.documents.get('tokens', 'a'))?.value).toEqual({ of: 'amsel' })
    expect(await ids(after, all, 'Observation', `patient=${amsel.id}`)).toHaveLength(1)
    expect(await findings(after)).toEqual([])
    await after.close()
    // From then on nothing is believed that is bound to less.
    await write(store, earlier(await rowOf(store, 'tokens')))
    expect((await beside()).faults()).toEqual([expect.stringContaining('1 documents')])
  })

  it.each([
    ['has lost the note', (keys: KeyStore) => byHand.dropNotes(keys, 'documents')],
    ['holds a forged one', (keys: KeyStore) => byHand.setNote(keys, 'documents', Buffer.alloc(48))],
  ])('is found by its key when the keystore %s, and that is told', async (_, change) => {
    const { record, keys, beside } = await filled()
    await record.close()
    await change(keys)
    const found = await beside()
    expect((await found.documents.get('tokens', 'a'))?.value).toEqual({ of: 'amsel' })
    expect((await findings(found)).join()).toMatch(/keystore-(forged|changed)/)
    expect(found.faults().join()).toMatch(/the keystore/)
  })

  it('is not guessed where nothing says which it is', async () => {
    const { record, store, keys, vault, beside } = await filled()
    await record.close()
    const { compartment } = await vault.createCompartment('documents')
    const [entry] = await store.entriesFrom((await documentsKeys(keys))[0] ?? '', 1, 1)
    if (entry === undefined) throw new Error('the ledger of documents is empty')
    await store.commit({
      appends: [{ compartment, expectedHead: 0, entries: [{ ...entry, compartment, locator: 'ab'.repeat(16) }] }],
      documents: [],
    })
    await byHand.setNote(keys, 'documents', Buffer.alloc(48))
    await expect(beside()).rejects.toMatchObject({ kind: 'fault', code: 'record.note-forged' })
  })
})

describe('a ledger of documents whose last entry cannot be opened', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-freshness-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const damaging: readonly [string, (sealed: Uint8Array) => Uint8Array][] = [
    ['has one bit that is another', sealed => sealed.map((byte, at) => (at === 70 ? byte ^ 1 : byte))],
    ['has lost its end', sealed => sealed.subarray(0, -1)],
    ['is one byte', () => new Uint8Array(1)],
    ['is nothing but zeros', sealed => new Uint8Array(sealed.length)],
  ]

  it.each(damaging)(
    'keeps no house closed, no document is believed, and verify names it: it %s',
    async (name, damage) => {
      const path = join(folder, name)
      const first = await openSqliteStore({ path })
      const { record, keys, beside, amsel } = await filled(first)
      await record.close()
      const [compartment = ''] = await documentsKeys(keys)
      const [entry] = await first.entriesAt(compartment, [(await first.heads([compartment])).get(compartment) ?? 0])
      const sealed = Buffer.from(entry?.sealed ?? [])
      execute(path, 'UPDATE entries SET sealed = ? WHERE sealed = ?', Buffer.from(damage(sealed)), sealed)
      const store = await openSqliteStore({ path })
      const after = await beside({ store })
      expect(after.faults().join()).toMatch(/^1 ledgers hold what was not written there/)
      const refused = { code: 'record.rolled-back' }
      expect(() => after.checkTrusted()).toThrow(expect.objectContaining(refused))
      await expect(after.documents.put('tokens', 'b', {})).rejects.toMatchObject(refused)
      await expect(create(after, all, patient('Drossel'))).rejects.toMatchObject(refused)
      expect(await findings(after)).toContain('entry-broken The entry cannot be opened.')

      // Who takes it as it is goes on with all documents that there are; the damage stays named.
      await after.acceptRestore()
      expect(after.faults()).toEqual([])
      await create(after, all, patient('Drossel'))
      await create(after, all, heartRate(amsel.id, 61))
      await after.close()
      const again = await beside({ store })
      expect([again.faults(), (await again.allPatients()).length]).toEqual([[], 2])
      expect((await again.documents.get('tokens', 'a'))?.value).toEqual({ of: 'amsel' })
      expect(await ids(again, all, 'Observation', `patient=${amsel.id}`)).toHaveLength(2)
      expect(await findings(again)).toContain('entry-broken The entry cannot be opened.')
      // And what is put back later is seen as before.
      const row = await rowOf(store, 'tokens')
      await again.documents.put('tokens', 'a', { of: 'drossel' }, { group: 'amsel' })
      await again.close()
      await write(store, row)
      const last = await beside({ store })
      expect(last.faults().join()).toMatch(/1 documents/)
      await last.close()
      for (const each of [first, store]) await each.close()
    },
  )
})

describe('an entry of the ledger of documents that is damaged beside a document that is put back', () => {
  it.each<[string, (head: number) => number]>([
    ['the first one', () => 1],
    ['one in the middle', head => head - 1],
    ['the last one', head => head],
  ])('lets nobody believe the document, while the process runs or when it starts: %s', async (_, which) => {
    const { record, store, keys, beside } = await filled()
    const [compartment = ''] = await documentsKeys(keys)
    let spoiltSeq = 0
    const spoilt = (entry: Entry): Entry =>
      entry.compartment === compartment && entry.seq === spoiltSeq
        ? { ...entry, sealed: entry.sealed.map((byte, at) => (at === 70 ? byte ^ 1 : byte)) as typeof entry.sealed }
        : entry
    const damaged = storeWith(store, {
      entriesAt: async (of, seqs) => (await store.entriesAt(of, seqs)).map(spoilt),
      entriesFrom: async (...asked) => (await store.entriesFrom(...asked)).map(spoilt),
      othersMark: async () => spoiltSeq,
    })
    const running = await beside({ store: damaged })
    const before = await rowOf(store, 'tokens')
    await record.documents.put('tokens', 'a', { of: 'nobody' }, { group: 'amsel' })
    await record.close()
    await write(store, before)
    spoiltSeq = which((await store.heads([compartment])).get(compartment) ?? 0)
    await until(() => running.faults().length > 0)
    for (const house of [running, await beside({ store: damaged })]) {
      expect(() => house.checkTrusted()).toThrow(expect.objectContaining({ code: 'record.rolled-back' }))
      expect(house.faults().join()).toMatch(/^1 ledgers hold what was not written there/)
      expect((await findings(house)).join()).toContain('entry-broken')
    }
  })
})

describe('an entry that names a key from before the last renewal, beside a document that is put back', () => {
  it.each<[string, (head: number) => number]>([
    ['one in the middle', head => head - 1],
    ['the last one', head => head],
  ])('lets the running process believe no document: %s', async (_, which) => {
    const { record, store, keys, beside, again } = await filled()
    await record.renewKeys()
    await record.close()
    const renewed = await again()
    const [compartment = ''] = await documentsKeys(keys)
    let spoiltSeq = 0
    const older = (entry: Entry): Entry =>
      entry.compartment === compartment && entry.seq === spoiltSeq
        ? { ...entry, sealed: entry.sealed.map((byte, at) => (at === 1 ? byte - 1 : byte)) as typeof entry.sealed }
        : entry
    const running = await beside({
      store: storeWith(store, {
        entriesAt: async (of, seqs) => (await store.entriesAt(of, seqs)).map(older),
        entriesFrom: async (...asked) => (await store.entriesFrom(...asked)).map(older),
        othersMark: async () => spoiltSeq,
      }),
    })
    const before = await rowOf(store, 'tokens')
    await renewed.documents.put('tokens', 'a', { of: 'nobody' }, { group: 'amsel' })
    await renewed.close()
    await write(store, before)
    spoiltSeq = which((await store.heads([compartment])).get(compartment) ?? 0)
    await until(() => running.faults().join().includes('1 ledgers hold what was not written there'))
    expect(() => running.checkTrusted()).toThrow(expect.objectContaining({ code: 'record.rolled-back' }))
    expect((await findings(running)).join()).toContain('entry-broken vault.data-older')
    await running.close()
  })

  it('keeps no house closed where it is the last one, as if all data were of an older backup', async () => {
    const { record, store, keys, beside } = await filled()
    await record.renewKeys()
    await record.close()
    const [compartment = ''] = await documentsKeys(keys)
    const seq = (await store.heads([compartment])).get(compartment) ?? 0
    const [last] = await store.entriesAt(compartment, [seq])
    if (last === undefined) throw new Error('the ledger of documents is empty')
    const sealed = last.sealed.map((byte, at) => (at === 1 ? byte - 1 : byte)) as typeof last.sealed
    await store.reseal(compartment, [{ seq, sealed }])
    const house = await beside()
    expect(house.faults().join()).toMatch(/^1 ledgers hold what was not written there/)
    expect(() => house.checkTrusted()).toThrow(expect.objectContaining({ code: 'record.rolled-back' }))
    await house.close()
  })
})

describe('a registration that cannot be read', () => {
  it('is a fault for whoever must know all, and no patient less in silence', async () => {
    const { record, store, vault, amsel, again } = await filled()
    const drossel = await create(record, all, patient('Drossel'))
    await record.close()
    const key = vault.documentKey('compartments', `patient/${amsel.id}`)
    const row = (await store.documents('compartments', 0)).find(each => each.key === key)
    if (row === undefined) throw new Error('there is no such registration')
    await write(store, {
      ...row,
      sealed: row.sealed.map((byte, at) => (at === 50 ? byte ^ 1 : byte)) as typeof row.sealed,
    })
    const after = await again()
    const broken = { kind: 'fault', code: 'record.registration-broken' }
    await expect(after.allPatients()).rejects.toMatchObject(broken)
    await expect(after.reader(all).history({ count: 5 })).rejects.toMatchObject(broken)
    expect([await after.keepsPatient(drossel.id)]).toEqual([true])
    await expect(after.keepsPatient(amsel.id)).rejects.toMatchObject({ kind: 'fault' })
    expect(after.faults().join()).toMatch(/1 registrations cannot be read/)
  })
})

async function documentsKeys(keys: KeyStore): Promise<readonly string[]> {
  return (await keys.all()).filter(({ kind }) => kind === 'documents').map(({ owner }) => owner)
}

describe('a census that cannot be read', () => {
  it('is a fault for whoever asks everybody, is named, and is written anew when the house is taken as it is', async () => {
    const { record, store, amsel, beside } = await filled()
    await record.close()
    const row = await rowOf(store, 'census')
    await write(store, { ...row, sealed: row.sealed.map(byte => byte ^ 1) as typeof row.sealed })
    const after = await beside()
    const ask = (of: Record) => ids(of, all, 'Observation', '')
    await expect(ask(after)).rejects.toMatchObject({ kind: 'fault' })
    expect([after.faults().join(), (await findings(after)).join()]).toEqual([
      expect.stringContaining('1 documents'),
      expect.stringContaining('document-broken'),
    ])
    await after.acceptRestore()
    expect([await ask(after), after.faults(), await findings(after)]).toEqual([[expect.any(String)], [], []])
    await create(after, all, heartRate(amsel.id, 61))
    await create(after, all, patient('Drossel'))
    expect([(await ask(after)).length, (await after.allPatients()).length]).toEqual([2, 2])
    await after.close()
    expect((await beside()).faults()).toEqual([])
  })
})

/** As if there had never been a ledger of documents. */
async function forgetLedger(store: Store, keys: KeyStore): Promise<void> {
  for (const owner of await documentsKeys(keys)) {
    await store.dropCompartment(owner)
    await byHand.dropKeys(keys, owner, 'documents')
    await byHand.dropNotes(keys, `head:${owner}`)
  }
  await byHand.dropNotes(keys, 'documents')
}
