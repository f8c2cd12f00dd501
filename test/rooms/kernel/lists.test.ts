import { appendAll } from '#kernel'

it('appends more than a call can take', () => {
  const some = Array.from({ length: 1_000_000 }, (_, at) => at)
  const list = [-1]
  expect(() => [].push(...(some as never[]))).toThrow(RangeError)
  appendAll(list, some)
  expect([list.length, list[1], list.at(-1)]).toEqual([1_000_001, 0, 999_999])
  appendAll(list, new Set<number>())
  expect(list).toHaveLength(1_000_001)
})
