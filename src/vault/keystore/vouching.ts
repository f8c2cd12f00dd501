import { createHmac, type KeyObject } from 'node:crypto'
import { equalSecrets, lengthPrefixed } from '#kernel'
import type { Note, Tombstone, WrappedKey } from '#store'
import type { KeyVersions } from '../ring.ts'

const macBytes = 16
const elementBytes = 32

/** A row of the keystore, whichever table it is of. */
export type KeyRow = WrappedKey | Tombstone | Note

/** What vouches for the rows of one instance's keystore: each for itself, and all of them together. */
export class Vouching {
  readonly #key: KeyObject

  constructor(instance: KeyVersions) {
    this.#key = instance.stableKey('mac/keystore-rows')
  }

  /** The same row with what proves that it was written here, at this place, with this content. */
  vouchedFor<T extends KeyRow>(row: T): T {
    return { ...row, mac: Uint8Array.from(this.#digest(row).subarray(0, macBytes)) }
  }

  isOurs(row: KeyRow): boolean {
    return this.look(row).isOurs
  }

  /** What the row adds to the digest of all: a part of the HMAC that stands nowhere. */
  elementOf(row: KeyRow): bigint {
    return this.look(row).element
  }

  /** Both at once. */
  look(row: KeyRow): { readonly isOurs: boolean; readonly element: bigint } {
    const digest = this.#digest(row)
    const isOurs = row.mac !== undefined && equalSecrets(row.mac, digest.subarray(0, macBytes))
    return { isOurs, element: BigInt(`0x${digest.toString('hex', digest.length - elementBytes)}`) }
  }

  #digest(row: KeyRow): Buffer {
    return createHmac('sha512', this.#key)
      .update(lengthPrefixed(partsOf(row)))
      .digest()
  }
}

/** What a row is called, among those of all tables. */
export function nameOf(row: KeyRow): string {
  if ('wrapped' in row) return `key ${row.owner} ${row.kind} ${row.version}`
  return 'atMs' in row ? `tombstone ${row.owner}` : `note ${row.name}`
}

function partsOf(row: KeyRow): (string | Uint8Array)[] {
  if ('wrapped' in row) return ['key', row.owner, row.kind, String(row.version), row.wrapped, paramsText(row)]
  if ('atMs' in row) return ['tombstone', row.owner, String(row.atMs)]
  return ['note', row.name, row.value]
}

/** Whatever order a store gives them back in. */
function paramsText({ params }: WrappedKey): string {
  return JSON.stringify(Object.entries(params).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}
