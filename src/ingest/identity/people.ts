import { matchPatients, type PatientMatch } from './matching.ts'
import type { MergeDeps } from './merging/both.ts'
import { mergedInto } from './merging/lineage.ts'
import { type Merged, type MergeRequest, mergePatients } from './merging/merge.ts'
import { type Unmerged, unmergePatient } from './merging/unmerge.ts'
import type { ReviewDeps } from './review/held.ts'
import { openReview, type Review, type TakeIn } from './review/review.ts'

/** What is done about people who were taken for two, or for one, or of whom it is doubtful. */
export interface People {
  /** Throws as `mergePatients`. */
  merge(request: MergeRequest): Promise<Merged>
  /** Throws as `unmergePatient`. */
  unmerge(request: Parameters<typeof unmergePatient>[0]): Promise<Unmerged>
  /** Throws as `matchPatients`. */
  match(request: Parameters<typeof matchPatients>[0]): Promise<readonly PatientMatch[]>
  /** Ids of those whose place a Patient took, whoever took theirs before first. */
  mergedInto(patient: string): Promise<readonly string[]>
  readonly review: Review
}

export function openPeople(deps: MergeDeps & ReviewDeps, takeIn: TakeIn): People {
  return {
    merge: request => mergePatients(request, deps),
    unmerge: request => unmergePatient(request, deps),
    match: request => matchPatients(request, deps),
    mergedInto: async patient => (await mergedInto(deps.record.documents, patient)).toReversed(),
    review: openReview(deps, takeIn),
  }
}
