import type { Resource } from '#fhir'
import { plain } from '../kinds/entries.ts'
import { Cell, type Source } from './cell.ts'
import { type KeyReader, type Plan, planOf, truthEntry } from './plan.ts'

/** What the index keeps of a version beside what it says itself. */
export interface OwnMarks {
  /** Whether the same version lies in other compartments too, so that an answer must not show it twice. */
  readonly shared?: boolean | undefined
  /** The account that made the resource, where that decides who sees it. */
  readonly creator?: string | undefined
}

type Cells = (Cell | undefined)[]

function cellOf(cells: Cells, source: Source): Cell {
  let cell = cells[source.index]
  if (cell === undefined) cells[source.index] = cell = new Cell(source)
  return cell
}

const noReaders: readonly KeyReader[] = []

/**
 * Reads the values of one resource into cells. Whoever reads a large one says how much of it is read in one go, and goes on; a small
 * one is read at once, without anything that would keep the place.
 */
export class CellReading {
  readonly #resource: Resource
  readonly #plan: Plan
  readonly #own: OwnMarks
  readonly #cells: Cells = []
  readonly #keys: readonly string[]
  /** The element, which of its readers, and the place in its list that is to be read next. */
  #key = 0
  #reader = 0
  #from = 0
  #references: ReferenceWalk | undefined
  #others: OtherReferences | undefined

  constructor(resource: Resource, own: OwnMarks) {
    this.#resource = resource
    this.#plan = planOf(resource.resourceType)
    this.#own = own
    this.#keys = Object.keys(resource)
  }

  /**
   * @param most  so much is read in one go: elements of a list, nodes, texts
   * @returns whether all is read
   */
  goOn(most: number): boolean {
    return this.#readElements(most) && this.#walk(most) && this.#addOthers(most)
  }

  /** To be called once all is read. */
  take(): readonly Cell[] {
    const { shared, creator } = this.#own
    if (creator !== undefined) cellOf(this.#cells, this.#plan.creator).pushText(creator, 0)
    if (shared === true) cellOf(this.#cells, this.#plan.shared).pushText(truthEntry(true), 0)
    return this.#cells.filter(cell => cell !== undefined)
  }

  #readElements(most: number): boolean {
    for (; this.#key < this.#keys.length; this.#key++) {
      const key = this.#keys[this.#key] as string
      const value = this.#resource[key]
      if (value === null || value === undefined) continue
      const readers = this.#plan.byKey.get(key) ?? noReaders
      for (; this.#reader < readers.length; this.#reader++)
        if (!this.#read(readers[this.#reader] as KeyReader, value, most)) return false
      this.#reader = 0
    }
    return true
  }

  /** An element, or the next part of a long list. @returns whether it has been read */
  #read(reader: KeyReader, value: unknown, most: number): boolean {
    if (!Array.isArray(value) || value.length <= most) {
      readInto(this.#cells, reader, value, 0)
      return true
    }
    readInto(this.#cells, reader, value.slice(this.#from, this.#from + most), this.#from)
    this.#from += most
    if (this.#from < value.length) return false
    this.#from = 0
    return true
  }

  #walk(most: number): boolean {
    if (this.#references === undefined) {
      addStatements(this.#resource, this.#cells, this.#plan)
      this.#references = new ReferenceWalk(this.#resource)
    }
    return this.#references.goOn(most)
  }

  #addOthers(most: number): boolean {
    this.#others ??= new OtherReferences(this.#references?.found ?? [], this.#cells, this.#plan)
    return this.#others.goOn(most)
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

/** From so many references on it takes less to gather what is indexed than to look for each. */
const manyReferences = 16

/** References that no parameter covers still lead to resources that the caller may read. */
class OtherReferences {
  readonly #found: readonly string[]
  readonly #cells: Cells
  readonly #plan: Plan
  readonly #isMany: boolean
  /** What is indexed, where it is gathered. */
  readonly #texts: readonly string[]
  readonly #indexed = new Set<string>()
  #gathered = 0
  #at = 0

  constructor(found: readonly string[], cells: Cells, plan: Plan) {
    this.#found = found
    this.#cells = cells
    this.#plan = plan
    this.#isMany = found.length >= manyReferences
    this.#texts = !this.#isMany ? [] : plan.references.flatMap(index => cells[index]?.texts ?? [])
  }

  /** @returns whether all are added */
  goOn(most: number): boolean {
    return this.#gather(most) && this.#add(most)
  }

  #gather(most: number): boolean {
    const until = Math.min(this.#texts.length, this.#gathered + most)
    for (; this.#gathered < until; this.#gathered++) {
      const text = this.#texts[this.#gathered] as string
      this.#indexed.add(text.split('\u001f', 1)[0] ?? text)
    }
    return until === this.#texts.length
  }

  #add(most: number): boolean {
    const until = Math.min(this.#found.length, this.#at + most)
    for (; this.#at < until; this.#at++) this.#addOne(plain(this.#found[this.#at] as string))
    return until === this.#found.length
  }

  #addOne(text: string): void {
    if (text === '' || text.startsWith('#') || this.#isIndexed(text)) return
    cellOf(this.#cells, this.#plan.otherReferences).pushText(text, 0)
  }

  #isIndexed(text: string): boolean {
    if (this.#isMany) return this.#indexed.has(text)
    return this.#plan.references.some(index =>
      this.#cells[index]?.texts.some(each => each === text || each.startsWith(`${text}\u001f`)),
    )
  }
}
