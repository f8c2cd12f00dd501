import { isProblem, Problem, storageFaultOf, storageProblem } from '#kernel'

/**
 * What the file system says of a file of ours, in words.
 *
 * @throws Problem `full` or `busy` · `ingest.spool-unwritable`; `busy` · `storage.handles-exhausted`, `storage.failing`
 */
export async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (isProblem(cause)) throw cause
    const { code = 'none' } = cause as NodeJS.ErrnoException
    const fault = storageFaultOf(cause)
    if (fault === 'handles-exhausted' || fault === 'failing') throw storageProblem(fault, { cause, detail: code })
    const text = 'This server has no room on its disk to keep the file while it is read.'
    throw new Problem(fault === 'full' ? 'full' : 'busy', 'ingest.spool-unwritable', text, {
      cause,
      detail: code,
      retryAfterSeconds: 60,
    })
  }
}
