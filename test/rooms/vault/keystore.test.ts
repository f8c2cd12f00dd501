import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kernel'
import { type KeyStore, openMemoryKeys, openMemoryStore, openSqliteKeys, type WrappedKey } from '#store'
import { newRecoveryCode, openVault, type RootProvider, recoveryRoot, rotateInstance, type Vault } from '#vault'
import { named, problemOf } from './arrange.ts'
import { byHand } from './by-hand.ts'

const folder = mkdtempSync(join(tmpdir(), 'kinhold-keystore-'))
let files = 0
afterAll(() => rmSync(folder, { recursive: true }))

const keystores: [string, () => Promise<KeyStore>][] = [
  ['memory', async () => openMemoryKeys()],
  ['sqlite', () => openSqliteKeys({ path: join(folder, `${++files}.sqlite`) })],
]
const text = (value: string) => new Uint8Array(Buffer.from(value))

interface House {
  readonly keys: KeyStore
  readonly root: RootProvider
  readonly vault: Vault
  readonly patients: readonly string[]
  /** All rows, as they were a while ago. */
  readonly older: Awaited<ReturnType<typeof byHand.keep>>
  another(): Promise<Vault>
}

/** Three patients, one of whom was erased, with a note each; and all of it as it was before the last writes. */
async function house(open: () => Promise<KeyStore>): Promise<House> {
  const [keys, root] = [await open(), recoveryRoot(newRecoveryCode())]
  const another = () => openVault({ keys, root, clock: systemClock })
  const vault = await another()
  const patients: string[] = []
  for (let at = 0; at < 3; at++) patients.push((await vault.createCompartment('patient')).compartment)
  await vault.keys.setNotes(new Map(patients.map(id => [`head:${id}`, text('00000001')])))
  const older = await byHand.keep(keys)
  await vault.destroy(patients[2] ?? '')
  await vault.keys.raiseNotes(new Map(patients.map(id => [`head:${id}`, text('00000009')])))
  return { keys, root, vault, patients, older, another }
}

const rowOf = async (keys: KeyStore, owner: string): Promise<WrappedKey> => {
  const [row] = await keys.of(owner)
  if (row === undefined) throw new Error('there is no such key')
  return row
}

const isWhole = ({ keys }: Vault) => keys.fault === undefined && keys.forged.length === 0

type Edit = (house: House) => Promise<unknown>

/** What somebody does who can write to the file; `forged` where single rows show it, and not only all of them together. */
const edits: Readonly<Record<string, { readonly edit: Edit; readonly forged?: number }>> = {
  'a key is removed': { edit: ({ keys, patients: [one = ''] }) => byHand.dropKeys(keys, one) },
  'two keys are swapped': {
    forged: 2,
    edit: async ({ keys, patients: [one = '', other = ''] }) => {
      const [hers, his] = [await rowOf(keys, one), await rowOf(keys, other)]
      await byHand.putKeys(keys, { ...hers, wrapped: his.wrapped }, { ...his, wrapped: hers.wrapped })
    },
  },
  'a key is given to somebody else as well': {
    forged: 1,
    edit: async ({ keys, patients: [one = ''] }) =>
      byHand.putKeys(keys, { ...(await rowOf(keys, one)), owner: 'f'.repeat(32) }),
  },
  'parameters are edited': {
    forged: 1,
    edit: async ({ keys, patients: [one = ''] }) =>
      byHand.putKeys(keys, { ...(await rowOf(keys, one)), params: { epoch: 7 } }),
  },
  'parameters of the root are added to': {
    forged: 1,
    edit: async ({ keys }) => {
      const row = await rowOf(keys, 'instance')
      await byHand.putKeys(keys, { ...row, params: { ...row.params, more: 1 } })
    },
  },
  'the kind of a key is changed': {
    forged: 1,
    edit: async ({ keys, patients: [one = ''] }) => {
      const row = await rowOf(keys, one)
      await byHand.dropKeys(keys, one)
      await byHand.putKeys(keys, { ...row, kind: 'commons' })
    },
  },
  'a tombstone is inserted': { forged: 1, edit: ({ keys, patients: [one = ''] }) => byHand.bury(keys, one) },
  'a tombstone is copied': {
    forged: 1,
    edit: async ({ keys, patients: [one = ''] }) =>
      keys.change({ put: { tombstones: (await keys.tombstones()).map(row => ({ ...row, owner: one })) } }),
  },
  'a tombstone gets another time': {
    forged: 1,
    edit: async ({ keys }) =>
      keys.change({ put: { tombstones: (await keys.tombstones()).map(row => ({ ...row, atMs: 5 })) } }),
  },
  'a tombstone is removed': {
    edit: ({ keys, patients }) => keys.change({ dropped: { tombstones: patients.slice(2) } }),
  },
  'a tombstone is removed and the key put back': {
    edit: async ({ keys, patients, older }) =>
      keys.change({
        dropped: { tombstones: patients.slice(2) },
        put: { keys: older.keys.filter(({ owner }) => owner === patients[2]) },
      }),
  },
  'a note is removed': { edit: ({ keys, patients: [one] }) => byHand.dropNotes(keys, `head:${one}`) },
  'all notes of heads are removed': {
    edit: async ({ keys }) => byHand.dropNotes(keys, ...(await keys.notes('head:')).map(({ name }) => name)),
  },
  'a note is changed': {
    forged: 1,
    edit: ({ keys, patients: [one] }) => byHand.setNote(keys, `head:${one}`, text('9')),
  },
  'a note is put back': {
    edit: ({ keys, older, patients: [one] }) =>
      keys.change({ put: { notes: older.notes.filter(({ name }) => name === `head:${one}`) } }),
  },
  'two notes are swapped': {
    forged: 2,
    edit: async ({ keys, older, patients: [one, other] }) => {
      const [a, b] = [one, other].map(id => older.notes.find(({ name }) => name === `head:${id}`))
      if (a === undefined || b === undefined) throw new Error('there are no such notes')
      await keys.change({
        put: {
          notes: [
            { ...a, name: b.name },
            { ...b, name: a.name },
          ],
        },
      })
    },
  },
  'what vouches for a note is removed': {
    forged: 1,
    edit: async ({ keys }) =>
      keys.change({ put: { notes: (await keys.notes('head:')).slice(0, 1).map(({ mac: _, ...row }) => row) } }),
  },
  'the seal is removed': { edit: ({ keys }) => byHand.dropNotes(keys, 'seal') },
  'the seal is changed': { edit: ({ keys }) => byHand.setNote(keys, 'seal', new Uint8Array(81)) },
  'the seal is cut': { edit: ({ keys }) => byHand.setNote(keys, 'seal', new Uint8Array(3)) },
  'the seal is put back': {
    edit: ({ keys, older }) => keys.change({ put: { notes: older.notes.filter(({ name }) => name === 'seal') } }),
  },
  'all of it is put back': { edit: ({ keys, older }) => byHand.putBack(keys, older) },
  'the seal goes, and all that vouches for anything': { edit: ({ keys }) => byHand.unseal(keys) },
  'the seal and every row are forged anew': {
    edit: async ({ keys }) => {
      await byHand.unseal(keys)
      await keys.change({ put: { notes: [{ name: 'seal', value: new Uint8Array(81) }] } })
    },
  },
}

describe.each(keystores)('a keystore in %s that somebody else has written to', (_, open) => {
  it.each(Object.entries(edits))(
    '%s: it shows, also after honest writes, until it is taken as it is',
    async (_name, of) => {
      const home = await house(open)
      const { keys, vault, another } = home
      await vault.keys.examine()
      expect([vault.keys.fault, vault.keys.forged]).toEqual([undefined, []])
      const { generation } = vault.keys
      await of.edit(home)
      await vault.keys.examine()
      if (of.forged !== undefined) expect(vault.keys.forged).toHaveLength(of.forged)
      expect(isWhole(vault)).toBe(false)
      // One who opens it now knows what somebody else has written down.
      const later = await another()
      later.keys.expect(generation)
      await later.keys.examine()
      expect(later.keys.fault).toBe(vault.keys.fault)
      for (const each of [vault, later]) {
        await each.createCompartment('patient')
        await each.keys.raiseNotes(new Map([['head:later', text('1')]]))
        await each.keys.examine()
        expect(isWhole(each)).toBe(false)
      }
      await later.takeKeystoreAsItIs()
      for (const each of [later, vault, await another()]) {
        await each.keys.examine()
        expect([each.keys.fault, each.keys.forged]).toEqual([undefined, []])
      }
      await keys.close()
    },
  )

  it('does not take a tombstone for an erasure that is not ours, and neither serves nor destroys the key', async () => {
    const { keys, patients, vault, another } = await house(open)
    const [one = '', other = '', erased = ''] = patients
    await byHand.bury(keys, one)
    const forged = named('fault', 'vault.tombstone-forged')
    for (const each of [await another(), vault]) {
      if (each === vault) await each.compartments()
      expect(await problemOf(() => each.compartment(one))).toBe(forged)
      expect([await each.isDestroyed(one), await each.isDestroyed(erased)]).toEqual([false, true])
      expect(await problemOf(() => each.compartment(other))).toBe('no problem')
      expect(await problemOf(() => each.compartment(erased))).toBe(named('gone', 'vault.key-destroyed'))
    }
    expect(await keys.of(one)).toHaveLength(1)
    await (await another()).takeKeystoreAsItIs()
    expect(await problemOf(async () => (await another()).compartment(one))).toBe('no problem')
    await keys.close()
  })

  it('says of a note that is not ours that it is forged, and never raises or keeps another in its place', async () => {
    const { keys, vault, patients } = await house(open)
    const name = `head:${patients[0]}`
    await byHand.setNote(keys, name, text('0'))
    expect([await vault.keys.note(name), (await vault.keys.notes('head:')).get(name)]).toEqual(['forged', 'forged'])
    await vault.keys.raiseNotes(new Map([[name, text('99999999')]]))
    expect(await vault.keys.keepNote(name, text('1'))).toBe('forged')
    expect(await vault.keys.note(name)).toBe('forged')
    await keys.close()
  })
})

describe.each(keystores)('a keystore in %s that several write to', (_, open) => {
  it('is whole whatever they do at once', async () => {
    const { keys, vault, another } = await house(open)
    const both = [vault, await another(), await another()]
    const made = await Promise.all(
      Array.from({ length: 30 }, (_each, at) => both[at % 3]?.createCompartment('patient') ?? newNever()),
    )
    await Promise.all(
      made.flatMap(({ compartment }, at) => [
        both[at % 3]?.keys.raiseNotes(new Map([[`head:${compartment}`, text(`${at}`)]])),
        both[(at + 1) % 3]?.keys.keepNote('which', text(`${at}`)),
        at % 5 === 0 ? both[(at + 2) % 3]?.destroy(compartment) : both[at % 3]?.renewCompartment(compartment),
      ]),
    )
    for (const each of both) {
      await each.keys.examine()
      expect([each.keys.fault, each.keys.forged]).toEqual([undefined, []])
    }
    expect(new Set(await Promise.all(both.map(each => each.keys.note('which'))))).toHaveProperty('size', 3)
    expect((await keys.tombstones()).length).toBe(7)
    await keys.close()
  })

  it('adds no key twice and none for whom there is a tombstone, and keeps the time of the first destruction', async () => {
    const { keys, vault, patients, another } = await house(open)
    const row = { ...(await rowOf(keys, patients[0] ?? '')), kind: 'audit' }
    const twice = await Promise.all([vault, vault, await another()].map(each => problemOf(() => each.keys.add(row))))
    expect(twice.toSorted()).toEqual(['no problem', ...Array(2).fill(named('conflict', 'keys.exists'))].toSorted())
    const gone = { ...row, owner: patients[2] ?? '' }
    for (const act of [() => vault.keys.add(gone), () => vault.keys.replace(gone.owner, 'audit', [gone])])
      expect(await problemOf(act)).toBe(named('gone', 'keys.destroyed'))
    const before = await keys.tombstones()
    await vault.keys.destroy(gone.owner, 9e12)
    expect(await keys.tombstones()).toEqual(before)
    expect((await keys.of(row.owner)).length).toBe(2)
    await keys.close()
  })

  it('answers that too many want to write when somebody else is faster again and again', async () => {
    const { keys, root, vault } = await house(open)
    const { compartment } = await vault.createCompartment('patient')
    const crowded = new Proxy(keys, {
      get: (target, name: keyof KeyStore) => (name === 'change' ? async () => false : target[name].bind(target)),
    })
    const late = await openVault({ keys: crowded, root, clock: systemClock })
    expect(await problemOf(() => late.destroy(compartment))).toBe(named('busy', 'keys.contended'))
    expect(await problemOf(() => vault.destroy(compartment))).toBe('no problem')
    await keys.close()
  })

  it('is whole after a new epoch, a new root, a new code, and a key that was retired', async () => {
    const [keys, code] = [await open(), newRecoveryCode()]
    const root = recoveryRoot(code)
    const vault = await openVault({ keys, root, clock: systemClock })
    const { compartment } = await vault.createCompartment('patient')
    await vault.renewCompartment(compartment)
    await vault.retireCompartment(compartment)
    await rotateInstance({ keys, store: openMemoryStore(), root, replaceDocument: async () => undefined })
    await vault.keys.raiseNotes(new Map([['head:x', text('1')]]))
    const next = recoveryRoot(newRecoveryCode())
    const opened = await openVault({ keys, root, clock: systemClock })
    await opened.recovery.check(await opened.recovery.make())
    await opened.rotateRoot({ ...next, kind: 'usb' })
    for (const each of [vault, await openVault({ keys, root: { ...next, kind: 'usb' }, clock: systemClock })]) {
      await each.keys.examine()
      expect([each.keys.fault, each.keys.forged]).toEqual([undefined, []])
    }
    await keys.close()
  })
})

describe.each(keystores)('a keystore in %s that an earlier release has left', (_, open) => {
  it('is taken over once, with all that is in it', async () => {
    const { keys, patients, another } = await house(open)
    await byHand.unseal(keys)
    const vault = await another()
    expect(await vault.keys.isUnsealed()).toBe(true)
    // Written before it is taken over.
    const later = await vault.createCompartment('patient')
    await vault.keys.raiseNotes(new Map([['head:x', text('1')]]))
    expect([await problemOf(() => vault.compartment(patients[2] ?? '')), vault.keys.generation]).toEqual([
      named('gone', 'vault.key-destroyed'),
      0,
    ])
    expect(await vault.takeKeystoreAsItIs()).toBe(0)
    expect(await vault.keys.isUnsealed()).toBe(false)
    const after = await another()
    for (const id of [patients[0] ?? '', later.compartment])
      expect(await problemOf(() => after.compartment(id))).toBe('no problem')
    expect(await after.isDestroyed(patients[2] ?? '')).toBe(true)
    await after.keys.examine()
    expect([after.keys.fault, after.keys.forged]).toEqual([undefined, []])
    await keys.close()
  })

  it('is not taken for such a one when somebody knows that it was sealed', async () => {
    const { keys, patients, vault, another } = await house(open)
    const { generation } = vault.keys
    await byHand.unseal(keys)
    await byHand.bury(keys, patients[0] ?? '')
    const later = await another()
    later.keys.expect(generation)
    expect([await later.keys.isUnsealed(), await later.isDestroyed(patients[0] ?? '')]).toEqual([false, false])
    expect(await later.keys.note(`head:${patients[1]}`)).toBe('forged')
    expect(await keys.of(patients[0] ?? '')).toHaveLength(1)
    await keys.close()
  })
})

function newNever(): never {
  throw new Error('there is no such vault')
}
