import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import type { BlobChunk, Sealed } from '#store'
import type { CompartmentKeys } from '#vault'
import { flipped, gather, newPatient, newVault, problemOf, sealBroken, streamOf } from './arrange.ts'

const chunk = 64 * 1024
const blob = 'scan-1'

const seal = (keys: CompartmentKeys, bytes: Uint8Array, name = blob): Promise<BlobChunk[]> =>
  gather(keys.sealBlob(name, streamOf([bytes])))

const open = async (keys: CompartmentKeys, chunks: BlobChunk[], name = blob): Promise<Buffer> =>
  Buffer.concat(await gather(keys.openBlob(name, streamOf(chunks))))

/** As a store that lies about the order would number them. */
const renumbered = (chunks: (BlobChunk | undefined)[]): BlobChunk[] =>
  chunks.flatMap(one => (one ? [one] : [])).map(({ sealed }, index) => ({ index, sealed }))

describe('attachments – 64 KiB chunks in the manner of STREAM, https://eprint.iacr.org/2015/189', () => {
  it.each([0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 3 * chunk + 17])('opens %i bytes again', async size => {
    const keys = await newPatient()
    const bytes = randomBytes(size)
    const chunks = await seal(keys, bytes)
    expect(chunks.map(({ index }) => index)).toEqual(chunks.map((_, index) => index))
    expect(chunks).toHaveLength(Math.max(1, Math.ceil(size / chunk)))
    expect((await open(keys, chunks)).equals(bytes)).toBe(true)
  })

  it('opens a source of no pieces as an empty attachment', async () => {
    const keys = await newPatient()
    const chunks = await gather(keys.sealBlob(blob, streamOf([])))
    expect(chunks).toHaveLength(1)
    expect(await open(keys, chunks)).toHaveLength(0)
  })

  it('gives the same bytes however the source was cut', async () => {
    const keys = await newPatient()
    const pieces = fc.array(fc.integer({ min: 0, max: 50_000 }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(pieces, async sizes => {
        const cut = sizes.map(size => randomBytes(size))
        const chunks = await gather(keys.sealBlob(blob, streamOf(cut)))
        expect((await open(keys, chunks)).equals(Buffer.concat(cut))).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('refuses chunks that are missing, moved, doubled or added', async () => {
    const keys = await newPatient()
    const [a, b, c] = await seal(keys, randomBytes(2 * chunk + 5))
    const orders = [
      [],
      [a],
      [a, b],
      [b, c],
      [c],
      [a, c],
      [b, a, c],
      [a, c, b],
      [a, a, b, c],
      [a, b, b, c],
      [a, b, c, c],
    ]
    for (const order of orders) {
      expect(await problemOf(() => open(keys, renumbered(order)))).toBe(sealBroken)
      const asTheyCame = order.flatMap(one => (one ? [one] : []))
      expect(await problemOf(() => open(keys, asTheyCame))).toBe(sealBroken)
    }
    expect(await open(keys, renumbered([a, b, c]))).toHaveLength(2 * chunk + 5)
  })

  it('refuses chunks in their order under numbers that are not', async () => {
    const keys = await newPatient()
    const chunks = await seal(keys, randomBytes(chunk + 5))
    const misnumbered = chunks.map(({ sealed }, index) => ({ index: index + 1, sealed }))
    expect(await problemOf(() => open(keys, misnumbered))).toBe(sealBroken)
  })

  it('refuses an attachment truncated at a chunk boundary', async () => {
    const keys = await newPatient()
    const chunks = await seal(keys, randomBytes(2 * chunk))
    expect(chunks).toHaveLength(2)
    expect(await problemOf(() => open(keys, chunks.slice(0, 1)))).toBe(sealBroken)
  })

  it('refuses chunks of another attachment, compartment, or earlier sealing of the same attachment', async () => {
    const vault = await newVault()
    const [hers, his] = [await vault.createCompartment('patient'), await vault.createCompartment('patient')]
    const bytes = randomBytes(2 * chunk)
    const [first, last] = await seal(hers, bytes)
    const [foreignFirst, foreignLast] = await seal(hers, bytes, 'scan-2')
    const [, againLast] = await seal(hers, bytes)
    expect(await problemOf(() => open(hers, renumbered([foreignFirst, last])))).toBe(sealBroken)
    expect(await problemOf(() => open(hers, renumbered([first, foreignLast])))).toBe(sealBroken)
    expect(await problemOf(() => open(hers, renumbered([first, againLast])))).toBe(sealBroken)
    expect(await problemOf(() => open(hers, renumbered([first, last]), 'scan-2'))).toBe(sealBroken)
    expect(await problemOf(() => open(his, renumbered([first, last])))).toBe(sealBroken)
    expect((await open(hers, renumbered([first, last]))).equals(bytes)).toBe(true)
  })

  it('refuses any changed byte, and passes nothing on of the chunk it is in', async () => {
    const keys = await newPatient()
    const bytes = randomBytes(chunk + 100)
    const [first, last] = await seal(keys, bytes)
    if (first === undefined || last === undefined) throw new Error('two chunks expected')
    for (const at of [0, 1, 2, 25, 26, 90, last.sealed.length - 1]) {
      const changed = { index: 1, sealed: flipped(last.sealed, at) as Sealed }
      const passed: Buffer[] = []
      const problem = await problemOf(async () => {
        for await (const part of keys.openBlob(blob, streamOf([first, changed]))) passed.push(part)
      })
      expect([at, problem, Buffer.concat(passed).equals(bytes.subarray(0, chunk))]).toEqual([at, sealBroken, true])
    }
  })

  it('holds one chunk at a time: a source is read no further than the chunk after the one given out', async () => {
    const keys = await newPatient()
    let pulled = 0
    let closed = false
    async function* endless(): AsyncGenerator<Uint8Array, void, void> {
      try {
        for (;;) {
          pulled += chunk / 4
          yield new Uint8Array(chunk / 4)
        }
      } finally {
        closed = true
      }
    }
    const chunks = keys.sealBlob(blob, endless())[Symbol.asyncIterator]()
    for (let given = 1; given <= 10; given++) {
      await chunks.next()
      expect(pulled).toBeLessThanOrEqual((given + 1) * chunk)
    }
    await chunks.return?.()
    expect(closed).toBe(true)
  })

  it("passes on the source's own failure", async () => {
    const keys = await newPatient()
    async function* failing(): AsyncGenerator<Uint8Array, void, void> {
      yield new Uint8Array(10)
      throw new RangeError('source failed')
    }
    await expect(gather(keys.sealBlob(blob, failing()))).rejects.toThrow('source failed')
  })
})
