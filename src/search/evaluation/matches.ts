import type { Resource } from '#fhir'
import { parseDateInterval } from '#fhir'
import { atOnce } from '#kernel'
import { packId } from '../columns/ids.ts'
import { TypeTable } from '../columns/type-table.ts'
import { type Plan, planOf } from '../extraction/plan.ts'
import { extractRow } from '../extraction/row.ts'
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
  const table = new TypeTable(row.type)
  const looked = sourcesOf(planOf(row.type), criteria)
  const cells = row.cells.filter(cell => looked.has(cell.source.index))
  table.append(row.seq, row.lastUpdatedMs, packId(row.id), cells)
  const rows = Uint8Array.of(1)
  return criteria.every(criterion => {
    atOnce(narrow(table, criterion, rows, undefined))
    return rows[0] === 1
  })
}
