import type { MergeDeps } from './merging/both.ts'
import { type Merged, type MergeRequest, mergePatients } from './merging/merge.ts'
import { type Unmerged, unmergePatient } from './merging/unmerge.ts'

/** What is done about people who were taken for two, or for one. */
export interface People {
  /** Throws as `mergePatients`. */
  merge(request: MergeRequest): Promise<Merged>
  /** Throws as `unmergePatient`. */
  unmerge(request: Parameters<typeof unmergePatient>[0]): Promise<Unmerged>
}

export function openPeople(deps: MergeDeps): People {
  return {
    merge: request => mergePatients(request, deps),
    unmerge: request => unmergePatient(request, deps),
  }
}
