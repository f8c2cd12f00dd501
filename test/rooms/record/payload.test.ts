import { inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { deflate, deflateAside, inflate } from '../../../src/record/ledger/compression.ts'
import { dictionary } from '../../../src/record/ledger/dictionary.ts'
import { chainLink, decodePayload, encodePayload, paddedLength } from '../../../src/record/ledger/payload.ts'

const payload = (json: string) => ({
  method: 'PUT' as const,
  deleted: false,
  movedAway: false,
  created: false,
  lastUpdatedMs: 1_772_355_600_123,
  supersedes: 7,
  chain: Buffer.from('0102030405060708', 'hex'),
  copies: [] as string[],
  json: Buffer.from(json),
})

describe('the payload of an entry', () => {
  it('is read back as it was written, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), text => {
        const written = payload(text)
        const read = decodePayload(encodePayload(written))
        expect(Buffer.from(read.json).equals(written.json)).toBe(true)
        expect({ ...read, json: undefined, chain: Buffer.from(read.chain) }).toEqual({ ...written, json: undefined })
      }),
    )
  })

  it('keeps the four flags and the method apart', () => {
    for (const method of ['POST', 'PUT', 'DELETE'] as const)
      for (const deleted of [true, false])
        for (const movedAway of [true, false])
          for (const created of [true, false]) {
            const said = { method, deleted, movedAway, created }
            expect(decodePayload(encodePayload({ ...payload('{}'), ...said }))).toMatchObject(said)
          }
  })

  it('keeps the other compartments of a version, and who made it', () => {
    const compartment = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(bytes => Buffer.from(bytes).toString('hex'))
    const copies = fc.array(compartment, { maxLength: 40 })
    fc.assert(
      fc.property(copies, fc.option(fc.uuid(), { nil: undefined }), fc.string(), (copies, creator, text) => {
        const more = creator === undefined ? { copies } : { copies, creator }
        const read = decodePayload(encodePayload({ ...payload(text), ...more }))
        expect(read).toMatchObject(more)
        expect(Buffer.from(read.json).toString()).toBe(Buffer.from(text).toString())
      }),
    )
  })

  it('keeps which numbers stand on the word of an account and whom it names, with or without what else few entries say', () => {
    const strings = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 300 })
    const lists = fc.oneof(
      fc.record({ entered: strings }),
      fc.record({ named: strings }),
      fc.record({ entered: strings, named: strings }),
    )
    const link = fc.option(fc.uint8Array({ minLength: 8, maxLength: 8 }), { nil: undefined })
    fc.assert(
      fc.property(lists, link, fc.option(fc.uuid(), { nil: undefined }), (said, link, creator) => {
        const more = { ...said, ...(link && { link: Buffer.from(link) }), ...(creator && { creator }) }
        const { json: _, chain: __, ...read } = decodePayload(encodePayload({ ...payload('{}'), ...more }))
        expect({ ...read, ...(read.link && { link: Buffer.from(read.link) }) }).toMatchObject(more)
      }),
    )
  })

  it('refuses a form of a later release: record.payload-unknown', () => {
    const bytes = encodePayload(payload('{}'))
    bytes[0] = 9
    expect(() => decodePayload(bytes)).toThrow('record.payload-unknown')
  })

  it('is padded so that sizes say little: Padmé beyond 1 KiB, at most 12 % more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000_000 }), length => {
        const padded = paddedLength(length)
        expect(padded).toBeGreaterThanOrEqual(length)
        expect(padded).toBeLessThanOrEqual(Math.max(length + 32, length * 1.12))
      }),
    )
    expect(new Set([1, 20, 32].map(paddedLength))).toEqual(new Set([32]))
  })

  it('links to the next entry by the first half of the authentication tag', () => {
    const sealed = Buffer.from([...Array(20).keys()])
    expect([...chainLink(sealed)]).toEqual([4, 5, 6, 7, 8, 9, 10, 11])
  })
})

describe('each form of a payload is read back', () => {
  const observation = (size: number) => `{"resourceType":"Observation","id":"a","note":"${'x1y2'.repeat(size)}"}`
  it.each([
    ['a small Observation', observation(10)],
    ['a large Observation', observation(5_000)],
    ['a small resource of another type', '{"resourceType":"Condition","id":"a"}'],
    ['a large one', `{"resourceType":"Condition","id":"a","note":"${'abc'.repeat(9_000)}"}`],
    ['nothing', ''],
  ])('%s', (_, text) => {
    expect(Buffer.from(decodePayload(encodePayload(payload(text))).json).toString()).toBe(text)
  })
})

describe('a deflated text', () => {
  const text = Buffer.from('{"resourceType":"Observation","id":"a","note":[{"text":"x1y2"}]}')

  it('that was cut short or damaged is an error, and the next one is read as if nothing had been', () => {
    const { deflated, how } = deflate(text)
    const broken = [deflated.subarray(0, -2), Buffer.from('ffffffff', 'hex'), Buffer.alloc(0)]
    for (const bytes of broken) {
      expect(() => inflate(bytes, how)).toThrow()
      expect(inflate(deflated, how).equals(text)).toBe(true)
    }
  })

  it('is the same whatever was deflated before it', () => {
    const { deflated } = deflate(text)
    for (const size of [10, 2_000, 60_000]) {
      deflate(Buffer.from(`{"resourceType":"Observation","id":"b","note":"${'a3'.repeat(size)}"}`))
      expect(deflate(text).deflated.equals(deflated)).toBe(true)
    }
  })

  it('is one that any inflater understands, with the same dictionary', () => {
    const { deflated } = deflate(text)
    expect(inflateRawSync(deflated, { dictionary: dictionary.subarray(-2048) }).equals(text)).toBe(true)
  })
})

describe('a text that another thread deflates', () => {
  it.each([
    ['a short one', '{"resourceType":"Observation","status":"final"}'],
    ['one that just fills the small window', `{"a":"${'x'.repeat(2_000)}"}`],
    ['a long one', JSON.stringify(Array.from({ length: 20_000 }, (_, at) => `value ${at * 7919}`))],
    ['a long one that nothing makes shorter', JSON.stringify(Array.from({ length: 3_000 }, () => crypto.randomUUID()))],
  ])('is kept as if this one had: %s', async (_, json) => {
    const written = payload(json)
    const plain = encodePayload(written, await deflateAside(written.json))
    expect(Buffer.from(decodePayload(plain).json).equals(written.json)).toBe(true)
    expect(plain.length).toBeLessThanOrEqual(encodePayload(written).length * 1.1)
  })
})
