import type { Resource } from '#fhir'

type Node = { readonly [element: string]: unknown }
type Use = (reference: Node) => Node

/**
 * A Composition with each reference replaced whose target has to be in its document.
 *
 * @param use  gives what takes the place of a Reference; called in the order in which they stand
 * @see https://hl7.org/fhir/R4/documents.html#content
 */
export function mapParts(composition: Resource, use: Use): Resource {
  return {
    ...composition,
    ...mapped(composition, ['subject', 'encounter', 'author', 'custodian'], use),
    ...mapped(composition, ['attester'], attester => ({ ...attester, ...mapped(attester, ['party'], use) })),
    ...mapped(composition, ['event'], event => ({ ...event, ...mapped(event, ['detail'], use) })),
    ...mapped(composition, ['section'], section => mapSection(section, use)),
  }
}

function mapSection(section: Node, use: Use): Node {
  return {
    ...section,
    ...mapped(section, ['author', 'focus', 'entry'], use),
    ...mapped(section, ['section'], inner => mapSection(inner, use)),
  }
}

/** Of these members those that are there. */
function mapped(node: Node, names: readonly string[], use: Use): Node {
  const there = names.filter(name => node[name] !== undefined)
  return Object.fromEntries(there.map(name => [name, mappedValue(node[name], use)]))
}

function mappedValue(value: unknown, use: Use): unknown {
  if (Array.isArray(value)) return value.map(each => mappedValue(each, use))
  return typeof value === 'object' && value !== null ? use(value as Node) : value
}
