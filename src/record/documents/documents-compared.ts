import type { CompartmentId, Store } from '#store'
import { exchanged, type Vault } from '#vault'
import { type DocumentHead, nameOf } from './document-entry.ts'
import { everyRow } from './document-rows.ts'
import { changesBetween } from './documents-changed.ts'
import { elementOf } from './element.ts'

interface ComparedRooms {
  readonly store: Store
  readonly vault: Vault
  /** The ledger of documents. */
  readonly compartment: CompartmentId
  readHead(): Promise<DocumentHead>
}

/** What each row makes, by its name. */
type Elements = Map<string, bigint>

/** Whether all rows together make what the ledger says, and how many there are. */
export interface Compared {
  readonly isWhole: boolean
  readonly rows: number
}

/**
 * Adds all rows up while others go on writing. What they wrote meanwhile the ledger says, so that of these rows what was read is taken
 * out of the sum again and what was said put in. What was read of each is remembered only once somebody has written meanwhile: it takes room.
 *
 * @throws as `openChanges`, and what `readHead` throws
 */
export async function compareRows(rooms: ComparedRooms): Promise<Compared> {
  for (let seen: Elements | undefined; ; seen = new Map()) {
    const before = await rooms.readHead()
    const { sum, rows } = await sumOfRows(rooms, seen)
    // Read behind the rows: none of them is newer.
    const now = await rooms.readHead()
    const digest = now.seq === before.seq ? sum : seen && (await broughtUpTo(rooms, { sum, seen, before, now }))
    if (digest !== undefined) return { isWhole: digest === now.digest, rows }
  }
}

async function sumOfRows({ store, vault }: ComparedRooms, seen: Elements | undefined) {
  let [sum, rows] = [0n, 0]
  for await (const row of everyRow(store)) {
    const element = elementOf(vault, row)
    sum = exchanged(sum, undefined, element)
    seen?.set(nameOf(row), element)
    rows++
  }
  return { sum, rows }
}

interface Summed {
  readonly sum: bigint
  readonly seen: Elements
  readonly before: DocumentHead
  readonly now: DocumentHead
}

/** Undefined where the ledger was set back, or begins anew in between. */
async function broughtUpTo(rooms: ComparedRooms, { sum, seen, before, now }: Summed): Promise<bigint | undefined> {
  const changes = await changesBetween(rooms, before.seq, now.seq)
  if (changes === undefined) return undefined
  const last = new Map(changes.map(change => [nameOf(change), change.element]))
  let digest = sum
  for (const [name, element] of last) digest = exchanged(digest, seen.get(name), element)
  return digest
}
