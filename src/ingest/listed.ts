import type { Txn } from '#record'
import type { Documents } from '#vault'
import type { Left, Listing } from './outcome.ts'

const collection = 'ingest-listed'
/** A sender who has listed nothing for so long has forgotten, too. */
const rememberedMs = 366 * 24 * 3600 * 1000

/** Whose lists these are, and where the last ones are remembered. */
export interface ListedDeps {
  readonly documents: Documents
  readonly patient: string
  readonly nowMs: number
}

interface Kept {
  /** When it was said, Unix milliseconds. */
  readonly atMs: number
  readonly ids: readonly string[]
}

/**
 * Says of lists that are sent as a whole what the one before named and this one does not: it stays in the record. Said once, with the
 * list that leaves it out; one that comes late says nothing of what was listed since.
 *
 * @param created  `Type/id` of what the transaction itself has created
 */
export async function noLongerListed(
  txn: Txn,
  listings: readonly Listing[],
  { documents, patient, nowMs }: ListedDeps,
  created: readonly string[],
): Promise<readonly Left[]> {
  const kept = new Map<string, Kept>()
  const warnings: Left[] = []
  for (const { by, type, ids, saidMs, said } of listings) {
    const name = [patient, ...by].join('/')
    const before = kept.get(name) ?? (await documents.get<Kept>(collection, name))?.value
    if (before !== undefined && before.atMs > saidMs) continue
    const named = new Set(ids)
    const left = before?.ids.filter(id => !named.has(id)) ?? []
    const known = left.length === 0 ? new Set<string>() : await txn.existing(type, left)
    const count = left.filter(id => known.has(id) || created.includes(`${type}/${id}`)).length
    if (count > 0) warnings.push(said(count))
    kept.set(name, { atMs: saidMs, ids })
  }
  const options = { group: patient, expiresAtMs: nowMs + rememberedMs }
  for (const [name, value] of kept) txn.document(documents.write(collection, name, value, options))
  return warnings
}

/** Forgets them for a patient who is erased. */
export async function forgetListed(documents: Documents, patient: string): Promise<void> {
  for (const { name } of await documents.list(collection, { group: patient })) await documents.delete(collection, name)
}
