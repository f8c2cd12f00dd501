import { Draft, type Node } from './drafts.ts'

/** One step of a path: an element, perhaps an entry of a list, perhaps the resource that it refers to. */
interface Step {
  readonly name: string
  /** `''` adds an entry, a number counts entries from 0, a word names the one entry that several rows share. */
  readonly entry: string | undefined
  readonly type: string | undefined
}

const pattern = /^(\w+)(?:\[([\w-]*)\])?(?:\((\w+)\))?$/
const known = new Map<string, readonly Step[]>()

function stepsOf(path: string): readonly Step[] {
  const steps =
    known.get(path) ??
    path.split('.').map(text => {
      const [, name, entry, type] = pattern.exec(text) ?? []
      if (name === undefined) throw new Error(`no path: ${path}`)
      return { name, entry, type }
    })
  known.set(path, steps)
  return steps
}

/**
 * The elements of one resource or data type while rows fill them. Paths are those of the guide:
 * `participant[admitter].individual(Practitioner).address[]` is an address of the Practitioner to whom the entry refers
 * that the rows of `admitter` share.
 */
export class Elements {
  readonly node: Node
  /** The entries that have a name, by list and name. */
  readonly #entries = new WeakMap<Node, Map<string, unknown>>()
  /** Lists that were made here: what a value brought along is not added to. */
  readonly #lists = new WeakSet<unknown[]>()

  constructor(node: Node = {}) {
    this.node = node
  }

  /** Whether something is there. `reaction[0].manifestation` */
  has(path: string): boolean {
    return this.at(path) !== undefined
  }

  /** What is there. */
  at(path: string): unknown {
    let node: unknown = this.node
    for (const step of stepsOf(path)) {
      const parent = inner(node)
      if (parent === undefined) return undefined
      node = step.entry === undefined ? parent[step.name] : this.#entryOf(parent, step)
    }
    return node
  }

  /**
   * Puts a value at a path. An element that is there already stays: the row that comes first wins.
   *
   * @param beside  what stands beside the value in each list entry that the path adds, outermost first
   * @returns       whether it was put there, or the same was there already
   */
  put(path: string, value: unknown, beside: readonly Readonly<Node>[] = []): boolean {
    return this.#put(this.node, stepsOf(path), value, beside)
  }

  #put(node: Node, [step, ...rest]: readonly Step[], value: unknown, beside: readonly Readonly<Node>[]): boolean {
    if (step === undefined) return false
    if (step.entry !== undefined) return this.#putEntry(node, step, rest, value, beside)
    if (rest.length === 0) return putLeaf(node, step.name, value)
    node[step.name] ??= step.type === undefined ? {} : new Draft(step.type)
    const child = inner(node[step.name])
    return child !== undefined && this.#put(child, rest, value, beside)
  }

  #putEntry(
    node: Node,
    step: Step,
    rest: readonly Step[],
    value: unknown,
    [own, ...further]: readonly Readonly<Node>[],
  ): boolean {
    const entry = this.#entryOf(node, step)
    if (entry !== undefined) return rest.length > 0 && this.#put(entry, rest, value, further)
    const fresh = step.type === undefined ? copy(own) : new Draft(step.type, copy(own))
    const added = rest.length === 0 ? besides(value, own) : fresh
    this.#listOf(node, step.name).push(added)
    if (step.entry !== '') this.#name(node, step, added)
    return rest.length === 0 || this.#put(inner(fresh) as Node, rest, value, further)
  }

  #listOf(node: Node, name: string): unknown[] {
    const there = node[name]
    if (Array.isArray(there) && this.#lists.has(there)) return there
    const list: unknown[] = Array.isArray(there) ? [...there] : []
    this.#lists.add(list)
    node[name] = list
    return list
  }

  #entryOf(node: Node, { name, entry = '' }: Step): Node | undefined {
    const list = node[name]
    if (entry === '' || !Array.isArray(list)) return undefined
    return inner(/^\d+$/.test(entry) ? list[Number(entry)] : this.#entries.get(node)?.get(`${name} ${entry}`))
  }

  #name(node: Node, { name, entry }: Step, added: unknown): void {
    const entries = this.#entries.get(node) ?? new Map<string, unknown>()
    entries.set(`${name} ${entry}`, added)
    this.#entries.set(node, entries)
  }
}

/** Words that came first stay the text of the codes that come then. */
function putLeaf(node: Node, name: string, value: unknown): boolean {
  const there = inner(node[name])
  if (there !== undefined && Object.keys(there).join() === 'text' && inner(value) !== undefined) {
    node[name] = { ...inner(value), ...there }
    return true
  }
  if (completes(node[name], value)) return true
  node[name] ??= value
  return node[name] === value
}

/** Whoever was known by an address alone gets a name: two that say nothing of the same are one. */
function completes(there: unknown, value: unknown): boolean {
  if (!(there instanceof Draft) || !(value instanceof Draft) || there.resourceType !== value.resourceType) return false
  if (Object.keys(value.elements).some(name => name in there.elements)) return false
  Object.assign(there.elements, value.elements)
  return true
}

function inner(value: unknown): Node | undefined {
  if (value instanceof Draft) return value.elements
  return typeof value === 'object' && value !== null ? (value as Node) : undefined
}

function copy(node: Readonly<Node> | undefined): Node {
  return { ...node }
}

function besides(value: unknown, own: Readonly<Node> | undefined): unknown {
  if (own === undefined || typeof value !== 'object') return value
  return value instanceof Draft
    ? new Draft(value.resourceType, value.elements, value.display, own)
    : { ...own, ...value }
}
