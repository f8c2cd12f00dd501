import { lengthPrefixed } from '#kernel'
import type { StoredDocument } from '#store'
import type { Vault } from '#vault'

const modulus = 2n ** 256n

/**
 * What one document adds to the digest of all: a number of 256 bits that nobody can make, or see, without the instance key.
 */
export function elementOf(vault: Pick<Vault, 'mac'>, document: StoredDocument): bigint {
  const { collection, key, revision, group = '', expiresAtMs = '', sealed } = document
  const parts = [collection, key, String(revision), group, String(expiresAtMs), sealed]
  return BigInt(`0x${vault.mac('document-elements', lengthPrefixed(parts)).toString('hex')}`)
}

/**
 * The digest of a set of documents is the sum of their elements, so that one document is put in the place of another without
 * looking at the rest.
 *
 * @see https://people.csail.mit.edu/devadas/pubs/mhashes.pdf MSet-Add-Hash; the sum is kept sealed, in the place of its nonce
 */
export function exchanged(digest: bigint, before: bigint | undefined, after: bigint | undefined): bigint {
  return (((digest - (before ?? 0n) + (after ?? 0n)) % modulus) + modulus) % modulus
}

export const toText = (number: bigint): string => number.toString(16).padStart(64, '0')
export const fromText = (text: string): bigint => BigInt(`0x${text}`)
