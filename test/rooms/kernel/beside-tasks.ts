/** What the thread of `beside.test.ts` does. */
import { serveBeside } from '#kernel'

let counted = 0
const tasks: Readonly<Record<string, (value: number) => number>> = {
  count: () => ++counted,
  double: value => value * 2,
  loop: () => {
    for (;;);
  },
  fill: () => {
    const kept: string[][] = []
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, at) => `${kept.length} ${at}`))
  },
  throw: () => {
    throw new RangeError('secret')
  },
  leave: () => process.exit(),
}

serveBeside((task: { readonly do: string; readonly value?: number }) => tasks[task.do]?.(task.value ?? 0) ?? 0)
