import { isProblem } from '#kernel'
import type { Holder } from '#search'
import type { CompartmentId, Entry, Store } from '#store'
import type { CompartmentKeys, Vault } from '#vault'
import type { HeadNotes } from './head-notes.ts'
import { chainLink, decodePayload, firstLink } from './payload.ts'
import type { Registry } from './registry.ts'
import type { Finding } from './types.ts'

const readAhead = 1024

interface VerifyRooms {
  readonly store: Store
  readonly vault: Vault
  readonly registry: Registry
  readonly notes: HeadNotes
}

/** Opens every entry and segment of every compartment, follows the chains, and compares the heads with their notes. */
export async function* verifyAll(rooms: VerifyRooms): AsyncGenerator<Finding, void, void> {
  for (const text of await rooms.store.check()) yield { kind: 'store-fault', text }
  const heads = await rooms.store.allHeads()
  const known = await rooms.vault.compartments()
  const compartments = new Set([...heads.keys(), ...known.map(({ id }) => id)])
  for (const compartment of compartments) {
    const keys = await keysOf(rooms.vault, compartment)
    if (keys !== undefined) yield* verifyCompartment(rooms, keys, heads.get(compartment) ?? 0)
    else yield { kind: 'key-missing', compartment, text: 'The compartment has entries, but its key is gone.' }
  }
}

async function keysOf(vault: Vault, compartment: CompartmentId): Promise<CompartmentKeys | undefined> {
  try {
    return await vault.compartment(compartment)
  } catch (error) {
    if (isProblem(error)) return undefined
    throw error
  }
}

async function* verifyCompartment(
  { store, notes }: VerifyRooms,
  keys: CompartmentKeys,
  head: number,
): AsyncGenerator<Finding, void, void> {
  const { compartment } = keys
  const note = await notes.read(compartment)
  if (note === 'forged') yield { kind: 'rolled-back', compartment, text: 'The head note in the keystore is not ours.' }
  const noted = note === undefined || note === 'forged' ? undefined : note
  if (noted !== undefined && noted.seq > head)
    yield { kind: 'rolled-back', compartment, seq: noted.seq, text: 'The ledger ends before the head that was noted.' }
  let link: Uint8Array = firstLink
  let expected = 1
  for (;;) {
    const entries = await store.entriesFrom(compartment, expected, readAhead)
    for (const entry of entries) {
      const { seq } = entry
      if (seq > expected) yield { kind: 'entry-missing', compartment, seq: expected, text: 'Entries are missing.' }
      const chain = chainOf(keys, entry)
      if (chain === undefined) yield { kind: 'entry-broken', compartment, seq, text: 'The entry cannot be opened.' }
      else if (seq === expected && !Buffer.from(chain).equals(link))
        yield { kind: 'chain-broken', compartment, seq, text: 'The entry does not follow the one before it.' }
      link = chainLink(entry.sealed)
      expected = seq + 1
      if (noted?.seq === seq && !Buffer.from(noted.link).equals(link))
        yield { kind: 'rolled-back', compartment, seq, text: 'The entry is not the one that was noted as head.' }
    }
    if (entries.length < readAhead) break
  }
  if (expected <= head)
    yield { kind: 'entry-missing', compartment, seq: expected, text: 'Entries are missing at the end.' }
  yield* verifySegments(store, keys)
}

function chainOf(keys: CompartmentKeys, entry: Entry): Uint8Array | undefined {
  try {
    return decodePayload(keys.openEntry(entry)).chain
  } catch (error) {
    if (isProblem(error)) return undefined
    throw error
  }
}

async function* verifySegments(store: Store, keys: CompartmentKeys): AsyncGenerator<Finding, void, void> {
  const { compartment } = keys
  for (const segment of await store.segments(compartment)) {
    try {
      keys.openSegment(segment)
    } catch (error) {
      if (!isProblem(error)) throw error
      yield {
        kind: 'segment-broken',
        compartment,
        seq: segment.fromSeq,
        text: 'An index segment cannot be opened; run reindex.',
      }
    }
  }
}

/** Holders of everything that can be rebuilt from the ledger. */
export async function everyHolder(registry: Registry): Promise<readonly Holder[]> {
  const pairs = await Promise.all((await registry.patients()).map(patient => registry.ofPatient(patient)))
  const patients = pairs.filter(pair => pair !== undefined).flatMap(pair => [pair.data, pair.audit])
  return [...patients, ...registry.commons, registry.instanceAudit]
}
