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

type Cells = (Cell | undefined)[]

function cellOf(cells: Cells, source: Source): Cell {
  let cell = cells[source.index]
  if (cell === undefined) cells[source.index] = cell = new Cell(source)
  return cell
}

/** What is read in one go: elements of a list, nodes, texts. */
const atATime = 256

/** Goes through a resource for the references in it, some nodes at a time. */
class ReferenceWalk {
  readonly found: string[] = []
  readonly #nodes: object[]
  #at = 0

  constructor(resource: Resource) {
    this.#nodes = [resource]
  }

  /** @returns whether it has been everywhere */
  goOn(nodes: number): boolean {
    const until = this.#at + nodes
    for (; this.#at < until && this.#at < this.#nodes.length; this.#at++) {
      const node = this.#nodes[this.#at] as object
      if (Array.isArray(node)) for (const item of node) this.#add(item)
      else this.#look(node as { readonly [element: string]: unknown })
    }
    return this.#at === this.#nodes.length
  }

  #look(node: { readonly [element: string]: unknown }): void {
    for (const key in node) {
      const value = node[key]
      if (typeof value === 'object') this.#add(value)
      else if (key === 'reference' && typeof value === 'string') this.found.push(value)
    }
  }

  #add(value: unknown): void {
    if (typeof value === 'object' && value !== null) this.#nodes.push(value)
  }
}

function isIndexed(reference: string, cells: readonly (Cell | undefined)[], plan: Plan): boolean {
  return plan.references.some(index =>
    cells[index]?.texts.some(text => text === reference || text.startsWith(`${reference}\u001f`)),
  )
}

/** From so many references on it takes less to gather what is indexed than to look for each. */
const manyReferences = 16

function* gathered(cells: Cells, plan: Plan): Steps<ReadonlySet<string>> {
  const indexed = new Set<string>()
  const texts = plan.references.flatMap(index => cells[index]?.texts ?? [])
  for (let at = 0; at < texts.length; at++) {
    if (at % atATime === atATime - 1) yield
    const text = texts[at] as string
    indexed.add(text.split('\u001f', 1)[0] ?? text)
  }
  return indexed
}

/** References that no parameter covers still lead to resources that the caller may read. */
function addOther(reference: string, isCovered: (text: string) => boolean, cells: Cells, plan: Plan): void {
  const text = plain(reference)
  if (text === '' || text.startsWith('#') || isCovered(text)) return
  cellOf(cells, plan.otherReferences).pushText(text, 0)
}

function addOthers(resource: Resource, cells: Cells, plan: Plan): void {
  const walk = new ReferenceWalk(resource)
  walk.goOn(Number.POSITIVE_INFINITY)
  const { found } = walk
  const indexed = found.length < manyReferences ? undefined : atOnce(gathered(cells, plan))
  const isCovered = (text: string) => indexed?.has(text) ?? isIndexed(text, cells, plan)
  for (const reference of found) addOther(reference, isCovered, cells, plan)
}

function* addOthersInSteps(resource: Resource, cells: Cells, plan: Plan): Steps<void> {
  const walk = new ReferenceWalk(resource)
  while (!walk.goOn(atATime)) yield
  const indexed = yield* gathered(cells, plan)
  for (let at = 0; at < walk.found.length; at++) {
    if (at % atATime === atATime - 1) yield
    addOther(walk.found[at] as string, text => indexed.has(text), cells, plan)
  }
}

/** Reads an element, or the part of a list that begins at `from`, into the cell of one source. */
function readInto(cells: Cells, { source, read }: KeyReader, value: unknown, from: number): void {
  const before = cells[source.index]
  const cell = before ?? new Cell(source)
  read(value, cell, from)
  if (before === undefined && cell.count > 0) cells[source.index] = cell
}

function addStatements(resource: Resource, cells: Cells, plan: Plan): void {
  for (const { source, holds } of plan.statements) cellOf(cells, source).pushText(truthEntry(holds(resource)), 0)
}

type Own = Pick<RowPlace, 'shared' | 'creator'>

function withOwn(cells: Cells, plan: Plan, { shared, creator }: Own): readonly Cell[] {
  if (creator !== undefined) cellOf(cells, plan.creator).pushText(creator, 0)
  if (shared === true) cellOf(cells, plan.shared).pushText(truthEntry(true), 0)
  return cells.filter(cell => cell !== undefined)
}

function cellsOf(resource: Resource, plan: Plan, own: Own): readonly Cell[] {
  const cells: Cells = []
  for (const key in resource) {
    const value = resource[key]
    if (value === null || value === undefined) continue
    for (const reader of plan.byKey.get(key) ?? noReaders) readInto(cells, reader, value, 0)
  }
  addStatements(resource, cells, plan)
  addOthers(resource, cells, plan)
  return withOwn(cells, plan, own)
}

// Apart from `cellsOf`, because a generator takes five times as long for a small resource.
function* cellsInSteps(resource: Resource, plan: Plan, own: Own): Steps<readonly Cell[]> {
  const cells: Cells = []
  for (const key in resource) {
    const value = resource[key]
    if (value === null || value === undefined) continue
    for (const reader of plan.byKey.get(key) ?? noReaders) yield* readAll(cells, reader, value)
  }
  addStatements(resource, cells, plan)
  yield* addOthersInSteps(resource, cells, plan)
  return withOwn(cells, plan, own)
}

const noReaders: readonly KeyReader[] = []

/** A long list bit by bit. */
function* readAll(cells: Cells, reader: KeyReader, value: unknown): Steps<void> {
  if (!Array.isArray(value) || value.length <= atATime) return readInto(cells, reader, value, 0)
  for (let from = 0; from < value.length; from += atATime) {
    yield
    readInto(cells, reader, value.slice(from, from + atATime), from)
  }
}

const nameOf = ({ resourceType, id }: Resource) => ({ type: resourceType, fragment: `#${plain(id)}` })

/** @see https://hl7.org/fhir/R4/search.html#contained – "chaining … will be evaluated inside contained resources" */
function containedOf({ contained }: Resource): readonly ContainedRow[] | undefined {
  if (!Array.isArray(contained)) return undefined
  return contained.filter(isTyped).map(resource => ({
    ...nameOf(resource),
    cells: cellsOf(resource, planOf(resource.resourceType), {}),
  }))
}

function* containedInSteps({ contained }: Resource): Steps<readonly ContainedRow[] | undefined> {
  if (!Array.isArray(contained)) return undefined
  const rows: ContainedRow[] = []
  for (const resource of contained.filter(isTyped)) {
    yield
    rows.push({ ...nameOf(resource), cells: yield* cellsInSteps(resource, planOf(resource.resourceType), {}) })
  }
  return rows
}

function isTyped(value: unknown): value is Resource {
  return typeof value === 'object' && value !== null && isResourceType((value as Partial<Resource>).resourceType ?? '')
}

function rowOf(resource: Resource, at: RowPlace, read: Pick<IndexRow, 'cells' | 'contained'>): IndexRow {
  return {
    type: resource.resourceType,
    id: resource.id ?? '',
    seq: at.seq,
    version: at.version,
    lastUpdatedMs: at.lastUpdatedMs,
    supersedes: at.supersedes === 0 ? undefined : at.supersedes,
    deleted: at.deleted,
    cells: read.cells,
    contained: read.contained,
  }
}

const gone = { cells: [], contained: undefined }

/**
 * What the index keeps of one version of a resource. For a deletion the resource needs only its type and id.
 *
 * @param resource  with its id
 */
export function extractRow(resource: Resource, at: RowPlace): IndexRow {
  if (at.deleted) return rowOf(resource, at, gone)
  const cells = cellsOf(resource, planOf(resource.resourceType), at)
  return rowOf(resource, at, { cells, contained: containedOf(resource) })
}

/** The same, bit by bit: for a resource of many values. */
export function* extractRowInSteps(resource: Resource, at: RowPlace): Steps<IndexRow> {
  if (at.deleted) return rowOf(resource, at, gone)
  const cells = yield* cellsInSteps(resource, planOf(resource.resourceType), at)
  return rowOf(resource, at, { cells, contained: yield* containedInSteps(resource) })
}
