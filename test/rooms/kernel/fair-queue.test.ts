import { FairQueue } from '#kernel'

interface Item {
  readonly owner: string
  readonly costs: number
}

/** The owners in the order in which they have their turns; `more` come when so many have had theirs. */
function orderOf(items: readonly Item[], more: Readonly<Record<number, readonly Item[]>> = {}): string {
  const queue = new FairQueue<Item>()
  for (const item of items) queue.add(item)
  const order: string[] = []
  for (let next = queue.take(); next !== undefined; next = queue.take()) {
    order.push(next.owner)
    queue.charge(next.owner, next.costs)
    for (const item of more[order.length] ?? []) queue.add(item)
  }
  return order.join('')
}

const times = (count: number, owner: string, costs: number): readonly Item[] =>
  Array.from({ length: count }, () => ({ owner, costs }))

describe('those who wait for what one may have at a time', () => {
  it.each([
    ['by turns, where all use as much', 'ababaa', [...times(4, 'a', 1), ...times(2, 'b', 1)], {}],
    ['by what they use, not by how often', 'abbbbab', [...times(2, 'a', 4), ...times(5, 'b', 1)], {}],
    ['in the order in which they came, one owner alone', 'aaa', times(3, 'a', 1), {}],
    [
      'a newcomer before whoever has had more',
      'aabcaa',
      times(4, 'a', 9),
      { 2: [...times(1, 'b', 1), ...times(1, 'c', 1)] },
    ],
    ['a newcomer not for as long as others have waited', 'aaabababa', times(6, 'a', 9), { 3: times(3, 'b', 9) }],
    [
      'one who returns with what they had',
      'abbac',
      [...times(2, 'a', 9), ...times(1, 'b', 4)],
      { 2: times(1, 'b', 9), 4: times(1, 'c', 1) },
    ],
  ] as const)('have it %s', (_, order, items, more) => {
    expect(orderOf(items, more)).toBe(order)
  })

  it('begin anew when nobody has waited', () => {
    const queue = new FairQueue<Item>()
    queue.charge('a', 9)
    expect(queue.take()).toBeUndefined()
    for (const item of [...times(2, 'a', 1), ...times(1, 'b', 1)]) queue.add(item)
    expect(queue.take()?.owner).toBe('a')
  })
})
