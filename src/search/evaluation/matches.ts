import type { Resource } from '#fhir'
import { parseDateInterval } from '#fhir'
import { atOnce, inSlices, type Steps } from '#kernel'
import { packId } from '../columns/ids.ts'
import { TypeTable } from '../columns/type-table.ts'
import { type Plan, planOf } from '../extraction/plan.ts'
import { type ContainedRow, extractRowInSteps, type IndexRow } from '../extraction/row.ts'
import { standsIn } from '../kinds/standing.ts'
import { soughtTokenKeys } from '../kinds/token.ts'
import { isTextParameter } from '../query/modifiers.ts'
import type { Criterion } from '../query/types.ts'
import { leadsElsewhere, singleCriteria } from '../query/within.ts'
import { narrow } from './narrow.ts'

/** Numbers of the sources that the criteria look at. */
function sourcesOf(plan: Plan, criteria: readonly Criterion[]): ReadonlySet<number> {
  const indexes = new Set<number>()
  for (const { name } of criteria.flatMap(criterion => [...singleCriteria(criterion)])) {
    for (const { index } of plan.uses.get(name) ?? []) indexes.add(index)
    for (const { components } of plan.composites.get(name) ?? []) {
      for (const { uses } of components) for (const { index } of uses) indexes.add(index)
    }
  }
  return indexes
}

/**
 * Whether one resource fulfils all criteria, by the same columns as a search. Chains and `_has` are never fulfilled,
 * since they speak of other resources. A resource that says much is looked through in slices.
 */
export function matches(resource: Resource, criteria: readonly Criterion[]): Promise<boolean> {
  return inSlices(matching(resource, criteria))
}

function* matching(resource: Resource, criteria: readonly Criterion[]): Steps<boolean> {
  if (criteria.length === 0) return true
  const lastUpdatedMs = parseDateInterval(resource.meta?.lastUpdated ?? '')?.fromMs ?? 0
  const words = criteria.flatMap(criterion => [...singleCriteria(criterion)]).some(({ name }) => isTextParameter(name))
  const row = yield* extractRowInSteps(resource, { seq: 1, version: 1, lastUpdatedMs, deleted: false }, { words })
  return yield* anyMatches(row.type, [row], criteria)
}

/** Whether any of these rows of a type fulfils what criteria say of the row itself: others may fulfil chains, `_has` and hierarchies. */
export function anyMayMatch(type: string, rows: readonly IndexRow[], criteria: readonly Criterion[]): boolean {
  const own = criteria.filter(criterion => !leadsElsewhere(criterion))
  const left = own.reduce((rest, criterion) => withCodes(rest, criterion, planOf(type)), rows)
  return left.length > 0 && atOnce(anyMatches(type, left, own))
}

/** Of these rows those in whose texts a code that is sought stands somewhere: a table is made only where there are any. */
function withCodes(rows: readonly IndexRow[], criterion: Criterion, plan: Plan): readonly IndexRow[] {
  const codes = codesSought(criterion)
  if (codes === undefined || rows.length === 0) return rows
  const looked = sourcesOf(plan, [criterion])
  const hasCode = (text: string) => {
    const folded = text.toLowerCase()
    return codes.some(code => standsIn(folded, code))
  }
  return rows.filter(({ cells }) => cells.some(({ source, texts }) => looked.has(source.index) && texts.some(hasCode)))
}

function codesSought(criterion: Criterion): readonly string[] | undefined {
  if (criterion.kind !== 'value' || criterion.parameter !== 'token' || criterion.modifier !== undefined)
    return undefined
  if (criterion.name.startsWith('_')) return undefined
  return soughtTokenKeys(criterion.operands.filter(operand => operand.kind === 'token'))
}

/** What lies within a row has the seq of its container. */
function appendWithin(tables: Map<string, TypeTable>, { type, fragment, cells }: ContainedRow, seq: number): void {
  const table = tables.get(type) ?? new TypeTable(type, tables)
  tables.set(type, table)
  table.append(seq, Number.NaN, packId(fragment), cells)
}

function* anyMatches(type: string, rows: readonly IndexRow[], criteria: readonly Criterion[]): Steps<boolean> {
  const contained = new Map<string, TypeTable>()
  const table = new TypeTable(type, contained)
  const looked = sourcesOf(planOf(type), criteria)
  for (const [at, { lastUpdatedMs, id, cells, contained: inner }] of rows.entries()) {
    const within = cells.filter(cell => looked.has(cell.source.index))
    table.append(at + 1, lastUpdatedMs, packId(id), within)
    for (const each of inner ?? []) appendWithin(contained, each, at + 1)
  }
  const left = new Uint8Array(rows.length).fill(1)
  for (const criterion of criteria) {
    yield* narrow(table, criterion, left, undefined)
    if (!left.includes(1)) return false
  }
  return true
}
