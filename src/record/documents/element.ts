import { lengthPrefixed } from '#kernel'
import type { StoredDocument } from '#store'
import type { Vault } from '#vault'

/**
 * What one document adds to the digest of all: a number of 256 bits that nobody can make, or see, without the instance key.
 */
export function elementOf(vault: Pick<Vault, 'mac'>, document: StoredDocument): bigint {
  const { collection, key, revision, group = '', expiresAtMs = '', sealed } = document
  const parts = [collection, key, String(revision), group, String(expiresAtMs), sealed]
  return BigInt(`0x${vault.mac('document-elements', lengthPrefixed(parts)).toString('hex')}`)
}

export const toText = (number: bigint): string => number.toString(16).padStart(64, '0')
export const fromText = (text: string): bigint => BigInt(`0x${text}`)
