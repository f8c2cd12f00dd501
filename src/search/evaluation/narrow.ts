import type { Column } from '../columns/column.ts'
import type { TypeTable } from '../columns/type-table.ts'
import type { CompositeComponent, SourceUse } from '../extraction/plan.ts'
import { parseReferenceEntry } from '../kinds/entries.ts'
import { dateBoxes, fits } from '../kinds/range.ts'
import { resolvesTo } from '../kinds/reference.ts'
import type {
  ChainCriterion,
  Criterion,
  HasCriterion,
  MissingCriterion,
  Operand,
  ValueCriterion,
} from '../query/types.ts'
import { type Located, targetOf } from './canonicals.ts'
import { markRows, maskOf, type PlaceTest, placePasses, placeTest, presenceTest, rowPasses } from './place-tests.ts'

/** Answers what a criterion asks about other resources. */
export interface Neighbours {
  /** Whether the resource exists for the caller and fulfils the criterion. */
  fulfils(type: string, id: string, criterion: Criterion): boolean
  /** The resource that a canonical reference means, if it exists for the caller. */
  canonical(reference: string): Located | undefined
  /** Ids of resources of `type` to which rows refer that fulfil a `_has`. */
  referred(type: string, criterion: HasCriterion): Iterable<string>
}

interface Use {
  readonly column: Column
  readonly use: SourceUse
}

function columnsOf(table: TypeTable, uses: readonly SourceUse[]): readonly Use[] {
  return uses.flatMap(use => {
    const column = table.columns[use.index]
    return column === undefined ? [] : [{ column, use }]
  })
}

function usesOf(table: TypeTable, name: string): readonly Use[] {
  return columnsOf(table, table.plan.uses.get(name) ?? [])
}

function markIds(table: TypeTable, ids: Iterable<string>, rows: Uint8Array, hits: Uint8Array): void {
  for (const id of ids) for (const row of table.ids.rowsOf(id)) hits[row] = rows[row] as number
}

function markId(table: TypeTable, { operands }: ValueCriterion, rows: Uint8Array, hits: Uint8Array): void {
  const ids = operands.flatMap(operand => (operand.kind === 'token' && !operand.system ? [operand.code ?? ''] : []))
  markIds(table, ids, rows, hits)
}

function markUpdated(table: TypeTable, { operands }: ValueCriterion, rows: Uint8Array, hits: Uint8Array): void {
  const updated = table.updated.array
  const boxes = operands.flatMap(operand => (operand.kind === 'range' ? [dateBoxes[operand.prefix](operand)] : []))
  for (let row = 0; row < rows.length; row++) {
    const ms = updated[row] as number
    // A contained resource has no date of its own.
    if (rows[row] === 1 && !Number.isNaN(ms) && boxes.some(box => fits(box, ms, ms + 1))) hits[row] = 1
  }
}

type Mark<C> = (table: TypeTable, criterion: C, rows: Uint8Array, hits: Uint8Array) => void

/** Parameters of the row itself rather than of a column. */
const ownMarks: Readonly<Record<string, Mark<ValueCriterion>>> = { _id: markId, _lastUpdated: markUpdated }

function markValues(table: TypeTable, criterion: ValueCriterion, rows: Uint8Array, hits: Uint8Array): void {
  const own = ownMarks[criterion.name]
  if (own !== undefined) own(table, criterion, rows, hits)
  else if (criterion.parameter === 'composite') markComposite(table, criterion, rows, hits)
  else
    for (const { column, use } of usesOf(table, criterion.name)) {
      markRows(column, placeTest(column, use, criterion), rows, hits)
    }
}

// --- composite: https://hl7.org/fhir/R4/search.html#composite ------------------------------------------------------

interface Part {
  readonly bound: boolean
  readonly columns: readonly { readonly column: Column; readonly test: PlaceTest }[]
}

function partOf(table: TypeTable, component: CompositeComponent, operand: Operand, baseUrl: string): Part {
  const sought = { parameter: component.kind, modifier: undefined, operands: [operand], baseUrl }
  const columns = columnsOf(table, component.uses).map(({ column, use }) => ({
    column,
    test: placeTest(column, use, sought),
  }))
  return { bound: component.bound, columns }
}

function passesAnywhere(part: Part, row: number): boolean {
  return part.columns.some(({ column, test }) => rowPasses(column, row, test))
}

/** Groups of the row's values that pass: the elements (`component[1]`) in which a component is fulfilled. */
function groupsOf(part: Part, row: number): Set<number> {
  const groups = new Set<number>()
  for (const { column, test } of part.columns) {
    if (row >= column.rows) continue
    for (let place = column.startOf(row); place < column.endOf(row); place++) {
      if (placePasses(column, place, test)) groups.add(column.groups?.array[place] ?? 0)
    }
  }
  return groups
}

function passesTogether(parts: readonly Part[], row: number): boolean {
  let common: Set<number> | undefined
  for (const part of parts) {
    const groups = groupsOf(part, row)
    common = common === undefined ? groups : common.intersection(groups)
    if (common.size === 0) return false
  }
  return true
}

function markComposite(table: TypeTable, criterion: ValueCriterion, rows: Uint8Array, hits: Uint8Array): void {
  for (const focus of table.plan.composites.get(criterion.name) ?? []) {
    for (const operand of criterion.operands) {
      if (operand.kind !== 'composite') continue
      const parts = focus.components.map((each, i) =>
        partOf(table, each, operand.parts[i] as Operand, criterion.baseUrl),
      )
      markParts(parts, rows, hits)
    }
  }
}

function markParts(parts: readonly Part[], rows: Uint8Array, hits: Uint8Array): void {
  if (parts.some(part => part.columns.length === 0)) return
  const candidates = rows.slice()
  // Most rows fail a component wherever it may lie; only for the others the elements are compared.
  for (const part of parts) keepPart(part, candidates)
  const bound = parts.filter(part => part.bound)
  for (let row = 0; row < rows.length; row++) {
    if (candidates[row] === 1 && (bound.length === 0 || passesTogether(bound, row))) hits[row] = 1
  }
}

function keepPart(part: Part, candidates: Uint8Array): void {
  const [only, ...more] = part.columns
  if (only === undefined) return
  if (more.length > 0) {
    for (let row = 0; row < candidates.length; row++) if (!passesAnywhere(part, row)) candidates[row] = 0
    return
  }
  const kept = new Uint8Array(candidates.length)
  markRows(only.column, only.test, candidates, kept)
  candidates.set(kept)
}

// --- chains: https://hl7.org/fhir/R4/search.html#chaining ---------------------------------------------------------

function chainTest(
  { targets, baseUrl }: ChainCriterion,
  isCanonical: boolean,
  neighbours: Neighbours,
): (entry: string) => boolean {
  const criteria = new Map(targets.map(({ type, criterion }) => [type, criterion]))
  const resolve = (canonical: string) => neighbours.canonical(canonical)
  return entry => {
    const { reference } = parseReferenceEntry(entry)
    const target = targetOf({ reference, isCanonical, baseUrl }, resolve)
    const criterion = target === undefined ? undefined : criteria.get(target.type)
    return target !== undefined && criterion !== undefined && neighbours.fulfils(target.type, target.id, criterion)
  }
}

function markChain(
  table: TypeTable,
  criterion: ChainCriterion,
  rows: Uint8Array,
  hits: Uint8Array,
  neighbours: Neighbours,
): void {
  for (const { column, use } of usesOf(table, criterion.name)) {
    const test = chainTest(criterion, column.source.canonical, neighbours)
    const resolves = use.resolves === undefined ? undefined : resolvesTo(use.resolves, criterion.baseUrl)
    const used = usedEntries(column, rows)
    const mask = maskOf(
      column,
      (entry, number) => used[number] === 1 && (resolves === undefined || resolves(entry)) && test(entry),
    )
    markRows(column, mask, rows, hits)
    markContained(table, { column, use }, criterion, { rows, hits, neighbours })
  }
}

interface Marking {
  readonly rows: Uint8Array
  readonly hits: Uint8Array
  readonly neighbours: Neighbours
}

/** The same within a resource: `#m` leads to the contained resource of that name, which has the seq of its container. */
function markContained(
  table: TypeTable,
  { column, use }: Use,
  { targets }: ChainCriterion,
  { rows, hits, neighbours }: Marking,
): void {
  for (const { type, criterion } of targets) {
    const inner = table.contained.get(type)
    if (inner === undefined || (use.resolves !== undefined && use.resolves !== type)) continue
    const candidates = new Uint8Array(inner.count).fill(1)
    narrow(inner, criterion, candidates, neighbours)
    for (let row = 0; row < candidates.length; row++)
      if (candidates[row] === 1) markContainer(table, column, { rows, hits }, { inner, row })
  }
}

function markContainer(
  table: TypeTable,
  column: Column,
  { rows, hits }: Omit<Marking, 'neighbours'>,
  { inner, row }: { inner: TypeTable; row: number },
): void {
  const fragment = inner.ids.id(row)
  for (const container of table.rowsAt(inner.seqs.array[row] as number))
    if (rows[container] === 1 && refersTo(column, container, fragment)) hits[container] = 1
}

function refersTo(column: Column, row: number, fragment: string): boolean {
  return column.textsOf(row).some(entry => parseReferenceEntry(entry).reference === fragment)
}

/** Which dictionary entries the rows use: others need not be followed. */
export function usedEntries(column: Column, rows: Uint8Array): Uint8Array {
  const used = new Uint8Array((column.dictionary?.count ?? 0) + 1)
  const ids = column.ids?.array ?? new Uint32Array()
  let missing = used.length - 1
  const count = Math.min(rows.length, column.rows)
  for (let row = 0; row < count && missing > 0; row++) {
    if (rows[row] === 0) continue
    const end = column.endOf(row)
    for (let place = column.startOf(row); place < end; place++) {
      const id = ids[place] as number
      if (id !== 0 && used[id] === 0) {
        used[id] = 1
        missing--
      }
    }
  }
  return used
}

function markMissing(table: TypeTable, { name }: MissingCriterion, rows: Uint8Array, hits: Uint8Array): void {
  if (ownMarks[name] !== undefined) hits.set(rows)
  else if (table.plan.composites.has(name)) markWholeComposites(table, name, rows, hits)
  else for (const { column, use } of usesOf(table, name)) markRows(column, presenceTest(column, use, ''), rows, hits)
}

/** A composite has a value where each of its components has one. */
function markWholeComposites(table: TypeTable, name: string, rows: Uint8Array, hits: Uint8Array): void {
  for (const focus of table.plan.composites.get(name) ?? []) {
    const parts = focus.components.map(({ bound, uses }) => ({
      bound,
      columns: columnsOf(table, uses).map(({ column, use }) => ({ column, test: presenceTest(column, use, '') })),
    }))
    markParts(parts, rows, hits)
  }
}

function markHits(
  table: TypeTable,
  criterion: Criterion,
  rows: Uint8Array,
  hits: Uint8Array,
  neighbours: Neighbours | undefined,
): void {
  if (criterion.kind === 'value') markValues(table, criterion, rows, hits)
  else if (criterion.kind === 'missing') markMissing(table, criterion, rows, hits)
  else if (neighbours === undefined) return
  else if (criterion.kind === 'chain') markChain(table, criterion, rows, hits, neighbours)
  else markIds(table, neighbours.referred(table.plan.type, criterion), rows, hits)
}

function isNegated(criterion: Criterion): boolean {
  return criterion.kind === 'missing' ? criterion.missing : criterion.kind === 'value' && criterion.modifier === 'not'
}

/**
 * Clears the rows that do not fulfil a criterion.
 *
 * @param rows        one byte per row of the table, 1 = still in
 * @param neighbours  undefined: nothing is known of other resources, and no row fulfils a chain or `_has`
 */
export function narrow(
  table: TypeTable,
  criterion: Criterion,
  rows: Uint8Array,
  neighbours: Neighbours | undefined,
): void {
  const hits = new Uint8Array(rows.length)
  markHits(table, criterion, rows, hits, neighbours)
  if (!isNegated(criterion)) rows.set(hits)
  else for (let row = 0; row < rows.length; row++) if (hits[row] === 1) rows[row] = 0
}
