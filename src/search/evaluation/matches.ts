import type { Resource } from '#fhir'
import { parseDateInterval } from '#fhir'
import { atOnce } from '#kernel'
import { packId } from '../columns/ids.ts'
import { TypeTable } from '../columns/type-table.ts'
import { type Plan, planOf } from '../extraction/plan.ts'
import { extractRow, type IndexRow } from '../extraction/row.ts'
import type { Criterion } from '../query/types.ts'
import { narrow } from './narrow.ts'

/** Numbers of the sources that the criteria look at. */
function sourcesOf(plan: Plan, criteria: readonly Criterion[]): ReadonlySet<number> {
  const indexes = new Set<number>()
  for (const { name } of criteria) {
    for (const { index } of plan.uses.get(name) ?? []) indexes.add(index)
    for (const { components } of plan.composites.get(name) ?? []) {
      for (const { uses } of components) for (const { index } of uses) indexes.add(index)
    }
  }
  return indexes
}

/**
 * Whether one resource fulfils all criteria, by the same columns as a search. Chains and `_has` are never fulfilled,
 * since they speak of other resources.
 */
export function matches(resource: Resource, criteria: readonly Criterion[]): boolean {
  if (criteria.length === 0) return true
  const lastUpdatedMs = parseDateInterval(resource.meta?.lastUpdated ?? '')?.fromMs ?? 0
  const row = extractRow(resource, { seq: 1, version: 1, lastUpdatedMs, deleted: false })
  return anyMatches(row.type, [row], criteria)
}

/** Whether any of these rows of a type fulfils what criteria say of the row itself: others may fulfil chains and `_has`. */
export function anyMayMatch(type: string, rows: readonly IndexRow[], criteria: readonly Criterion[]): boolean {
  const own = criteria.filter(({ kind }) => kind === 'value' || kind === 'missing')
  return rows.length > 0 && anyMatches(type, rows, own)
}

function anyMatches(type: string, rows: readonly IndexRow[], criteria: readonly Criterion[]): boolean {
  const table = new TypeTable(type)
  const looked = sourcesOf(planOf(type), criteria)
  for (const [at, { lastUpdatedMs, id, cells }] of rows.entries()) {
    const within = cells.filter(cell => looked.has(cell.source.index))
    table.append(at + 1, lastUpdatedMs, packId(id), within)
  }
  const left = new Uint8Array(rows.length).fill(1)
  return criteria.every(criterion => {
    atOnce(narrow(table, criterion, left, undefined))
    return left.includes(1)
  })
}
