import { isProblem, Problem, type StorageFault, storageFaultOf, storageProblem } from '#kernel'
import { closedProblem } from '../closed.ts'

// The low byte of an extended result code is the code proper: 5 is SQLITE_BUSY, 6 SQLITE_LOCKED.
const busyCodes: ReadonlySet<number> = new Set([5, 6])
const constraintCode = 19
/** SQLITE_AUTH: what a connection of ours does not allow. */
const refusedCode = 23
// SQLITE_IOERR_FSYNC
const flushCode = 1034

/**
 * What SQLite's codes say of the disk, by the code proper or, where it says more, by the extended one.
 *
 * @see https://www.sqlite.org/rescode.html
 */
const storageFaults: ReadonlyMap<number, StorageFault> = new Map([
  [8, 'read-only'],
  [10, 'failing'],
  [13, 'full'],
  [14, 'failing'],
  // SQLITE_IOERR_SHMSIZE: the index of the log could not be made longer, which is the first to meet a full disk.
  [4874, 'full'],
])

// Looked at by shape: an error of node:sqlite need not be an instance of this realm's Error.
function property(error: unknown, name: 'code' | 'errcode'): unknown {
  return typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined
}

function sqliteCode(error: unknown): number | undefined {
  const errcode = property(error, 'errcode')
  return typeof errcode === 'number' ? errcode : undefined
}

function primaryCode(error: unknown): number {
  return (sqliteCode(error) ?? 0) & 0xff
}

/** What an error is known by, in a form that can go to another thread; `toProblem` takes it for the error. */
export interface SqliteCodes {
  readonly code: string | undefined
  readonly errcode: number | undefined
}

export function codesOf(error: unknown): SqliteCodes {
  const origin = error instanceof Problem ? error.cause : error
  const code = property(origin, 'code')
  return { code: typeof code === 'string' ? code : undefined, errcode: sqliteCode(origin) }
}

/** Whether another connection holds the lock, so that the same call may succeed later. */
export function isBusy(error: unknown): boolean {
  return busyCodes.has(primaryCode(error)) || isProblem(error, 'busy')
}

/** Whether the disk did not take what was handed to it. */
export function isFlushFailure(error: unknown): boolean {
  return sqliteCode(error) === flushCode
}

/** Another process holds what is needed here. */
export function busyProblem(cause?: unknown): Problem {
  return new Problem('busy', 'store.busy', 'The store is in use by another process.', { retryAfterSeconds: 1, cause })
}

/** Somebody else has put what runs by itself into a file of ours. */
export function foreignSchema(cause?: unknown): Problem {
  const text =
    'The database file holds a trigger or view, which this program never makes: somebody else has changed it.'
  return new Problem('fault', 'store.schema-foreign', text, { cause })
}

/** Whether a row with this key exists. */
export function isConstraint(error: unknown): boolean {
  return primaryCode(error) === constraintCode
}

/**
 * What a caller is told when SQLite throws. The detail names the result code and never SQLite's own message,
 * which might name a value.
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (isBusy(error)) return busyProblem(error)
  if (property(error, 'code') === 'ERR_INVALID_STATE') return closedProblem(error)
  if (primaryCode(error) === refusedCode) return foreignSchema(error)
  const detail = `sqlite result code ${sqliteCode(error) ?? 'none'}`
  const fault =
    storageFaults.get(sqliteCode(error) ?? 0) ?? storageFaults.get(primaryCode(error)) ?? storageFaultOf(error)
  if (fault !== undefined) return storageProblem(fault, { detail, cause: error })
  return new Problem('fault', 'store.failed', 'The store has failed.', { detail, cause: error })
}
