import { Problem } from '#kernel'

/** Owner, kind and version are taken. */
export function existsProblem(cause?: unknown): Problem {
  return new Problem('conflict', 'keys.exists', 'There is such a key already.', { cause })
}

/** A tombstone stands for good, else a re-wrapping that began before a key was destroyed would bring it back. */
export function destroyedProblem(): Problem {
  return new Problem('gone', 'keys.destroyed', 'The keys of this record have been destroyed.')
}
