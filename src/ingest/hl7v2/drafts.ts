import { createHash } from 'node:crypto'
import { printJson } from '#fhir'

export type Node = { [element: string]: unknown }

/**
 * A resource that is only known within another: a doctor of a visit, a bed, a payer. It stands where a reference to it
 * will; `settled` makes references of drafts and puts what they hold into `contained`.
 */
export class Draft {
  readonly resourceType: string
  readonly elements: Node
  /** Words for the reference, where the resource's own elements give none. */
  readonly display: string | undefined
  /** What stands in the reference itself: an extension that says as what somebody took part. */
  readonly beside: Readonly<Node>

  constructor(resourceType: string, elements: Node = {}, display?: string, beside: Readonly<Node> = {}) {
    this.resourceType = resourceType
    this.elements = elements
    this.display = display
    this.beside = beside
  }
}

/** An object without its undefined and empty members; undefined when none are left. */
export function compact<T extends object>(members: T): Partial<T> | undefined {
  const kept = Object.entries(members).filter(
    ([, member]) => member !== undefined && member !== '' && !(Array.isArray(member) && member.length === 0),
  )
  return kept.length === 0 ? undefined : (Object.fromEntries(kept) as Partial<T>)
}

/**
 * Elements with references instead of drafts. A contained resource is named after its content, so the same doctor is
 * there once, and two versions of a resource can be laid over each other.
 */
export function settled(elements: Node): Node {
  const contained = new Map<string, Node>()
  const own = settledNode(elements, contained)
  return contained.size === 0 ? own : { ...own, contained: [...contained.values()] }
}

function settledNode(node: Node, contained: Map<string, Node>): Node {
  const next: Node = {}
  for (const [name, value] of Object.entries(node)) {
    const kept = settledValue(value, contained)
    if (kept !== undefined) next[name] = kept
  }
  return alignedLists(next)
}

/** What stands beside a value that a list does not have stands beside `null`: https://hl7.org/fhir/R4/json.html#primitive */
function alignedLists(node: Node): Node {
  for (const [name, beside] of Object.entries(node)) {
    if (!name.startsWith('_') || !Array.isArray(beside)) continue
    const values = listOf(node[name.slice(1)])
    node[name.slice(1)] = [...values, ...Array<null>(Math.max(0, beside.length - values.length)).fill(null)]
  }
  return node
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function settledValue(value: unknown, contained: Map<string, Node>): unknown {
  if (value instanceof Draft) return toReference(value, contained)
  if (Array.isArray(value)) {
    const list = value.map(entry => settledValue(entry, contained)).filter(entry => entry !== undefined)
    return list.length === 0 ? undefined : list
  }
  if (!isPlain(value)) return value
  const node = settledNode(value, contained)
  return Object.keys(node).length === 0 ? undefined : node
}

/** A Decimal prints itself; it is not taken apart. */
function isPlain(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function toReference(draft: Draft, contained: Map<string, Node>): Node | undefined {
  const { resourceType } = draft
  const settled = settledNode(draft.elements, contained)
  if (Object.keys(settled).length === 0) return undefined
  const elements = resourceType === 'Organization' ? named(withoutHome(settled)) : settled
  const content = printJson({ resourceType, ...elements })
  const id = `${resourceType.toLowerCase()}-${createHash('sha256').update(content).digest('hex').slice(0, 12)}`
  contained.set(id, { resourceType, id, ...elements })
  return compact({
    ...draft.beside,
    reference: `#${id}`,
    type: resourceType,
    identifier: firstOf(elements.identifier),
    display: draft.display ?? displayOf(elements),
  })
}

const unknown = [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }]

/** What has an address or a kind and nothing else has a name that nobody said: https://hl7.org/fhir/R4/organization.html#invs, org-1 */
function named(organization: Node): Node {
  const isKnown = organization.name !== undefined || organization.identifier !== undefined
  return isKnown ? organization : { ...organization, _name: { extension: unknown } }
}

/** Nothing of an organization is at a home: https://hl7.org/fhir/R4/organization.html#invs, org-2 and org-3 */
function withoutHome(organization: Node): Node {
  const { address, telecom } = organization
  return {
    ...organization,
    ...(address ? { address: eachAway(address) } : {}),
    ...(telecom ? { telecom: eachAway(telecom) } : {}),
  }
}

function eachAway(list: unknown): unknown {
  if (!Array.isArray(list)) return list
  return list.map((entry: Node) => {
    const { use, ...rest } = entry
    return use === 'home' ? rest : entry
  })
}

function firstOf(list: unknown): unknown {
  return Array.isArray(list) ? list[0] : undefined
}

/** What a reader would call it: its name, else what the one it is about is called. */
function displayOf(elements: Node): string | undefined {
  const { name, practitioner, organization, deviceName } = elements as {
    name?: unknown
    practitioner?: { display?: string }
    organization?: { display?: string }
    deviceName?: readonly { name?: string }[]
  }
  if (typeof name === 'string') return name
  return nameText(firstOf(name)) ?? practitioner?.display ?? organization?.display ?? deviceName?.[0]?.name
}

/** A HumanName in words. */
export function nameText(name: unknown): string | undefined {
  const { prefix, given, family, suffix } = (name ?? {}) as Partial<Record<string, string | readonly string[]>>
  const text = [prefix, given, family, suffix].flat().filter(Boolean).join(' ')
  return text === '' ? undefined : text
}

/**
 * What several segments say of one resource, as one: lists one after the other and nothing twice, objects member by
 * member; what the first one says of anything else stays.
 */
export function combined(...parts: readonly Readonly<Node>[]): Node {
  const said = new Map<string, unknown[]>()
  for (const part of parts)
    for (const [name, value] of Object.entries(part)) {
      if (value === undefined) continue
      const known = said.get(name)
      if (known === undefined) said.set(name, [value])
      else known.push(value)
    }
  return Object.fromEntries([...said].map(([name, values]) => [name, joined(name, values)]))
}

/** From when to when is one statement: a start by one segment and an end by another are none. */
const undivided: ReadonlySet<string> = new Set(['boundsPeriod', 'boundsRange', 'boundsDuration'])

/** Whether somebody is referred to: the name and the number beside a reference are those of whom it leads to. */
export function isReference(value: unknown): boolean {
  return isPlain(value) && 'reference' in value
}

/** All that was said of one element. */
function joined(name: string, [first, ...others]: readonly unknown[]): unknown {
  if (others.length === 0 || undivided.has(name) || isReference(first)) return first
  if (Array.isArray(first)) return distinct([first, ...others.filter(Array.isArray)].flat())
  return isPlain(first) ? combined(first, ...others.filter(isPlain)) : first
}

/** Elements whose lists have nothing twice: a number that two segments give is one. */
export function undoubled(elements: Readonly<Node>): Node {
  return Object.fromEntries(
    Object.entries(elements).map(([name, value]) => {
      if (Array.isArray(value)) return [name, distinct(value)]
      return [name, isPlain(value) ? undoubled(value) : value]
    }),
  )
}

function distinct(list: readonly unknown[]): unknown[] {
  const seen = new Set<string>()
  return list.filter(entry => {
    if (entry instanceof Draft) return true
    const text = printJson(entry)
    return !seen.has(text) && seen.add(text)
  })
}
