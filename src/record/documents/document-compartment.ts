import { type Log, Problem } from '#kernel'
import type { CompartmentId, Store } from '#store'
import type { Vault } from '#vault'

const noteName = 'documents'

interface CompartmentRooms {
  readonly store: Store
  readonly vault: Vault
  readonly log: Log
}

/**
 * Which compartment is the ledger of documents: it stands beside the keys, since documents could not say it of themselves. Made on
 * first use. Where the note is lost or forged, the one key of that kind says it, whose kind is bound to it.
 *
 * @throws Problem `fault` · `record.note-forged` when nothing says it any more
 */
export async function compartmentOf(rooms: CompartmentRooms): Promise<CompartmentId> {
  const { vault, log } = rooms
  const noted = await vault.keys.note(noteName)
  if (noted === 'forged') {
    log.error('the keystore does not say any more which ledger is that of documents; run verify', { room: 'record' })
    return onlyOneOf(await written(rooms))
  }
  if (noted !== undefined) return idIn(noted)
  const [before] = await written(rooms)
  const id = Buffer.from(before ?? (await newCompartment(vault)), 'hex')
  const kept = await vault.keys.keepNote(noteName, id)
  return kept === 'forged' ? onlyOneOf(await written(rooms)) : idIn(kept)
}

async function newCompartment(vault: Vault): Promise<CompartmentId> {
  return (await vault.createCompartment('documents')).compartment
}

/** Those of documents that hold anything. */
async function written({ store, vault }: CompartmentRooms): Promise<readonly CompartmentId[]> {
  const all = (await vault.compartments()).filter(({ kind }) => kind === 'documents').map(({ id }) => id)
  const heads = await store.heads(all)
  return all.filter(id => (heads.get(id) ?? 0) > 0)
}

/** An earlier release put a MAC behind it. */
const idIn = (note: Uint8Array): CompartmentId => Buffer.from(note.subarray(0, 16)).toString('hex')

/** @throws Problem `fault` · `record.note-forged` */
function onlyOneOf([id, ...others]: readonly CompartmentId[]): CompartmentId {
  if (id !== undefined && others.length === 0) return id
  const text = 'The keystore does not say any more where the ledger of documents is. Restore its backup.'
  throw new Problem('fault', 'record.note-forged', text)
}
