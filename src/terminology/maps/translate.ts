import { Problem, spend } from '#kernel'
import {
  type CodingFact,
  type ConceptMapDefinition,
  type DependencyDefinition,
  type GroupDefinition,
  joinCanonical,
  type TargetDefinition,
} from '../definitions.ts'

/** What is to be translated. */
export interface TranslationRequest {
  readonly coding: CodingFact
  /** Only targets in this code system. */
  readonly targetSystem?: string | undefined
  /** From the targets of the map back to its sources. */
  readonly reverse?: boolean | undefined
  readonly dependencies?: readonly DependencyDefinition[]
}

/** One way in which a code may be said in another system. */
export interface Translation {
  /** https://hl7.org/fhir/R4/valueset-concept-map-equivalence.html: how the target is to the source. */
  readonly equivalence: string
  /** Undefined where the map says that there is none. */
  readonly concept?: CodingFact
  readonly product: readonly DependencyDefinition[]
  /** The canonical of the map. */
  readonly source: string
}

/** How maps that a map refers to are found. */
type OtherMap = (canonical: string) => ConceptMapDefinition | undefined

type Group = GroupDefinition

/**
 * What a map says of a code. Of the maps that it leads to each is asked once.
 *
 * @see https://hl7.org/fhir/R4/conceptmap-operation-translate.html
 */
export function translate(
  map: ConceptMapDefinition,
  request: TranslationRequest,
  otherMap: OtherMap,
): readonly Translation[] {
  const source = joinCanonical(map.url ?? '', map.version)
  const by = request.reverse === true ? backward : forward(otherMap, new Set([map]))
  return (map.group ?? []).flatMap(group => by(group, request.coding, request, source))
}

type Direction = (group: Group, coding: CodingFact, request: TranslationRequest, source: string) => Translation[]

function forward(otherMap: OtherMap, asked: Set<ConceptMapDefinition>): Direction {
  return (group, coding, request, source) => {
    if (!isFrom(coding, group.source, group.sourceVersion) || !isTo(request.targetSystem, group.target)) return []
    spend('work', group.element.length)
    const elements = group.element.filter(({ code }) => code === coding.code)
    if (elements.length === 0) return unmapped(group, coding, request, source, otherMap, asked)
    return elements
      .flatMap(({ target = [] }) => target)
      .filter(target => isGiven(target.dependsOn, request.dependencies))
      .map(target => translationOf(target, codingOf(target, group.target, group.targetVersion), source))
  }
}

/** @see https://hl7.org/fhir/R4/conceptmap-definitions.html#ConceptMap.group.unmapped */
function unmapped(
  group: Group,
  coding: CodingFact,
  request: TranslationRequest,
  source: string,
  otherMap: OtherMap,
  asked: Set<ConceptMapDefinition>,
): Translation[] {
  const { mode, code, display, url = '' } = group.unmapped ?? {}
  if (mode === 'provided') return [asIs(coding, group, source)]
  if (mode === 'fixed' && code !== undefined)
    return [
      {
        equivalence: 'inexact',
        concept: codingOf({ code, display }, group.target, group.targetVersion),
        product: [],
        source,
      },
    ]
  const next = mode === 'other-map' ? otherMap(url) : undefined
  if (next === undefined || asked.has(next)) return []
  if (asked.size >= furthest) throw tooFar()
  asked.add(next)
  const through = forward(otherMap, asked)
  return (next.group ?? []).flatMap(each => through(each, coding, request, joinCanonical(next.url ?? '', next.version)))
}

/** Maps that lead to others. */
const furthest = 50

function tooFar(): Problem {
  return new Problem(
    'too-costly',
    'terminology.too-deep',
    `Concept maps that lead to others are followed ${furthest} steps far, and these go on.`,
    { expression: 'ConceptMap.group.unmapped.url' },
  )
}

function asIs({ code, display }: CodingFact, { target, targetVersion }: Group, source: string): Translation {
  return { equivalence: 'equal', concept: codingOf({ code, display }, target, targetVersion), product: [], source }
}

/** How a relation is called from its other end. */
const inverse: Readonly<Record<string, string>> = {
  wider: 'narrower',
  narrower: 'wider',
  subsumes: 'specializes',
  specializes: 'subsumes',
}

function backward(group: Group, coding: CodingFact, request: TranslationRequest, source: string): Translation[] {
  if (!isFrom(coding, group.target, group.targetVersion) || !isTo(request.targetSystem, group.source)) return []
  spend('work', group.element.length * 2)
  return group.element.flatMap(element =>
    (element.target ?? [])
      .filter(({ code }) => code !== undefined && code === coding.code)
      .map(({ equivalence }) => ({
        equivalence: inverse[equivalence] ?? equivalence,
        concept: codingOf(element, group.source, group.sourceVersion),
        product: [],
        source,
      })),
  )
}

function isFrom({ system, version }: CodingFact, of: string | undefined, ofVersion: string | undefined): boolean {
  const isSystem = system === undefined || of === undefined || system === of
  return isSystem && (version === undefined || ofVersion === undefined || version === ofVersion)
}

function isTo(wanted: string | undefined, system: string | undefined): boolean {
  return wanted === undefined || wanted === system
}

/** Every dependency of a mapping must be among those that are given. */
function isGiven(needed: readonly DependencyDefinition[] = [], given: readonly DependencyDefinition[] = []): boolean {
  return needed.every(need =>
    given.some(
      each =>
        each.property === need.property &&
        each.value === need.value &&
        (need.system === undefined || need.system === each.system),
    ),
  )
}

function translationOf(
  { equivalence, product = [] }: TargetDefinition,
  concept: CodingFact,
  source: string,
): Translation {
  return { equivalence, product, source, ...(concept.code === undefined ? {} : { concept }) }
}

function codingOf(
  { code, display }: { readonly code?: string | undefined; readonly display?: string | undefined },
  system: string | undefined,
  version: string | undefined,
): CodingFact {
  return {
    ...(system === undefined ? {} : { system }),
    ...(version === undefined ? {} : { version }),
    ...(code === undefined ? {} : { code }),
    ...(display === undefined ? {} : { display }),
  }
}

const noTranslation: ReadonlySet<string> = new Set(['unmatched', 'disjoint'])

/** Whether one of them says the code in the other system. */
export function isTranslated(translations: readonly Translation[]): boolean {
  return translations.some(({ equivalence, concept }) => concept !== undefined && !noTranslation.has(equivalence))
}

/** Whether a map leads between the value sets that are asked for; what is not asked does not matter. */
export function isBetween(
  { sourceUri, sourceCanonical, targetUri, targetCanonical }: ConceptMapDefinition,
  source: string | undefined,
  target: string | undefined,
): boolean {
  return (
    (source === undefined || source === (sourceCanonical ?? sourceUri)) &&
    (target === undefined || target === (targetCanonical ?? targetUri))
  )
}
