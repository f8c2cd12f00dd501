import type { VersionsSeen } from '#search'
import type { CompartmentId, Entry, Store } from '#store'

type Some = ReadonlyMap<CompartmentId, Pick<VersionsSeen, 'seqs'>>

/** Versions of a compartment that are fetched at once. */
const atOnce = 4

/** The entry of one version, if it is among those that are seen: nothing else is fetched. In each ledger versions rise with their seqs. */
export async function seenVersion(store: Store, some: Some, version: number): Promise<Entry | undefined> {
  for (const [compartment, { seqs }] of some) {
    const { entry } = await firstUpTo(store, compartment, seqs, version)
    if (entry?.version === version) return entry
  }
  return undefined
}

/** The entries of the versions that are seen, of each compartment the newest first; those below a version. */
export function seenEntries(store: Store, some: Some, below: number): readonly AsyncGenerator<Entry>[] {
  return [...some].map(([compartment, { seqs }]) => downwards(store, compartment, seqs, below))
}

/** Walks side by side, the newest version first, with all of its copies. */
export async function* inOrder(walks: readonly AsyncGenerator<Entry>[]): AsyncGenerator<Entry> {
  const fronts: (Entry | undefined)[] = []
  for (const walk of walks) fronts.push(await frontOf(walk))
  for (;;) {
    const newest = Math.max(...fronts.map(front => front?.version ?? 0))
    const at = fronts.findIndex(front => front?.version === newest)
    const [front, walk] = [fronts[at], walks[at]]
    if (front === undefined || walk === undefined) return
    yield front
    fronts[at] = await frontOf(walk)
  }
}

async function frontOf(walk: AsyncGenerator<Entry>): Promise<Entry | undefined> {
  const { done, value } = await walk.next()
  return done === true ? undefined : value
}

async function* downwards(
  store: Store,
  compartment: CompartmentId,
  seqs: readonly number[],
  below: number,
): AsyncGenerator<Entry> {
  const from = below === Number.POSITIVE_INFINITY ? { at: 0 } : await firstUpTo(store, compartment, seqs, below - 1)
  for (let { at } = from; at < seqs.length; at += atOnce) {
    const entries = await store.entriesAt(compartment, seqs.slice(at, at + atOnce))
    yield* entries.toSorted((a, b) => b.seq - a.seq)
  }
}

/** Where, of seqs that fall, the first one stands whose version is at most this, and its entry. */
async function firstUpTo(
  store: Store,
  compartment: CompartmentId,
  seqs: readonly number[],
  version: number,
): Promise<{ readonly at: number; readonly entry?: Entry | undefined }> {
  let found: Entry | undefined
  let low = 0
  let high = seqs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const [entry] = await store.entriesAt(compartment, [seqs[middle] as number])
    if (entry === undefined || entry.version > version) low = middle + 1
    else {
      high = middle
      found = entry
    }
  }
  return { at: low, entry: found }
}
