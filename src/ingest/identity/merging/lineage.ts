import type { Documents } from '#vault'

/** What became of a Patient of a merge: its version before, and the one that the merge wrote. */
export interface Step {
  readonly from: number
  readonly to: number
}

/** A merge, by the id of the Patient that lost. Says which resources came from whom, and at which version. */
export interface Merge {
  readonly source: string
  readonly target: string
  /** Unix milliseconds. */
  readonly atMs: number
  /** When it was undone, Unix milliseconds. */
  readonly undoneAtMs?: number
  readonly state: 'moving' | 'merged' | 'undoing' | 'undone'
  readonly sourceStep: Step
  readonly targetStep: Step
  /** How many slices of `Moved` there are. */
  readonly slices: number
  readonly moved: number
}

/** A resource that came from the Patient that lost. */
export interface Moved extends Step {
  readonly type: string
  readonly id: string
  /** Where its references were turned, when it names the other patient too; else all that name them were. */
  readonly paths?: readonly string[]
}

const merges = 'ingest-merges'
const slices = 'ingest-merge-slices'

/** The merge in which a Patient lost. */
export async function mergeOf(documents: Documents, source: string) {
  const found = await documents.get<Merge>(merges, source)
  return found ?? { value: undefined, revision: 0 }
}

/** When it was decided last that two people are two, Unix milliseconds; undefined when they were never taken for one, or are. */
export async function partedAtMs(documents: Documents, one: string, other: string): Promise<number | undefined> {
  const undone: number[] = []
  for (const [source, target] of [
    [one, other],
    [other, one],
  ] as const) {
    const { value } = await mergeOf(documents, source)
    if (value?.state === 'undone' && value.target === target) undone.push(value.undoneAtMs ?? value.atMs)
  }
  return undone.length === 0 ? undefined : Math.max(...undone)
}

/** Ids of those whose place a Patient took, directly or by a merge before; not of merges that were undone. */
export async function mergedInto(documents: Documents, target: string): Promise<readonly string[]> {
  const losers = new Set<string>()
  const next = [target]
  for (let one = next.pop(); one !== undefined; one = next.pop())
    for (const { value } of await documents.list<Merge>(merges, { group: one })) {
      const isGone = value.state === 'merged' || value.state === 'moving'
      if (!isGone || value.target !== one || value.source === target || losers.has(value.source)) continue
      losers.add(value.source)
      next.push(value.source)
    }
  return [...losers]
}

/** @param revision  the one that was read; the commit fails when another merge was faster */
export function writeMerge(documents: Documents, merge: Merge, revision: number) {
  return documents.write(merges, merge.source, merge, { ifRevision: revision, group: merge.target })
}

export function writeSlice(documents: Documents, { source, atMs }: Merge, nth: number, moved: readonly Moved[]) {
  return documents.write(slices, sliceName(source, atMs, nth), moved, { group: source })
}

/** All that was moved, slice by slice. */
export async function movedBy(documents: Documents, merge: Merge): Promise<readonly Moved[]> {
  const all: Moved[] = []
  for (let nth = 0; nth < merge.slices; nth++) {
    const found = await documents.get<readonly Moved[]>(slices, sliceName(merge.source, merge.atMs, nth))
    all.push(...(found?.value ?? []))
  }
  return all
}

function sliceName(source: string, atMs: number, nth: number): string {
  return `${source}/${atMs}/${nth}`
}
