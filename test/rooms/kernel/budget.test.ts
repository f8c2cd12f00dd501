import { budgetLeft, giveWay, isProblem, type Problem, spend, withBudget } from '#kernel'
import { threadMs } from '../../computing.ts'
import { turnsWhile } from '../../turns.ts'

function problemOf(work: () => unknown): Problem | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (isProblem(error)) return error
    throw error
  }
}

/** Computes for so long, giving way; tells in how many pieces. */
async function compute(ms: number): Promise<number> {
  let pieces = 1
  const began = threadMs()
  while (threadMs() - began < ms) {
    const pause = giveWay()
    if (pause === undefined) continue
    pieces++
    await pause
  }
  return pieces
}

describe('a budget', () => {
  it.each([
    ['work', 'budget.work-exceeded'],
    ['parsed', 'budget.parsed-exceeded'],
    ['answered', 'budget.answered-exceeded'],
    ['written', 'budget.written-exceeded'],
    ['audited', 'budget.audited-exceeded'],
  ] as const)('of %s says by how much it is exceeded, and what to ask instead', (kind, code) => {
    const problem = withBudget({ [kind]: 1000 }, () => problemOf(() => spend(kind, 1234)))
    expect(problem).toMatchObject({ kind: 'too-costly', code })
    expect(problem?.text).toMatch(/1,234 .*1,000\. (Ask|Send) .*\.$/)
  })

  it('is not charged with what is refused, so that less may still be asked', () => {
    const left = withBudget({ work: 1000 }, () => {
      spend('work', 400)
      expect(problemOf(() => spend('work', 601))?.code).toBe('budget.work-exceeded')
      spend('work', 600)
      return budgetLeft('work')
    })
    expect(left).toBe(0)
  })

  it('goes with whatever is awaited, and is nobody else’s', async () => {
    const spendTwice = async () => {
      spend('answered', 400)
      await new Promise(setImmediate)
      spend('answered', 400)
      return budgetLeft('answered')
    }
    const left = await Promise.all([1000, 900].map(answered => withBudget({ answered }, spendTwice)))
    expect(left).toEqual([200, 100])
  })

  it('around it is neither asked nor charged, and without any there are no limits', () => {
    withBudget({ work: 10 }, () => {
      withBudget('unbounded', () => spend('work', 1e12))
      expect(budgetLeft('work')).toBe(10)
    })
    spend('work', 1e12)
    expect(budgetLeft('work')).toBe(Number.POSITIVE_INFINITY)
  })

  it('of computing ends who computes too long: budget.cpu-exceeded', async () => {
    await expect(withBudget({ cpu: 20 }, () => compute(2000))).rejects.toMatchObject({
      kind: 'too-costly',
      code: 'budget.cpu-exceeded',
    })
    await expect(withBudget('unbounded', () => compute(60))).resolves.toBeGreaterThan(1)
  })

  it('of computing is charged once for what several of one request compute in a turn', async () => {
    const cpu = 10_000
    const began = threadMs()
    const left = await withBudget({ cpu }, async () => {
      await Promise.all(Array.from({ length: 200 }, () => compute(2)))
      return budgetLeft('cpu')
    })
    // Charged to each of them, it is up to two hundred times as much.
    expect((cpu - left) / (threadMs() - began)).toBeLessThan(5)
  })

  it('ends with who waited for it: budget.unwanted', async () => {
    let wanted = true
    const work = withBudget(
      {},
      () => compute(2000),
      () => wanted,
    )
    wanted = false
    await expect(work).rejects.toMatchObject({ kind: 'timeout', code: 'budget.unwanted' })
  })
})

describe('who computes', () => {
  it('is not asked to wait while the slice lasts', async () => {
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    expect(giveWay()).toBeUndefined()
  })

  it('lets others have their turn, however many compute', async () => {
    const { result: pieces, turns } = await turnsWhile(() =>
      Promise.all(Array.from({ length: 8 }, () => withBudget({}, () => compute(30)))),
    )
    // One of them goes on in each turn: with all in the same turn there are an eighth as many.
    const resumed = pieces.reduce((sum, each) => sum + each - 1, 0)
    expect(resumed).toBeGreaterThan(8)
    expect(turns).toBeGreaterThan(resumed / 2)
  })

  it('much waits for who computes little, and not for ever', async () => {
    const order: string[] = []
    const run = (name: string, ms: number) => withBudget({}, () => compute(ms)).then(() => order.push(name))
    await Promise.all([run('much', 200), run('much', 200), run('little', 12)])
    expect(order).toEqual(['little', 'much', 'much'])
  })
})
