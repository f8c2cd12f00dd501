import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FixedClock, lengthPrefixed, systemClock } from '#kernel'
import { type KeyStore, type KeysChange, openMemoryKeys, openMemoryStore, openSqliteKeys } from '#store'
import {
  type CompartmentKeys,
  fileRoot,
  newRecoveryCode,
  openVault,
  pairStore,
  type RootProvider,
  recoveryRoot,
  type Vault,
} from '#vault'
import { flipped, named, newVault, problemOf, sealBroken } from './arrange.ts'
import { byHand } from './by-hand.ts'

const destroyed = named('gone', 'vault.key-destroyed')
const lost = named('fault', 'vault.key-lost')
const refusedRoot = named('unauthenticated', 'vault.root-refused')
const mixed = named('fault', 'vault.keystore-mixed')
const broken = named('fault', 'vault.key-broken')
const plain = Buffer.from('{"resourceType":"Patient"}')
const place = { locator: 'a'.repeat(32), version: 1, seq: 1 }

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vault-'))
})
afterAll(() => rm(folder, { recursive: true }))
let files = 0
const newFile = (): string => join(folder, `file-${++files}`)

const keystores: [string, () => KeyStore | Promise<KeyStore>][] = [
  ['memory', () => openMemoryKeys()],
  ['sqlite', () => openSqliteKeys({ path: newFile() })],
]
const open = (keys: KeyStore, root: RootProvider, clock = systemClock): Promise<Vault> =>
  openVault({ keys, root, clock })

describe.each(keystores)('a vault over %s keys – ARCHITECTURE §4', (_name, openKeys) => {
  let keys: KeyStore
  let root: RootProvider
  beforeEach(async () => {
    keys = await openKeys()
    root = fileRoot(newFile())
  })
  afterEach(() => keys.close())

  it('creates the instance once, and opens the same one ever after', async () => {
    const first = await open(keys, root)
    const again = await open(keys, root)
    expect([first.created, again.created]).toEqual([true, false])
    expect(first.instanceId).toMatch(/^[0-9a-f]{32}$/)
    expect(again.instanceId).toBe(first.instanceId)
    expect(again.locator('Patient', '1')).toBe(first.locator('Patient', '1'))
  })

  it('lets one of two processes create the instance that both open', async () => {
    const both = await Promise.all([open(keys, root), open(keys, root)])
    expect(both.map(vault => vault.created).sort()).toEqual([false, true])
    expect(both[0].instanceId).toBe(both[1].instanceId)
    expect(both[0].locator('Patient', '1')).toBe(both[1].locator('Patient', '1'))
  })

  it('keeps a compartment across openings, its key wrapped', async () => {
    const patient = await (await open(keys, root)).createCompartment('patient')
    const sealed = patient.sealEntry(plain, place)
    const again = await (await open(keys, root)).compartment(patient.compartment)
    expect(again.openEntry({ compartment: patient.compartment, ...place, sealed }).equals(plain)).toBe(true)
    const [row] = await keys.of(patient.compartment)
    expect(row).toMatchObject({ kind: 'patient', version: 1, params: { epoch: 1 } })
    expect(row?.wrapped).toHaveLength(40)
  })

  it('seals and opens under a planned key, which is nowhere else until it is kept', async () => {
    const vault = await open(keys, root)
    const before = (await keys.all()).length
    const [forgotten, kept] = [await vault.planCompartment('patient'), await vault.planCompartment('household')]
    for (const { compartment } of [forgotten, kept]) {
      const sealed = (await vault.compartment(compartment)).sealEntry(plain, place)
      expect((await vault.compartment(compartment)).openEntry({ compartment, ...place, sealed }).equals(plain)).toBe(
        true,
      )
      expect(vault.hasAtHand(compartment)).toBe(true)
    }
    expect(await keys.all()).toHaveLength(before)
    forgotten.forget()
    await Promise.all([kept.keep(), kept.keep()])
    kept.forget()
    expect(await keys.all()).toHaveLength(before + 1)
    await expect(vault.compartment(forgotten.compartment)).rejects.toMatchObject({ code: 'vault.key-lost' })
    const again = await (await open(keys, root)).compartment(kept.compartment)
    expect(again.compartment).toBe(kept.compartment)
  })

  it('lists its compartments, without those destroyed and without its own key', async () => {
    const vault = await open(keys, root)
    const patient = await vault.createCompartment('patient')
    const commons = await vault.createCompartment('commons')
    const audit = await vault.createCompartment('audit')
    await vault.destroy(patient.compartment)
    const sorted = [...(await vault.compartments())].sort((a, b) => a.kind.localeCompare(b.kind))
    expect(sorted).toEqual([
      { id: audit.compartment, kind: 'audit' },
      { id: commons.compartment, kind: 'commons' },
    ])
  })

  it('answers gone for a destroyed compartment, and that it is a fault where no tombstone says so', async () => {
    const vault = await open(keys, root)
    const { compartment } = await vault.createCompartment('patient')
    await vault.destroy(compartment)
    await vault.destroy(compartment)
    expect(await keys.of(compartment)).toEqual([])
    expect((await keys.tombstones()).map(({ owner }) => owner)).toEqual([compartment])
    expect(await problemOf(() => vault.compartment(compartment))).toBe(destroyed)
    expect(await problemOf(async () => (await open(keys, root)).compartment(compartment))).toBe(destroyed)
    for (const unknown of ['f'.repeat(32), 'instance', '', '../x'])
      expect(await problemOf(() => vault.compartment(unknown))).toBe(lost)
  })

  it('does not destroy what is no compartment, least of all its own key', async () => {
    const vault = await open(keys, root)
    const malformed = named('invalid', 'vault.compartment-malformed')
    expect(await problemOf(() => vault.destroy('instance'))).toBe(malformed)
    expect((await open(keys, root)).instanceId).toBe(vault.instanceId)
  })

  it('renews a key: old entries stay readable, new ones and old fingerprints are as they should be', async () => {
    const vault = await open(keys, root)
    const before = await vault.createCompartment('patient')
    const id = before.compartment
    const old = before.sealEntry(plain, place)
    const after = await vault.renewCompartment(id)
    const fresh = after.sealEntry(plain, place)
    expect([old[1], fresh[1]]).toEqual([1, 2])
    const reopened = await (await open(keys, root)).compartment(id)
    for (const sealed of [old, fresh])
      expect(reopened.openEntry({ compartment: id, ...place, sealed }).equals(plain)).toBe(true)
    expect(reopened.fingerprint(plain)).toEqual(before.fingerprint(plain))
    const newer = { compartment: id, ...place, sealed: fresh }
    expect(await problemOf(() => before.openEntry(newer))).toBe(sealBroken)
    await vault.retireCompartment(id)
    const alone = await (await open(keys, root)).compartment(id)
    const older = { compartment: id, ...place, sealed: old }
    expect(await problemOf(() => alone.openEntry(older))).toBe(named('fault', 'vault.data-older'))
    expect(await problemOf(() => alone.openEntry({ ...newer, sealed: flipped(fresh, 40) as typeof fresh }))).toBe(
      sealBroken,
    )
    expect(alone.openEntry(newer).equals(plain)).toBe(true)
    expect((await vault.compartments()).filter(one => one.id === id)).toHaveLength(1)
  })

  it('changes its root without touching a compartment key', async () => {
    const vault = await open(keys, root)
    const { compartment } = await vault.createCompartment('patient')
    const before = await keys.of(compartment)
    const next = fileRoot(newFile())
    const code = await vault.recovery.make()
    await vault.rotateRoot(next)
    expect(await keys.of(compartment)).toEqual(before)
    expect(await problemOf(() => open(keys, root))).toBe(named('unauthenticated', 'vault.root-refused'))
    expect((await (await open(keys, next)).compartment(compartment)).compartment).toBe(compartment)
    expect((await open(keys, recoveryRoot(code))).instanceId).toBe(vault.instanceId)
  })

  it('comes back by its recovery code when the root is lost, and takes a root of another kind', async () => {
    const code = await (await open(keys, root)).recovery.make()
    const rescue: RootProvider = { ...fileRoot(newFile()), kind: 'usb' }
    await (await open(keys, recoveryRoot(code))).rotateRoot(rescue)
    expect((await open(keys, rescue)).created).toBe(false)
    expect((await keys.of('instance')).map(row => row.kind).sort()).toEqual([
      'instance:recovery-untried',
      'instance:usb',
    ])
  })

  it('says which kind of root is needed', async () => {
    await open(keys, root)
    await expect(open(keys, recoveryRoot(newRecoveryCode()))).rejects.toMatchObject({
      kind: 'fault',
      code: 'vault.root-missing',
      text: 'This keystore is opened with another kind of root: file.',
    })
  })

  it('keeps an earlier recovery code until the new one was typed back, and then only that', async () => {
    const vault = await open(keys, root)
    const opensWith = (code: string) => problemOf(() => open(keys, recoveryRoot(code)))
    expect(await vault.recovery.state()).toBe('none')
    const older = await vault.recovery.make()
    expect([await vault.recovery.state(), await vault.recovery.check(older)]).toEqual(['untried', true])
    const newer = await vault.recovery.make()
    expect([await opensWith(older), await opensWith(newer)]).toEqual(['no problem', 'no problem'])
    expect(await vault.recovery.check(newer.toLowerCase().replaceAll('-', ' '))).toBe(true)
    expect([await opensWith(older), await opensWith(newer)]).toEqual([refusedRoot, 'no problem'])
    expect([await vault.recovery.state(), await vault.recovery.check(older)]).toEqual(['tried', false])
    expect(await vault.recovery.check(newer)).toBe(true)
    expect((await open(keys, recoveryRoot(newer))).instanceId).toBe(vault.instanceId)
  })

  it('says of a recovery code that is mistyped that it is, and of a foreign one that it does not fit', async () => {
    const vault = await open(keys, root)
    const code = await vault.recovery.make()
    expect(await problemOf(() => vault.recovery.check(code.slice(1)))).toBe(
      named('invalid', 'vault.recovery-code-malformed'),
    )
    expect(await vault.recovery.check(newRecoveryCode())).toBe(false)
    expect(await vault.recovery.state()).toBe('untried')
  })

  it('takes no epoch from whoever can write the keystore and knows the public key of the paper', async () => {
    const vault = await open(keys, root)
    const code = await vault.recovery.make()
    const [row] = (await keys.of('instance')).filter(({ kind }) => kind === 'instance:recovery-untried')
    if (row === undefined) throw new Error('no row')
    const context = lengthPrefixed(['kinhold/instance-key', vault.instanceId, 'recovery', '2'])
    const { wrapped } = await recoveryRoot(code).wrap(Buffer.alloc(32, 7), context)
    await byHand.putKeys(keys, { ...row, version: 2, wrapped })
    expect(await problemOf(() => open(keys, recoveryRoot(code)))).toBe(refusedRoot)
  })

  it.each(['another compartment', 'another kind', 'another version'])('does not unwrap a key moved to %s', async to => {
    const vault = await open(keys, root)
    const [hers, his] = [await vault.createCompartment('patient'), await vault.createCompartment('patient')]
    const [row] = await keys.of(hers.compartment)
    if (row === undefined) throw new Error('no row')
    const moves = {
      'another compartment': { owner: his.compartment },
      'another kind': { kind: 'commons' },
      'another version': { version: 2 },
    }
    const moved = { ...row, ...moves[to as keyof typeof moves] }
    await byHand.dropKeys(keys, moved.owner, 'patient')
    await byHand.putKeys(keys, moved)
    const fresh = await open(keys, root)
    expect(await problemOf(() => fresh.compartment(moved.owner))).toBe(broken)
  })

  it("does not unwrap another instance's compartment key", async () => {
    const vault = await open(keys, root)
    const foreign = await (await newVault()).createCompartment('patient')
    const { compartment } = await vault.createCompartment('patient')
    const [row] = await keys.of(compartment)
    if (row === undefined) throw new Error('no row')
    const elsewhere = openMemoryKeys()
    const other = await newVault(elsewhere)
    await byHand.putKeys(elsewhere, row)
    expect(await problemOf(() => other.compartment(compartment))).toBe(broken)
    expect(await problemOf(() => vault.compartment(foreign.compartment))).toBe(lost)
  })

  it('refuses a keystore whose note names another instance', async () => {
    await open(keys, root)
    await byHand.setNote(keys, 'instance id', Buffer.alloc(16, 1))
    expect(await problemOf(() => open(keys, root))).toBe(mixed)
  })

  it("refuses a keystore that holds another instance's key as well", async () => {
    await open(keys, root)
    const elsewhere = await openKeys()
    await open(elsewhere, recoveryRoot(newRecoveryCode()))
    const [row] = await elsewhere.of('instance')
    await elsewhere.close()
    if (row === undefined) throw new Error('no row')
    await byHand.putKeys(keys, row)
    expect(await problemOf(() => open(keys, root))).toBe(mixed)
  })

  it('refuses an instance key that is renamed to another instance', async () => {
    await open(keys, root)
    const [row] = await keys.of('instance')
    if (row === undefined) throw new Error('no row')
    const renamed = { ...row, params: { ...row.params, instance: '0'.repeat(32) } }
    await byHand.dropKeys(keys, 'instance', 'instance:file')
    await byHand.putKeys(keys, renamed)
    await byHand.setNote(keys, 'instance id', Buffer.alloc(16))
    expect(await problemOf(() => open(keys, root))).toBe(named('unauthenticated', 'vault.root-refused'))
  })

  it('creates none in an empty keystore when it must not', async () => {
    const opening = () => openVault({ keys, root, clock: systemClock, mayCreate: false })
    expect(await problemOf(opening)).toBe(named('fault', 'vault.keystore-empty'))
    expect(await keys.all()).toEqual([])
    await open(keys, root)
    expect((await opening()).created).toBe(false)
  })

  it('does not create a new instance over a keystore that has lost its own', async () => {
    await (await open(keys, root)).createCompartment('patient')
    await byHand.dropKeys(keys, 'instance', 'instance:file')
    expect(await problemOf(() => open(keys, root))).toBe(named('fault', 'vault.keystore-damaged'))
  })
})

describe('a restored keystore – ARCHITECTURE §4: a tombstone that restored keystores replay', () => {
  it('gives no key of a destroyed compartment, and deletes it again', async () => {
    const [keys, code] = [openMemoryKeys(), newRecoveryCode()]
    const before = await open(keys, recoveryRoot(code))
    const { compartment } = await before.createCompartment('patient')
    const older = await keys.of(compartment)
    await before.destroy(compartment)
    await byHand.putKeys(keys, ...older)
    const vault = await open(keys, recoveryRoot(code))
    expect(await problemOf(() => vault.compartment(compartment))).toBe(destroyed)
    expect(await vault.compartments()).toEqual([])
    expect(await keys.of(compartment)).toEqual([])
  })

  it('gives no key that is put back while the vault is open', async () => {
    const [keys, code] = [openMemoryKeys(), newRecoveryCode()]
    const before = await open(keys, recoveryRoot(code))
    const { compartment } = await before.createCompartment('patient')
    const [row] = await keys.of(compartment)
    if (row === undefined) throw new Error('no row')
    await before.destroy(compartment)
    const vault = await open(keys, recoveryRoot(code))
    await byHand.putKeys(keys, row)
    expect(await problemOf(() => vault.compartment(compartment))).toBe(destroyed)
    expect(await vault.compartments()).toEqual([])
    expect(await keys.of(compartment)).toHaveLength(1)
  })
})

describe('keys that were handed out', () => {
  const usesOf = (keys: Awaited<ReturnType<Vault['compartment']>>, sealed = keys.sealEntry(plain, place)) => [
    () => keys.sealEntry(plain, place),
    () => keys.openEntry({ compartment: keys.compartment, ...place, sealed }),
    () => keys.sealSegment(plain, { fromSeq: 1, untilSeq: 2 }),
    () => keys.fingerprint(plain),
    () => keys.chain(plain),
    () => keys.sealBlob('b', (async function* () {})()),
    () => keys.openBlob('b', (async function* () {})()),
  ]

  it('stop working at once when the compartment is destroyed', async () => {
    const vault = await newVault()
    const keys = await vault.createCompartment('patient')
    const uses = usesOf(keys)
    await vault.destroy(keys.compartment)
    for (const use of uses) expect(await problemOf(use)).toBe(destroyed)
  })

  it('are not given out or kept when the compartment is destroyed while they are being unwrapped', async () => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const [keys, code] = [openMemoryKeys(), newRecoveryCode()]
      const { compartment } = await (await open(keys, recoveryRoot(code))).createCompartment('patient')
      const vault = await open(keys, recoveryRoot(code))
      const asked = vault.compartment(compartment).catch(() => undefined)
      for (let tick = 0; tick < ticks; tick++) await undefined
      await vault.destroy(compartment)
      const given = await asked
      expect(await problemOf(() => vault.compartment(compartment))).toBe(destroyed)
      if (given !== undefined) expect(await problemOf(() => given.fingerprint(plain))).toBe(destroyed)
    }
  })

  it('stop working when the vault is closed, and so does the vault', async () => {
    const vault = await newVault()
    const keys = await vault.createCompartment('patient')
    const uses = usesOf(keys)
    const place = { collection: 'c', key: 'k', revision: 1 }
    const sealed = vault.sealDocument(place, plain)
    vault.close()
    const all = [
      ...uses,
      () => vault.locator('Patient', '1'),
      () => vault.documentKey('c', 'n'),
      () => vault.sealDocument(place, plain),
      () => vault.openDocument({ ...place, sealed }),
      () => vault.mac('p', plain),
      () => vault.sealUnder('p', plain, plain),
      () => vault.openUnder('p', plain, plain),
      () => vault.compartment(keys.compartment),
      () => vault.createCompartment('patient'),
      () => vault.renewCompartment(keys.compartment),
      () => vault.compartments(),
      () => vault.destroy(keys.compartment),
      () => vault.recovery.make(),
      () => vault.recovery.check(newRecoveryCode()),
      () => vault.recovery.state(),
      () => vault.rotateRoot(recoveryRoot(newRecoveryCode())),
    ]
    for (const use of all) expect(await problemOf(use)).toBe(named('fault', 'vault.closed'))
  })

  it('are given out for many at once, each with its keys or with the reason why there are none', async () => {
    const [keys, code] = [openMemoryKeys(), newRecoveryCode()]
    const vault = await open(keys, recoveryRoot(code))
    const ids = []
    for (let at = 0; at < 3; at++) ids.push((await vault.createCompartment('patient')).compartment)
    const [kept = '', gone = '', late = ''] = ids
    await vault.destroy(gone)
    const again = await open(keys, recoveryRoot(code))
    const found = await again.compartmentKeysOf([kept, gone, 'f'.repeat(32), late, kept])
    expect(new Set(found.keys())).toEqual(new Set([kept, gone, 'f'.repeat(32), late]))
    expect(found.get(gone)).toMatchObject({ code: 'vault.key-destroyed' })
    expect(found.get('f'.repeat(32))).toMatchObject({ code: 'vault.key-lost' })
    const at = { locator: 'a'.repeat(32), version: 1, seq: 1 }
    const sealed = (await vault.compartment(kept)).sealEntry(Buffer.from('hers'), at)
    const theirs = found.get(kept) as CompartmentKeys
    expect(theirs.openEntry({ compartment: kept, ...at, sealed }).toString()).toBe('hers')
    expect(again.hasAtHand(kept)).toBe(false)
    await again.destroy(late)
    expect(await problemOf(async () => (found.get(late) as CompartmentKeys).sealEntry(Buffer.from('x'), at))).toBe(
      destroyed,
    )
  })

  it('stay at hand while they are asked for, with a look at who was destroyed once a minute', async () => {
    const [keys, code, clock] = [openMemoryKeys(), newRecoveryCode(), new FixedClock(1_000_000)]
    const vault = await open(keys, recoveryRoot(code), clock)
    const ids = []
    for (let at = 0; at < 1_500; at++) ids.push((await vault.createCompartment('patient')).compartment)
    const { of, tombstones } = keys
    let [keysRead, looks] = [0, 0]
    keys.of = owner => {
      keysRead++
      return of.call(keys, owner)
    }
    keys.tombstones = () => {
      looks++
      return tombstones.call(keys)
    }
    for (let minute = 0; minute < 5; minute++) {
      for (const id of ids) await vault.compartment(id)
      clock.advance(60_000)
    }
    expect(keysRead).toBe(0)
    expect(looks).toBeLessThanOrEqual(5)
    clock.advance(600_000)
    await vault.compartment(ids[0] ?? '')
    expect(keysRead).toBe(1)
  })

  it('are kept for 60 seconds: what another process destroys is gone by then', async () => {
    const [keys, code, clock] = [openMemoryKeys(), newRecoveryCode(), new FixedClock(1_000_000)]
    const mine = await open(keys, recoveryRoot(code), clock)
    const theirs = await open(keys, recoveryRoot(code), clock)
    const { compartment } = await mine.createCompartment('patient')
    await mine.compartment(compartment)
    await theirs.destroy(compartment)
    clock.advance(59_999)
    expect(await problemOf(() => mine.compartment(compartment))).toBe('no problem')
    clock.advance(1)
    expect(await problemOf(() => mine.compartment(compartment))).toBe(destroyed)
  })

  it('are heard to be destroyed at once by who listens, and are asked for only where somebody else has written', async () => {
    const [path, code] = [newFile(), newRecoveryCode()]
    const [ownKeys, otherKeys] = [await openSqliteKeys({ path }), await openSqliteKeys({ path })]
    const mine = await open(ownKeys, recoveryRoot(code))
    const theirs = await open(otherKeys, recoveryRoot(code))
    const [kept = '', gone = ''] = await Promise.all(
      [1, 2].map(async () => (await mine.createCompartment('patient')).compartment),
    )
    await mine.hearOfDestroyed()
    const { tombstones } = ownKeys
    let looks = 0
    ownKeys.tombstones = () => {
      looks++
      return tombstones.call(ownKeys)
    }
    for (let time = 0; time < 5; time++) await mine.hearOfDestroyed()
    expect(looks).toBe(0)
    await theirs.destroy(gone)
    expect([mine.hasAtHand(gone), mine.wasDestroyed(gone)]).toEqual([true, false])
    await mine.hearOfDestroyed()
    expect([looks, mine.hasAtHand(gone), mine.wasDestroyed(gone)]).toEqual([1, false, true])
    expect([mine.hasAtHand(kept), mine.wasDestroyed(kept)]).toEqual([true, false])
    expect(await problemOf(() => mine.compartment(gone))).toBe(destroyed)
    for (const vault of [mine, theirs]) vault.close()
    for (const each of [ownKeys, otherKeys]) await each.close()
  })

  it('are heard of while others have their turns, however many there are', async () => {
    const [keys, code] = [openMemoryKeys(), newRecoveryCode()]
    const mine = await open(keys, recoveryRoot(code))
    const { compartment } = await mine.createCompartment('patient')
    await (await open(keys, recoveryRoot(code))).destroy(compartment)
    const [tombstone] = await keys.tombstones()
    if (tombstone === undefined) throw new Error('nothing was destroyed')
    keys.tombstones = async () => Array.from({ length: 30_000 }, () => tombstone)
    let isHeard = false
    let turnsOfOthers = 0
    const take = () => {
      turnsOfOthers++
      if (!isHeard) setImmediate(take)
    }
    setImmediate(take)
    await mine.hearOfDestroyed()
    expect(turnsOfOthers).toBeGreaterThan(0)
    isHeard = true
    expect(mine.wasDestroyed(compartment)).toBe(true)
  })

  it('are not kept longer by a clock that jumps back', async () => {
    const [keys, code, clock] = [openMemoryKeys(), newRecoveryCode(), new FixedClock(1_000_000)]
    const mine = await open(keys, recoveryRoot(code), clock)
    const { compartment } = await mine.createCompartment('patient')
    await (await open(keys, recoveryRoot(code), clock)).destroy(compartment)
    clock.advance(-500_000)
    expect(await problemOf(() => mine.compartment(compartment))).toBe(destroyed)
  })
})

describe('raw keys', () => {
  it('are wiped as soon as a KeyObject holds them, and as soon as they are wrapped', async () => {
    const seen: Uint8Array[] = []
    const code = newRecoveryCode()
    const inner = recoveryRoot(code)
    const watched: RootProvider = {
      kind: inner.kind,
      wrap(key, context) {
        seen.push(key)
        expect(key.some(byte => byte !== 0)).toBe(true)
        return inner.wrap(key, context)
      },
      async unwrap(wrapped, params, context) {
        const key = await inner.unwrap(wrapped, params, context)
        seen.push(key)
        expect(key.some(byte => byte !== 0)).toBe(true)
        return key
      },
    }
    const keys = openMemoryKeys()
    await open(keys, watched)
    await (await open(keys, watched)).rotateRoot(watched)
    expect(seen).toHaveLength(3)
    for (const key of seen) expect(Buffer.from(key).equals(Buffer.alloc(32))).toBe(true)
  })
})

describe('a change of root that fails half-way', () => {
  it('leaves both roots valid', async () => {
    const [keys, code] = [openMemoryKeys(), newRecoveryCode()]
    const old = fileRoot(newFile())
    const failing = new Proxy(keys, {
      get: (target, name: keyof KeyStore) => {
        const member = target[name] as (...parameters: unknown[]) => Promise<unknown>
        if (name !== 'change') return member.bind(target)
        return (change: KeysChange) =>
          change.dropped?.keys?.some(({ kind }) => kind === 'instance:file')
            ? Promise.reject(new RangeError('disk full'))
            : target.change(change)
      },
    })
    await expect((await open(failing, old)).rotateRoot(recoveryRoot(code))).rejects.toThrow('disk full')
    expect((await open(keys, old)).created).toBe(false)
    expect((await open(keys, recoveryRoot(code))).created).toBe(false)
  })
})

describe('locators, document keys and MACs', () => {
  it('are hex and tell nothing, and are other ones in every instance', async () => {
    const [vault, other] = [await newVault(), await newVault()]
    expect(vault.locator('Patient', '1')).toMatch(/^[0-9a-f]{32}$/)
    expect(vault.documentKey('tokens', 'a')).toMatch(/^[0-9a-f]{32}$/)
    const all = [
      vault.locator('Patient', '1'),
      vault.locator('Patient', '2'),
      vault.locator('Observation', '1'),
      vault.documentKey('Patient', '1'),
      vault.documentKey('tokens', 'ab'),
      vault.documentKey('tokensa', 'b'),
      other.locator('Patient', '1'),
      other.documentKey('tokens', 'ab'),
      vault.mac('tokens', plain).toString('hex'),
      vault.mac('cursors', plain).toString('hex'),
      other.mac('tokens', plain).toString('hex'),
    ]
    expect(new Set(all).size).toBe(all.length)
    expect(vault.mac('tokens', plain)).toHaveLength(32)
    expect(vault.mac('tokens', plain)).toEqual(vault.mac('tokens', Buffer.from(plain)))
  })
})

describe('what leaves the house and comes back – sealUnder, openUnder', () => {
  const context = Buffer.from('grant-1')
  const forged = named('invalid', 'vault.cursor-forged')

  it('opens under the same purpose and context only, and only unchanged', async () => {
    const [vault, other] = [await newVault(), await newVault()]
    const sealed = vault.sealUnder('cursors', plain, context)
    expect(vault.openUnder('cursors', sealed, context).equals(plain)).toBe(true)
    expect(await problemOf(() => vault.openUnder('state', sealed, context))).toBe(forged)
    expect(await problemOf(() => vault.openUnder('cursors', sealed, Buffer.from('grant-2')))).toBe(forged)
    expect(await problemOf(() => other.openUnder('cursors', sealed, context))).toBe(forged)
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed)
      changed[at] = (changed[at] ?? 0) ^ 0x40
      expect(await problemOf(() => vault.openUnder('cursors', changed, context))).toBe(forged)
    }
    expect(await problemOf(() => vault.openUnder('cursors', Buffer.alloc(0), context))).toBe(forged)
  })

  it('is never the same twice', async () => {
    const vault = await newVault()
    const [a, b] = [vault.sealUnder('cursors', plain, context), vault.sealUnder('cursors', plain, context)]
    expect(a.equals(b)).toBe(false)
  })
})

describe('store and keystore – pairStore', () => {
  const swapped = named('fault', 'vault.keystore-swapped')

  it('knows a store again, also when two processes meet it first', async () => {
    const [store, vault] = [openMemoryStore(), await newVault()]
    await Promise.all([pairStore(store, vault, systemClock), pairStore(store, vault, systemClock)])
    await pairStore(store, vault, systemClock)
    expect((await store.stats()).documents).toBe(1)
  })

  it("refuses another keystore's store, and leaves it as it was", async () => {
    const store = openMemoryStore()
    await pairStore(store, await newVault(), systemClock)
    const other = await newVault()
    expect(await problemOf(() => pairStore(store, other, systemClock))).toBe(swapped)
    expect((await store.stats()).documents).toBe(1)
  })

  it('refuses a new keystore beside entries that were there before', async () => {
    const [store, lost] = [openMemoryStore(), await newVault()]
    const patient = await lost.createCompartment('patient')
    const entry = { compartment: patient.compartment, ...place, sealed: patient.sealEntry(plain, place) }
    await store.commit({ appends: [{ compartment: patient.compartment, expectedHead: 0, entries: [entry] }] })
    const vault = await newVault()
    expect(await problemOf(() => pairStore(store, vault, systemClock))).toBe(swapped)
  })
})
