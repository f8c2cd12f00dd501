interface Contained {
  readonly id?: string
}

/**
 * A resource that was put together of several versions, with those of their contained resources that it refers to, each
 * once: https://hl7.org/fhir/R4/references.html#contained
 */
export function withContained<T extends object>(
  resource: T,
  ...versions: readonly Readonly<Record<string, unknown>>[]
): T {
  const known = new Map(versions.flatMap(containedOf).map(one => [one.id ?? '', one]))
  const { contained, ...rest } = resource as T & { readonly contained?: unknown }
  if (known.size === 0) return resource
  const kept = new Set<Contained>()
  let names = namesIn(rest)
  while (names.length > 0) {
    const found = names.map(name => known.get(name)).filter(one => one !== undefined && !kept.has(one)) as Contained[]
    for (const one of found) kept.add(one)
    names = found.flatMap(namesIn)
  }
  // In the place and order that it had: what says the same is the same.
  return (kept.size === 0 ? rest : { ...resource, contained: [...known.values()].filter(one => kept.has(one)) }) as T
}

function containedOf({ contained }: Readonly<Record<string, unknown>>): readonly Contained[] {
  return Array.isArray(contained) ? (contained as Contained[]) : []
}

/** The ids of the contained resources that references name. */
function namesIn(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([name, value]) =>
    name === 'reference' && typeof value === 'string' && value.startsWith('#') ? [value.slice(1)] : namesIn(value),
  )
}
