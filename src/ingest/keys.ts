import { randomBytes } from 'node:crypto'
import { Problem } from '#kernel'
import type { Documents } from '#vault'

const collection = 'ingest-keys'

const mostTries = 10

/** The commons' own name among the keys; no Patient id has a colon. */
export const commonsKey = ':commons'

/**
 * The secret from which a patient's fingerprint ids are made. Random, made at the first import, kept as a sealed
 * document: with it an id says nothing, and imports on another server give other ids.
 *
 * @param owner  Patient id, or `commonsKey`
 * @throws Problem `fault` · `ingest.failed` when a damaged store neither has the key nor takes it
 */
export async function fingerprintKey(documents: Documents, owner: string): Promise<Uint8Array> {
  for (let tries = 0; tries < mostTries; tries++) {
    const found = await documents.get<{ key: string }>(collection, owner)
    if (found !== undefined) return Buffer.from(found.value.key, 'base64url')
    // Of two first imports at once one writes the key and both read it.
    await documents.put(
      collection,
      owner,
      { key: randomBytes(32).toString('base64url') },
      { ifRevision: 0, group: owner },
    )
  }
  throw new Problem('fault', 'ingest.failed', 'The key under which this is imported cannot be kept.')
}

/** The key of a patient for whom something was imported before; undefined for others. */
export async function knownFingerprintKey(documents: Documents, owner: string): Promise<Uint8Array | undefined> {
  const found = await documents.get<{ key: string }>(collection, owner)
  return found === undefined ? undefined : Buffer.from(found.value.key, 'base64url')
}

/** Forgets the key of a patient who in the end was not taken in: nothing was written under it. */
export async function forgetFingerprintKey(documents: Documents, owner: string): Promise<void> {
  await documents.delete(collection, owner)
}
