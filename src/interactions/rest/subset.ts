import { encodeResource, mandatoryElements, parseStored, type Resource, summaryElements } from '#fhir'
import { inSlices, Problem } from '#kernel'

/** Which part of a resource is asked for. @see https://hl7.org/fhir/R4/search.html#summary */
export interface Subset {
  readonly summary: 'true' | 'text' | 'data' | undefined
  /** Names of top-level elements, `Type.name` where they are meant for one type alone. */
  readonly elements: readonly string[]
}

/** What no subset leaves out: it says what the resource is, or changes the meaning of the rest. */
const always = ['resourceType', 'id', 'meta', 'implicitRules', 'modifierExtension'] as const
const summaries = ['true', 'text', 'data'] as const

/**
 * The subset that a read asks for; undefined for the whole resource.
 *
 * @throws Problem `invalid` · `request.summary-unknown`
 */
export function parseSubset(query: URLSearchParams): Subset | undefined {
  const text = query.get('_summary')
  const summary = summaries.find(known => known === text)
  if (text !== null && text !== 'false' && summary === undefined)
    throw new Problem('invalid', 'request.summary-unknown', 'A read knows _summary=true, text, data and false.', {
      expression: '_summary',
    })
  const elements = query
    .getAll('_elements')
    .flatMap(value => value.split(','))
    .filter(name => name !== '')
  return toSubset(summary, elements)
}

/** A Subset of what a search was asked; undefined when it was asked for whole resources. */
export function toSubset(summary: string | undefined, elements: readonly string[] | undefined): Subset | undefined {
  const known = summaries.find(name => name === summary)
  if (known === undefined && (elements === undefined || elements.length === 0)) return undefined
  return { summary: known, elements: elements ?? [] }
}

type Keeps = (name: string) => boolean

/** Cuts stored resources down to a subset. */
export function subsetting(subset: Subset): (json: Buffer) => Promise<Buffer> {
  const cut = cutting(subset)
  return async json => inSlices(encodeResource(cut(await parseStored(json))))
}

/** Cuts resources down to a subset; what it keeps of a type is worked out once. */
export function cutting(subset: Subset): (resource: Resource) => Resource {
  const keeps = new Map<string, Keeps>()
  return resource => {
    const { resourceType: type } = resource
    const kept = keeps.get(type) ?? remembered(keptElements(type, subset))
    keeps.set(type, kept)
    return partOf(resource, kept)
  }
}

/** Stored resources have few names of elements, but one may ask for many. */
function remembered(keeps: Keeps): Keeps {
  const known = new Map<string, boolean>()
  return name => {
    const answer = known.get(name) ?? keeps(name)
    known.set(name, answer)
    return answer
  }
}

/** The part of a resource, tagged SUBSETTED so that nobody mistakes it for the whole. */
function partOf(resource: Resource, kept: Keeps): Resource {
  const part: Resource = { resourceType: resource.resourceType }
  for (const [name, value] of Object.entries(resource)) if (kept(plainName(name))) part[name] = value
  part.meta = { ...resource.meta, tag: [...(resource.meta?.tag ?? []), subsetted] }
  return part
}

const subsetted = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' }

/** `_birthDate` carries the extensions of `birthDate`. */
function plainName(name: string): string {
  return name.startsWith('_') ? name.slice(1) : name
}

function keptElements(type: string, subset: Subset): Keeps {
  if (subset.elements.length > 0) return among([namesFor(type, subset.elements), mandatoryElements(type)])
  if (subset.summary === 'data') return name => name !== 'text'
  if (subset.summary === 'text') return among([['text'], mandatoryElements(type)])
  return among([summaryElements(type)])
}

function among(sets: readonly Iterable<string>[]): Keeps {
  const names = new Set<string>([...always, ...sets.flatMap(set => [...set])])
  const choices = [...names].filter(name => name.endsWith('[x]')).map(name => name.slice(0, -3))
  return name => names.has(name) || choices.some(choice => isChoiceOf(choice, name))
}

/** `valueQuantity` is one of `value[x]`; so is plain `value`, which callers ask for in `_elements`. */
function isChoiceOf(choice: string, name: string): boolean {
  return name.startsWith(choice) && /^[A-Z]/.test(name.slice(choice.length))
}

function namesFor(type: string, elements: readonly string[]): string[] {
  return elements.flatMap(element => {
    const [first = '', second] = element.split('.')
    if (second === undefined) return [first, `${first}[x]`]
    return first === type ? [second, `${second}[x]`] : []
  })
}
