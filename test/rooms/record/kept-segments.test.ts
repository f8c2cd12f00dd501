import { randomBytes } from 'node:crypto'
import type { Sealed, Segment } from '#store'
import { KeptSegments } from '../../../src/record/ledger/kept-segments.ts'

const segmentOf = (bytes: number): Segment => ({
  compartment: 'a'.repeat(32),
  fromSeq: 1,
  untilSeq: 9,
  sealed: randomBytes(bytes) as Uint8Array as Sealed,
})

describe('segments of ledgers that were opened', () => {
  it('are given once to whoever opens the index', () => {
    const kept = new KeptSegments(1e6)
    const [one, other] = [{}, {}]
    const segments = [segmentOf(1_000), segmentOf(2_000)]
    kept.keep(one, segments)
    expect(kept.take(other)).toBeUndefined()
    expect(kept.take(one)).toBe(segments)
    expect([kept.take(one), kept.sizeBytes]).toEqual([undefined, 0])
  })

  it('are the last that were read of a ledger, and not those of a long one', () => {
    const kept = new KeptSegments(1e6)
    const owner = {}
    for (let time = 0; time < 5; time++) kept.keep(owner, [segmentOf(10_000)])
    expect(kept.sizeBytes).toBeLessThan(11_000)
    kept.keep(owner, [segmentOf(40_000), segmentOf(40_000)])
    expect([kept.take(owner), kept.sizeBytes]).toEqual([undefined, 0])
  })

  it.each([0, 1, 700, 60_000])('have one room together, whatever there are: %i bytes of each', bytes => {
    const kept = new KeptSegments(200_000)
    const owners = Array.from({ length: 1_000 }, () => ({}))
    for (const owner of owners) {
      kept.keep(owner, bytes === 0 ? [] : [segmentOf(bytes)])
      expect(kept.sizeBytes).toBeLessThanOrEqual(200_000)
    }
    const left = owners.map(owner => kept.take(owner) !== undefined)
    const first = left.indexOf(true)
    // Whoever came last is there still, and whoever came first is not.
    expect(first).toBeGreaterThan(0)
    expect(left.slice(first)).not.toContain(false)
    expect(kept.sizeBytes).toBe(0)
  })

  it('are forgotten together', () => {
    const kept = new KeptSegments(1e6)
    const owner = {}
    kept.keep(owner, [segmentOf(5)])
    kept.clear()
    expect([kept.take(owner), kept.sizeBytes]).toEqual([undefined, 0])
  })
})
