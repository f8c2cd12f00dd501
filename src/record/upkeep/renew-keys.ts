import type { CompartmentId, Entry, Segment, Store } from '#store'
import type { CompartmentKeys, Vault } from '#vault'
import { decodePayload, encodePayload, linkOf } from '../ledger/payload.ts'

/** What is sealed in one transaction: enough to be fast, few enough that a crash costs little. */
const slice = 1_000

interface RenewalRooms {
  readonly store: Store
  readonly vault: Vault
}

/**
 * Gives a compartment a new key and seals everything in it anew; then the old key is destroyed. One that was cut off is gone on
 * with: while there are two versions of a key, the newer one is not yet alone. Entries keep the link that later entries name.
 *
 * Nobody else may have the store open.
 *
 * @returns how many entries were sealed anew
 */
export async function renewKey({ store, vault }: RenewalRooms, compartment: CompartmentId): Promise<number> {
  const begun = (await vault.versionsOf(compartment)) > 1
  const keys = begun ? await vault.compartment(compartment) : await vault.renewCompartment(compartment)
  const count = await resealEntries(store, keys)
  for (const segment of await store.segments(compartment)) await resealSegment(store, keys, segment)
  for (const blob of await store.blobNames(compartment)) await resealBlob(store, keys, blob)
  await vault.retireCompartment(compartment)
  return count
}

async function resealEntries(store: Store, keys: CompartmentKeys): Promise<number> {
  let count = 0
  for (let fromSeq = 1; ; ) {
    const entries = await store.entriesFrom(keys.compartment, fromSeq, slice)
    const last = entries.at(-1)
    if (last === undefined) return count
    const stale = entries.filter(entry => !keys.isNewest(entry.sealed))
    await store.reseal(
      keys.compartment,
      stale.map(entry => ({ seq: entry.seq, sealed: resealed(keys, entry) })),
    )
    count += stale.length
    fromSeq = last.seq + 1
  }
}

/** @throws Problem `fault` · `vault.seal-broken` for what is damaged: it is not covered up with a new seal */
function resealed(keys: CompartmentKeys, entry: Entry): Entry['sealed'] {
  const payload = decodePayload(keys.openEntry(entry))
  return keys.sealEntry(encodePayload({ ...payload, link: Buffer.from(linkOf(entry, payload)) }), entry)
}

async function resealSegment(store: Store, keys: CompartmentKeys, segment: Segment): Promise<void> {
  if (!keys.isNewest(segment.sealed))
    await store.putSegment({ ...segment, sealed: keys.sealSegment(keys.openSegment(segment), segment) })
}

/** It takes the place of the one that it is made of, once it is whole. */
async function resealBlob(store: Store, keys: CompartmentKeys, blob: string): Promise<void> {
  const { compartment } = keys
  for await (const { sealed } of store.blob(compartment, blob))
    if (keys.isNewest(sealed)) return
    else break
  await store.putBlob(compartment, blob, keys.sealBlob(blob, keys.openBlob(blob, store.blob(compartment, blob))))
}
