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
  const shared = keysOf(others.filter(isShared))
  return common.some(claim => !isShared(claim) && !shared.has(keyOf(claim))) ? 'own' : 'shared'
}

/** The numbers that two descriptions have in common. */
export function inCommon(
  ones: readonly IdentifierClaim[],
  others: readonly IdentifierClaim[],
): readonly IdentifierClaim[] {
  const known = keysOf(others)
  return findingIdentifiers(ones).filter(one => known.has(keyOf(one)))
}

/** What makes two numbers the same: no system has a line break. */
function keyOf({ system, value }: IdentifierClaim): string {
  return system === undefined ? `\n${value}` : `${system}\n${value}`
}

function keysOf(claims: readonly IdentifierClaim[]): ReadonlySet<string> {
  return new Set(claims.map(keyOf))
}

function isShared(claim: IdentifierClaim): boolean {
  return namesOf(claim) === 'shared'
}

/**
 * Whether an authority that gives each person one number of a type gave these two different ones. A number that was given
 * up still is that person's. Each number is looked at once, however many there are.
 */
export function contradicts(ones: readonly IdentifierClaim[], others: readonly IdentifierClaim[]): boolean {
  const agreed = keysOf(others)
  const theirs = kindsOf(others, () => true)
  for (const [system, kinds] of kindsOf(ones, claim => agreed.has(keyOf(claim)))) {
    const given = theirs.get(system)
    if (given !== undefined && kinds.keys().some(kind => meets(kind, given) && !agrees(kind, kinds))) return true
  }
  return false
}

/** Of the types of which an authority has given numbers, whether one of them is in common. */
type Kinds = ReadonlyMap<string, boolean>

/** A number without a type may be of any. */
const unsaid = ''

function kindsOf(
  claims: readonly IdentifierClaim[],
  isCommon: (claim: IdentifierClaim) => boolean,
): ReadonlyMap<string, Kinds> {
  const bySystem = new Map<string, Map<string, boolean>>()
  for (const claim of claims) {
    const { system, type = unsaid } = claim
    if (system === undefined || !isSingle(claim)) continue
    const kinds = bySystem.get(system) ?? new Map<string, boolean>()
    const kind = namesOf(claim) === 'unsaid' ? unsaid : type
    kinds.set(kind, kinds.get(kind) === true || isCommon(claim))
    bySystem.set(system, kinds)
  }
  return bySystem
}

function meets(kind: string, given: Kinds): boolean {
  return kind === unsaid || given.has(kind) || given.has(unsaid)
}

function agrees(kind: string, kinds: Kinds): boolean {
  if (kind === unsaid) return kinds.values().some(isCommon => isCommon)
  return kinds.get(kind) === true || kinds.get(unsaid) === true
}

function isSingle(claim: IdentifierClaim): boolean {
  return claim.old !== true && ['single', 'unsaid'].includes(namesOf(claim))
}
