import { containedIn, extensionFact, isResourceType, type Resource } from '#fhir'
import { appendAll, type Steps } from '#kernel'
import { builtInCodeSystem, builtInValueSet, joinCanonical, type ValueSetDefinition } from '#terminology'
import { isAbsolute, listOf } from '../content/check.ts'
import { extensionsAt, isExtended } from '../content/extensions.ts'
import { counterpartsOf } from '../counterparts/counterparts.ts'
import { isNode, type Node, walk } from '../walk.ts'
import { coreDefinition, type ElementText, type StructureDefinition, type TypeText, urlOf } from './definition.ts'
import { typeIn } from './profiles.ts'
import type { Definition } from './read.ts'

/** A definition that another one, or a resource, needs to be judged by. */
export interface Named {
  readonly type: 'StructureDefinition' | 'ValueSet' | 'CodeSystem' | 'Questionnaire' | 'Measure'
  readonly canonical: string
  /** Whether it is about what is a resource of its own: referred to, contained, or in a Bundle. */
  readonly isTarget?: boolean
}

/** What a resource is made of, as far as it decides which definitions apply to it. */
export interface Facts {
  /** Its type and those of the resources in it. */
  readonly types: ReadonlySet<string>
  /** Those of its extensions. */
  readonly urls: ReadonlySet<string>
}

/** What a resource claims to conform to, and what it answers. */
export interface Claims extends Facts {
  readonly named: readonly Named[]
}

/** What a definition names, as far as R4 does not define it itself and it may apply to a resource. */
export function namedIn(definition: Definition, facts: Facts): readonly Named[] {
  if (definition.resourceType === 'StructureDefinition') return namedInStructure(definition, facts)
  if (definition.resourceType === 'Questionnaire') return namedInQuestionnaire(definition)
  return definition.resourceType === 'ValueSet' ? namedInSet(definition) : []
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

function namedInStructure(
  { baseDefinition, differential, snapshot }: StructureDefinition,
  facts: Facts,
): readonly Named[] {
  const elements = [...(differential?.element ?? []), ...(snapshot?.element ?? [])]
  return [...structures([baseDefinition]), ...elements.flatMap(element => namedInElement(element, facts))]
}

function namedInElement({ type = [], binding, constraint = [] }: ElementText, facts: Facts): readonly Named[] {
  const targets = structures(type.flatMap(({ targetProfile = [] }) => targetProfile))
  const sets = [binding?.valueSet, ...(binding?.extension ?? []).map(({ valueCanonical }) => valueCanonical)]
  const expressions = constraint.map(({ expression = '' }) => expression)
  return [
    ...type.flatMap(each => namedInType(each, facts)),
    ...targets.map(asTarget),
    ...structures(argumentsOf(expressions, 'conformsTo')),
    ...valueSets([...sets, ...argumentsOf(expressions, 'memberOf')]),
  ]
}

/** Of extensions only those that are there: each of them is claimed by its url. */
function namedInType({ code = '', profile = [] }: TypeText, { urls }: Facts): readonly Named[] {
  if (code === 'Extension') return structures(profile.filter(each => urls.has(urlOf(each))))
  return isResourceType(code) || code === 'Resource' ? structures(profile).map(asTarget) : structures(profile)
}

function asTarget(named: Named): Named {
  return { ...named, isTarget: true }
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
export function isCore(canonical: string): boolean {
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

/** Objects that are looked at between two looks at the clock. */
const nodesOfAStep = 1_000

/**
 * The profiles that a resource, and each in it, claims in `meta.profile`, its extensions, and the Questionnaires that are answered, but
 * for what R4 defines and what is contained.
 *
 * @param asked  canonicals of profiles that it is to conform to anyway
 */
export function* claimedIn(resource: Resource, asked: readonly string[]): Steps<Claims> {
  const named = [...structures(asked)]
  const types = new Set<string>()
  const urls = new Set<string>()
  const open: unknown[] = [resource]
  for (let next = open.pop(), count = 1; next !== undefined; next = open.pop(), count++) {
    if (count % nodesOfAStep === 0) yield
    if (!isNode(next)) continue
    if (typeof next.resourceType === 'string') {
      types.add(next.resourceType)
      const claimed = new Set<string>()
      for (const profile of profilesOf(next)) {
        if (++count % nodesOfAStep === 0) yield
        if (claimed.has(profile)) continue
        claimed.add(profile)
        yield
        appendAll(named, structures([profile]))
      }
      appendAll(named, [...answeredIn(next), ...counterpartsIn(next)])
    }
    if (isExtended(next)) for (const url of urlsOf(next)) urls.add(url)
    for (const value of Object.values(next))
      for (const each of Array.isArray(value) ? value : [value]) {
        if (++count % nodesOfAStep === 0) yield
        if (isNode(each)) open.push(each)
      }
  }
  return { named: [...named, ...structures([...urls])], types, urls }
}

/** What the definitions that a resource is held against are called. */
function counterpartsIn(node: Node): readonly Named[] {
  return counterpartsOf(node).flatMap(({ type, canonical }) => {
    if (type === 'StructureDefinition') return structures([canonical])
    if (type === 'ValueSet') return valueSets([canonical])
    return isLookedUp(canonical) ? [{ type, canonical }] : []
  })
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
    if (node === around.resource) count += profilesOf(node).reduce(sum => sum + 1, 0)
  })
  return count
}

/** Those of some canonicals that somebody would have to keep: R4 does not define them. */
export function lookedUp(canonicals: readonly string[]): readonly string[] {
  return structures(canonicals).map(({ canonical }) => canonical)
}

function urlsOf(node: Node): readonly string[] {
  const extensions = [...extensionsAt(node, 'extension'), ...extensionsAt(node, 'modifierExtension')]
  return extensions.flatMap(({ extension: { url } }) =>
    typeof url === 'string' && isAbsolute(url) && extensionFact(url) === undefined ? [url] : [],
  )
}

/** One after the other, for there may be very many. */
function profilesOf({ meta }: Node): IteratorObject<string> {
  const profiles: readonly unknown[] = isNode(meta) && Array.isArray(meta.profile) ? meta.profile : []
  return profiles.values().filter(each => typeof each === 'string')
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

function isClaimed(node: Node): boolean {
  const { resourceType, meta, questionnaire } = node
  if (resourceType === 'QuestionnaireResponse' && questionnaire !== undefined) return true
  if (counterpartsOf(node).length > 0) return true
  return isNode(meta) && meta.profile !== undefined
}
