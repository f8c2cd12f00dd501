import { claimsOf, type PersonClaims } from '../identity/claims.ts'
import type { Part } from '../source/archive.ts'
import { ownerOf } from './electrocardiogram.ts'

/** The first lines name the person; the samples follow. Bytes. */
const headBytes = 4096

/** The people whom the electrocardiograms in an archive name, each description once. */
export async function ownersOfEcgs(parts: readonly Part[]): Promise<readonly PersonClaims[]> {
  const found = new Map<string, PersonClaims>()
  for (const part of parts.filter(({ extension }) => extension === 'csv')) {
    const owner = ownerOf((await part.head(headBytes)).toString('utf8'))
    if (owner !== undefined) found.set(JSON.stringify(owner), claimsOf(owner))
  }
  return [...found.values()]
}
