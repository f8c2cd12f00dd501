import { Beside } from '#kernel'

type Task = { readonly do: 'double' | 'loop' | 'fill' | 'throw' | 'leave'; readonly value?: number }

const open = () =>
  new Beside<Task, number>({ file: new URL('./beside-tasks.ts', import.meta.url), heapMebibytes: 24, idleMs: 1_000 })
const long = 60_000

describe('a thread beside the event loop', () => {
  it('does one task after another', async () => {
    const thread = open()
    const all = await Promise.all([1, 2, 3].map(value => thread.run({ do: 'double', value }, long)))
    expect(all).toEqual([2, 4, 6])
  })

  it.each([
    ['takes longer than it may', { do: 'loop' }, 200, 'budget.thread-exceeded'],
    ['needs more memory than there is', { do: 'fill' }, long, 'budget.thread-exceeded'],
  ] as const)('ends when a task %s, and begins anew with the next', async (_, task, longestMs, code) => {
    const thread = open()
    const [lost, kept] = await Promise.allSettled([
      thread.run(task, longestMs),
      thread.run({ do: 'double', value: 4 }, long),
    ])
    expect(lost).toMatchObject({ status: 'rejected', reason: { kind: 'too-costly', code } })
    expect(kept).toEqual({ status: 'fulfilled', value: 8 })
  })

  it.each([{ do: 'throw' }, { do: 'leave' }] as const)('fails when a task would $do, without its words', async task => {
    const thread = open()
    await expect(thread.run(task, long)).rejects.toThrow(/^a thread (?:failed: RangeError|ended)$/)
    expect(await thread.run({ do: 'double', value: 4 }, long)).toBe(8)
  })
})
