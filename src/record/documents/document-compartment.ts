import { equalSecrets, Problem } from '#kernel'
import type { CompartmentId, KeyStore, Store } from '#store'
import type { Vault } from '#vault'

const noteName = 'documents'

interface CompartmentRooms {
  readonly store: Store
  readonly keys: KeyStore
  readonly vault: Vault
}

/**
 * Which compartment is the ledger of documents: it stands beside the keys, since documents could not say it of themselves. Made on
 * first use.
 *
 * @throws Problem `fault` · `record.note-forged`
 */
export async function compartmentOf({ keys, vault, store }: CompartmentRooms): Promise<CompartmentId> {
  const noted = await keys.note(noteName)
  if (noted !== undefined) return compartmentIn(vault, noted)
  const before = (await vault.compartments()).filter(({ kind }) => kind === 'documents')
  const heads = await store.heads(before.map(({ id }) => id))
  const written = before.find(({ id }) => (heads.get(id) ?? 0) > 0)
  return compartmentIn(
    vault,
    await keys.keepNote(noteName, noteOf(vault, written?.id ?? (await newCompartment(vault)))),
  )
}

async function newCompartment(vault: Vault): Promise<CompartmentId> {
  return (await vault.createCompartment('documents')).compartment
}

function noteOf(vault: Vault, compartment: CompartmentId): Buffer {
  const id = Buffer.from(compartment, 'hex')
  return Buffer.concat([id, vault.mac('documents-note', id)])
}

/** @throws Problem `fault` · `record.note-forged` */
function compartmentIn(vault: Vault, note: Uint8Array): CompartmentId {
  const id = note.subarray(0, 16)
  if (equalSecrets(note.subarray(16), vault.mac('documents-note', id))) return Buffer.from(id).toString('hex')
  const text = 'The keystore does not say any more where the ledger of documents is. Restore its backup.'
  throw new Problem('fault', 'record.note-forged', text)
}
