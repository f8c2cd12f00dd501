import { isResourceType, type Resource } from '#fhir'
import { ownText, type Steps } from '#kernel'
import { plain } from '../kinds/entries.ts'
import type { Cell } from './cell.ts'
import { CellReading, type OwnMarks, type Reads } from './cell-reading.ts'

/** Where a version stands in its compartment's ledger. */
export interface RowPlace extends OwnMarks {
  readonly seq: number
  readonly version: number
  readonly lastUpdatedMs: number
  /** Seq of the version that this one replaces; undefined (or 0) for a resource's first version here. */
  readonly supersedes?: number | undefined
  readonly deleted: boolean
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

const nothingOwn = {}
const everything: Reads = { words: true }

/** Goes through a resource and those within it for what the index keeps. */
class RowReading {
  readonly #resource: Resource
  readonly #own: CellReading
  readonly #inner: readonly Resource[] | undefined
  readonly #rows: ContainedRow[] = []
  readonly #reads: Reads
  #reading: CellReading | undefined

  constructor(resource: Resource, at: RowPlace, reads: Reads) {
    this.#resource = resource
    this.#reads = reads
    this.#own = new CellReading(resource, at, reads)
    this.#inner = innerOf(resource)
  }

  /**
   * @param most  so much is read of each element in one go
   * @returns whether all is read
   */
  goOn(most: number): boolean {
    return this.#own.goOn(most) && this.#readInner(most)
  }

  /** @see https://hl7.org/fhir/R4/search.html#contained – "chaining … will be evaluated inside contained resources" */
  #readInner(most: number): boolean {
    const { length } = this.#inner ?? []
    for (let left = most; this.#rows.length < length; left -= innerWork) {
      const resource = this.#inner?.[this.#rows.length] as Resource
      this.#reading ??= new CellReading(resource, nothingOwn, this.#reads)
      if (left <= 0 || !this.#reading.goOn(most)) return false
      this.#rows.push({ type: resource.resourceType, fragment: `#${plain(resource.id)}`, cells: this.#reading.take() })
      this.#reading = undefined
    }
    return true
  }

  row(at: RowPlace): IndexRow {
    return rowOf(this.#resource, at, this.#own.take(), this.#inner && this.#rows)
  }
}

/** What is read in one go of each element of a large resource; and as how much of it a resource within counts. */
const atATime = 256
const innerWork = 32

function innerOf({ contained }: Resource): readonly Resource[] | undefined {
  return Array.isArray(contained) ? contained.filter(isTyped) : undefined
}

function isTyped(value: unknown): value is Resource {
  return typeof value === 'object' && value !== null && isResourceType((value as Partial<Resource>).resourceType ?? '')
}

function rowOf(
  { resourceType, id = '' }: Resource,
  at: RowPlace,
  cells: readonly Cell[],
  contained: readonly ContainedRow[] | undefined,
): IndexRow {
  return {
    type: resourceType,
    id: ownText(id),
    seq: at.seq,
    version: at.version,
    lastUpdatedMs: at.lastUpdatedMs,
    supersedes: at.supersedes === 0 ? undefined : at.supersedes,
    deleted: at.deleted,
    cells,
    contained,
  }
}

/**
 * What the index keeps of one version of a resource. For a deletion the resource needs only its type and id.
 *
 * @param resource  with its id
 * @param reads     all of it unless told
 */
export function extractRow(resource: Resource, at: RowPlace, reads: Reads = everything): IndexRow {
  if (at.deleted) return rowOf(resource, at, [], undefined)
  const reading = new RowReading(resource, at, reads)
  reading.goOn(Number.POSITIVE_INFINITY)
  return reading.row(at)
}

/** The same, bit by bit: for a resource of many values. */
export function* extractRowInSteps(resource: Resource, at: RowPlace, reads: Reads = everything): Steps<IndexRow> {
  if (at.deleted) return rowOf(resource, at, [], undefined)
  const reading = new RowReading(resource, at, reads)
  while (!reading.goOn(atATime)) yield
  return reading.row(at)
}
