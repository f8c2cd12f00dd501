import { randomBytes } from 'node:crypto'
import { Problem } from '#kernel'
import type { Record } from '#record'
import { type KeyStore, openMemoryKeys, openMemoryStore, type Store } from '#store'
import { byHand } from '../vault/by-hand.ts'
import { create, everything, heartRate, openTestRecord, patient } from './family.ts'

const all = everything()

async function house() {
  const opened = await openTestRecord(openMemoryStore(), openMemoryKeys())
  const { record, keys } = opened
  const amsel = await create(record, all, patient('Amsel'))
  const rate = await create(record, all, heartRate(amsel.id, 60))
  const drossel = await create(record, all, patient('Drossel'))
  const other = await create(record, all, heartRate(drossel.id, 140))
  await record.documents.put('tokens', 'a', { of: 'amsel' })
  await record.flush()
  return { ...opened, amsel, rate, drossel, other, older: await byHand.keep(keys) }
}

async function findings(record: Record): Promise<string[]> {
  const found: string[] = []
  for await (const { kind, compartment } of record.verify()) found.push(`${kind} ${compartment ?? '-'}`)
  return found
}

const read = async (record: Record, id: string): Promise<string> =>
  record
    .reader(all)
    .read('Observation', id)
    .then(
      () => 'read',
      error => String(error.code),
    )

/** Until what goes on in the background has been done. */
async function settled(record: Record): Promise<Record> {
  await record.flush()
  return record
}

/** The keystore, and how often somebody has begun to go through it; nobody comes to the end before `letOn`. */
function slow(keys: KeyStore) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const seen = { begun: 0 }
  const through = async function* (): ReturnType<KeyStore['everything']> {
    seen.begun++
    await promise
    yield* keys.everything()
  }
  return { slowed: answering(keys, { everything: through }), seen, letOn: resolve }
}

/** The keystore, but for these. */
function answering(keys: KeyStore, others: Partial<KeyStore>): KeyStore {
  return new Proxy(keys, {
    get: (of, name) => {
      const member = Reflect.get(others, name) ?? Reflect.get(of, name)
      return typeof member === 'function' ? member.bind(of) : member
    },
  })
}

/** A store, and how often it was asked whether others have written: once in each round. */
function rounds(store: Store) {
  const seen = { rounds: 0 }
  const asked = new Proxy(store, {
    get: (of, name) => {
      if (name === 'othersMark') seen.rounds++
      const member = Reflect.get(of, name)
      return typeof member === 'function' ? member.bind(of) : member
    },
  })
  return { asked, seen }
}

describe('a keystore that takes longer to go through than the time between two looks', () => {
  it('is gone through once at a time, and by what was found then', async () => {
    const [store, keys] = [openMemoryStore(), openMemoryKeys()]
    const made = await openTestRecord(store, keys)
    await made.record.close()
    await byHand.bury(keys, 'f'.repeat(32))
    const { slowed, seen, letOn } = slow(keys)
    const { asked, seen: looks } = rounds(store)
    const { record } = await openTestRecord(asked, slowed)
    while (looks.rounds < 4) await new Promise(resolve => setTimeout(resolve, 50))
    expect(seen.begun).toBe(1)
    letOn()
    await record.flush()
    expect(record.faults().join()).toMatch(/1 rows of the keystore were not written by us/)
    await record.close()
  })
})

describe('a keystore that takes long to go through because the machine has much else to do', () => {
  it('is gone through again in the next round after somebody changed a second row', async () => {
    const [store, keys] = [openMemoryStore(), openMemoryKeys()]
    await (await openTestRecord(store, keys)).record.close()
    const late = async function* (): ReturnType<KeyStore['everything']> {
      await new Promise(resolve => setTimeout(resolve, 1_500))
      yield* keys.everything()
    }
    const { asked, seen } = rounds(store)
    const { record } = await openTestRecord(asked, answering(keys, { everything: late }))
    const faultOf = (rows: number) => record.faults().join().includes(`${rows} rows of the keystore were not written`)
    const roundsUntil = async (isSo: () => boolean) => {
      const before = seen.rounds
      while (!isSo()) await new Promise(resolve => setTimeout(resolve, 20))
      return seen.rounds - before
    }
    await byHand.bury(keys, 'f'.repeat(32))
    await roundsUntil(() => faultOf(1))
    await byHand.bury(keys, 'e'.repeat(32))
    // One in which it begins, and those that pass meanwhile; a rest of nine times as long were ten and more.
    expect(await roundsUntil(() => faultOf(2))).toBeLessThan(8)
    await record.close()
  })
})

describe('a keystore that cannot be gone through', () => {
  it('is tried again after ever longer rests, also where nobody writes any more, and is believed once it can be', async () => {
    const [store, keys] = [openMemoryStore(), openMemoryKeys()]
    await (await openTestRecord(store, keys)).record.close()
    let fails = false
    const begunAtMs: number[] = []
    const everythingIn = async function* (): ReturnType<KeyStore['everything']> {
      if (!fails) return yield* keys.everything()
      begunAtMs.push(performance.now())
      throw new Problem('busy', 'storage.failing', 'no')
    }
    const { asked, seen } = rounds(store)
    const { record } = await openTestRecord(asked, answering(keys, { everything: everythingIn }))
    fails = true
    await byHand.bury(keys, 'f'.repeat(32))
    const passing = async (count: number) => {
      for (const until = seen.rounds + count; seen.rounds < until; )
        await new Promise(resolve => setTimeout(resolve, 20))
    }
    while (begunAtMs.length === 0) await passing(1)
    for (let more = 0; more < 3; more++) {
      await byHand.bury(keys, String(more).repeat(32))
      await passing(2)
    }
    while (begunAtMs.length < 3) await passing(1)
    const fault = 'the keystore could not be gone through'
    expect(record.faults().join()).toContain(fault)
    // Whatever else the machine does, no rest is shorter than the one before was to be, twice.
    for (const [at, beganMs] of begunAtMs.slice(1).entries())
      expect(beganMs - (begunAtMs[at] ?? 0)).toBeGreaterThanOrEqual(1_000 * 2 ** at)
    fails = false
    while (record.faults().join().includes(fault)) await passing(1)
    expect(record.faults().join()).toMatch(/4 rows of the keystore were not written by us/)
    await record.close()
  })
})

describe('a keystore that somebody else has written to', () => {
  it('costs a patient nothing but a fault when a tombstone is put there, and nobody else anything', async () => {
    const { record, keys, beside, amsel, rate, other } = await house()
    await record.close()
    await byHand.bury(keys, amsel.holder.compartment)
    const after = await settled(await beside())
    expect([await read(after, rate.id), await read(after, other.id)]).toEqual(['vault.tombstone-forged', 'read'])
    expect(after.faults()).toEqual([
      '1 rows of the keystore were not written by us; run kinhold verify',
      'the keystore does not hold all that was written to it; run kinhold verify',
    ])
    expect(await findings(after)).toContain(`keystore-forged ${amsel.holder.compartment}`)
    expect(await after.allPatients()).toHaveLength(2)
    await after.close()
    // Taken as it is, the patient lives: what is not ours is left out.
    const accepting = await beside()
    await accepting.acceptRestore()
    await accepting.close()
    const healed = await settled(await beside())
    expect([healed.faults(), await findings(healed), await read(healed, rate.id)]).toEqual([[], [], 'read'])
  })

  it('serves no ledger whose noted head was taken away: nothing would tell whether it is whole', async () => {
    const { record, keys, beside, amsel, rate, other } = await house()
    await record.close()
    await byHand.dropNotes(keys, `head:${amsel.holder.compartment}`)
    const after = await settled(await beside())
    expect([await read(after, rate.id), await read(after, other.id)]).toEqual(['record.rolled-back', 'read'])
    expect(await findings(after)).toEqual(
      expect.arrayContaining(['keystore-changed -', `note-missing ${amsel.holder.compartment}`]),
    )
    await expect(create(after, all, heartRate(amsel.id, 61))).rejects.toMatchObject({ code: 'record.rolled-back' })
    await after.close()
    // Also not after another start, although others were noted since.
    const again = await settled(await beside())
    expect(await read(again, rate.id)).toBe('record.rolled-back')
    await again.acceptRestore()
    expect([await read(again, rate.id), await findings(again)]).toEqual(['read', []])
  })

  it.each([
    ['that of the ledger of documents', async (keys: KeyStore) => (await documentsOf(keys)).map(id => `head:${id}`)],
    ['all that there are', async (keys: KeyStore) => (await keys.notes('head:')).map(({ name }) => name)],
  ])('believes nobody when %s was taken away', async (_, which) => {
    const { record, keys, beside } = await house()
    await record.close()
    await byHand.dropNotes(keys, ...(await which(keys)))
    const after = await settled(await beside())
    expect(() => after.checkTrusted()).toThrow(expect.objectContaining({ code: 'record.rolled-back' }))
    expect(after.faults().join()).toMatch(/the keystore does not hold all/)
  })

  it('is older than the data when all of it is put back, also for a process that has never seen it', async () => {
    const { record, keys, beside, drossel, other, older } = await house()
    await record.shred(drossel.id)
    await record.close()
    await byHand.putBack(keys, older)
    const after = await settled(await beside())
    expect(after.faults()).toEqual(['the keystore is older than the data; run kinhold verify'])
    expect(await findings(after)).toContain('keystore-changed -')
    // Who was erased stays erased all the same.
    expect([await read(after, other.id), await after.allPatients()]).toEqual(['record.unknown', expect.any(Array)])
    expect(await after.allPatients()).toHaveLength(1)
    await after.close()
    const again = await settled(await beside())
    expect(again.faults().join()).toMatch(/is older than the data/)
    await again.acceptRestore()
    expect([again.faults(), await findings(again)]).toEqual([[], []])
    expect((await keys.tombstones()).map(({ owner }) => owner)).toEqual([drossel.holder.compartment])
  })

  it('is seen while the process runs', async () => {
    const { record, keys, amsel } = await house()
    await byHand.dropNotes(keys, `head:${amsel.holder.compartment}`)
    const deadline = performance.now() + 120_000
    while (record.faults().length === 0 && performance.now() < deadline) await new Promise(done => setTimeout(done, 50))
    expect(record.faults().join()).toMatch(/the keystore does not hold all/)
  })
})

describe('a keystore', () => {
  it('of an earlier release is taken over at the first start, and not again when its seal is gone', async () => {
    const { record, store, keys, beside, rate } = await house()
    await record.close()
    for (const compartment of await documentsOf(keys)) {
      await store.dropCompartment(compartment)
      await byHand.dropNotes(keys, `head:${compartment}`)
    }
    await byHand.unseal(keys)
    const taken = await settled(await beside())
    expect([taken.faults(), await findings(taken), await read(taken, rate.id)]).toEqual([[], [], 'read'])
    await taken.documents.put('tokens', 'b', 1)
    await taken.close()
    await byHand.unseal(keys)
    expect((await settled(await beside())).faults().join()).toMatch(/has lost its seal/)
  })

  it('that is newer than the data, or of their time, is no fault', async () => {
    const { record, keys, vault, beside, again } = await house()
    await vault.createCompartment('patient')
    await record.close()
    expect((await settled(await beside())).faults()).toEqual([])
    const next = await again()
    expect((await settled(next)).faults()).toEqual([])
    expect(await keys.check()).toEqual([])
  })

  it('is mentioned once for what was done there, however often a house is opened and closed', async () => {
    const { record, store, keys, beside } = await house()
    await record.close()
    const [ledger = ''] = await documentsOf(keys)
    const head = async () => (await store.heads([ledger])).get(ledger)
    const before = await head()
    for (let at = 0; at < 3; at++) await (await settled(await beside())).close()
    expect(await head()).toBe(before)
  })

  it('with one damaged bit never says that somebody was erased, or that nothing was noted', async () => {
    const { record, keys, beside, rate, other } = await house()
    await record.close()
    const whole = await byHand.keep(keys)
    for (const note of whole.notes.filter(({ name }) => !name.startsWith('registration')))
      for (const at of [0, note.value.length - 1]) {
        const value = note.value.map((byte, index) =>
          index === at ? byte ^ (1 << ((randomBytes(1)[0] ?? 0) % 8)) : byte,
        )
        await byHand.putBack(keys, {
          ...whole,
          notes: [...whole.notes.filter(each => each !== note), { ...note, value }],
        })
        const opening = beside().then(settled)
        if (note.name === 'instance id') {
          await expect(opening).rejects.toMatchObject({ code: 'vault.keystore-mixed' })
          continue
        }
        const after = await opening
        expect([note.name, after.faults().join()]).toEqual([note.name, expect.stringMatching(/the keystore/)])
        for (const { id } of [rate, other]) expect(['read', 'record.rolled-back']).toContain(await read(after, id))
        await after.close()
      }
  })
})

async function documentsOf(keys: KeyStore): Promise<readonly string[]> {
  return (await keys.all()).filter(({ kind }) => kind === 'documents').map(({ owner }) => owner)
}
