import type { Steps } from '#kernel'
import { compareBirthDates, type DateLikeness } from './birth-dates.ts'
import type { IdentifierClaim, PersonClaims } from './claims.ts'
import { contradicts, inCommon, type Link, linkOf } from './identifiers.ts'
import { closenessOf, compareNames, isCalledOtherwise, isCloser, isNamedSince, type NameLikeness } from './names.ts'

/** An element of a Patient by which people are told apart. */
export type IdentityElement = 'identifier' | 'name' | 'birthDate' | 'gender' | 'multipleBirth'

/** Whether a description fits a person, and by which elements it does not. */
export interface Comparison {
  readonly kind: 'agrees' | 'doubtful' | 'contradicts'
  readonly elements: readonly IdentityElement[]
}

/** Somebody whom a description may be about. */
export interface Candidate {
  /** Patient id. */
  readonly id: string
  readonly claims: PersonClaims
}

/** Whom a description is about. */
export type Verdict =
  | { readonly kind: 'certain'; readonly patient: string }
  | { readonly kind: 'contradiction'; readonly patient: string; readonly elements: readonly IdentityElement[] }
  | {
      readonly kind: 'doubtful'
      readonly patients: readonly string[]
      readonly elements: readonly IdentityElement[]
      /** Nobody but accounts says that the number is theirs. */
      readonly onTheirWord?: true
    }
  | { readonly kind: 'unknown' }

type Fit = readonly [kind: Comparison['kind'], ...elements: IdentityElement[]]

const agrees: Fit = ['agrees']
const otherDate: Fit = ['contradicts', 'birthDate']
const otherName: Fit = ['contradicts', 'name']
const both: Fit = ['contradicts', 'name', 'birthDate']

/** Name (rows) × birth date. One slip is doubtful; two at once are another person. */
// biome-ignore format: a table is read by its columns
const fits: Readonly<Record<NameLikeness, Readonly<Record<DateLikeness, Fit>>>> = {
  same:    { same: agrees,               alike: ['doubtful', 'birthDate'], other: otherDate, unknown: agrees },
  part:    { same: ['doubtful', 'name'], alike: both,                      other: both,      unknown: ['doubtful', 'name'] },
  unlike:  { same: otherName,            alike: both,                      other: both,      unknown: otherName },
  unknown: { same: agrees,               alike: ['doubtful', 'birthDate'], other: otherDate, unknown: agrees },
}

/** Compares a description with a person whom it is said to be about: by a number, or by somebody who imports a file. */
export function compare(incoming: PersonClaims, known: PersonClaims): Comparison {
  const [fit, ...elements] = fitOf(incoming, known)
  const sexDiffers = isOther(incoming.gender, known.gender)
  const numbersDiffer = contradicts(incoming.identifiers, known.identifiers)
  if (numbersDiffer) elements.unshift('identifier')
  if (sexDiffers) elements.push('gender')
  const orderDiffers = isOther(incoming.birthOrder, known.birthOrder)
  if (orderDiffers) elements.push('multipleBirth')
  // Twins, or a slip of the pen that is mended.
  const kind = orderDiffers && fit === 'agrees' ? 'doubtful' : fit
  if (kind === 'contradicts' || sexDiffers) return { kind: 'contradicts', elements }
  if (!numbersDiffer) return { kind, elements }
  // A hospital may register somebody twice: another number that is in common says so.
  const isLinked = linkOf(incoming.identifiers, known.identifiers) === 'own'
  return { kind: isLinked && kind === 'agrees' ? 'doubtful' : 'contradicts', elements }
}

function isOther(one: string | number | undefined, other: string | number | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other
}

function fitOf(incoming: PersonClaims, known: PersonClaims): Fit {
  const born = compareBirthDates(incoming.birthDate, known.birthDate)
  const fit = fits[compareNames(incoming.names, known.names)][born]
  // `Baby Girl` under the number of her mother: nothing but the birth date tells her from a child who got a name.
  const mayBeParent = fit === agrees && born === 'unknown' && isNamedSince(incoming.names, known.names)
  return mayBeParent ? ['doubtful', 'name'] : fit
}

/** Whether two descriptions fit by themselves, without a number: the same name and the same birth date. */
export function isSurelySame(incoming: PersonClaims, known: PersonClaims): boolean {
  const isNamed = compareNames(incoming.names, known.names) === 'same'
  return isNamed && isBornWith(incoming, known, 'same') && compare(incoming, known).kind === 'agrees'
}

function isBornWith(incoming: PersonClaims, known: PersonClaims, likeness: DateLikeness): boolean {
  return compareBirthDates(incoming.birthDate, known.birthDate) === likeness
}

/**
 * Whether a description fits somebody else better than the one whose number it gives: twins and siblings are called alike, and a
 * slip gives one of them the number of the other. Whose name is not known, or known in part, is not called otherwise: there the
 * number speaks alone, unless somebody else has the same name and birth date.
 */
export function fitsBetter(incoming: PersonClaims, other: PersonClaims, match: PersonClaims): boolean {
  const closeness = closenessOf(incoming.names, other.names)
  if (!isCalledOtherwise(incoming.names, match.names) && !isBornWith(incoming, other, 'same')) return false
  const isBetter = isCloser(closeness, 'alike') && isCloser(closeness, closenessOf(incoming.names, match.names))
  return isBetter && compare(withoutNumbers(incoming), withoutNumbers(other)).kind === 'agrees'
}

function withoutNumbers(claims: PersonClaims): PersonClaims {
  return { ...claims, identifiers: [] }
}

interface Compared extends Comparison {
  readonly id: string
  readonly claims: PersonClaims
  readonly numbers: ReadonlySet<IdentifierClaim>
}

/**
 * Whom a description is about, among those who have one of its numbers, each a step. Pure: nothing is looked up.
 *
 * @returns `certain` when one fits; `contradiction` when a number of theirs is given with another name, birth date or sex;
 *   `doubtful` when a person must decide; `unknown` when nobody has such a number
 */
export function* judge(incoming: PersonClaims, candidates: readonly Candidate[]): Steps<Verdict> {
  const linked: Compared[] = []
  for (const candidate of candidates) {
    linked.push(...comparedWith(incoming, candidate))
    yield
  }
  const fitting = linked.filter(({ kind }) => kind === 'agrees')
  const [only] = fitting
  if (only !== undefined && (linked.length === 1 || isAloneIn(only, linked, incoming)))
    return { kind: 'certain', patient: only.id }
  const [first] = linked
  if (first === undefined) return { kind: 'unknown' }
  if (linked.every(({ kind }) => kind === 'contradicts'))
    return { kind: 'contradiction', patient: first.id, elements: elementsOf(linked) }
  const elements = linked.length > 1 ? elementsOf([{ elements: ['identifier'] }, ...linked]) : first.elements
  return { kind: 'doubtful', patients: linked.map(({ id }) => id), elements }
}

/** Of several who were given the very same number, the one who fits by name and birth date, when nobody else does. */
function isAloneIn(one: Compared, linked: readonly Compared[], incoming: PersonClaims): boolean {
  const others = linked.filter(other => other !== one)
  return (
    isSurelySame(incoming, one.claims) &&
    others.every(other => other.kind !== 'agrees' && other.numbers.isSubsetOf(one.numbers))
  )
}

const byLink: Readonly<Record<Link, (incoming: PersonClaims, known: PersonClaims) => Comparison | undefined>> = {
  own: compare,
  shared: compareSharing,
  none: () => undefined,
}

function comparedWith(incoming: PersonClaims, { id, claims }: Candidate): readonly Compared[] {
  const comparison = byLink[linkOf(incoming.identifiers, claims.identifiers)](incoming, claims)
  const numbers = new Set(inCommon(incoming.identifiers, claims.identifiers))
  return comparison === undefined ? [] : [{ ...comparison, id, claims, numbers }]
}

/** A number that others share names nobody alone; with the same name and birth date it does, and with one alike it may. */
function compareSharing(incoming: PersonClaims, known: PersonClaims): Comparison | undefined {
  if (isSurelySame(incoming, known))
    return isCloser(closenessOf(incoming.names, known.names), 'alike')
      ? { kind: 'agrees', elements: [] }
      : { kind: 'doubtful', elements: ['name'] }
  const isNamed = compareNames(incoming.names, known.names) === 'same'
  const mayBe = isNamed && isBornWith(incoming, known, 'unknown') && compare(incoming, known).kind === 'agrees'
  return mayBe ? { kind: 'doubtful', elements: ['birthDate'] } : undefined
}

function elementsOf(
  compared: readonly { readonly elements: readonly IdentityElement[] }[],
): readonly IdentityElement[] {
  return [...new Set(compared.flatMap(({ elements }) => elements))]
}
