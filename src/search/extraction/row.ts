import { isResourceType, type Resource } from '#fhir'
import { atOnce, type Steps } from '#kernel'
import { plain } from '../kinds/entries.ts'
import { Cell, type Source } from './cell.ts'
import { type KeyReader, type Plan, planOf, truthEntry } from './plan.ts'

/** Where a version stands in its compartment's ledger. */
export interface RowPlace {
  readonly seq: number
  readonly version: number
  readonly lastUpdatedMs: number
  /** Seq of the version that this one replaces; undefined (or 0) for a resource's first version here. */
  readonly supersedes?: number | undefined
  readonly deleted: boolean
  /** Whether the same version lies in other compartments too, so that an answer must not show it twice. */
  readonly shared?: boolean | undefined
  /** The account that made the resource, where that decides who sees it. */
  readonly creator?: string | undefined
}

/** What the index keeps of one version. */
export interface IndexRow extends RowPlace {
  readonly type: string
  readonly id: string
  readonly cells: readonly Cell[]
  /** Of the resources within it, which only chains reach; undefined for nearly all. */
  readonly contained?: readonly ContainedRow[] | undefined
}

/** What the index keeps of a resource within another. */
export interface ContainedRow {
  readonly type: string
  /** As references name it: `#m`, so that no logical id is mistaken for it. */
  readonly fragment: string
  readonly cells: readonly Cell[]
}

function cellOf(cells: (Cell | undefined)[], source: Source): Cell {
  let cell = cells[source.index]
  if (cell === undefined) cells[source.index] = cell = new Cell(source)
  return cell
}

/** What is read in one go: elements of a list, nodes, texts. */
const atATime = 256

function* referencesIn(resource: Resource): Steps<readonly string[]> {
  const found: string[] = []
  const nodes: object[] = [resource]
  for (let at = 0; at < nodes.length; at++) {
    if (at % atATime === atATime - 1) yield
    const node = nodes[at] as object
    if (Array.isArray(node)) for (const item of node) addNode(item, nodes)
    else addReferences(node, nodes, found)
  }
  return found
}

function addReferences(node: object, nodes: object[], found: string[]): void {
  for (const key in node) {
    const value = (node as { readonly [element: string]: unknown })[key]
    if (key === 'reference' && typeof value === 'string') found.push(value)
    else addNode(value, nodes)
  }
}

function addNode(value: unknown, nodes: object[]): void {
  if (typeof value === 'object' && value !== null) nodes.push(value)
}

function isIndexed(reference: string, cells: readonly (Cell | undefined)[], plan: Plan): boolean {
  return plan.references.some(index =>
    cells[index]?.texts.some(text => text === reference || text.startsWith(`${reference}\u001f`)),
  )
}

/** From so many references on it takes less to gather what is indexed than to look for each. */
const manyReferences = 16

/** Tells whether a parameter covers a reference. */
function* indexedTest(
  count: number,
  cells: readonly (Cell | undefined)[],
  plan: Plan,
): Steps<(reference: string) => boolean> {
  if (count < manyReferences) return reference => isIndexed(reference, cells, plan)
  const texts = plan.references.flatMap(index => cells[index]?.texts ?? [])
  const indexed = new Set<string>()
  for (const [at, text] of texts.entries()) {
    if (at % atATime === atATime - 1) yield
    indexed.add(text.split('\u001f', 1)[0] ?? text)
  }
  return reference => indexed.has(reference)
}

/** References that no parameter covers still lead to resources that the caller may read. */
function* addOtherReferences(resource: Resource, cells: (Cell | undefined)[], plan: Plan): Steps<void> {
  const found = yield* referencesIn(resource)
  if (found.length === 0) return
  const isCovered = yield* indexedTest(found.length, cells, plan)
  for (const [at, reference] of found.entries()) {
    if (at % atATime === atATime - 1) yield
    const text = plain(reference)
    if (text === '' || text.startsWith('#') || isCovered(text)) continue
    cellOf(cells, plan.otherReferences).pushText(text, 0)
  }
}

/** A long list bit by bit. */
function* readInto(cell: Cell, read: KeyReader['read'], value: readonly unknown[]): Steps<void> {
  for (let from = 0; from < value.length; from += atATime) {
    yield
    read(value.slice(from, from + atATime), cell, from)
  }
}

function* cellsOf(
  resource: Resource,
  plan: Plan,
  { shared, creator }: Pick<RowPlace, 'shared' | 'creator'>,
): Steps<readonly Cell[]> {
  const cells: (Cell | undefined)[] = []
  for (const key in resource) {
    const value = resource[key]
    if (value === null || value === undefined) continue
    for (const { source, read } of plan.byKey.get(key) ?? []) {
      const before = cells[source.index]
      const cell = before ?? new Cell(source)
      if (Array.isArray(value) && value.length > atATime) yield* readInto(cell, read, value)
      else read(value, cell, 0)
      if (before === undefined && cell.count > 0) cells[source.index] = cell
    }
  }
  for (const { source, holds } of plan.statements) cellOf(cells, source).pushText(truthEntry(holds(resource)), 0)
  yield* addOtherReferences(resource, cells, plan)
  if (creator !== undefined) cellOf(cells, plan.creator).pushText(creator, 0)
  if (shared === true) cellOf(cells, plan.shared).pushText(truthEntry(true), 0)
  return cells.filter(cell => cell !== undefined)
}

/** @see https://hl7.org/fhir/R4/search.html#contained – "chaining … will be evaluated inside contained resources" */
function* containedOf({ contained }: Resource): Steps<readonly ContainedRow[] | undefined> {
  if (!Array.isArray(contained)) return undefined
  const rows: ContainedRow[] = []
  for (const resource of contained.filter(isTyped)) {
    yield
    const { resourceType: type, id } = resource
    rows.push({ type, fragment: `#${plain(id)}`, cells: yield* cellsOf(resource, planOf(type), {}) })
  }
  return rows
}

function isTyped(value: unknown): value is Resource {
  return typeof value === 'object' && value !== null && isResourceType((value as Partial<Resource>).resourceType ?? '')
}

/**
 * What the index keeps of one version of a resource. For a deletion the resource needs only its type and id.
 *
 * @param resource  with its id
 */
export function extractRow(resource: Resource, at: RowPlace): IndexRow {
  return atOnce(extractRowInSteps(resource, at))
}

/** The same, bit by bit: for a resource of many values. */
export function* extractRowInSteps(resource: Resource, at: RowPlace): Steps<IndexRow> {
  const plan = planOf(resource.resourceType)
  const supersedes = at.supersedes === 0 ? undefined : at.supersedes
  return {
    type: resource.resourceType,
    id: resource.id ?? '',
    seq: at.seq,
    version: at.version,
    lastUpdatedMs: at.lastUpdatedMs,
    supersedes,
    deleted: at.deleted,
    cells: at.deleted ? [] : yield* cellsOf(resource, plan, at),
    contained: at.deleted ? undefined : yield* containedOf(resource),
  }
}
