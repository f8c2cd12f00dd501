/** What one file tells of another is durable there first: a power cut takes both back, and must not look as if somebody had done that. */
import { FixedClock } from '#kernel'
import { type KeyStore, openMemoryKeys, openMemoryStore, type Store } from '#store'
import { openVault } from '#vault'
import { create, everything, heartRate, openTestRecord, testRoot, update } from './family.ts'
import { storeWith } from './store-with.ts'

const all = everything()

/** Something that takes as long as a test wants. */
function gate() {
  let ask = () => {}
  const { promise: opened, resolve: open } = Promise.withResolvers<void>()
  const asked = new Promise<void>(resolve => {
    ask = resolve
  })
  const pass = async () => {
    ask()
    await opened
  }
  return { pass, open, asked }
}

describe('the head of a ledger', () => {
  it('is noted beside the keys once all that can be read is durable', async () => {
    const { pass, open, asked } = gate()
    const inner = openMemoryStore()
    let isSlow = false
    const store: Store = storeWith(inner, { durable: async () => void (isSlow && (await pass())) })
    const { record, keys } = await openTestRecord(store, openMemoryKeys())
    await update(record, all, { resourceType: 'Patient', id: 'greta' })
    await record.flush()
    const before = (await keys.notes('head:')).map(({ value }) => value)
    isSlow = true
    await create(record, all, heartRate('greta', 60))
    const flushing = record.flush()
    // Whoever does not ask has noted them by then.
    await Promise.race([asked, flushing])
    expect((await keys.notes('head:')).map(({ value }) => value)).toEqual(before)
    open()
    await flushing
    expect((await keys.notes('head:')).map(({ value }) => value)).not.toEqual(before)
    await record.close()
  })

  it('is not noted when that cannot be had', async () => {
    const inner = openMemoryStore()
    let isBroken = false
    const store: Store = storeWith(inner, {
      durable: async () => {
        if (isBroken) throw new Error('the disk is gone')
      },
    })
    const { record, keys } = await openTestRecord(store, openMemoryKeys())
    await update(record, all, { resourceType: 'Patient', id: 'greta' })
    await record.flush()
    const before = await keys.notes('head:')
    isBroken = true
    await create(record, all, heartRate('greta', 60))
    await expect(record.flush()).rejects.toThrow('the disk is gone')
    expect(await keys.notes('head:')).toEqual(before)
    isBroken = false
    await record.flush()
    expect(await keys.notes('head:')).not.toEqual(before)
    await record.close()
  })
})

describe('how often the keystore was written', () => {
  const keysWith = (keys: KeyStore, others: Partial<KeyStore>): KeyStore =>
    new Proxy(keys, {
      get: (of, name) => {
        const member = Reflect.get(others, name) ?? Reflect.get(of, name)
        return typeof member === 'function' ? member.bind(of) : member
      },
    })

  it.each(['examine', 'setNotes'] as const)(
    'is told of others only once that is durable, by what is found when it is asked to %s',
    async how => {
      const { pass, open, asked } = gate()
      const [inner, clock] = [openMemoryKeys(), new FixedClock(0)]
      const vault = (keys: KeyStore) => openVault({ keys, root: testRoot, clock })
      const other = await vault(inner)
      const own = await vault(keysWith(inner, { durable: pass }))
      await other.keys.raiseNotes(new Map([['head:a', new Uint8Array([1])]]))
      const before = own.keys.generation
      const looking = how === 'examine' ? own.keys.examine() : own.keys.setNotes(new Map([['x', new Uint8Array([1])]]))
      await Promise.race([asked, looking])
      expect(own.keys.generation).toBe(before)
      open()
      await looking
      expect(own.keys.generation).toBeGreaterThan(before)
    },
  )

  it('waits for nothing where nobody else has written', async () => {
    let asked = 0
    const durable = async () => void asked++
    const keys = keysWith(openMemoryKeys(), { durable })
    const own = await openVault({ keys, root: testRoot, clock: new FixedClock(0) })
    await own.keys.raiseNotes(new Map([['head:a', new Uint8Array([1])]]))
    const before = asked
    await own.keys.raiseNotes(new Map([['head:a', new Uint8Array([2])]]))
    await own.keys.examine()
    expect(asked).toBe(before)
  })
})
