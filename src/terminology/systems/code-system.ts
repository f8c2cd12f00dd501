import type { Steps } from '#kernel'
import type { CodeSystemDefinition, ConceptDefinition, ConceptProperty, Designation } from '../definitions.ts'

/** One concept of a code system, and where it stands in its hierarchy. */
export interface Concept {
  readonly code: string
  readonly display?: string | undefined
  readonly definition?: string | undefined
  readonly designations: readonly Designation[]
  readonly properties: readonly ConceptProperty[]
  /** Codes of the concepts right above and right below. */
  readonly parents: readonly string[]
  readonly children: readonly string[]
  /** Not to be chosen by people: it only groups others. */
  readonly isAbstract: boolean
  /** Not to be used any more. */
  readonly isInactive: boolean
}

/** A code system that is held here, whatever it is made of. */
export interface CodeSystem {
  readonly url: string
  readonly version?: string | undefined
  readonly name: string
  readonly isCaseSensitive: boolean
  /** False where only part of its codes is held: that a code is not found says nothing then. */
  readonly isComplete: boolean
  /** Whether its hierarchy says that what is below is a kind of what is above. */
  readonly isSubsumptive: boolean
  /** Properties and filters that its concepts may be asked for. */
  readonly properties: ReadonlySet<string>
  find(code: string): Concept | undefined
  /** The form in which values of a property are compared, where several mean the same. */
  plain?(property: string, value: string): string
  /** All of them; undefined for a grammar, which has no end. */
  readonly concepts?: Iterable<Concept>
  /** Where the hierarchy need not be gone through: whether one code stands below another. */
  isBelow?(below: string, above: string): boolean
  /** All that stand below a code, where they need not be looked for among all. */
  conceptsBelow?(code: string): Iterable<Concept>
  /** At least those whose code or names have words that begin so, where they need not be looked for among all. */
  conceptsNamed?(words: readonly string[]): Iterable<Concept>
}

/** @see https://hl7.org/fhir/R4/codesystem-concept-properties.html */
const standardProperties = 'http://hl7.org/fhir/concept-properties#'
const parentNames: ReadonlySet<string> = new Set(['parent', 'subsumedBy'])
const retired: ReadonlySet<unknown> = new Set(['retired', 'inactive'])
/** @see https://hl7.org/fhir/R4/codesystem-hierarchy-meaning.html */
const withoutSubsumption: ReadonlySet<unknown> = new Set(['grouped-by', 'part-of'])

/** A supplement is no code system, and one without any content says nothing of codes. */
export function isHeld({ content }: CodeSystemDefinition): boolean {
  return content !== 'supplement' && content !== 'not-present'
}

interface Draft {
  readonly definition: ConceptDefinition
  readonly parents: Set<string>
  readonly children: Set<string>
}

const conceptsAtATime = 500

/**
 * A CodeSystem resource made ready for questions. Concepts lie nested, or name those above and below by properties.
 *
 * @see https://hl7.org/fhir/R4/codesystem.html#hierarchy
 */
export function* readCodeSystem(definition: CodeSystemDefinition): Steps<CodeSystem> {
  const drafts = new Map<string, Draft>()
  yield* gather(definition.concept ?? [], undefined, drafts)
  const meaning = meaningOf(definition)
  yield* link(drafts, meaning)
  const concepts = new Map<string, Concept>()
  const isCaseSensitive = definition.caseSensitive !== false
  const keyOf = isCaseSensitive ? (code: string) => code : (code: string) => code.toLowerCase()
  for (const [code, draft] of drafts) {
    concepts.set(keyOf(code), toConcept(draft, meaning))
    if (concepts.size % conceptsAtATime === 0) yield
  }
  return {
    ...headOf(definition),
    isCaseSensitive,
    properties: new Set([...(definition.property ?? []), ...(definition.filter ?? [])].map(({ code }) => code)),
    find: code => concepts.get(keyOf(code)),
    concepts: concepts.values().toArray(),
  }
}

function headOf({ url = '', version, name, title, content, hierarchyMeaning }: CodeSystemDefinition) {
  return {
    url,
    version,
    name: name ?? title ?? url,
    isComplete: content === 'complete',
    isSubsumptive: !withoutSubsumption.has(hierarchyMeaning),
  }
}

/** The first of several concepts with one code counts. */
function* gather(
  listed: readonly ConceptDefinition[],
  above: string | undefined,
  drafts: Map<string, Draft>,
): Steps<void> {
  for (const definition of listed) {
    const { code, concept } = definition
    const draft = drafts.get(code) ?? { definition, parents: new Set<string>(), children: new Set<string>() }
    drafts.set(code, draft)
    if (above !== undefined) draft.parents.add(above)
    if (drafts.size % conceptsAtATime === 0) yield
    if (concept !== undefined) yield* gather(concept, code, drafts)
  }
}

/** What standard property a name stands for: by its uri, or by its name where it has none. */
type Meaning = (code: string) => string

function meaningOf({ property = [] }: CodeSystemDefinition): Meaning {
  const standard = new Map(
    property
      .filter(({ uri }) => uri?.startsWith(standardProperties) === true)
      .map(({ code, uri = '' }) => [code, uri.slice(standardProperties.length)]),
  )
  return code => standard.get(code) ?? code
}

function* link(drafts: ReadonlyMap<string, Draft>, meaning: Meaning): Steps<void> {
  let count = 0
  for (const [code, draft] of drafts) {
    readLinks(code, draft, drafts, meaning)
    if (++count % conceptsAtATime === 0) yield
  }
  for (const [code, { parents }] of drafts) {
    for (const parent of parents) drafts.get(parent)?.children.add(code)
    if (++count % conceptsAtATime === 0) yield
  }
}

function readLinks(code: string, draft: Draft, drafts: ReadonlyMap<string, Draft>, meaning: Meaning): void {
  for (const { code: name, valueCode } of draft.definition.property ?? []) {
    const other = typeof valueCode === 'string' ? drafts.get(valueCode) : undefined
    if (other === undefined) continue
    if (parentNames.has(meaning(name))) draft.parents.add(other.definition.code)
    if (meaning(name) === 'child') other.parents.add(code)
  }
}

function toConcept({ definition, parents, children }: Draft, meaning: Meaning): Concept {
  const { code, display, definition: text, designation = [], property = [] } = definition
  const has = (name: string, test: (value: unknown) => boolean) =>
    property.some(each => meaning(each.code) === name && test(each.valueBoolean ?? each.valueCode ?? each.valueString))
  return {
    code,
    display,
    definition: text,
    designations: designation,
    properties: property,
    parents: [...parents],
    children: [...children],
    isAbstract: has('notSelectable', isTrue) || has('abstract', isTrue),
    isInactive: has('inactive', isTrue) || has('status', value => retired.has(value)),
  }
}

function isTrue(value: unknown): boolean {
  return value === true
}

/** Whether one code is, or stands above, another; equal codes subsume each other. */
export function subsumes(system: CodeSystem, above: string, below: string): boolean {
  const [top, start] = [system.find(above), system.find(below)]
  if (top === undefined || start === undefined) return false
  if (top.code === start.code) return true
  return system.isSubsumptive && isBelow(system, start, top)
}

function isBelow(system: CodeSystem, below: Concept, above: Concept): boolean {
  return system.isBelow?.(below.code, above.code) ?? ancestorsOf(system, below).has(above.code)
}

/** Codes of all that stand above a concept; a hierarchy that leads back to where it began ends there. */
export function ancestorsOf(system: CodeSystem, concept: Concept): ReadonlySet<string> {
  return reached(system, concept, ({ parents }) => parents)
}

/** Codes of all that stand below a concept. */
export function descendantsOf(system: CodeSystem, concept: Concept): ReadonlySet<string> {
  return reached(system, concept, ({ children }) => children)
}

function reached(
  system: CodeSystem,
  from: Concept,
  next: (concept: Concept) => readonly string[],
): ReadonlySet<string> {
  const found = new Set<string>()
  const open = [...next(from)]
  for (let code = open.pop(); code !== undefined; code = open.pop()) {
    if (found.has(code)) continue
    found.add(code)
    const concept = system.find(code)
    if (concept !== undefined) for (const each of next(concept)) open.push(each)
  }
  return found
}
