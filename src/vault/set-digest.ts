const modulus = 2n ** 256n

/**
 * The digest of a set is the sum of what its elements make under a key, so that one is put in the place of another without looking
 * at the rest.
 *
 * @param digest  a number below 2^256, as are the others
 * @see https://people.csail.mit.edu/devadas/pubs/mhashes.pdf MSet-Add-Hash; the sum is kept sealed, in the place of its nonce
 */
export function exchanged(digest: bigint, before: bigint | undefined, after: bigint | undefined): bigint {
  return (((digest - (before ?? 0n) + (after ?? 0n)) % modulus) + modulus) % modulus
}
