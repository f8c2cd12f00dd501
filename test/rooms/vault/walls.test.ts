import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { FixedClock } from '#kernel'
import { envelopeHeader, maxKeyVersion, parseEnvelope } from '../../../src/vault/envelope.ts'
import { KeyCache } from '../../../src/vault/key-cache.ts'

const room = new URL('../../../src/vault/', import.meta.url)
const sources = readdirSync(room, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => ({ name, text: readFileSync(new URL(name, room), 'utf8') }))

describe('Sealed – ARCHITECTURE §2: only the vault mints it', () => {
  it('is cast to in one place', () => {
    const casts = sources.filter(({ text }) => /\bas (\w+ as )?Sealed\b|<Sealed>/.test(text))
    expect(casts.map(({ name }) => name)).toEqual(['mint.ts'])
    expect(casts[0]?.text.match(/as Sealed\b/g)).toHaveLength(1)
  })

  it('is minted only of what a ring has just sealed', () => {
    for (const { name, text } of sources) {
      const calls = text.match(/\bmint\([^)]*/g) ?? []
      if (name !== 'mint.ts') for (const call of calls) expect(call).toMatch(/^mint\(\w*(\.?#?\w+)*\.seal\(/)
    }
  })

  it('is not to be had through the door', () => {
    const door = sources.find(({ name }) => name === 'index.ts')
    expect(door?.text).not.toContain('mint')
  })
})

describe('envelopes', () => {
  const body = Buffer.alloc(40, 1)

  it.each([
    [1, 2],
    [127, 2],
    [128, 3],
    [16_383, 3],
    [16_384, 4],
    [maxKeyVersion, 5],
  ])('write key version %i into a header of %i bytes', (version, length) => {
    const header = envelopeHeader(version)
    expect(header).toHaveLength(length)
    expect(parseEnvelope(Buffer.concat([header, body]))?.keyVersion).toBe(version)
  })

  it.each([
    ['another suite', '02', '01'],
    ['key version 0', '01', '00'],
    ['a longer spelling of key version 1', '01', '8100'],
    ['a key version of five bytes', '01', '8181818101'],
  ])('are not read with %s', (_what, suite, version) => {
    expect(parseEnvelope(Buffer.concat([Buffer.from(suite + version, 'hex'), body]))).toBeUndefined()
  })

  it('are not read when nonce and tag do not fit', () => {
    expect(parseEnvelope(Buffer.concat([envelopeHeader(1), body]))).toBeDefined()
    expect(parseEnvelope(Buffer.concat([envelopeHeader(1), body.subarray(1)]))).toBeUndefined()
  })
})

describe('the cache of unwrapped keys', () => {
  it('lets the least recently used leave first', () => {
    const cache = new KeyCache<number>(new FixedClock(0), 2, 60_000)
    cache.set('a', 1)
    cache.set('b', 2)
    cache.get('a')
    cache.set('c', 3)
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, undefined, 3])
  })

  it('keeps what is used, and forgets what nobody asks for', () => {
    const clock = new FixedClock(0)
    const cache = new KeyCache<number>(clock, 9, 60_000)
    cache.set('a', 1)
    cache.set('b', 2)
    clock.advance(59_999)
    expect(cache.get('a')).toBe(1)
    clock.advance(1)
    expect([cache.get('a'), cache.get('b')]).toEqual([1, undefined])
  })

  it('forgets idle keys without being asked for them, and keeps nothing longer by a clock that jumps back', () => {
    const clock = new FixedClock(1_000_000)
    const cache = new KeyCache<{ readonly key: number }>(clock, 9, 60_000)
    cache.set('a', { key: 1 })
    clock.advance(-500_000)
    expect(cache.get('a')).toBeUndefined()
    cache.set('b', { key: 2 })
    clock.advance(60_000)
    cache.set('c', { key: 3 })
    expect(cache.get('c')).toEqual({ key: 3 })
    expect(cache.get('b')).toBeUndefined()
  })

  it('holds no idle key although nobody asks for any', async () => {
    const clock = new FixedClock(0)
    let emptied = 0
    const cache = new KeyCache<number>(clock, 9, 60_000, { sweepMs: 1, emptied: () => emptied++ })
    cache.set('a', 1)
    cache.set('b', 2)
    clock.advance(59_999)
    cache.get('b')
    clock.advance(1)
    while (cache.size > 1) await sleep(1)
    expect(emptied).toBe(0)
    clock.advance(60_000)
    while (cache.size > 0) await sleep(1)
    await sleep(5)
    expect(emptied).toBe(1)
    cache.set('c', 3)
    expect(cache.get('c')).toBe(3)
    cache.clear()
  })

  it('forgets what is dropped, and everything when cleared', () => {
    const cache = new KeyCache<number>(new FixedClock(0), 3, 60_000)
    cache.set('a', 1)
    cache.set('b', 2)
    cache.drop('a')
    expect([cache.get('a'), cache.get('b')]).toEqual([undefined, 2])
    cache.clear()
    expect(cache.get('b')).toBeUndefined()
  })
})
