import type { IdentifierClaim } from './claims.ts'
import { identityTables, type Names } from './tables.ts'

/** What the numbers of two descriptions have in common. */
export type Link = 'own' | 'shared' | 'none'

/** What an identifier names, by its type: `NNxxx` stands for a type for each country. */
export function namesOf({ type }: IdentifierClaim): Names {
  if (type === undefined) return 'unsaid'
  const { namesOfType } = identityTables()
  return namesOfType.get(type) ?? (/^NN[A-Z]{3}$/.test(type) ? 'single' : 'several')
}

/** Numbers that can find a person: they have an authority, and name a person or those who share them. */
export function findingIdentifiers(
  claims: readonly IdentifierClaim[],
): readonly (IdentifierClaim & { system: string })[] {
  return claims.filter(
    (claim): claim is IdentifierClaim & { system: string } => claim.system !== undefined && namesOf(claim) !== 'thing',
  )
}

/** The strongest number that two descriptions have in common: one's own, or one that others may have too. */
export function linkOf(ones: readonly IdentifierClaim[], others: readonly IdentifierClaim[]): Link {
  const common = inCommon(ones, others)
  if (common.length === 0) return 'none'
  const isOwn = (claim: IdentifierClaim) =>
    !others.some(other => isSame(claim, other) && namesOf(other) === 'shared') && namesOf(claim) !== 'shared'
  return common.some(isOwn) ? 'own' : 'shared'
}

/** The numbers that two descriptions have in common. */
export function inCommon(
  ones: readonly IdentifierClaim[],
  others: readonly IdentifierClaim[],
): readonly IdentifierClaim[] {
  return findingIdentifiers(ones).filter(one => others.some(other => isSame(one, other)))
}

function isSame(one: IdentifierClaim, other: IdentifierClaim): boolean {
  return one.system === other.system && one.value === other.value
}

/**
 * Whether an authority that gives each person one number of a type gave these two different ones. A number that was given
 * up still is that person's.
 */
export function contradicts(ones: readonly IdentifierClaim[], others: readonly IdentifierClaim[]): boolean {
  const singles = ones.filter(isSingle)
  return singles.some(one => {
    const isOfOneKind = (claim: IdentifierClaim) => claim.system === one.system && isOneType(one, claim)
    if (!others.some(other => isSingle(other) && isOfOneKind(other))) return false
    const mine = singles.filter(isOfOneKind)
    return !mine.some(claim => others.some(other => isSame(claim, other)))
  })
}

function isSingle(claim: IdentifierClaim): boolean {
  return claim.system !== undefined && claim.old !== true && ['single', 'unsaid'].includes(namesOf(claim))
}

function isOneType(one: IdentifierClaim, other: IdentifierClaim): boolean {
  return one.type === other.type || namesOf(one) === 'unsaid' || namesOf(other) === 'unsaid'
}
