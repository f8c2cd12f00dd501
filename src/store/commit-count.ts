import { counter, traced } from '#kernel'
import type { CommitResult } from './contract.ts'

const outcomes = {
  written: counter('kinhold_store_commits_total', 'Commits by their outcome', { outcome: 'written' }),
  conflict: counter('kinhold_store_commits_total', 'Commits by their outcome', { outcome: 'conflict' }),
  failed: counter('kinhold_store_commits_total', 'Commits by their outcome', { outcome: 'failed' }),
}

/** Transactions in which commits were written: as many as commits where none shares one. */
export const flushes = counter(
  'kinhold_store_flushes_total',
  'Transactions of the database that were written, each with one flush of its disk',
)

/** Counts a commit by how it ends, and shows how long it takes to who follows a request. */
export function counted(commit: () => Promise<CommitResult>): Promise<CommitResult> {
  return traced('store.commit', async () => {
    try {
      const result = await commit()
      outcomes[result.ok ? 'written' : 'conflict'].add()
      return result
    } catch (error) {
      outcomes.failed.add()
      throw error
    }
  })
}
