import type { Locator, Sealed } from '../contract.ts'
import { idBytes } from '../ids.ts'
import { maxEntries } from '../well-formed.ts'

/**
 * An entry's row id is its compartment's number and its seq in one integer, so that the table itself is the index by
 * (compartment, seq). Numbers stay below 2^25 for the sum to be exact in JavaScript.
 */
export function toRowId(number: number, seq: number): number {
  return number * maxEntries + seq
}

export function numberOf(rowId: number): number {
  return Math.floor(rowId / maxEntries)
}

export function seqOf(rowId: number): number {
  return rowId % maxEntries
}

/** A locator as the database knows it: all of it, and the first four bytes, by which it is indexed. */
export interface LocatorKey {
  readonly bytes: Buffer
  readonly bucket: number
}

export function locatorKey(locator: Locator): LocatorKey {
  const bytes = idBytes(locator)
  return { bytes, bucket: bytes.readInt32BE(0) }
}

/** The bucket of a locator that comes from the database. */
export function bucketOf(locator: Uint8Array): number {
  return new DataView(locator.buffer, locator.byteOffset).getInt32(0)
}

/**
 * Bytes that come back from a column named `sealed`. The one cast of this store: nothing but `Sealed` was ever written
 * there, and opening what somebody else wrote into the file fails in `vault`, not here.
 */
export function sealedFromDatabase(bytes: Uint8Array): Sealed {
  return bytes as Sealed
}
