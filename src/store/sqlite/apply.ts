import { Conflict } from '../conflict.ts'
import type { CommitResult } from '../contract.ts'
import type { CheckedCommit } from '../well-formed.ts'
import type { Documents } from './documents.ts'
import type { Feed } from './feed.ts'
import type { Ledger } from './ledger.ts'

/** What commits are written to, all of one connection. */
export interface ApplyParts {
  readonly ledger: Ledger
  readonly documents: Documents
  readonly feed: Feed
}

/** Writes commits one after the other; the caller frames the transaction. @returns the results in the same order */
export function applyAll(parts: ApplyParts, commits: readonly CheckedCommit[]): readonly CommitResult[] {
  const moved = new Set<number>()
  const results = commits.map(commit => apply(parts, commit, moved))
  parts.feed.moved(moved)
  return results
}

// Compared first and written after, so that a lost race leaves nothing to undo for the others in the transaction.
function apply({ ledger, documents }: ApplyParts, commit: CheckedCommit, moved: Set<number>): CommitResult {
  const conflict = new Conflict()
  ledger.compare(commit, conflict)
  documents.compare(commit.documents, conflict)
  const lost = conflict.result()
  if (lost !== undefined) return lost
  for (const number of ledger.append(commit)) moved.add(number)
  for (const write of commit.documents) documents.write(write)
  return { ok: true }
}
