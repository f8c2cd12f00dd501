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

/** What a list was before, and the revision that a write has to meet. */
interface Known {
  readonly value?: Kept
  readonly revision: number
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
  const known = new Map<string, Known>()
  const written = new Set<string>()
  const warnings: Left[] = []
  for (const { by, type, ids, saidMs, said } of listings) {
    const name = [patient, ...by].join('/')
    const stood = known.get(name) ?? (await documents.get<Kept>(collection, name)) ?? { revision: 0 }
    known.set(name, stood)
    const before = stood.value
    if (before !== undefined && before.atMs > saidMs) continue
    const named = new Set(ids)
    const left = before?.ids.filter(id => !named.has(id)) ?? []
    const existing = left.length === 0 ? new Set<string>() : await txn.existing(type, left)
    const count = left.filter(id => existing.has(id) || created.includes(`${type}/${id}`)).length
    if (count > 0) warnings.push(said(count))
    known.set(name, { value: { atMs: saidMs, ids }, revision: stood.revision })
    written.add(name)
  }
  const options = { group: patient, expiresAtMs: nowMs + rememberedMs }
  // Of two lists at once the second one is held against the first.
  for (const [name, { value, revision }] of known)
    if (written.has(name))
      txn.document(documents.write(collection, name, value, { ...options, ifRevision: revision }), patient)
  return warnings
}

/** Forgets them for a patient who is erased. */
export async function forgetListed(documents: Documents, patient: string): Promise<void> {
  for (const { name } of await documents.list(collection, { group: patient })) await documents.delete(collection, name)
}
