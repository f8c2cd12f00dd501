import type { Resource } from '#fhir'
import type { Steps } from '#kernel'

type Node = { readonly [element: string]: unknown }
type Use = (reference: Node) => Node

/**
 * A Composition with each reference replaced whose target has to be in its document.
 *
 * @param use  gives what takes the place of a Reference; called in the order in which they stand
 * @see https://hl7.org/fhir/R4/documents.html#content
 */
export function* mapParts(composition: Resource, use: Use): Steps<Resource> {
  return { ...composition, ...(yield* mapped(composition, ofComposition, use)) }
}

/** Which members are References, and which hold more of such members. */
interface Parts {
  readonly [member: string]: 'reference' | Parts
}

const ofSection: Parts = {
  author: 'reference',
  focus: 'reference',
  entry: 'reference',
  get section(): Parts {
    return ofSection
  },
}

const ofComposition: Parts = {
  subject: 'reference',
  encounter: 'reference',
  author: 'reference',
  custodian: 'reference',
  attester: { party: 'reference' },
  event: { detail: 'reference' },
  section: ofSection,
}

/** Of these members those that are there. */
function* mapped(node: Node, parts: Parts, use: Use): Steps<Node> {
  const found: { [member: string]: unknown } = {}
  for (const [name, part] of Object.entries(parts))
    if (node[name] !== undefined) found[name] = yield* mappedValue(node[name], part, use)
  return found
}

function* mappedValue(value: unknown, part: Parts[string], use: Use): Steps<unknown> {
  if (Array.isArray(value)) {
    const values: unknown[] = []
    for (const each of value) values.push(yield* mappedValue(each, part, use))
    return values
  }
  if (typeof value !== 'object' || value === null) return value
  yield
  const node = value as Node
  return part === 'reference' ? use(node) : { ...node, ...(yield* mapped(node, part, use)) }
}
