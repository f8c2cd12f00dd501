import { atOnce, type Steps } from '#kernel'
import type { ContainsDefinition, IncludeDefinition, ListedConcept, ValueSetDefinition } from '../definitions.ts'
import type { CodeSystem } from '../systems/code-system.ts'

/** The concepts that a part of a value set lists, by code. */
export type Listed = ReadonlyMap<string, ListedConcept>

/** A code of an expansion that was made elsewhere. */
export type Contained = ContainsDefinition & { readonly system: string; readonly code: string }

/** All of them, by `system|code`. */
export type Expanded = ReadonlyMap<string, Contained>

/** Lists as they stand in definitions, which are there for as long as somebody has one of those. */
const known = { asWritten: new WeakMap<object, Listed>(), small: new WeakMap<object, Listed>() }
const knownExpansions = new WeakMap<object, Expanded>()

/** Codes that are listed in one go; about a millisecond. */
const codesAtATime = 4_096

/**
 * Makes all lists of a value set ready bit by bit, for whoever asks it afterwards.
 *
 * @param systemOf  the code system of a part, as far as it is held
 */
export function* listInSteps(
  { compose, expansion }: ValueSetDefinition,
  systemOf: (part: IncludeDefinition) => CodeSystem | undefined,
): Steps<void> {
  for (const part of [...(compose?.include ?? []), ...(compose?.exclude ?? [])])
    if (part.concept !== undefined) yield* listing(part.concept, systemOf(part))
  if (compose === undefined) yield* expanding(expansion?.contains ?? none)
}

/** The list of a part; that of a long one should be ready. */
export function listedIn({ concept }: IncludeDefinition, system: CodeSystem | undefined): Listed | undefined {
  return concept === undefined ? undefined : atOnce(listing(concept, system))
}

/** The codes of an expansion; those of a long one should be ready. */
export function expandedIn({ expansion }: ValueSetDefinition): Expanded {
  return atOnce(expanding(expansion?.contains ?? none))
}

/** Codes of a system that cares for case are themselves; of another one, their small letters. */
export function keyIn(system: CodeSystem | undefined): (code: string) => string {
  return system?.isCaseSensitive === false ? code => code.toLowerCase() : code => code
}

function* listing(concepts: readonly ListedConcept[], system: CodeSystem | undefined): Steps<Listed> {
  const lists = system?.isCaseSensitive === false ? known.small : known.asWritten
  const before = lists.get(concepts)
  if (before !== undefined) return before
  const keyOf = keyIn(system)
  const listed = new Map<string, ListedConcept>()
  for (const [at, one] of concepts.entries()) {
    if (at % codesAtATime === codesAtATime - 1) yield
    listed.set(keyOf(one.code), one)
  }
  lists.set(concepts, listed)
  return listed
}

function* expanding(contains: readonly ContainsDefinition[]): Steps<Expanded> {
  const before = knownExpansions.get(contains)
  if (before !== undefined) return before
  const expanded = new Map<string, Contained>()
  yield* expandInto(contains, expanded)
  knownExpansions.set(contains, expanded)
  return expanded
}

function* expandInto(contains: readonly ContainsDefinition[], into: Map<string, Contained>): Steps<void> {
  for (const [at, each] of contains.entries()) {
    if (at % codesAtATime === codesAtATime - 1) yield
    if (isContained(each)) into.set(`${each.system}|${each.code}`, each)
    if (each.contains !== undefined) yield* expandInto(each.contains, into)
  }
}

function isContained(each: ContainsDefinition): each is Contained {
  return each.system !== undefined && each.code !== undefined
}

const none: readonly ContainsDefinition[] = []
