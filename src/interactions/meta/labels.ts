import { Problem, type Steps } from '#kernel'

type Node = { readonly [element: string]: unknown }

/** What of a `meta` these operations are about: sets, each element known by what it means. */
export interface Labels {
  readonly profile: readonly string[]
  readonly security: readonly Node[]
  readonly tag: readonly Node[]
}

const codings = ['security', 'tag'] as const

/**
 * The profiles, security labels and tags of a `meta` that was sent. What else stands there is the server's, or told by updates.
 *
 * @throws Problem `invalid` · `meta.malformed`
 */
export function labelsOf(meta: unknown): Labels {
  if (!isNode(meta)) throw malformedMeta('Parameters.parameter')
  for (const [name, isOne] of Object.entries(elements)) {
    const { [name]: list = [] } = meta
    if (!Array.isArray(list) || !list.every(isOne))
      throw malformedMeta(`Parameters.parameter.value.ofType(Meta).${name}`)
  }
  return labelsIn(meta)
}

const elements: Readonly<Record<keyof Labels, (value: unknown) => boolean>> = {
  profile: isText,
  security: isNode,
  tag: isNode,
}

/** Those of a `meta` that is kept: a profile without a value has extensions alone. */
function labelsIn({ profile, security, tag }: Node): Labels {
  return {
    profile: listIn(profile).filter(isText),
    security: listIn(security).filter(isNode),
    tag: listIn(tag).filter(isNode),
  }
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** What is sent is no Meta, or there is none. */
export function malformedMeta(expression: string): Problem {
  return new Problem(
    'invalid',
    'meta.malformed',
    'This operation needs one parameter meta, with profiles, security labels or tags.',
    { expression },
  )
}

/**
 * A `meta` with these labels beside its own: what is there already stays as it is.
 *
 * @see https://hl7.org/fhir/R4/resource-operation-meta-add.html – a coding is known by system and code
 */
export function* withLabels(meta: Node, added: Labels): Steps<Node> {
  const own = labelsIn(meta)
  const known = new Set(own.profile)
  return withoutEmpty({
    ...meta,
    profile: [...listIn(meta.profile), ...[...new Set(added.profile)].filter(profile => !known.has(profile))],
    security: yield* union(own.security, added.security),
    tag: yield* union(own.tag, added.tag),
  })
}

/**
 * A `meta` without these labels; those that are not there do not matter.
 *
 * @see https://hl7.org/fhir/R4/resource-operation-meta-delete.html
 */
export function* withoutLabels(meta: Node, removed: Labels): Steps<Node> {
  const own = labelsIn(meta)
  const gone = new Set<unknown>(removed.profile)
  const isKept = listIn(meta.profile).map(profile => !gone.has(profile))
  // Extensions of a profile lie beside it, at the same place of another list.
  const kept = (list: unknown) => listIn(list).filter((_, at) => isKept[at] !== false)
  return withoutEmpty({
    ...meta,
    profile: kept(meta.profile),
    _profile: kept(meta._profile),
    security: yield* difference(own.security, removed.security),
    tag: yield* difference(own.tag, removed.tag),
  })
}

/** All labels of several `meta`s, each once, in an order that tells nothing of where they came from. */
export class Collected {
  readonly #profiles = new Set<string>()
  readonly #codings = { security: new Map<string, Node>(), tag: new Map<string, Node>() }

  add(meta: Node): void {
    const labels = labelsIn(meta)
    for (const profile of labels.profile) this.#profiles.add(profile)
    for (const name of codings) for (const coding of labels[name]) this.#take(name, coding)
  }

  /** Of those that differ in their display one is told, whatever came first. */
  #take(name: (typeof codings)[number], coding: Node): void {
    const key = nameOf(coding)
    const known = this.#codings[name].get(key)
    if (known === undefined || textOf(coding) < textOf(known)) this.#codings[name].set(key, coding)
  }

  meta(): Node {
    const { security, tag } = this.#codings
    return withoutEmpty({ profile: [...this.#profiles].sort(), security: sorted(security), tag: sorted(tag) })
  }
}

function sorted(byName: ReadonlyMap<string, Node>): readonly Node[] {
  return [...byName].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, coding]) => coding)
}

const nameOf = ({ system, code }: Node) => JSON.stringify([system ?? null, code ?? null])
const textOf = (coding: Node) => JSON.stringify(coding)

/** Codings that are there already as they stand, and of the others each once. */
function* union(ones: readonly Node[], others: readonly Node[]): Steps<readonly Node[]> {
  const known = yield* namesOf(ones)
  const all = [...ones]
  for (const other of others) {
    yield
    const name = nameOf(other)
    if (known.has(name)) continue
    known.add(name)
    all.push(other)
  }
  return all
}

function* difference(ones: readonly Node[], others: readonly Node[]): Steps<readonly Node[]> {
  const gone = yield* namesOf(others)
  const kept: Node[] = []
  for (const one of ones) {
    yield
    if (!gone.has(nameOf(one))) kept.push(one)
  }
  return kept
}

function* namesOf(labels: readonly Node[]): Steps<Set<string>> {
  const names = new Set<string>()
  for (const label of labels) {
    yield
    names.add(nameOf(label))
  }
  return names
}

/** FHIR knows no empty lists. */
function withoutEmpty(meta: Node): Node {
  const isSaid = (value: unknown) =>
    value !== undefined && !(Array.isArray(value) && value.every(each => each === null))
  return Object.fromEntries(Object.entries(meta).filter(([, value]) => isSaid(value)))
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
