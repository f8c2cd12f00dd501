import { extensionFact, type Resource } from '#fhir'
import { builtInCodeSystem, builtInValueSet, joinCanonical, type ValueSetDefinition } from '#terminology'
import { isAbsolute, listOf } from '../content/check.ts'
import { extensionsAt, isExtended } from '../content/extensions.ts'
import { containedIn } from '../references.ts'
import { isNode, type Node, walk } from '../walk.ts'
import { coreDefinition, type ElementText, type StructureDefinition } from './definition.ts'
import { typeIn } from './profiles.ts'

/** A definition that another one, or a resource, needs to be judged by. */
export interface Named {
  readonly type: 'StructureDefinition' | 'ValueSet' | 'CodeSystem' | 'Questionnaire'
  readonly canonical: string
}

/** What a definition names, as far as R4 does not define it itself. */
export function namedIn(definition: unknown): readonly Named[] {
  if (!isNode(definition)) return []
  if (definition.resourceType === 'StructureDefinition')
    return namedInStructure(definition as StructureDefinition & Node)
  if (definition.resourceType === 'Questionnaire') return namedInQuestionnaire(definition)
  return definition.resourceType === 'ValueSet' ? namedInSet(definition as ValueSetDefinition & Node) : []
}

/** The value sets of its answers and units, and what those that it contains name. */
function namedInQuestionnaire(questionnaire: Node): readonly Named[] {
  const sets: string[] = []
  const collect = ({ answerValueSet, extension, item }: Node): void => {
    if (typeof answerValueSet === 'string') sets.push(answerValueSet)
    for (const each of listOf(extension))
      if (isNode(each) && typeof each.valueCanonical === 'string') sets.push(each.valueCanonical)
    for (const each of listOf(item)) if (isNode(each)) collect(each)
  }
  collect(questionnaire)
  return [...valueSets(sets), ...containedSets(questionnaire).flatMap(namedInSet)]
}

function containedSets({ contained }: Node): readonly (ValueSetDefinition & Node)[] {
  const inner = listOf(contained).filter(isNode)
  return inner.filter((each): each is ValueSetDefinition & Node => each.resourceType === 'ValueSet')
}

function namedInStructure({ baseDefinition, differential, snapshot }: StructureDefinition): readonly Named[] {
  const elements = [...(differential?.element ?? []), ...(snapshot?.element ?? [])]
  return [...structures([baseDefinition]), ...elements.flatMap(namedInElement)]
}

function namedInElement({ type = [], binding, constraint = [] }: ElementText): readonly Named[] {
  const profiles = type.flatMap(({ profile = [], targetProfile = [] }) => [...profile, ...targetProfile])
  const sets = [binding?.valueSet, ...(binding?.extension ?? []).map(({ valueCanonical }) => valueCanonical)]
  const expressions = constraint.map(({ expression = '' }) => expression)
  return [
    ...structures([...profiles, ...argumentsOf(expressions, 'conformsTo')]),
    ...valueSets([...sets, ...argumentsOf(expressions, 'memberOf')]),
  ]
}

function argumentsOf(expressions: readonly string[], name: string): readonly string[] {
  return expressions
    .filter(expression => expression.includes(name))
    .flatMap(expression =>
      [...expression.matchAll(new RegExp(`${name}\\(\\s*'([^']*)'`, 'g'))].map(([, url = '']) => url),
    )
}

function structures(canonicals: readonly (string | undefined)[]): readonly Named[] {
  return canonicals
    .filter(canonical => canonical !== undefined && isLookedUp(canonical) && !isCore(canonical))
    .map(canonical => ({ type: 'StructureDefinition', canonical: canonical ?? '' }))
}

const longestCanonical = 2_000

/** What is no address names nothing that could be found. */
function isLookedUp(canonical: string): boolean {
  return isAbsolute(canonical) && canonical.length <= longestCanonical
}

/** Whether R4 itself defines a type or a profile. */
function isCore(canonical: string): boolean {
  return typeIn(canonical) !== undefined || coreDefinition(canonical) !== undefined
}

function valueSets(canonicals: readonly (string | undefined)[]): readonly Named[] {
  return canonicals
    .filter(canonical => canonical !== undefined && isLookedUp(canonical) && builtInValueSet(canonical) === undefined)
    .map(canonical => ({ type: 'ValueSet', canonical: canonical ?? '' }))
}

function namedInSet({ compose }: ValueSetDefinition): readonly Named[] {
  return [...(compose?.include ?? []), ...(compose?.exclude ?? [])].flatMap(({ system, version, valueSet = [] }) => {
    const canonical = system === undefined ? undefined : joinCanonical(system, version)
    const isOurs = canonical !== undefined && isLookedUp(canonical) && builtInCodeSystem(canonical) === undefined
    return [...(isOurs ? [{ type: 'CodeSystem' as const, canonical }] : []), ...valueSets(valueSet)]
  })
}

/**
 * The profiles that a resource, and each in it, claims in `meta.profile`, its extensions, and the Questionnaires that are answered, but
 * for what R4 defines and what is contained.
 */
export function claimedIn(resource: Resource): readonly Named[] {
  const claimed: (string | undefined)[] = []
  const others: Named[] = []
  walk(resource, (node, _shape, _element, _at, around) => {
    if (node === around.resource) {
      claimed.push(...profilesOf(node))
      others.push(...answeredIn(node))
    }
    if (isExtended(node)) claimed.push(...urlsOf(node))
  })
  return [...structures(claimed), ...others]
}

/** The Questionnaire of a response; of a contained one what it names itself. */
function answeredIn(node: Node): readonly Named[] {
  const { questionnaire } = node
  if (node.resourceType !== 'QuestionnaireResponse' || typeof questionnaire !== 'string') return []
  if (isLookedUp(questionnaire)) return [{ type: 'Questionnaire', canonical: questionnaire }]
  const inner = containedIn(node, questionnaire.slice(1))
  return inner?.resourceType === 'Questionnaire'
    ? [...namedInQuestionnaire(inner), ...containedSets(node).flatMap(namedInSet)]
    : []
}

/** Whether somebody who sends a resource sends a Questionnaire in it by which it is judged. */
export function bringsQuestionnaire(resource: Resource): boolean {
  let isSo = false
  walk(resource, (node, _shape, _element, _at, around) => {
    if (node === around.resource && node.resourceType === 'Questionnaire' && node !== resource) isSo = true
  })
  return isSo
}

/** How many profiles a resource and those in it claim, R4's own among them. */
export function countClaims(resource: Resource): number {
  let count = 0
  walk(resource, (node, _shape, _element, _at, around) => {
    if (node === around.resource) count += profilesOf(node).length
  })
  return count
}

/** As `claimedIn`, of those alone that are asked for. */
export function askedFor(canonicals: readonly string[]): readonly Named[] {
  return structures(canonicals)
}

function urlsOf(node: Node): readonly string[] {
  const extensions = [...extensionsAt(node, 'extension'), ...extensionsAt(node, 'modifierExtension')]
  return extensions.flatMap(({ extension: { url } }) =>
    typeof url === 'string' && isAbsolute(url) && extensionFact(url) === undefined ? [url] : [],
  )
}

function profilesOf({ meta }: Node): readonly string[] {
  const profiles = isNode(meta) ? meta.profile : undefined
  return Array.isArray(profiles) ? profiles.filter(each => typeof each === 'string') : []
}

/**
 * Whether a resource claims a profile at all, or answers a Questionnaire: of those in it only entries of a Bundle, parts of Parameters
 * and what is contained can. Costs next to nothing for one that does not.
 */
export function claimsAny(resource: Resource): boolean {
  const { contained, entry, parameter } = resource
  if (isClaimed(resource)) return true
  const inner = [contained, entry, parameter].find(Array.isArray) as readonly unknown[] | undefined
  return inner?.some(each => isNode(each) && isClaiming(each)) === true
}

function isClaiming(node: Node): boolean {
  const resource = isNode(node.resource) ? node.resource : node
  return isClaimed(resource) || Array.isArray(resource.contained)
}

function isClaimed({ resourceType, meta, questionnaire }: Node): boolean {
  if (resourceType === 'QuestionnaireResponse' && questionnaire !== undefined) return true
  return isNode(meta) && meta.profile !== undefined
}
