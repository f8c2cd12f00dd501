import { isProblem, Problem, type ProblemKind } from './problem.ts'

/** What a disk cannot do. */
export type StorageFault = 'full' | 'read-only' | 'failing' | 'handles-exhausted'

interface StorageRow {
  readonly kind: ProblemKind
  readonly code: string
  readonly text: string
  readonly retryAfterSeconds: number
}

const rows: Readonly<Record<StorageFault, StorageRow>> = {
  full: {
    kind: 'full',
    code: 'storage.full',
    text: "The server's disk is full: nothing was written. Somebody has to make room there.",
    retryAfterSeconds: 60,
  },
  'read-only': {
    kind: 'busy',
    code: 'storage.read-only',
    text: "The server's disk takes no writes: nothing was written. Somebody has to look at it.",
    retryAfterSeconds: 60,
  },
  failing: {
    kind: 'busy',
    code: 'storage.failing',
    text: "The server's disk could not read or write: nothing was changed. Try again.",
    retryAfterSeconds: 5,
  },
  'handles-exhausted': {
    kind: 'busy',
    code: 'storage.handles-exhausted',
    text: 'The server has too many files open at this moment. Try again.',
    retryAfterSeconds: 5,
  },
}

/** By the codes of https://man7.org/linux/man-pages/man3/errno.3.html; what else a file system says is a fault of ours. */
const faultByCode: Readonly<Record<string, StorageFault>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  EROFS: 'read-only',
  EIO: 'failing',
  ENXIO: 'failing',
  ENODEV: 'failing',
  ESTALE: 'failing',
  EMFILE: 'handles-exhausted',
  ENFILE: 'handles-exhausted',
}

/** What the file system means by an error; undefined when it is not about the disk. Looked at by shape, as errors cross realms. */
export function storageFaultOf(error: unknown): StorageFault | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' && Object.hasOwn(faultByCode, code) ? faultByCode[code] : undefined
}

/**
 * The Problem that a fault of the disk is told as.
 *
 * @param detail  for the log, e.g. the code of the system
 */
export function storageProblem(fault: StorageFault, more: { readonly detail?: string; readonly cause?: unknown } = {}) {
  const { kind, code, text, retryAfterSeconds } = rows[fault]
  return new Problem(kind, code, text, { ...more, retryAfterSeconds })
}

const codes: ReadonlySet<string> = new Set(Object.values(rows).map(({ code }) => code))

/** Whether a thrown value says that the disk is at fault, and not what was asked for. */
export function isStorageProblem(error: unknown): error is Problem {
  return isProblem(error) && codes.has(error.code)
}
