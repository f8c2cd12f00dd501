import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectOnce = runInNewContext('gc') as () => void

/**
 * Collects all garbage of this process. More than once: the first may end a marking that was under way, which takes all that was made since
 * it began for alive, and what lay outside of the heap is given back beside it, and counted out by the next.
 */
export async function collectGarbage(): Promise<void> {
  for (let times = 0; times < 3; times++) {
    collectOnce()
    await nextTurn()
  }
}
