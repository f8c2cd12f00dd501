import { Problem, spend } from '#kernel'
import {
  type CodingFact,
  type Designation,
  type IncludeDefinition,
  joinCanonical,
  type ListedConcept,
  type ValueSetDefinition,
} from '../definitions.ts'
import type { CodeSystem, Concept } from '../systems/code-system.ts'
import { type Test, testOf } from './filters.ts'
import { type Contained, type Expanded, expandedIn, keyIn, type Listed, listedIn } from './listed.ts'
import { circular, deepest, mostParts, partlyHeld, tooDeep, tooManyParts, unheldSet, unheldSystem } from './refusals.ts'

/** What a value set is judged by: whatever of it is held, and may be seen by who asks. Urls may end in `|version`. */
export interface Definitions {
  codeSystem(canonical: string): CodeSystem | undefined
  valueSet(canonical: string): ValueSetDefinition | undefined
}

/** Which version of a system counts, where a value set leaves it open or whatever it says. */
export interface Versions {
  /** system → version, where none is named. */
  readonly assumed?: ReadonlyMap<string, string>
  /** system → version, in the place of what is named. */
  readonly forced?: ReadonlyMap<string, string>
  /** system → version: a value set that names another is refused. */
  readonly checked?: ReadonlyMap<string, string>
}

/** A code that belongs to a value set, with what is known about it. */
export interface Member {
  readonly system: string
  readonly version?: string | undefined
  readonly code: string
  readonly display?: string | undefined
  readonly designations: readonly Designation[]
  readonly isAbstract: boolean
  readonly isInactive: boolean
}

/** Whether a code belongs to a value set: `unknown` when that depends on what is not held here. */
export type Finding =
  | { readonly is: 'in'; readonly member: Member }
  | { readonly is: 'out' }
  | { readonly is: 'unknown'; readonly problem: Problem }

const out: Finding = { is: 'out' }

/** A part is asked by a few look-ups. */
const workOfPart = 20

/** A part of a value set made ready for questions. */
interface Part {
  readonly include: IncludeDefinition
  readonly version: string | undefined
  readonly system: CodeSystem | undefined
  readonly listed: Listed | undefined
  readonly tests: readonly Test[]
}

interface Prepared {
  readonly include: readonly Part[]
  readonly exclude: readonly Part[]
  /** The codes of an expansion that was made elsewhere, where that is all a value set has. */
  readonly expanded: Expanded | undefined
  readonly withoutInactive: boolean
}

/** A code that may belong to a value set. */
export interface Candidate {
  readonly system: string
  readonly version: string | undefined
  readonly code: string
}

/**
 * Decides what belongs to value sets, code by code. A value set may name others, also in rings and many times over: each is
 * judged once for a code.
 */
export class Membership {
  readonly #definitions: Definitions
  readonly #versions: Versions
  readonly #prepared = new Map<ValueSetDefinition, Prepared>()
  #depth = 0

  constructor(definitions: Definitions, versions: Versions = {}) {
    this.#definitions = definitions
    this.#versions = versions
  }

  /**
   * @param coding  without a system any system of the value set will do; without a version any version
   * @throws Problem `unprocessable` · `terminology.value-set-circular`, `too-costly` · `terminology.too-deep`, and what filters throw
   */
  find(valueSet: ValueSetDefinition, coding: CodingFact): Finding {
    return this.#find(valueSet, coding, new Map())
  }

  #find(valueSet: ValueSetDefinition, coding: CodingFact, judged: Map<ValueSetDefinition, Finding | 'asked'>): Finding {
    const known = judged.get(valueSet)
    if (known === 'asked') throw circular()
    if (known !== undefined) return known
    if (this.#depth >= deepest) throw tooDeep()
    this.#depth++
    judged.set(valueSet, 'asked')
    try {
      const finding = this.#judge(this.#prepare(valueSet), coding, judged)
      judged.set(valueSet, finding)
      return finding
    } finally {
      this.#depth--
    }
  }

  #judge(prepared: Prepared, coding: CodingFact, judged: Map<ValueSetDefinition, Finding | 'asked'>): Finding {
    spend('work', workOfPart * (1 + prepared.include.length + prepared.exclude.length))
    if (prepared.expanded !== undefined) return inExpansion(prepared.expanded, coding)
    const included = any(prepared.include, part => this.#inPart(part, coding, judged))
    if (included.is !== 'in') return included
    if (prepared.withoutInactive && included.member.isInactive) return out
    // What was judged of any system is not yet judged of the one that was found.
    const known = coding.system === undefined ? new Map<ValueSetDefinition, Finding | 'asked'>() : judged
    const excluded = any(prepared.exclude, part => this.#inPart(part, included.member, known))
    if (excluded.is === 'out') return included
    return excluded.is === 'in' ? out : excluded
  }

  /** A part asks for its system's codes and for all the value sets that it names. */
  #inPart(part: Part, coding: CodingFact, judged: Map<ValueSetDefinition, Finding | 'asked'>): Finding {
    const own = part.include.system === undefined ? undefined : inSystem(part, part.include.system, coding)
    if (own !== undefined && own.is !== 'in') return own
    let finding = own
    for (const canonical of part.include.valueSet ?? []) {
      const imported = this.#definitions.valueSet(canonical)
      const found = imported === undefined ? unheldSet() : this.#find(imported, coding, judged)
      if (found.is !== 'in') return found
      finding ??= found
    }
    return finding ?? out
  }

  /**
   * Codes among which all members are. What is named by several sets comes several times.
   *
   * @param words  of members that are wanted; others may come as well
   * @throws Problem `too-costly` · `terminology.endless`, `unprocessable` · `terminology.system-unknown`,
   *   `terminology.value-set-unknown`
   */
  candidates(valueSet: ValueSetDefinition, words: readonly string[] = []): Generator<Candidate> {
    return this.#candidates(valueSet, words, new Set(), 0)
  }

  *#candidates(
    valueSet: ValueSetDefinition,
    words: readonly string[],
    seen: Set<ValueSetDefinition>,
    depth: number,
  ): Generator<Candidate> {
    if (seen.has(valueSet)) return
    if (depth >= deepest) throw tooDeep()
    seen.add(valueSet)
    const { include, expanded } = this.#prepare(valueSet)
    for (const { system, version, code } of expanded?.values() ?? []) yield { system, version, code }
    for (const part of include) {
      const { system, valueSet: [canonical] = [] } = part.include
      if (system !== undefined) yield* codesOf(part, system, words)
      else if (canonical !== undefined) yield* this.#candidates(this.#named(canonical), words, seen, depth + 1)
    }
  }

  #named(canonical: string): ValueSetDefinition {
    const named = this.#definitions.valueSet(canonical)
    if (named === undefined) throw unheldSet().problem
    return named
  }

  /** Canonicals of the code systems that were asked for their codes, and of which only a part is held. */
  partlyHeld(): readonly string[] {
    const parts = this.#prepared.values().flatMap(({ include }) => include)
    const partly = parts.flatMap(({ system, listed }) =>
      system === undefined || system.isComplete || listed !== undefined
        ? []
        : [joinCanonical(system.url, system.version)],
    )
    return [...new Set(partly)].sort()
  }

  #prepare(valueSet: ValueSetDefinition): Prepared {
    const known = this.#prepared.get(valueSet)
    if (known !== undefined) return known
    const { compose } = valueSet
    checkParts(valueSet)
    const prepared = {
      include: (compose?.include ?? []).map(include => this.#part(include)),
      exclude: (compose?.exclude ?? []).map(include => this.#part(include)),
      expanded: compose === undefined ? expandedIn(valueSet) : undefined,
      withoutInactive: compose?.inactive === false,
    }
    this.#prepared.set(valueSet, prepared)
    return prepared
  }

  #part(include: IncludeDefinition): Part {
    const version = versionOf(include, this.#versions)
    const system =
      include.system === undefined ? undefined : this.#definitions.codeSystem(joinCanonical(include.system, version))
    return {
      include,
      version: version ?? system?.version,
      system,
      listed: listedIn(include, system),
      tests: system === undefined ? [] : (include.filter ?? []).map(filter => testOf(system, filter)),
    }
  }
}

/** @throws Problem `too-costly` · `terminology.too-many-parts` */
export function checkParts({ compose }: ValueSetDefinition): void {
  let parts = 0
  for (const list of [compose?.include, compose?.exclude])
    for (const { filter = [], valueSet = [] } of list ?? []) {
      parts += 1 + filter.length + valueSet.length
      if (parts > mostParts) throw tooManyParts()
    }
}

/** The version in which a part of a value set is to be looked at. @throws Problem `unprocessable` · `terminology.version-differs` */
export function versionOf({ system = '', version }: IncludeDefinition, versions: Versions): string | undefined {
  const chosen =
    versions.forced?.get(system) ?? version ?? versions.assumed?.get(system) ?? versions.checked?.get(system)
  const wanted = versions.checked?.get(system)
  if (wanted === undefined || wanted === chosen) return chosen
  throw new Problem(
    'unprocessable',
    'terminology.version-differs',
    'The value set names another version of a code system than check-system-version allows.',
    { expression: 'check-system-version' },
  )
}

/** The first part that has it; else whether one might. */
function any(parts: readonly Part[], ask: (part: Part) => Finding): Finding {
  let finding: Finding = out
  for (const part of parts) {
    const found = ask(part)
    if (found.is === 'in') return found
    if (found.is === 'unknown') finding = found
  }
  return finding
}

function inSystem(part: Part, url: string, coding: CodingFact): Finding {
  if (coding.system !== undefined && coding.system !== url) return out
  const { code } = coding
  if (code === undefined || differs(coding.version, part.version)) return out
  if (part.listed !== undefined) return inList(part, part.listed, url, code)
  if (part.system === undefined) return { is: 'unknown', problem: unheldSystem() }
  const concept = part.system.find(code)
  if (concept === undefined) return part.system.isComplete ? out : { is: 'unknown', problem: partlyHeld() }
  return part.tests.every(test => test(concept)) ? { is: 'in', member: memberOf(part, url, concept) } : out
}

function differs(asked: string | undefined, held: string | undefined): boolean {
  return asked !== undefined && held !== undefined && asked !== held
}

/** What a value set lists belongs to it, whether or not its code system is held. */
function inList(part: Part, listed: Listed, url: string, code: string): Finding {
  const entry = listed.get(keyIn(part.system)(code))
  if (entry === undefined) return out
  const concept = part.system?.find(entry.code)
  if (concept !== undefined && !part.tests.every(test => test(concept))) return out
  const member = concept === undefined ? bare(part, url, entry) : memberOf(part, url, concept)
  return {
    is: 'in',
    member: {
      ...member,
      display: entry.display ?? member.display,
      designations: [...(entry.designation ?? []), ...(concept?.designations ?? [])],
    },
  }
}

function bare({ version }: Part, system: string, { code, display }: ListedConcept): Member {
  return { system, version, code, display, designations: [], isAbstract: false, isInactive: false }
}

function memberOf({ version }: Part, system: string, concept: Concept): Member {
  const { code, display, designations, isAbstract, isInactive } = concept
  return { system, version, code, display, designations, isAbstract, isInactive }
}

function* codesOf(part: Part, url: string, words: readonly string[]): Generator<Candidate> {
  const { include, listed, version } = part
  for (const { code } of listed === undefined ? concepts(part, words) : (include.concept ?? []))
    yield { system: url, version, code }
}

/** As few as the code system can tell without going through all that it has. */
function concepts({ include, system }: Part, words: readonly string[]): Iterable<Concept> {
  if (words.length > 0 && system?.conceptsNamed !== undefined) return system.conceptsNamed(words)
  const place = (include.filter ?? []).find(({ op, property }) => hierarchical.has(op) && places.has(property))
  const root = place === undefined ? undefined : system?.find(place.value.trim())
  return root === undefined || system?.conceptsBelow === undefined ? listable(system) : fromRoot(system, root)
}

function* fromRoot(system: CodeSystem, root: Concept): Generator<Concept> {
  yield root
  yield* system.conceptsBelow?.(root.code) ?? []
}

const hierarchical: ReadonlySet<string> = new Set(['is-a', 'descendent-of'])
const places: ReadonlySet<string> = new Set(['concept', 'code'])

/** @throws Problem `too-costly` · `terminology.endless`, `unprocessable` · `terminology.system-unknown` */
function listable(system: CodeSystem | undefined): Iterable<Concept> {
  if (system === undefined) throw unheldSystem()
  if (system.concepts !== undefined) return system.concepts
  throw new Problem(
    'too-costly',
    'terminology.endless',
    'The value set has no end: its code system is a grammar. Ask whether a code belongs to it by $validate-code.',
    { expression: 'ValueSet.compose.include.system' },
  )
}

function inExpansion(expanded: Expanded, { system, code, version }: CodingFact): Finding {
  const found =
    system === undefined ? expanded.values().find(each => each.code === code) : expanded.get(`${system}|${code ?? ''}`)
  return found === undefined || differs(version, found.version) ? out : { is: 'in', member: containedMember(found) }
}

function containedMember({ system, version, code, display, designation, abstract, inactive }: Contained): Member {
  return {
    system,
    version,
    code,
    display,
    designations: designation ?? [],
    isAbstract: abstract === true,
    isInactive: inactive === true,
  }
}
