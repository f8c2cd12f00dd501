import { giveWay } from '#kernel'
import type { KeyStore } from '#store'
import { exchanged } from '../set-digest.ts'
import { isSeal, type Seal, type SealKey, type WholeFault } from './seal.ts'
import type { KeyRow, Vouching } from './vouching.ts'

/** After so many rows others may have their turn: MongoDB gives all of them in one piece. */
const rowsAtOnce = 128

/** What going through all rows has found. */
export interface Examined {
  /** As it was when the rows were as they were; undefined where there is none, or none of ours. */
  readonly seal: Seal | undefined
  readonly sealBytes: Uint8Array | undefined
  readonly digest: bigint
  /** Those that were not written by this instance, or not so. */
  readonly forged: readonly KeyRow[]
  /** How many rows there are. */
  readonly rows: number
  /** Whether any row is vouched for at all: none is in what an earlier release has left. */
  readonly isVouched: boolean
}

/** Goes through all rows, as they were at one moment. */
export async function examine(keys: KeyStore, vouching: Vouching, sealKey: SealKey): Promise<Examined> {
  let digest = 0n
  let sealBytes: Uint8Array | undefined
  let isVouched = false
  let count = 0
  const forged: KeyRow[] = []
  for await (const rows of keys.everything())
    for (const row of [...rows.keys, ...rows.tombstones, ...rows.notes]) {
      count++
      if (isSeal(row)) {
        sealBytes = row.value
        continue
      }
      const { element, isOurs } = vouching.look(row)
      digest = exchanged(digest, undefined, element)
      isVouched ||= row.mac !== undefined
      if (!isOurs) forged.push(row)
      const pause = count % rowsAtOnce === 0 ? giveWay() : undefined
      if (pause !== undefined) await pause
    }
  return { seal: sealBytes && sealKey.open(sealBytes), sealBytes, digest, forged, rows: count, isVouched }
}

/** What is wrong with all rows together: some are missing, or are older than they were. */
export function faultOf({ seal, digest }: Examined, leastGeneration: number): WholeFault | 'incomplete' | undefined {
  if (seal === undefined) return 'unsealed'
  if (seal.fault !== undefined) return seal.fault
  if (seal.generation < leastGeneration) return 'older'
  return seal.digest === digest ? undefined : 'incomplete'
}
