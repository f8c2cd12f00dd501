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
  /** Ids of those who were merged into the patient: what they had listed is the patient's now. */
  readonly merged: readonly string[]
  readonly nowMs: number
}

interface Kept {
  /** When it was said, Unix milliseconds. */
  readonly atMs: number
  readonly ids: readonly string[]
  /** When the last lists of those who were merged into the patient were said, against which it was held. */
  readonly merged?: Readonly<Record<string, number>>
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
  { documents, patient, merged, nowMs }: ListedDeps,
  created: readonly string[],
): Promise<readonly Left[]> {
  const known = new Map<string, Known>()
  const written = new Set<string>()
  const warnings: Left[] = []
  for (const listing of listings) {
    const { by, type, ids, saidMs, said } = listing
    const name = nameOf(patient, by)
    const stood = known.get(name) ?? (await documents.get<Kept>(collection, name)) ?? { revision: 0 }
    known.set(name, stood)
    const before = stood.value
    if (before !== undefined && before.atMs > saidMs) continue
    const others = await listsOfOthers(documents, listing, before, merged)
    const named = new Set(ids)
    const listed = new Set([before, ...others.map(({ list }) => list)].flatMap(list => list?.ids ?? []))
    const left = [...listed].filter(id => !named.has(id))
    const isOfMerge = before?.merged !== undefined || others.length > 0
    const count = await countKept(txn, { type, left, created, ...(isOfMerge ? { patient } : {}) })
    if (count > 0) warnings.push(said(count))
    const heldAgainst = Object.fromEntries([
      ...Object.entries(before?.merged ?? {}).filter(([other]) => merged.includes(other)),
      ...others.map(({ other, list }) => [other, list.atMs] as const),
    ])
    const ofMerge = Object.keys(heldAgainst).length === 0 ? {} : { merged: heldAgainst }
    known.set(name, { value: { atMs: saidMs, ids, ...ofMerge }, revision: stood.revision })
    written.add(name)
  }
  const options = { group: patient, expiresAtMs: nowMs + rememberedMs }
  // Of two lists at once the second one is held against the first.
  for (const [name, { value, revision }] of known)
    if (written.has(name))
      txn.document(documents.write(collection, name, value, { ...options, ifRevision: revision }), patient)
  return warnings
}

function nameOf(patient: string, by: Listing['by']): string {
  return [patient, ...by].join('/')
}

/**
 * What the same sender had listed last of those who were merged into the patient, each once. They keep it: when the merge is undone,
 * their next list is held against it.
 */
async function listsOfOthers(
  documents: Documents,
  { by, saidMs }: Listing,
  before: Kept | undefined,
  merged: readonly string[],
): Promise<readonly { readonly other: string; readonly list: Kept }[]> {
  const lists = []
  for (const other of merged) {
    const list = (await documents.get<Kept>(collection, nameOf(other, by)))?.value
    const isNew = list !== undefined && list.atMs > (before?.merged?.[other] ?? Number.NEGATIVE_INFINITY)
    if (isNew && list.atMs <= saidMs) lists.push({ other, list })
  }
  return lists
}

interface Missing {
  readonly type: string
  readonly left: readonly string[]
  readonly created: readonly string[]
  /** Whose it must be still, where some of it was listed as somebody else's: what went back with a merge is not. */
  readonly patient?: string
}

/** How many of what is not listed any more there are. */
async function countKept(txn: Txn, { type, left, created, patient }: Missing): Promise<number> {
  if (left.length === 0) return 0
  const existing = await txn.existing(type, left)
  const known = left.filter(id => existing.has(id))
  const staying = patient === undefined ? known : await ofPatient(txn, type, known, patient)
  return staying.length + left.filter(id => !existing.has(id) && created.includes(`${type}/${id}`)).length
}

async function ofPatient(txn: Txn, type: string, ids: readonly string[], patient: string): Promise<readonly string[]> {
  const kept: string[] = []
  for (const id of ids) if ((await txn.read(type, id))?.holder.patient === patient) kept.push(id)
  return kept
}

/** Forgets them for a patient who is erased. */
export async function forgetListed(documents: Documents, patient: string): Promise<void> {
  for (const { name } of await documents.list(collection, { group: patient })) await documents.delete(collection, name)
}
