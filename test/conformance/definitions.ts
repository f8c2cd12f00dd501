import type { Example, Json } from './examples.ts'

/** What HL7's definitions say of an element, as far as it is used here. */
export interface Element {
  readonly path: string
  readonly min: number
  readonly max: string
  readonly contentReference?: string
  readonly type?: readonly { readonly code: string; readonly targetProfile?: readonly string[] }[]
  readonly binding?: { readonly strength: string; readonly valueSet?: string }
  readonly constraint?: readonly { readonly key: string; readonly severity: string; readonly expression?: string }[]
}

interface Definition {
  readonly resourceType: string
  readonly type: string
  readonly kind: string
  readonly derivation?: string
  readonly snapshot?: { readonly element: readonly Element[] }
}

/** An element of a resource: where it stands, and under which name. */
export interface Place {
  readonly element: Element
  readonly code: string
  readonly name: string
  /** Names and indexes from the resource to the object that has it. */
  readonly keys: readonly (string | number)[]
  readonly value: unknown
}

/** The definitions of R4 among its examples, which know nothing of this project. */
export class Definitions {
  readonly #children = new Map<string, Element[]>()
  readonly #sets = new Map<string, Json>()
  readonly #systems = new Map<string, Json>()
  /** Path → element. */
  readonly elements = new Map<string, Element>()
  readonly resourceTypes = new Set<string>()

  constructor(examples: readonly Example[]) {
    for (const { resource } of examples) {
      if (resource.resourceType === 'StructureDefinition') this.#addType(resource as Partial<Definition>)
      if (resource.resourceType === 'ValueSet') this.#sets.set(String(resource.url), resource)
      if (resource.resourceType === 'CodeSystem') this.#systems.set(String(resource.url), resource)
    }
  }

  #addType({ snapshot, derivation, kind, type = '' }: Partial<Definition>): void {
    if (snapshot === undefined || derivation === 'constraint' || kind === 'logical') return
    if (kind === 'resource') this.resourceTypes.add(type)
    for (const element of snapshot.element) {
      this.elements.set(element.path, element)
      const parent = element.path.slice(0, Math.max(0, element.path.lastIndexOf('.')))
      this.#children.set(parent, [...(this.#children.get(parent) ?? []), element])
    }
  }

  /** Whether all codes of a value set are to be found in what HL7 lists. */
  isListed(canonical: string | undefined): boolean {
    const compose = this.#sets.get(String(canonical).replace(/\|.*$/, ''))?.compose as
      | { include?: readonly Json[] }
      | undefined
    const include = compose?.include ?? []
    return include.length > 0 && include.every(part => part.concept !== undefined || this.#isWhole(part))
  }

  #isWhole({ system, filter }: Json): boolean {
    return filter === undefined && this.#systems.get(String(system))?.content === 'complete'
  }

  /** All elements of an object that falls under a path, those within it too. */
  *places(node: Json, path: string, keys: readonly (string | number)[] = []): Generator<Place> {
    for (const element of this.#children.get(path) ?? [])
      for (const { name, code } of namesOf(element)) {
        const value = node[name]
        if (value === undefined) continue
        yield { element, code, name, keys, value }
        for (const [index, item] of (Array.isArray(value) ? value : [value]).entries()) {
          const below = Array.isArray(value) ? [...keys, name, index] : [...keys, name]
          if (typeof item === 'object' && item !== null)
            yield* this.places(item, pathWithin(element, code, item), below)
        }
      }
  }
}

function pathWithin({ path, contentReference }: Element, code: string, item: Json): string {
  if (contentReference !== undefined) return contentReference.slice(1)
  if (code === 'Resource') return String(item.resourceType)
  return code === 'BackboneElement' || code === 'Element' ? path : code
}

function namesOf({ path, type = [] }: Element): readonly { readonly name: string; readonly code: string }[] {
  const last = path.slice(path.lastIndexOf('.') + 1)
  if (!last.endsWith('[x]')) return [{ name: last, code: type[0]?.code ?? '' }]
  return type.map(({ code }) => ({ name: last.slice(0, -3) + code.charAt(0).toUpperCase() + code.slice(1), code }))
}
