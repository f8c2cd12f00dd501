import { lengthPrefixed } from '#kernel'
import type { Note } from '#store'
import { newNonce } from '../nonces.ts'
import type { KeyVersions } from '../ring.ts'
import { nonceBytes, XaesKey } from '../xaes.ts'
import type { KeyRow } from './vouching.ts'

/** What is wrong with all of a keystore, and stays wrong until somebody has taken it as it is. */
export type WholeFault = 'older' | 'unsealed'

/** What is known of all rows together. */
export interface Seal {
  /** Counts the changes there ever were. */
  readonly generation: number
  /** The sum of what all rows make, this one aside. */
  readonly digest: bigint
  /** Found once, and written on with: the sum says nothing any more. */
  readonly fault?: WholeFault | undefined
}

/** The name of the note that holds it. */
export const sealName = 'seal'

/** Whether a row is the seal itself, which is not among what it seals. */
export const isSeal = (row: KeyRow): row is Note => 'name' in row && row.name === sealName

const fixedBytes = 8 + 32 + 1
const faults: readonly (WholeFault | undefined)[] = [undefined, 'older', 'unsealed']

/** Seals what is known of all rows: whoever sees the sum could tell what a row makes. */
export class SealKey {
  readonly #key: XaesKey
  readonly #aad: Buffer

  constructor(instance: KeyVersions) {
    // Of the oldest epoch, like the MACs: a house that is open goes on while it gets a new one.
    this.#key = new XaesKey(instance.stableKey('keystore-seal'))
    this.#aad = lengthPrefixed(['kinhold/keystore-seal', instance.instanceId])
  }

  close({ generation, digest, fault }: Seal): Uint8Array {
    const plain = Buffer.alloc(fixedBytes)
    plain.writeBigUInt64BE(BigInt(generation))
    plain.write(digest.toString(16).padStart(64, '0'), 8, 'hex')
    plain.writeUInt8(faults.indexOf(fault), 40)
    const nonce = newNonce()
    return Uint8Array.from(Buffer.concat([nonce, ...this.#key.seal(plain, nonce, this.#aad)]))
  }

  /** @returns undefined when it was not sealed here */
  open(bytes: Uint8Array): Seal | undefined {
    const plain = this.#key.open(bytes.subarray(nonceBytes), bytes.subarray(0, nonceBytes), this.#aad)
    if (plain?.length !== fixedBytes) return undefined
    const digest = BigInt(`0x${plain.toString('hex', 8, 40)}`)
    return { generation: Number(plain.readBigUInt64BE()), digest, fault: faults[plain.readUInt8(40)] }
  }
}
