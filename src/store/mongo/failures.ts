import { isProblem, Problem, storageProblem } from '#kernel'
import { closedProblem } from '../closed.ts'

/** Looked at by shape: the driver's classes are not loaded where there is no MongoDB. */
function property(error: unknown, name: string): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined
}

const nameOf = (error: unknown): string => String(property(error, 'name') ?? '')
const codeOf = (error: unknown): number =>
  Number(property(error, 'code') ?? property(property(error, 'result'), 'code'))

function hasLabel(error: unknown, label: string): boolean {
  const labels = property(error, 'errorLabels') ?? []
  return Array.isArray(labels) && labels.includes(label)
}

/** Whether the transaction as a whole may succeed when it is done again. https://www.mongodb.com/docs/manual/core/transactions-in-applications/ */
export function isTransient(error: unknown): boolean {
  return hasLabel(error, 'TransientTransactionError') || isConflict(error)
}

/** Whether somebody else wrote to the same: nothing of the transaction was written. */
export function isConflict(error: unknown): boolean {
  return codeOf(error) === writeConflict
}

const writeConflict = 112
const duplicateKey = 11000
const noSuchTransaction = 251

/** Whether a unique index holds such a row already. */
export function isDuplicate(error: unknown): boolean {
  return codeOf(error) === duplicateKey
}

/** The server knows nothing of the transaction: it did not commit, or it did and the server has forgotten. */
export function isForgotten(error: unknown): boolean {
  return (
    codeOf(error) === noSuchTransaction || (isTransient(error) && !hasLabel(error, 'UnknownTransactionCommitResult'))
  )
}

const networkNames =
  /^(?:Mongo(?:ose)?(?:Network|NetworkTimeout|ServerSelection|PoolCleared|ConnectionPool|Topology|ServerClosed|WaitQueueTimeout|ExpiredSession)|PoolClearedOnNetwork)/

/** A primary that steps down or shuts down. @see https://github.com/mongodb/specifications server-discovery-and-monitoring, "not writable primary" */
const steppingDown: ReadonlySet<number> = new Set([
  6, 7, 89, 91, 133, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436,
])

/** The driver wraps what ends a bulk write, and forgets what it was: without a code of the server's the server has said nothing. */
function saysNothing(error: unknown): boolean {
  return nameOf(error) === 'MongoBulkWriteError' && Number.isNaN(codeOf(error))
}

/** Whether no server that takes writes could be reached, or the way to it broke. */
export function isUnreachable(error: unknown): boolean {
  return (
    networkNames.test(nameOf(error)) ||
    saysNothing(error) ||
    steppingDown.has(codeOf(error)) ||
    hasLabel(error, 'RetryableWriteError') ||
    hasLabel(error, 'ResetPool')
  )
}

/** What was asked for did not happen. */
export function unreachableProblem(cause?: unknown): Problem {
  return new Problem('busy', 'store.unreachable', 'The database cannot be reached: nothing was changed. Try again.', {
    retryAfterSeconds: 5,
    cause,
  })
}

/** The way to the database broke between the last word and its answer, and did not come back in time. */
export function unknownProblem(cause?: unknown): Problem {
  return new Problem(
    'busy',
    'store.outcome-unknown',
    'The database was lost before it answered: this may have been written or not. Look before you try again.',
    { retryAfterSeconds: 5, cause },
  )
}

/** Others wrote to the same again and again. */
export function busyProblem(cause?: unknown): Problem {
  return new Problem('busy', 'store.busy', 'The store is in use by another process.', { retryAfterSeconds: 1, cause })
}

const outOfDiskSpace = 14031
/**
 * What a caller is told when MongoDB or the way to it fails. The detail names the code and never MongoDB's own message, which might
 * name a value.
 */
export function toProblem(error: unknown): Problem {
  if (isProblem(error)) return error
  if (/^Mongo(NotConnected|ClientClosed|TopologyClosed|APIClient)/.test(nameOf(error))) return closedProblem(error)
  const detail = `mongodb ${nameOf(error)} ${codeOf(error)}`
  if (codeOf(error) === outOfDiskSpace) return storageProblem('full', { detail, cause: error })
  if (isUnreachable(error)) return unreachableProblem(error)
  if (isTransient(error)) return busyProblem(error)
  return new Problem('fault', 'store.failed', 'The store has failed.', { detail, cause: error })
}
