import { type Steps, spend } from '#kernel'
import type { Column } from '../columns/column.ts'
import type { TypeTable } from '../columns/type-table.ts'
import type { CompositeComponent, SourceUse } from '../extraction/plan.ts'
import { parseReferenceEntry } from '../kinds/entries.ts'
import { dateBoxes, fits } from '../kinds/range.ts'
import { resolvesTo } from '../kinds/reference.ts'
import type {
  AnyCriterion,
  ChainCriterion,
  Criterion,
  HasCriterion,
  HoldingCriterion,
  MissingCriterion,
  NotCriterion,
  Operand,
  ValueCriterion,
} from '../query/types.ts'
import { isLineage } from '../query/within.ts'
import { type Resolve, type Target, targetOf } from './canonicals.ts'
import { pieces } from './pieces.ts'
import {
  markRows,
  maskOf,
  type PlaceTest,
  placePasses,
  placeTest,
  presenceTest,
  rowPasses,
  usedEntries,
} from './place-tests.ts'

/** Resources of a type that exist for the caller and fulfil a criterion. */
export interface Fulfilling {
  has(id: string): boolean
  /** All of them, where they are few. */
  readonly ids: readonly string[] | undefined
}

/** Answers what a criterion asks about other resources. */
export interface Neighbours {
  fulfilling(type: string, criterion: Criterion): Steps<Fulfilling>
  /** What canonical references mean, among what exists for the caller. */
  canonicals(): Steps<Resolve>
  /** The criterion with all that stand below, or above, what it names. */
  withKin(criterion: ValueCriterion): Steps<ValueCriterion>
  /** Ids of resources of `type` to which rows refer that fulfil a `_has`. */
  referred(type: string, criterion: HasCriterion): Steps<Iterable<string>>
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

function* markIds(table: TypeTable, ids: Iterable<string>, rows: Uint8Array, hits: Uint8Array): Steps<void> {
  yield* table.ids.ready()
  for (const id of ids) for (const row of table.ids.rowsOf(id)) hits[row] = rows[row] as number
}

function* markId(table: TypeTable, { operands }: ValueCriterion, rows: Uint8Array, hits: Uint8Array): Steps<void> {
  const ids = operands.flatMap(operand => (operand.kind === 'token' && !operand.system ? [operand.code ?? ''] : []))
  yield* markIds(table, ids, rows, hits)
}

function* markUpdated(table: TypeTable, { operands }: ValueCriterion, rows: Uint8Array, hits: Uint8Array): Steps<void> {
  const updated = table.updated.array
  const boxes = operands.flatMap(operand => (operand.kind === 'range' ? [dateBoxes[operand.prefix](operand)] : []))
  spend('work', rows.length * boxes.length)
  yield* pieces(
    rows.length,
    (from, to) => {
      for (let row = from; row < to; row++) {
        const ms = updated[row] as number
        // A contained resource has no date of its own.
        if (rows[row] === 1 && !Number.isNaN(ms) && boxes.some(box => fits(box, ms, ms + 1))) hits[row] = 1
      }
    },
    severalBoxes,
  )
}

/** Rows looked at in one go where each is compared with several limits. */
const severalBoxes = 4_096

type Mark<C> = (table: TypeTable, criterion: C, rows: Uint8Array, hits: Uint8Array) => Steps<void>

/** Parameters of the row itself rather than of a column. */
const ownMarks: Readonly<Record<string, Mark<ValueCriterion>>> = { _id: markId, _lastUpdated: markUpdated }

function* markValues(table: TypeTable, criterion: ValueCriterion, rows: Uint8Array, hits: Uint8Array): Steps<void> {
  const own = ownMarks[criterion.name]
  if (own !== undefined) yield* own(table, criterion, rows, hits)
  else if (criterion.parameter === 'composite') yield* markComposite(table, criterion, rows, hits)
  else
    for (const { column, use } of usesOf(table, criterion.name)) {
      yield* markRows(column, yield* placeTest(column, use, criterion, rows), rows, hits)
    }
}

// --- composite: https://hl7.org/fhir/R4/search.html#composite ------------------------------------------------------

interface Part {
  readonly bound: boolean
  readonly columns: readonly { readonly column: Column; readonly test: PlaceTest }[]
}

function* partOf(table: TypeTable, component: CompositeComponent, operand: Operand, baseUrl: string): Steps<Part> {
  const sought = { parameter: component.kind, modifier: undefined, operands: [operand], baseUrl }
  const columns: Part['columns'][number][] = []
  for (const { column, use } of columnsOf(table, component.uses))
    columns.push({ column, test: yield* placeTest(column, use, sought) })
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

function* markComposite(table: TypeTable, criterion: ValueCriterion, rows: Uint8Array, hits: Uint8Array): Steps<void> {
  for (const focus of table.plan.composites.get(criterion.name) ?? []) {
    for (const operand of criterion.operands) {
      if (operand.kind !== 'composite') continue
      const parts: Part[] = []
      for (const [i, each] of focus.components.entries())
        parts.push(yield* partOf(table, each, operand.parts[i] as Operand, criterion.baseUrl))
      yield* markParts(parts, rows, hits)
    }
  }
}

function* markParts(parts: readonly Part[], rows: Uint8Array, hits: Uint8Array): Steps<void> {
  if (parts.some(part => part.columns.length === 0)) return
  const candidates = rows.slice()
  // Most rows fail a component wherever it may lie; only for the others the elements are compared.
  for (const part of parts) yield* keepPart(part, candidates)
  const bound = parts.filter(part => part.bound)
  const passes = (row: number) => bound.length === 0 || passesTogether(bound, row)
  yield* pieces(rows.length, (from, to) => markPassing(candidates, hits, passes, from, to), severalPlaces)
}

/** Rows looked at in one go where the places of each are compared with one another. */
const severalPlaces = 2_048
/** What such a row takes, in values compared. */
const placesWork = 50

function markPassing(
  candidates: Uint8Array,
  hits: Uint8Array,
  passes: (row: number) => boolean,
  from: number,
  to: number,
): void {
  let asked = 0
  for (let row = from; row < to; row++) {
    if (candidates[row] !== 1) continue
    asked++
    if (passes(row)) hits[row] = 1
  }
  spend('work', asked * placesWork)
}

function* keepPart(part: Part, candidates: Uint8Array): Steps<void> {
  const [only, ...more] = part.columns
  if (only === undefined) return
  spend('work', candidates.length * part.columns.length)
  const kept = new Uint8Array(candidates.length)
  if (more.length === 0) yield* markRows(only.column, only.test, candidates, kept)
  else
    yield* pieces(
      candidates.length,
      (from, to) => markPassing(candidates, kept, row => passesAnywhere(part, row), from, to),
      severalPlaces,
    )
  candidates.set(kept)
}

// --- chains: https://hl7.org/fhir/R4/search.html#chaining ---------------------------------------------------------

/** Where the entries of a column that rows use lead to. */
function* targetsIn(column: Column, used: Uint8Array, baseUrl: string, neighbours: Neighbours) {
  const resolve = column.source.canonical ? yield* neighbours.canonicals() : undefined
  const targets = new Map<number, Target>()
  yield* maskOf(column, (entry, number) => {
    if (used[number] === 0) return false
    const target = targetOf({ reference: parseReferenceEntry(entry).reference, baseUrl }, resolve)
    if (target !== undefined) targets.set(number, target)
    return false
  })
  return targets
}

type FulfillingByType = ReadonlyMap<string, Fulfilling>

/** What the resources must fulfil through which a chain passes; of some types only, or of all. */
function* fulfillingOf(
  { targets }: ChainCriterion,
  types: ReadonlySet<string> | undefined,
  neighbours: Neighbours,
): Steps<FulfillingByType> {
  const tests = new Map<string, Fulfilling>()
  for (const { type, criterion } of targets)
    if (types === undefined || types.has(type)) tests.set(type, yield* neighbours.fulfilling(type, criterion))
  return tests
}

/** From so many entries on it is asked first who fulfils the rest of a chain: if they are few, only their entries are looked up. */
const manyEntries = 512

/** The names under which entries lead on; undefined where it takes less to follow the entries, or too many fulfil the rest. */
function* keysOfChain(column: Column, criterion: ChainCriterion, neighbours: Neighbours): Steps<string[] | undefined> {
  if (column.source.canonical || (column.dictionary?.count ?? 0) <= manyEntries) return undefined
  const keys: string[] = []
  for (const [type, { ids }] of yield* fulfillingOf(criterion, undefined, neighbours)) {
    if (ids === undefined) return undefined
    for (const id of ids) keys.push(`${type}/${id}`)
  }
  return keys
}

function* maskOfChain(
  { column, use }: Use,
  criterion: ChainCriterion,
  rows: Uint8Array,
  neighbours: Neighbours,
): Steps<PlaceTest> {
  const resolves = use.resolves === undefined ? undefined : resolvesTo(use.resolves, criterion.baseUrl)
  const leads = (entry: string, target: Target | undefined, tests: FulfillingByType) =>
    target !== undefined && resolves?.(entry) !== false && tests.get(target.type)?.has(target.id) === true
  const keys = yield* keysOfChain(column, criterion, neighbours)
  if (keys !== undefined) {
    const tests = yield* fulfillingOf(criterion, undefined, neighbours)
    const { baseUrl } = criterion
    const targetIn = (entry: string) =>
      targetOf({ reference: parseReferenceEntry(entry).reference, baseUrl }, undefined)
    return yield* maskOf(column, entry => leads(entry, targetIn(entry), tests), { keys })
  }
  const used = yield* usedEntries(column, rows)
  const targets: ReadonlyMap<number, Target> = yield* targetsIn(column, used, criterion.baseUrl, neighbours)
  const types = new Set(Array.from(targets.values(), ({ type }) => type))
  const tests = yield* fulfillingOf(criterion, types, neighbours)
  return yield* maskOf(column, (entry, number) => leads(entry, targets.get(number), tests))
}

function* markChain(
  table: TypeTable,
  criterion: ChainCriterion,
  rows: Uint8Array,
  hits: Uint8Array,
  neighbours: Neighbours,
): Steps<void> {
  for (const use of usesOf(table, criterion.name)) {
    yield* markRows(use.column, yield* maskOfChain(use, criterion, rows, neighbours), rows, hits)
    yield* markContained(table, use, criterion, { rows, hits, neighbours })
  }
}

interface Marking {
  readonly rows: Uint8Array
  readonly hits: Uint8Array
  readonly neighbours: Neighbours
}

/** The same within a resource: `#m` leads to the contained resource of that name, which has the seq of its container. */
function* markContained(
  table: TypeTable,
  { column, use }: Use,
  { targets }: ChainCriterion,
  { rows, hits, neighbours }: Marking,
): Steps<void> {
  for (const { type, criterion } of targets) {
    const inner = table.contained.get(type)
    if (inner === undefined || (use.resolves !== undefined && use.resolves !== type)) continue
    const candidates = new Uint8Array(inner.count).fill(1)
    yield* narrow(inner, criterion, candidates, neighbours)
    const mark = (row: number) => markContainer(table, column, { rows, hits }, { inner, row })
    yield* pieces(
      candidates.length,
      (from, to) => {
        for (let row = from; row < to; row++) if (candidates[row] === 1) mark(row)
      },
      severalPlaces,
    )
  }
}

function markContainer(
  table: TypeTable,
  column: Column,
  { rows, hits }: Omit<Marking, 'neighbours'>,
  { inner, row }: { inner: TypeTable; row: number },
): void {
  const fragment = inner.ids.id(row)
  spend('work', placesWork)
  for (const container of table.rowsAt(inner.seqs.array[row] as number))
    if (rows[container] === 1 && refersTo(column, container, fragment)) hits[container] = 1
}

function refersTo(column: Column, row: number, fragment: string): boolean {
  return column.textsOf(row).some(entry => parseReferenceEntry(entry).reference === fragment)
}

/** Rows within which one lies that fulfils all criteria: it has the seq of its container. */
function* markHolding(
  table: TypeTable,
  holding: HoldingCriterion,
  { rows, hits, neighbours }: Pick<Marking, 'rows' | 'hits'> & { readonly neighbours: Neighbours | undefined },
): Steps<void> {
  yield* eachWithin(table, holding, neighbours, container => {
    hits[container] = rows[container] as number
  })
}

/** Tells of each resource that lies within one of a table and is what is sought: its container, and its own row. */
export function* eachWithin(
  table: TypeTable,
  { type, criteria }: HoldingCriterion,
  neighbours: Neighbours | undefined,
  take: (container: number, row: number) => void,
): Steps<void> {
  const inner = table.contained.get(type)
  if (inner === undefined) return
  const candidates = new Uint8Array(inner.count).fill(1)
  for (const criterion of criteria) yield* narrow(inner, criterion, candidates, neighbours)
  const seqs = inner.seqs.array
  yield* pieces(
    candidates.length,
    (from, to) => {
      let asked = 0
      for (let row = from; row < to; row++) {
        if (candidates[row] !== 1) continue
        asked++
        for (const container of table.rowsAt(seqs[row] as number)) take(container, row)
      }
      spend('work', asked * placesWork)
    },
    severalPlaces,
  )
}

function* markMissing(table: TypeTable, { name }: MissingCriterion, rows: Uint8Array, hits: Uint8Array): Steps<void> {
  if (ownMarks[name] !== undefined) hits.set(rows)
  else if (table.plan.composites.has(name)) yield* markWholeComposites(table, name, rows, hits)
  else
    for (const { column, use } of usesOf(table, name))
      yield* markRows(column, yield* presenceTest(column, use, ''), rows, hits)
}

/** A composite has a value where each of its components has one. */
function* markWholeComposites(table: TypeTable, name: string, rows: Uint8Array, hits: Uint8Array): Steps<void> {
  for (const focus of table.plan.composites.get(name) ?? []) {
    const parts: Part[] = []
    for (const { bound, uses } of focus.components) parts.push({ bound, columns: yield* presences(table, uses) })
    yield* markParts(parts, rows, hits)
  }
}

function* presences(table: TypeTable, uses: readonly SourceUse[]): Steps<Part['columns']> {
  const columns: Part['columns'][number][] = []
  for (const { column, use } of columnsOf(table, uses))
    columns.push({ column, test: yield* presenceTest(column, use, '') })
  return columns
}

// --- criteria made of others: https://hl7.org/fhir/R4/search_filter.html -------------------------------------------

function* markAny(
  table: TypeTable,
  { anyOf }: AnyCriterion,
  rows: Uint8Array,
  hits: Uint8Array,
  neighbours: Neighbours | undefined,
): Steps<void> {
  for (const criteria of anyOf) {
    // What may lie within a resource is asked of every type, and hardly any holds anything.
    if (criteria.some(each => each.kind === 'holding' && table.contained.get(each.type) === undefined)) continue
    const left = rows.slice()
    for (const criterion of criteria) yield* narrow(table, criterion, left, neighbours)
    yield* pieces(rows.length, (from, to) => {
      for (let row = from; row < to; row++) if (left[row] === 1) hits[row] = 1
    })
  }
}

function* markNot(
  table: TypeTable,
  { criterion }: NotCriterion,
  rows: Uint8Array,
  hits: Uint8Array,
  neighbours: Neighbours | undefined,
): Steps<void> {
  const left = rows.slice()
  yield* narrow(table, criterion, left, neighbours)
  yield* pieces(rows.length, (from, to) => {
    for (let row = from; row < to; row++) hits[row] = (rows[row] as number) & ~(left[row] as number)
  })
}

function* markHits(
  table: TypeTable,
  criterion: Criterion,
  rows: Uint8Array,
  hits: Uint8Array,
  neighbours: Neighbours | undefined,
): Steps<void> {
  if (criterion.kind === 'value') {
    const whole = neighbours !== undefined && isLineage(criterion) ? yield* neighbours.withKin(criterion) : criterion
    yield* markValues(table, whole, rows, hits)
  } else if (criterion.kind === 'missing') yield* markMissing(table, criterion, rows, hits)
  else if (criterion.kind === 'any') yield* markAny(table, criterion, rows, hits, neighbours)
  else if (criterion.kind === 'not') yield* markNot(table, criterion, rows, hits, neighbours)
  else if (criterion.kind === 'holding') yield* markHolding(table, criterion, { rows, hits, neighbours })
  else if (neighbours === undefined) return
  else if (criterion.kind === 'chain') yield* markChain(table, criterion, rows, hits, neighbours)
  else yield* markIds(table, yield* neighbours.referred(table.plan.type, criterion), rows, hits)
}

function isNegated(criterion: Criterion): boolean {
  if (criterion.kind === 'missing') return criterion.missing
  return criterion.kind === 'value' && (criterion.modifier === 'not' || criterion.modifier === 'not-in')
}

/**
 * Clears the rows that do not fulfil a criterion.
 *
 * @param rows        one byte per row of the table, 1 = still in
 * @param neighbours  undefined: nothing is known of other resources, and no row fulfils a chain or `_has`; what lies within is known
 * @throws Problem `too-costly` · `budget.work-exceeded`
 */
export function* narrow(
  table: TypeTable,
  criterion: Criterion,
  rows: Uint8Array,
  neighbours: Neighbours | undefined,
): Steps<void> {
  spend('work', rows.length)
  const hits = new Uint8Array(rows.length)
  yield* markHits(table, criterion, rows, hits, neighbours)
  yield
  if (!isNegated(criterion)) rows.set(hits)
  else for (let row = 0; row < rows.length; row++) if (hits[row] === 1) rows[row] = 0
}
