import type { ErrorObject } from 'ajv'
import { listOf } from '../content/check.ts'
import { faultAt } from '../faults.ts'
import { isNode, type Node } from '../walk.ts'
import type { Counterpart, Counterparts } from './held.ts'

export function measureOf({ measure }: Node): readonly Counterpart[] {
  return typeof measure === 'string' ? [{ type: 'Measure', canonical: measure }] : []
}

/**
 * A report has the groups, populations and stratifiers of its Measure, told by their codes. Where a Measure gives none, nothing is told.
 *
 * @see https://hl7.org/fhir/R4/measurereport.html and https://hl7.org/fhir/R4/measurereport-definitions.html#MeasureReport.group.code
 */
export function reportFaults(report: Node, at: string, { measure }: Counterparts): readonly ErrorObject[] {
  const found = typeof report.measure === 'string' ? measure(report.measure) : undefined
  if (found === undefined) return []
  const defined = nodesOf(found.group)
  const groups = nodesOf(report.group)
  const isCohort = conceptsOf(found.scoring).some(({ code }) => code === 'cohort')
  const [only, ...others] = defined
  const isOne = only !== undefined && others.length === 0
  const faults = isOne && groups.length > 1 ? [faultAt('reportGroups', `${at}/group`)] : []
  for (const [index, group] of groups.entries()) {
    const place = `${at}/group/${index}`
    const own = isOne && group.code === undefined ? only : defined.find(each => isSame(each.code, group.code))
    if (isCohort && group.measureScore !== undefined) faults.push(faultAt('reportScore', `${place}/measureScore`))
    if (own !== undefined) faults.push(...groupFaults(group, own, place))
    else if (areTold(defined)) faults.push(faultAt('reportGroup', place))
  }
  return faults
}

function groupFaults(group: Node, defined: Node, at: string): readonly ErrorObject[] {
  return [
    ...unmatched(group.population, nodesOf(defined.population), each => [each.code]).map(index =>
      faultAt('reportPopulation', `${at}/population/${index}`),
    ),
    ...unmatched(group.stratifier, nodesOf(defined.stratifier), each => listOf(each.code)).map(index =>
      faultAt('reportStratifier', `${at}/stratifier/${index}`),
    ),
  ]
}

/** The places of items that have codes, none of which is one of the defined. */
function unmatched(
  items: unknown,
  defined: readonly Node[],
  codesOf: (item: Node) => readonly unknown[],
): readonly number[] {
  if (!areTold(defined)) return []
  return nodesOf(items).flatMap((item, index) => {
    const codes = codesOf(item).filter(isNode)
    const isKnown = codes.some(code => defined.some(each => isSame(each.code, code)))
    return codes.length === 0 || isKnown ? [] : [index]
  })
}

/** Whether all that is defined says by which code it is meant. */
function areTold(defined: readonly Node[]): boolean {
  return defined.every(({ code }) => isNode(code))
}

function nodesOf(items: unknown): readonly Node[] {
  return listOf(items).filter(isNode)
}

function conceptsOf(concept: unknown): readonly Node[] {
  return isNode(concept) ? nodesOf(concept.coding) : []
}

/** One coding in common is enough; text tells where one of them has no coding. */
function isSame(one: unknown, other: unknown): boolean {
  const [ours, theirs] = [conceptsOf(one), conceptsOf(other)]
  if (ours.length > 0 && theirs.length > 0)
    return ours.some(({ system, code }) => theirs.some(each => each.system === system && each.code === code))
  return isNode(one) && isNode(other) && one.text !== undefined && one.text === other.text
}
