import { extractRow, type IndexRow } from '#search'
import { Tail } from '../../../src/record/ledger/tail.ts'
import { heartRate } from './family.ts'

const place = (seq: number) => ({ seq, version: 1, lastUpdatedMs: 1_000, deleted: false })

const light = (seq: number): IndexRow => extractRow({ ...heartRate('anna', 60), id: `o${seq}` }, place(seq))

/** The audit of a transaction of a hundred. */
const heavy = (seq: number): IndexRow =>
  extractRow(
    {
      resourceType: 'AuditEvent',
      id: `a${seq}`,
      entity: Array.from({ length: 100 }, (_, at) => ({ what: { reference: `Observation/${seq}-${at}` } })),
    },
    place(seq),
  )

/** What somebody wrote at length: a megabyte of it. */
const wordy = (seq: number): IndexRow =>
  extractRow({ ...heartRate('anna', 60), id: `w${seq}`, valueString: 'x'.repeat(1024 * 1024) }, place(seq))

const filled = (count: number, row: (seq: number) => IndexRow) => {
  const tail = new Tail()
  for (let seq = 1; seq <= count; seq++) tail.push(row(seq))
  return tail
}

/** Where the segments of a tail end, one after the other. */
function cutsOf(tail: Tail): number[] {
  const cuts: number[] = []
  for (let full = tail.fullUntil; full !== undefined; full = tail.fullUntil) {
    cuts.push(full)
    tail.dropUntil(full)
  }
  return cuts
}

describe('the rows behind the last segment', () => {
  it('fill a segment by their number when they are light', () => {
    expect(filled(4095, light).fullUntil).toBeUndefined()
    expect(filled(4096, light).fullUntil).toBe(4096)
    expect(cutsOf(filled(9000, light))).toEqual([4096, 8192])
  })

  it('fill a segment by their values when they are heavy, so that long lists do not fill the memory', () => {
    const [first = 0, second = 0] = cutsOf(filled(1500, heavy))
    expect(first).toBeGreaterThan(300)
    expect(first).toBeLessThan(700)
    expect(second).toBe(2 * first)
  })

  it('fill a segment by their letters when they are long', () => {
    const [first = 0, second = 0] = cutsOf(filled(20, wordy))
    expect(first).toBeLessThanOrEqual(4)
    expect(second).toBe(2 * first)
  })

  it('are as large as what they say', () => {
    expect(filled(3, wordy).sizeBytes).toBeGreaterThan(3 * 1024 * 1024)
    expect(filled(3, light).sizeBytes).toBeLessThan(10_000)
  })

  it('are cut at the same places whatever was dropped or taken back before', () => {
    const row = (seq: number) => (seq % 1000 === 0 ? wordy(seq) : seq % 3 === 0 ? heavy(seq) : light(seq))
    const whole = cutsOf(filled(6000, row))
    expect(whole.length).toBeGreaterThan(1)
    const tail = filled(6000, row)
    const rows = tail.rows.slice(0, whole[0])
    tail.dropUntil(whole[0] ?? 0)
    tail.dropUntil(whole[0] ?? 0)
    expect([tail.from, tail.rows.length]).toEqual([(whole[0] ?? 0) + 1, 6000 - (whole[0] ?? 0)])
    tail.prepend(rows, 1)
    expect([tail.from, tail.rows.length]).toEqual([1, 6000])
    expect(cutsOf(tail)).toEqual(whole)
  })
})
