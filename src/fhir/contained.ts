interface Holding {
  readonly contained?: unknown
}

type Node = { readonly [name: string]: unknown }

const known = new WeakMap<readonly unknown[], ReadonlyMap<unknown, Node>>()

/**
 * The contained resource of an id, which is the first that has it. Each of tens of thousands may be referred to from within: they are
 * gone through once, and must not be changed afterwards.
 *
 * @see https://hl7.org/fhir/R4/references.html#contained
 */
export function containedIn({ contained }: Holding, id: string): Node | undefined {
  if (!Array.isArray(contained)) return undefined
  const byId = known.get(contained) ?? allById(contained)
  known.set(contained, byId)
  return byId.get(id)
}

function allById(contained: readonly unknown[]): ReadonlyMap<unknown, Node> {
  const all = new Map<unknown, Node>()
  for (const each of contained) if (isNode(each) && !all.has(each.id)) all.set(each.id, each)
  return all
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
