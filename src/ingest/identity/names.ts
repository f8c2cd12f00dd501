import { jaroWinkler } from '@skyra/jaro-winkler'
import { doubleMetaphone } from 'double-metaphone'
import type { NameClaim } from './claims.ts'
import { identityTables } from './tables.ts'

/** How two names compare: `part` agrees in the family name or the given name and not in the other. */
export type NameLikeness = 'same' | 'part' | 'unlike' | 'unknown'

type Likeness = 'same' | 'unlike' | 'unknown'

/** A name taken apart and made comparable. */
interface Parts {
  readonly family: readonly string[]
  readonly given: readonly string[]
  /** Everything, where the name is one text. */
  readonly whole: readonly string[]
  /** `Baby Girl`: the child has no given name yet. */
  readonly newborn: boolean
  /** What tells an unnamed child from its twin, or whose it is: `a` of `Baby Girl A`, `jane` of `Boy of Jane`. */
  readonly marks: ReadonlySet<string>
}

const ranks: Readonly<Record<NameLikeness, number>> = { same: 3, part: 2, unlike: 1, unknown: 0 }

/** The best agreement between any of the names: people keep maiden names, nicknames, and names in two scripts. */
export function compareNames(ones: readonly NameClaim[], others: readonly NameClaim[]): NameLikeness {
  let best: NameLikeness = 'unknown'
  const otherParts = others.map(partsOf)
  for (const one of ones.map(partsOf))
    for (const other of otherParts) {
      const likeness = compareParts(one, other)
      if (ranks[likeness] > ranks[best]) best = likeness
    }
  return best
}

/** How closely two names are written alike: word for word, all words of one among those of the other, or only alike. */
export type Closeness = 'word-for-word' | 'in-part' | 'alike' | 'not'

const closenesses: readonly Closeness[] = ['not', 'alike', 'in-part', 'word-for-word']

/** Whether a name is written more like this one than like that one. */
export function isCloser(one: Closeness, other: Closeness): boolean {
  return closenesses.indexOf(one) > closenesses.indexOf(other)
}

/** The closest that any of the names come: of twins called Anna and Anne each fits both, and one of them word for word. */
export function closenessOf(ones: readonly NameClaim[], others: readonly NameClaim[]): Closeness {
  let best: Closeness = compareNames(ones, others) === 'same' ? 'alike' : 'not'
  const otherWords = others.map(writtenWords)
  for (const one of ones.map(writtenWords))
    for (const other of otherWords) {
      const closeness = closenessOfWords(one, other)
      if (isCloser(closeness, best)) best = closeness
    }
  return best
}

/**
 * Whether each name has a word that the other one has not: who is only known by a family name is not called otherwise, nor whose second
 * name is known by its initial.
 */
export function isCalledOtherwise(ones: readonly NameClaim[], others: readonly NameClaim[]): boolean {
  const otherWords = others.map(writtenWords)
  if (ones.length === 0 || others.length === 0) return false
  return ones.map(writtenWords).every(one => otherWords.every(other => !isPartOf(one, other) && !isPartOf(other, one)))
}

function isPartOf(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return [...one].every(word => other.has(word) || [...other].some(another => isInitial(word, another)))
}

function isInitial(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one]
  return short.length === 1 && long.startsWith(short)
}

/** All words in which a name is written: `Boy A` of an unnamed child too, which tells twins apart. */
function writtenWords({ family, given, text }: NameClaim): ReadonlySet<string> {
  const words = [...familyWords(family), ...known(given.flatMap(name => wordsOf(name)))]
  return new Set(words.length > 0 || text === undefined ? words : known(withoutParticles(wordsOf(text))))
}

function closenessOfWords(one: ReadonlySet<string>, other: ReadonlySet<string>): Closeness {
  if (one.size === 0 || other.size === 0) return 'not'
  if (one.size === other.size && one.isSubsetOf(other)) return 'word-for-word'
  const [few, many] = one.size < other.size ? [one, other] : [other, one]
  return few.size > 1 && few.isSubsetOf(many) ? 'in-part' : 'not'
}

function partsOf({ family, given, text }: NameClaim): Parts {
  const ownGiven = given.flatMap(name => wordsOf(name).flatMap(takenApart))
  const newborn = isNewborn(ownGiven)
  const marks = new Set(newborn ? ownGiven.filter(word => !identityTables().newborn.has(word)) : [])
  const parts = { family: familyWords(family), given: newborn ? [] : known(ownGiven), newborn, marks }
  if (parts.family.length + ownGiven.length > 0 || text === undefined) return { ...parts, whole: [] }
  return { ...parts, whole: known(withoutParticles(wordsOf(text))) }
}

function familyWords(family: string | undefined): readonly string[] {
  return family === undefined ? [] : known(withoutParticles(wordsOf(family)))
}

/** Nothing where one of the words says that the name is not known. */
function known(words: readonly string[]): readonly string[] {
  return words.some(word => identityTables().placeholderNames.has(word)) ? [] : words
}

function withoutParticles(words: readonly string[]): readonly string[] {
  const bearing = words.filter(word => !identityTables().particles.has(word))
  return bearing.length > 0 ? bearing : words
}

/** `BoyA` and `Babygirl2` are two words; further letters make names: `Boyd`. */
function takenApart(word: string): readonly string[] {
  const [, child, mark] = /^(baby|boy|girl|babyboy|babygirl|twin)([a-c1-9])$/.exec(word) ?? []
  return child === undefined || mark === undefined ? [word] : [child, mark]
}

/**
 * Whether one is an unnamed child and the other somebody who has a given name: a child who got one, or whoever it was born to, for
 * mother and child are called by one family name.
 */
export function isNamedSince(ones: readonly NameClaim[], others: readonly NameClaim[]): boolean {
  const [one, other] = [ones.map(partsOf), others.map(partsOf)]
  return (isUnnamed(one) && hasGiven(other)) || (isUnnamed(other) && hasGiven(one))
}

function isUnnamed(names: readonly Parts[]): boolean {
  return names.length > 0 && names.every(({ newborn }) => newborn)
}

function hasGiven(names: readonly Parts[]): boolean {
  return names.some(({ given }) => given.length > 0)
}

/** `Baby Girl A`, `Boy of Jane`. */
function isNewborn(words: readonly string[]): boolean {
  const { newborn } = identityTables()
  const [first = ''] = words
  if (!newborn.has(first)) return false
  return (
    words.some((word, at) => at > 0 && isOf.has(word)) || words.every(word => newborn.has(word) || word.length === 1)
  )
}

const isOf: ReadonlySet<string> = new Set(['of', 'von', 'de'])

/** https://unicode.org/reports/tr15/: letters that do not decompose, and umlauts as they are spelled without dots. */
const spellings: readonly (readonly [RegExp, string])[] = [
  [/ß/g, 'ss'],
  [/æ/g, 'ae'],
  [/œ/g, 'oe'],
  [/ø/g, 'oe'],
  [/å/g, 'aa'],
  [/ł/g, 'l'],
  [/[đð]/g, 'd'],
  [/þ/g, 'th'],
  [/ı/g, 'i'],
]

/** Of a name so many words count: each is compared with each. */
const mostWords = 40

/** Lower case, without marks, titles and punctuation; `Müller`, `Mueller` and `Muller` are one word. */
function wordsOf(text: string): readonly string[] {
  let plain = text.toLowerCase()
  for (const [letter, spelled] of spellings) plain = plain.replace(letter, spelled)
  plain = plain
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/(?<=\p{L})['’`ʼ](?=\p{L})/gu, '')
  const words = plain.split(/[^\p{L}\p{N}]+/u).filter(word => word !== '' && !identityTables().titles.has(word))
  return words.slice(0, mostWords).map(word => word.replace(/aa/g, 'a').replace(/(?<=[aou])e(?![aeiou])/g, ''))
}

function compareParts(one: Parts, other: Parts): NameLikeness {
  if (one.whole.length > 0 || other.whole.length > 0) return compareWholes(one, other)
  const straight = combined(compareFamilies(one, other), compareGivens(one, other))
  if (straight === 'same' || !isSwapped(one, other)) return straight
  return 'same'
}

/** Family × given. A child who has no given name yet may get another family name with it. */
function combined(family: Likeness, given: Likeness | 'newborn'): NameLikeness {
  if (given === 'newborn') return family === 'unlike' ? 'part' : family
  if (family === 'unlike') return given === 'same' ? 'part' : 'unlike'
  if (given === 'unlike') return family === 'same' ? 'part' : 'unlike'
  return family === 'same' || given === 'same' ? 'same' : 'unknown'
}

function compareFamilies(one: Parts, other: Parts): Likeness {
  if (one.family.length === 0 || other.family.length === 0) return 'unknown'
  if (writtenOtherwise(one.family, other.family)) return 'unknown'
  const [few, many] = byLength(one.family, other.family)
  const isPart = few.every(word => many.some(of => isAlike('family', word, of)))
  return isPart || isAlike('family', one.family.join(''), other.family.join('')) ? 'same' : 'unlike'
}

function compareGivens(one: Parts, other: Parts): Likeness | 'newborn' {
  if (one.newborn && other.newborn) return isMarkedOtherwise(one, other) ? 'unlike' : 'newborn'
  if (one.newborn || other.newborn) return 'newborn'
  if (one.given.length === 0 || other.given.length === 0) return 'unknown'
  if (writtenOtherwise(one.given, other.given)) return 'unknown'
  return isCalled(one.given, other.given) || isCalled(other.given, one.given) || isOneWord(one, other)
    ? 'same'
    : 'unlike'
}

/** `Baby Boy A` and `Baby Boy B` are twins; `Baby Boy` may be either. */
function isMarkedOtherwise({ marks }: Parts, other: Parts): boolean {
  return marks.size > 0 && other.marks.size > 0 && marks.isDisjointFrom(other.marks)
}

/** Whether the first name of one is among the names of the other: people go by their second name. */
function isCalled([first = '']: readonly string[], names: readonly string[]): boolean {
  return names.some((name, at) => isSameGiven(first, name, at === 0))
}

/** `Anne Marie` and `Annemarie`. */
function isOneWord(one: Parts, other: Parts): boolean {
  return isAlike('given', one.given.join(''), other.given.join(''))
}

function isSameGiven(a: string, b: string, isFirst: boolean): boolean {
  if (isAlike('given', a, b) || isShortFor(a, b)) return true
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  return long.startsWith(short) && (short.length >= 3 || (short.length === 1 && isFirst))
}

function isShortFor(a: string, b: string): boolean {
  const { shortNames } = identityTables()
  const rows = shortNames.get(a)
  return rows !== undefined && [...(shortNames.get(b) ?? [])].some(row => rows.has(row))
}

/** Some systems write the given name where the family name belongs. */
function isSwapped(one: Parts, other: Parts): boolean {
  return hasAll(one.family, other.given) && hasAll(other.family, one.given)
}

function hasAll(family: readonly string[], given: readonly string[]): boolean {
  return (
    family.length > 0 && given.length > 0 && family.every(word => given.some(name => isAlike('family', word, name)))
  )
}

function compareWholes(one: Parts, other: Parts): NameLikeness {
  const [few, many] = byLength(wholeOf(one), wholeOf(other))
  if (few.length === 0 || writtenOtherwise(few, many)) return 'unknown'
  const found = few.filter(word => many.some(of => isAlike('family', word, of) || isSameGiven(word, of, true))).length
  if (found === few.length) return 'same'
  return found > 0 ? 'part' : 'unlike'
}

function wholeOf({ whole, family, given }: Parts): readonly string[] {
  return whole.length > 0 ? whole : [...given, ...family]
}

function byLength(one: readonly string[], other: readonly string[]): readonly [readonly string[], readonly string[]] {
  return one.length <= other.length ? [one, other] : [other, one]
}

const latin = /\p{Script=Latin}/u

/** Names in two scripts cannot be compared letter by letter. */
function writtenOtherwise(one: readonly string[], other: readonly string[]): boolean {
  return latin.test(one.join('')) !== latin.test(other.join(''))
}

/** Letters of two words together; what is longer is no name, and takes as long to compare as the product of the two. */
const longestWords = 64

function isAlike(part: 'family' | 'given', a: string, b: string): boolean {
  if (a === b) return true
  const threshold = identityTables().thresholds.get(part)
  if (threshold === undefined || a.length < 3 || b.length < 3 || a.length + b.length > longestWords) return false
  const likeness = jaroWinkler(a, b)
  return likeness >= threshold.alike || (likeness >= threshold.alikeWhenSoundsSame && soundsSame(a, b))
}

function soundsSame(a: string, b: string): boolean {
  const sounds = new Set(doubleMetaphone(a))
  return doubleMetaphone(b).some(sound => sound !== '' && sounds.has(sound))
}
