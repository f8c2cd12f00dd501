import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What is forgotten together is wiped together, and by then nothing that was under way holds it. */
const soonMs = 2_000

let isDue = false

/**
 * Has V8 collect what nobody refers to, soon: only then the memory of a `KeyObject` is overwritten and given back, and on a server at
 * rest that may be in hours. It takes some ten milliseconds, so ask for it seldom. It keeps no process alive.
 */
export function wipeForgotten(): void {
  if (isDue) return
  isDue = true
  setTimeout(() => {
    isDue = false
    collect()
  }, soonMs).unref()
}

let collecting: (() => void) | undefined

function collect(): void {
  collecting ??= collector()
  collecting()
}

/** Node gives it to whoever asks on its command line; a server that is started by others does not. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
