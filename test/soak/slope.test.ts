import { floors, perHour } from './slope.ts'

const minute = (n: number, value: number) => ({ atMs: n * 60_000, value })

describe('how memory rises', () => {
  it('is nothing where it only goes up and down', () => {
    const saw = Array.from({ length: 60 }, (_, n) => minute(n, 100 + (n % 10)))
    expect(perHour(floors(saw, 10))).toBe(0)
  })

  it('is seen below what goes up and down', () => {
    const leaking = Array.from({ length: 60 }, (_, n) => minute(n, 100 + 2 * n + (n % 10) * 5))
    expect(perHour(floors(leaking, 10))).toBeCloseTo(120)
  })

  it('is unknown of a moment', () => {
    expect(perHour([minute(0, 5)])).toBeNaN()
  })
})
