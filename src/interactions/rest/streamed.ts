import { withBudget } from '#kernel'

/** An answer that is too long to be held, piece by piece. */
type Pieces = AsyncGenerator<Buffer, void, void>

/** Begins a long answer, which ends with whoever takes it. @throws what goes wrong before the first piece */
export function streamed(begin: () => Pieces): Promise<Pieces> {
  return begun(unbudgeted(begin))
}

/** What goes wrong before the first line is told as such, while it still can be. */
async function begun(stream: Pieces): Promise<Pieces> {
  const first = await stream.next()
  return (async function* () {
    if (first.done === true) return
    yield first.value
    yield* stream
  })()
}

/** It is as long as it is: what it takes is bounded by how it was found, and by how fast it is taken. */
function unbudgeted(begin: () => Pieces): Pieces {
  const inner = begin()
  return (async function* () {
    try {
      for (;;) {
        const step = await withBudget('unbounded', () => inner.next())
        if (step.done === true) return
        yield step.value
      }
    } finally {
      await inner.return(undefined)
    }
  })()
}
