import { createSecretKey, generateKeySync } from 'node:crypto'
import { newNonce } from './nonces.ts'
import { sealBroken } from './ring.ts'
import { nonceBytes, tagBytes, XaesKey } from './xaes.ts'

/** Seals pieces of a temporary file under a key that nobody keeps. */
export interface ScratchSeal {
  /** How much longer a sealed piece is than the plain one. */
  readonly overheadBytes: number
  seal(index: number, plain: Uint8Array): Buffer
  /** @throws Problem `fault` · `vault.seal-broken` when it is not the piece that was sealed at this index */
  open(index: number, sealedBytes: Uint8Array): Buffer
}

/**
 * A seal for bytes that must touch the disk on their way and must not outlive the process: the key is random, lives in
 * memory alone and belongs to one file. Pieces can be opened in any order; each is bound to its place.
 *
 * @param secret  32 random bytes for a file that is to be opened later, by whoever keeps them under a seal of the vault; what
 *   destroys them destroys the file
 */
export function newScratchSeal(secret?: Uint8Array): ScratchSeal {
  const key = new XaesKey(secret === undefined ? generateKeySync('aes', { length: 256 }) : createSecretKey(secret))
  const placeOf = (index: number) => Buffer.from(`kinhold/1 scratch ${index}`)
  return {
    overheadBytes: nonceBytes + tagBytes,
    seal: (index, plain) => {
      const nonce = newNonce()
      return Buffer.concat([nonce, ...key.seal(plain, nonce, placeOf(index))])
    },
    open: (index, sealedBytes) => {
      const nonce = sealedBytes.subarray(0, nonceBytes)
      const plain = key.open(sealedBytes.subarray(nonceBytes), nonce, placeOf(index))
      if (plain === undefined) throw sealBroken('scratch')
      return plain
    },
  }
}
