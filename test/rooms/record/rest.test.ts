import { Rest } from '../../../src/record/upkeep/rest.ts'

describe('the rest of whoever has gone through many rows', () => {
  it('lasts longer the more rows there were, and never less than was asked for', () => {
    let nowMs = 1_000
    const rest = new Rest(0.5, () => nowMs)
    expect(rest.isOver).toBe(true)
    const lasts = (rows: number, leastMs?: number) => {
      rest.begin(rows, leastMs)
      const beganAtMs = nowMs
      while (!rest.isOver) nowMs++
      return nowMs - beganAtMs
    }
    expect([lasts(0), lasts(10), lasts(40_000), lasts(10, 300), lasts(1_000, 300)]).toEqual([0, 5, 20_000, 300, 500])
  })
})
