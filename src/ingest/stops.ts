import { isProblem, Problem, storageFaultOf, storageProblem } from '#kernel'

/** Why an import ends before its file does. What was written stays: the report says how much, and the same file goes on from there. */
export const stops = {
  /** The process is about to end. */
  closing: () => stopped('busy', 'The server was closed.'),
  /** Whoever sent the file, and would have been told, is not there any more. */
  left: () => stopped('timeout', 'Whoever sent the file did not wait for the end of its import.'),
  erased: () => new Problem('gone', 'ingest.patient-erased', 'The patient was erased while the file was imported.'),
  /** Of who began it. */
  deleted: () =>
    new Problem('forbidden', 'ingest.withdrawn', `The account that began this import was deleted. ${stays}`),
  /** Revoked, expired, or the patient is not within its reach any more. */
  withdrawn: (cause: unknown) =>
    new Problem('forbidden', 'ingest.withdrawn', `The access token does not permit this import any more. ${stays}`, {
      cause,
    }),
} as const

const stays = 'What was written stays; the same file goes on from there.'

function stopped(kind: 'busy' | 'timeout', why: string): Problem {
  return new Problem(kind, 'ingest.stopped', `${why} ${stays}`)
}

/** Why it was aborted; undefined while it goes on. */
export function stopOf(signal: AbortSignal | undefined): Problem | undefined {
  if (signal?.aborted !== true) return undefined
  return isProblem(signal.reason) ? signal.reason : stops.left()
}

/** @throws Problem as `stops` once the signal was aborted */
export function checkStopped(signal: AbortSignal | undefined): void {
  const stop = stopOf(signal)
  if (stop !== undefined) throw stop
}

/** What nobody foresaw, told as what is wrong with the disk where it is that. */
export function failureOf(cause: unknown): Problem {
  const ofDisk = storageFaultOf(cause)
  if (ofDisk !== undefined) return storageProblem(ofDisk, { cause })
  const detail = cause instanceof Error ? cause.name : typeof cause
  return new Problem('fault', 'ingest.failed', 'The import failed inside the server.', { cause, detail })
}
