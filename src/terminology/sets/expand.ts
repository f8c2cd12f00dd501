import { Problem, type Steps } from '#kernel'
import { splitCanonical, type ValueSetDefinition } from '../definitions.ts'
import { type Candidate, type Definitions, type Member, Membership, type Versions } from './membership.ts'

/** How a value set is to be expanded. */
export interface ExpansionRequest {
  /** Words that each begin a word of the display, of a designation, or the code. */
  readonly filter?: string | undefined
  readonly offset?: number | undefined
  /** At most so many codes; all of them when undefined, none of them when 0. */
  readonly count?: number | undefined
  readonly activeOnly?: boolean | undefined
  /** Leaves out what people do not choose. */
  readonly selectableOnly?: boolean | undefined
  /** Canonicals of code systems whose codes are left out. */
  readonly excludedSystems?: readonly string[]
  readonly versions?: Versions
}

/** The codes of a value set, or a page of them. */
export interface Expansion {
  /** Of all pages together. */
  readonly total: number
  readonly members: readonly Member[]
  /** `system|version` of the code systems that took part. */
  readonly systems: readonly string[]
  /** Code systems of which only a part is held: what else they have is missing. */
  readonly partlyHeld: readonly string[]
}

/** As many codes as one answer may hold. */
export const largestExpansion = 10_000

/**
 * The codes of a value set, flat and without repetition, in the order in which it names them.
 *
 * @throws Problem `too-costly` · `terminology.endless`, `terminology.expansion-too-large`; `unprocessable` ·
 *   `terminology.system-unknown`, `terminology.value-set-unknown`, `terminology.value-set-circular` and what filters throw
 * @see https://hl7.org/fhir/R4/valueset.html#expansion
 */
export function* expand(
  valueSet: ValueSetDefinition,
  definitions: Definitions,
  request: ExpansionRequest = {},
): Steps<Expansion> {
  const membership = new Membership(definitions, request.versions)
  const isWanted = wanted(request)
  const [first, beyond] = boundsOf(request)
  const seen = new Set<string>()
  const systems = new Set<string>()
  const members: Member[] = []
  let total = 0
  for (const candidate of membership.candidates(valueSet, wordsOf(request.filter ?? ''))) {
    yield
    if (isRepeated(candidate, seen)) continue
    const finding = membership.find(valueSet, candidate)
    if (finding.is === 'unknown') throw finding.problem
    if (finding.is === 'out' || !isWanted(finding.member)) continue
    const { system, version } = finding.member
    systems.add(`${system}|${version ?? ''}`)
    if (total >= first && total < beyond) members.push(finding.member)
    total++
    if (members.length > largestExpansion) throw tooLarge()
  }
  return { total, members, systems: systems.values().toArray().sort(), partlyHeld: membership.partlyHeld() }
}

function boundsOf({ offset = 0, count = Number.POSITIVE_INFINITY }: ExpansionRequest): readonly [number, number] {
  return [offset, offset + count]
}

function isRepeated({ system, version, code }: Candidate, seen: Set<string>): boolean {
  const key = `${system}|${version ?? ''}|${code}`
  if (seen.has(key)) return true
  seen.add(key)
  return false
}

function wanted({ filter, activeOnly, selectableOnly, excludedSystems = [] }: ExpansionRequest) {
  const words = wordsOf(filter ?? '')
  const excluded = excludedSystems.map(splitCanonical)
  return (member: Member): boolean =>
    !(activeOnly === true && member.isInactive) &&
    !(selectableOnly === true && member.isAbstract) &&
    !excluded.some(({ url, version }) => url === member.system && (version ?? member.version) === member.version) &&
    (words.length === 0 || holds(member, words))
}

/** Letters without their marks, in small; everything else stands between words. */
function wordsOf(text: string): readonly string[] {
  const plain = text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
  return plain.split(/[^\p{L}\p{N}]+/u).filter(word => word !== '')
}

function holds({ code, display = '', designations }: Member, words: readonly string[]): boolean {
  const own = [code, display, ...designations.map(({ value }) => value)].flatMap(wordsOf)
  return words.every(word => own.some(each => each.startsWith(word)))
}

function tooLarge(): Problem {
  return new Problem(
    'too-costly',
    'terminology.expansion-too-large',
    `The value set has more than ${largestExpansion} codes: ask for it in pages by offset and count, or with a filter.`,
    { expression: 'count' },
  )
}
