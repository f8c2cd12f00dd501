/**
 * What a piece of work costs, told so that the machine's speed plays no part: calls are counted, and CPU of this thread is
 * compared with the CPU of another piece of work of the same test.
 */

/** CPU of this thread since it began, in ms: what others do on the machine is not in it. Some systems count whole ticks. */
export function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** So many ticks are enough to compare. */
const enoughMs = 60

/** CPU of this thread for a piece of work, in ms, done as often as it takes to be measured. */
export async function computing(work: () => unknown): Promise<number> {
  const began = threadMs()
  let times = 0
  do {
    await work()
    times += 1
  } while (threadMs() - began < enoughMs)
  return (threadMs() - began) / times
}

/** How many times as large the larger input is. */
const larger = 8

/**
 * How many times as much eight times as much input costs: about 8 when the cost is linear, 64 when it is quadratic.
 *
 * @param work  on an input of the given size, which may be done several times
 * @param size  of the smaller input
 */
export async function growth(work: (size: number) => unknown, size: number): Promise<number> {
  const few = await computing(() => work(size))
  return (await computing(() => work(larger * size))) / few
}

/** Between linear and quadratic: five times as much as linear, while quadratic is eight times as much. */
export const mostGrowth = 5 * larger

type Methods<T> = { [K in keyof T]: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T]

/** How often a method is called meanwhile. */
export async function callsOf<T extends object>(on: T, name: Methods<T>, work: () => unknown): Promise<number> {
  const method = on[name] as (...args: unknown[]) => unknown
  let calls = 0
  const counting = function (this: unknown, ...args: unknown[]) {
    calls += 1
    return method.apply(this, args)
  }
  Object.assign(on, { [name]: counting })
  try {
    await work()
    return calls
  } finally {
    Object.assign(on, { [name]: method })
  }
}
