import fc from 'fast-check'
import type { Entry, Sealed, Segment } from '#store'
import type { CompartmentKeys } from '#vault'
import { flipped, newPatient, newVault, problemOf, sealBroken } from './arrange.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
const plain = Buffer.from('{"resourceType":"Observation"}')
const place = { locator: 'a'.repeat(32), version: 3, seq: 7 }

/** Whatever a store may hand back: bytes it says are sealed. */
const claimed = (bytes: Uint8Array): Sealed => bytes as Sealed

function entryOf(keys: CompartmentKeys, changes: Partial<Entry> = {}): Entry {
  return { compartment: keys.compartment, ...place, sealed: keys.sealEntry(plain, place), ...changes }
}

function segmentOf(keys: CompartmentKeys, changes: Partial<Segment> = {}): Segment {
  const at = { fromSeq: 1, untilSeq: 4096 }
  return { compartment: keys.compartment, ...at, sealed: keys.sealSegment(plain, at), ...changes }
}

describe('entries – ARCHITECTURE §4: AAD = instance ‖ compartment ‖ locator ‖ version ‖ seq ‖ kind ‖ key id', () => {
  it('opens what it sealed, whatever the bytes and the place', async () => {
    const keys = await newPatient()
    const places = fc.record({ locator: fc.string(), version: fc.nat(), seq: fc.nat() })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), places, (bytes, at) => {
        const sealed = keys.sealEntry(bytes, at)
        return keys.openEntry({ compartment: keys.compartment, ...at, sealed }).equals(bytes)
      }),
    )
  })

  it('opens what a store gives back as a plain Uint8Array inside a larger buffer', async () => {
    const keys = await newPatient()
    const { sealed } = entryOf(keys)
    const page = new Uint8Array(sealed.length + 20)
    page.set(sealed, 11)
    const entry = entryOf(keys, { sealed: claimed(page.subarray(11, 11 + sealed.length)) })
    expect(text(keys.openEntry(entry))).toBe(text(plain))
  })

  it('refuses sealed bytes with any byte changed', async () => {
    const keys = await newPatient()
    const entry = entryOf(keys)
    for (let at = 0; at < entry.sealed.length; at++) {
      const changed = { ...entry, sealed: claimed(flipped(entry.sealed, at)) }
      expect([at, await problemOf(() => keys.openEntry(changed))]).toEqual([at, sealBroken])
    }
  })

  it('refuses sealed bytes with any bits of a byte changed, of any length', async () => {
    const keys = await newPatient()
    const tampering = fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.nat(), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(tampering, async ([bytes, at, mask]) => {
        const sealed = keys.sealEntry(bytes, place)
        const changed = claimed(flipped(sealed, at % sealed.length, mask))
        expect(await problemOf(() => keys.openEntry(entryOf(keys, { sealed: changed })))).toBe(sealBroken)
      }),
    )
  })

  it('refuses truncated, extended and empty bytes', async () => {
    const keys = await newPatient()
    const entry = entryOf(keys)
    for (let length = 0; length < entry.sealed.length; length++) {
      const cut = { ...entry, sealed: claimed(entry.sealed.subarray(0, length)) }
      expect(await problemOf(() => keys.openEntry(cut))).toBe(sealBroken)
    }
    const longer = { ...entry, sealed: claimed(Buffer.concat([entry.sealed, Buffer.alloc(1)])) }
    expect(await problemOf(() => keys.openEntry(longer))).toBe(sealBroken)
  })

  it.each<[string, Partial<Entry>]>([
    ['locator', { locator: 'b'.repeat(32) }],
    ['version', { version: 4 }],
    ['seq', { seq: 8 }],
    ['compartment', { compartment: 'c'.repeat(32) }],
    ['version and seq, exchanged', { version: 7, seq: 3 }],
  ])('refuses an entry moved to another %s', async (_part, changes) => {
    const keys = await newPatient()
    expect(await problemOf(() => keys.openEntry(entryOf(keys, changes)))).toBe(sealBroken)
  })

  it('refuses an entry in any other place', async () => {
    const keys = await newPatient()
    const places = fc.record({ locator: fc.string(), version: fc.nat(99), seq: fc.nat(99) })
    await fc.assert(
      fc.asyncProperty(places, places, async (from, to) => {
        fc.pre(JSON.stringify(from) !== JSON.stringify(to))
        const sealed = keys.sealEntry(plain, from)
        const moved = { compartment: keys.compartment, ...to, sealed }
        expect(await problemOf(() => keys.openEntry(moved))).toBe(sealBroken)
      }),
    )
  })

  it("refuses another compartment's entry, also under that compartment's name", async () => {
    const vault = await newVault()
    const [hers, his] = [await vault.createCompartment('patient'), await vault.createCompartment('patient')]
    const entry = entryOf(hers)
    expect(await problemOf(() => his.openEntry(entry))).toBe(sealBroken)
    expect(await problemOf(() => his.openEntry({ ...entry, compartment: his.compartment }))).toBe(sealBroken)
    expect(text(hers.openEntry(entry))).toBe(text(plain))
  })

  it('refuses a segment as an entry and an entry as a segment', async () => {
    const keys = await newPatient()
    const [entry, segment] = [entryOf(keys), segmentOf(keys)]
    expect(await problemOf(() => keys.openEntry({ ...entry, sealed: segment.sealed }))).toBe(sealBroken)
    expect(await problemOf(() => keys.openSegment({ ...segment, sealed: entry.sealed }))).toBe(sealBroken)
  })

  it('says the same of a wrong key, tampering and truncation', async () => {
    const [keys, others] = [await newPatient(), await newPatient()]
    const entry = entryOf(keys)
    const messages = new Set<string>()
    const broken = [
      entryOf(others, { compartment: keys.compartment }),
      { ...entry, sealed: claimed(flipped(entry.sealed, 40)) },
      { ...entry, sealed: claimed(entry.sealed.subarray(0, 20)) },
      { ...entry, seq: 99 },
    ]
    for (const one of broken) {
      try {
        keys.openEntry(one)
      } catch (error) {
        messages.add(JSON.stringify({ ...(error as Error), message: (error as Error).message }))
      }
    }
    expect(messages.size).toBe(1)
  })

  it('never repeats a nonce in 100,000 seals', async () => {
    const keys = await newPatient()
    const nonces = new Set<string>()
    for (let count = 0; count < 100_000; count++)
      nonces.add(Buffer.from(keys.sealEntry(plain, place).subarray(2, 26)).toString('base64'))
    expect(nonces.size).toBe(100_000)
  })

  it('seals equal plaintexts of one place to different bytes', async () => {
    const keys = await newPatient()
    const bodies = new Set(Array.from({ length: 1000 }, () => text(keys.sealEntry(plain, place).subarray(26))))
    expect(bodies.size).toBe(1000)
  })

  it('adds 42 bytes and shows nothing of the plaintext', async () => {
    const keys = await newPatient()
    const sealed = keys.sealEntry(Buffer.alloc(600, 'Observation'), place)
    expect(sealed).toHaveLength(642)
    expect(Buffer.from(sealed).includes('Observation')).toBe(false)
  })
})

describe('segments – ARCHITECTURE §5', () => {
  it('opens what it sealed', async () => {
    const keys = await newPatient()
    expect(text(keys.openSegment(segmentOf(keys)))).toBe(text(plain))
  })

  it.each<[string, Partial<Segment>]>([
    ['fromSeq', { fromSeq: 2 }],
    ['untilSeq', { untilSeq: 4095 }],
    ['compartment', { compartment: 'c'.repeat(32) }],
  ])('refuses a segment with another %s', async (_part, changes) => {
    const keys = await newPatient()
    expect(await problemOf(() => keys.openSegment(segmentOf(keys, changes)))).toBe(sealBroken)
  })
})

describe('fingerprints and chain links – ARCHITECTURE §4, L3', () => {
  it('are 32 bytes, equal for equal bytes in one compartment only, and differ by purpose', async () => {
    const vault = await newVault()
    const [hers, his] = [await vault.createCompartment('patient'), await vault.createCompartment('patient')]
    expect(hers.fingerprint(plain)).toHaveLength(32)
    expect(hers.fingerprint(plain)).toEqual(hers.fingerprint(Buffer.from(plain)))
    expect(hers.fingerprint(plain)).not.toEqual(his.fingerprint(plain))
    expect(hers.fingerprint(plain)).not.toEqual(hers.fingerprint(Buffer.from('other')))
    expect(hers.chain(plain)).not.toEqual(hers.fingerprint(plain))
  })
})
