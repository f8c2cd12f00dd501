import type { ReachNote } from '#access'
import type { Resource } from '#fhir'
import { Problem, type ProblemKind } from '#kernel'
import type { ListedFile } from './lists.ts'

/** What is kept of an export: what was asked, and what its files are. */
export interface StoredExport extends ReachNote {
  readonly owner: string
  readonly state: 'running' | 'done' | 'failed'
  readonly request: string
  /** Whether an erasure within its reach removes it: the request, or what it lists, may tell of who was erased. */
  readonly isTelling: boolean
  /** What Consents withheld when it was made, as `Exporter.withheldNote` tells it. */
  readonly withheld?: string
  readonly elements: readonly string[]
  readonly expiresAtMs: number
  /** While it runs: when its process will have given another sign of life, Unix milliseconds. */
  readonly aliveUntilMs: number
  readonly found: number
  readonly atMs?: number
  readonly files: readonly (ListedFile & { readonly count: number })[]
  readonly errors: readonly Resource[]
  readonly problem?: { readonly kind: ProblemKind; readonly code: string; readonly text: string }
}

/** Why an export has not come to its end. */
export const failures = {
  interrupted: () =>
    new Problem(
      'fault',
      'bulk.interrupted',
      'The server ended while it was exporting. Nothing is kept: begin it anew.',
    ),
  tooLong: () => new Problem('too-costly', 'bulk.too-long', 'The export took too long. Ask for less at once.'),
  withdrawn: (cause: unknown) =>
    new Problem('forbidden', 'bulk.withdrawn', 'The access token does not permit this export any more.', { cause }),
  removed: () => new Problem('gone', 'bulk.removed', 'The export was removed.'),
  failed: (cause: unknown) => new Problem('fault', 'bulk.failed', 'The export failed.', { cause }),
} as const
