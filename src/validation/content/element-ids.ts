import type { Node } from '../walk.ts'
import type { Met, Tell } from './check.ts'

/** Ids of elements met so far, for each resource of a walk. @see https://hl7.org/fhir/R4/element-definitions.html#Element.id */
export class ElementIds {
  readonly #met = new WeakMap<Node, Set<unknown>>()

  check({ node, shape, at, around: { resource } }: Met, tell: Tell): void {
    // Those of definitions name what is defined, and are the same in both views of it.
    if (shape.type === 'ElementDefinition') return
    const known = this.#met.get(resource) ?? new Set()
    this.#met.set(resource, known)
    if (known.has(node.id)) tell('elementId', `${at}/id`)
    known.add(node.id)
  }
}
