/** What a Reference points at: on this server, or – within a stored Bundle – first in the Bundle itself. */
import { parseReference, type Resource } from '#fhir'
import type { Steps } from '#kernel'

/** A resource of this server that a Reference names. */
export interface Pointing {
  readonly type: string
  readonly id: string
}

/** How the references of one resource are to be read. */
export interface Addresses {
  /** The resource of this server that a text names; undefined for what is elsewhere, contained, or only described. */
  resolve(reference: string): Pointing | undefined
  /** The id under which the resource itself is kept here; undefined when it is kept elsewhere, or not by its id. */
  self(resource: Resource): string | undefined
}

/** A resource in a Bundle, with how its references are to be read. */
export interface Addressed {
  readonly resource: Resource
  readonly addresses: Addresses
}

/** References as they stand in a resource of its own: relative ones are of this server. */
export function addressesAt(baseUrl: string): Addresses {
  return {
    self: ({ id }) => id,
    resolve: text => {
      const { kind, type, id } = parseReference(text, baseUrl)
      return kind === 'local' && type !== undefined && id !== undefined ? { type, id } : undefined
    },
  }
}

/** What the References at a path name here, in their order. */
export function* pointingsAt(
  resource: Resource,
  steps: readonly string[],
  addresses: Addresses,
): Steps<readonly Pointing[]> {
  if (!Object.hasOwn(resource, steps[0] ?? '')) return nowhere
  const found: Pointing[] = []
  yield* collect(resource, steps, 0, addresses, found)
  return found
}

const nowhere: readonly Pointing[] = []

/**
 * The resources of a stored Bundle. A relative reference is read against the fullUrl of its entry, and whatever an entry of
 * the Bundle is addressed by means that entry: a patient whom the Bundle brings along from another server, or without an
 * address, is nobody of this server, whatever id it has there.
 *
 * @see https://hl7.org/fhir/R4/bundle.html#references
 */
export function addressesIn(bundle: Resource, outside: Addresses): readonly Addressed[] {
  const entries = entriesOf(bundle)
  const brought = new Set(entries.flatMap(({ fullUrl, resource }) => addressOf(fullUrl, resource) ?? []))
  return entries.map(({ fullUrl, resource }) => ({ resource, addresses: within(fullUrl, brought, outside) }))
}

interface Entry {
  readonly fullUrl: string | undefined
  readonly resource: Resource
}

function within(fullUrl: string | undefined, brought: ReadonlySet<string>, outside: Addresses): Addresses {
  const base = fullUrl === undefined ? undefined : restfulBase.exec(fullUrl)?.[1]
  const isOwn = fullUrl === undefined || outside.resolve(fullUrl) !== undefined
  return {
    self: resource => (isOwn ? outside.self(resource) : undefined),
    resolve: text => {
      const address = base === undefined || isAbsolute(text) ? text : base + text
      const here = outside.resolve(address)
      const isBrought = brought.has(unversioned(address))
      return isBrought && (here === undefined || !isAbsolute(address)) ? undefined : here
    },
  }
}

/** `http://example.org/fhir/` of `http://example.org/fhir/Patient/1`. */
const restfulBase =
  /^([Hh][Tt][Tt][Pp][Ss]?:\/\/.+\/)[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}(?:\/_history\/[A-Za-z0-9.-]{1,64})?$/
const absolute = /^(?:[a-z][a-z0-9+.-]*:|#)/i

function isAbsolute(text: string): boolean {
  return absolute.test(text)
}

function unversioned(address: string): string {
  return address.replace(/\/_history\/[^/]+$/, '')
}

/** By what an entry is addressed: its fullUrl, and `Type/id` where that says no server. Without a fullUrl it is ours. */
function addressOf(fullUrl: string | undefined, { resourceType, id }: Resource): readonly string[] | undefined {
  if (fullUrl === undefined) return undefined
  const named = restfulBase.test(fullUrl) || id === undefined ? [] : [`${resourceType}/${id}`]
  return [unversioned(fullUrl), ...named]
}

function entriesOf(bundle: Resource): readonly Entry[] {
  const entries: readonly unknown[] = Array.isArray(bundle.entry) ? bundle.entry : []
  return entries.flatMap(entry => {
    if (!isObject(entry) || !isResource(entry.resource)) return []
    const { fullUrl, resource } = entry
    return [{ fullUrl: typeof fullUrl === 'string' && isAbsolute(fullUrl) ? fullUrl : undefined, resource }]
  })
}

/** Every write asks, so nothing is made on the way that is not needed. */
function* collect(
  node: unknown,
  steps: readonly string[],
  at: number,
  addresses: Addresses,
  found: Pointing[],
): Steps<void> {
  if (Array.isArray(node)) {
    for (const item of node) yield* collect(item, steps, at, addresses, found)
    return
  }
  if (!isObject(node)) return
  const step = steps[at]
  if (step !== undefined) {
    if (Object.hasOwn(node, step)) yield* collect(node[step], steps, at + 1, addresses, found)
    return
  }
  yield
  const pointing = typeof node.reference === 'string' ? addresses.resolve(node.reference) : undefined
  if (pointing !== undefined) found.push(pointing)
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isResource(value: unknown): value is Resource {
  return isObject(value) && typeof value.resourceType === 'string'
}
