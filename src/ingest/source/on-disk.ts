import { isProblem, Problem, storageFaultOf } from '#kernel'

/** What the file system says of a file of ours, in words. @throws Problem `full` or `busy` · `ingest.spool-unwritable` */
export async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (isProblem(cause)) throw cause
    const { code = 'none' } = cause as NodeJS.ErrnoException
    const text = 'This server has no room on its disk to keep the file while it is read.'
    const isFull = storageFaultOf(cause) === 'full'
    throw new Problem(isFull ? 'full' : 'busy', 'ingest.spool-unwritable', text, {
      cause,
      detail: code,
      retryAfterSeconds: 60,
    })
  }
}
