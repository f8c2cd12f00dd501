import { Beside, budgetLeft, withBudget } from '#kernel'

type Task = { readonly do: 'count' | 'double' | 'loop' | 'fill' | 'throw' | 'leave'; readonly value?: number }

const open = () =>
  new Beside<Task, number>({ file: new URL('./beside-tasks.ts', import.meta.url), heapMebibytes: 24, idleMs: 1_000 })
const long = 60_000

describe('a thread beside the event loop', () => {
  it('does one task after another', async () => {
    const thread = open()
    const all = await Promise.all([1, 2, 3].map(value => thread.run({ do: 'double', value }, long, 'a')))
    expect(all).toEqual([2, 4, 6])
  })

  it.each([
    ['takes longer than it may', { do: 'loop' }, 200, 'budget.thread-exceeded'],
    ['needs more memory than there is', { do: 'fill' }, long, 'budget.thread-exceeded'],
  ] as const)('ends when a task %s, and begins anew with the next', async (_, task, longestMs, code) => {
    const thread = open()
    const [lost, kept] = await Promise.allSettled([
      thread.run(task, longestMs, 'a'),
      thread.run({ do: 'double', value: 4 }, long, 'a'),
    ])
    expect(lost).toMatchObject({ status: 'rejected', reason: { kind: 'too-costly', code } })
    expect(kept).toEqual({ status: 'fulfilled', value: 8 })
  })

  it.each([{ do: 'throw' }, { do: 'leave' }] as const)('fails when a task would $do, without its words', async task => {
    const thread = open()
    await expect(thread.run(task, long, 'a')).rejects.toThrow(/^a thread (?:failed: RangeError|ended)$/)
    expect(await thread.run({ do: 'double', value: 4 }, long, 'a')).toBe(8)
  })

  it('does those of one owner after those of another who has used less', async () => {
    const thread = open()
    const order: string[] = []
    const tasks = ['a1', 'a2', 'a3', 'b1', 'c1'].map(async name => {
      await thread.run({ do: 'double' }, long, name.charAt(0))
      order.push(name)
    })
    await Promise.all(tasks)
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'a3'])
  })

  it('does not begin what nobody wants any more', async () => {
    const thread = open()
    const before = await thread.run({ do: 'count' }, long, 'a')
    let isWanted = true
    const first = thread.run({ do: 'count' }, long, 'a')
    const left = withBudget(
      {},
      () => thread.run({ do: 'count' }, long, 'b'),
      () => isWanted,
    )
    isWanted = false
    await expect(left).rejects.toMatchObject({ kind: 'timeout', code: 'budget.unwanted' })
    await first
    expect(await thread.run({ do: 'count' }, long, 'a')).toBe(before + 2)
  })

  it('ends what is under way when whoever asked has left, and charges it', async () => {
    const thread = open()
    let isWanted = true
    const lost = withBudget(
      {},
      async () => {
        const [left] = await Promise.allSettled([thread.run({ do: 'loop' }, long, 'a')])
        return { left, rest: budgetLeft('work') }
      },
      () => isWanted,
    )
    const next = thread.run({ do: 'double', value: 4 }, long, 'a')
    isWanted = false
    const { left, rest } = await lost
    expect(left).toMatchObject({ status: 'rejected', reason: { kind: 'timeout', code: 'budget.unwanted' } })
    expect(rest).toBeLessThan(withBudget({}, () => budgetLeft('work')))
    expect(await next).toBe(8)
  })

  it.each([
    ['is done', { do: 'double' }, long],
    ['fails', { do: 'throw' }, long],
    ['ends the thread', { do: 'loop' }, 200],
  ] as const)('charges a task that %s, and begins none for whom nothing is left', async (_, task, longestMs) => {
    const thread = open()
    const used = await withBudget({}, async () => {
      const before = budgetLeft('work')
      await Promise.allSettled([thread.run(task, longestMs, 'a')])
      return before - budgetLeft('work')
    })
    expect(used).toBeGreaterThan(1)
    const counts = await withBudget({ work: 2 }, async () => {
      // What it takes more than was left is no loss of its outcome.
      await Promise.allSettled([thread.run(task, longestMs, 'a')])
      expect(budgetLeft('work')).toBe(0)
      return Promise.allSettled([thread.run({ do: 'count' }, long, 'a')])
    })
    expect(counts).toMatchObject([{ reason: { kind: 'too-costly', code: 'budget.work-exceeded' } }])
    expect(await thread.run({ do: 'count' }, long, 'a')).toBe(1)
  })
})
