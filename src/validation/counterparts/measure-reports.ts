import type { ErrorObject } from 'ajv'
import { appendAll } from '#kernel'
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
  const [find, isTold] = [finder(defined), areTold(defined)]
  const faults = isOne && groups.length > 1 ? [faultAt('reportGroups', `${at}/group`)] : []
  for (const [index, group] of groups.entries()) {
    const place = `${at}/group/${index}`
    const own = isOne && group.code === undefined ? only : find(group.code)
    if (isCohort && group.measureScore !== undefined) faults.push(faultAt('reportScore', `${place}/measureScore`))
    if (own !== undefined) appendAll(faults, groupFaults(group, own, place))
    else if (isTold) faults.push(faultAt('reportGroup', place))
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
  const find = finder(defined)
  return nodesOf(items).flatMap((item, index) => {
    const codes = codesOf(item).filter(isNode)
    const isKnown = codes.some(code => find(code) !== undefined)
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

/** Finds what has a code: one coding in common is enough; text tells where one of both has no coding. Of many each is looked at once. */
function finder(defined: readonly Node[]): (code: unknown) => Node | undefined {
  const places = new Map<string, number>()
  for (const [at, { code }] of defined.entries())
    for (const key of [...codesOf(code), ...textOf(code, isCoded(code) ? 'coded' : 'text')])
      if (!places.has(key)) places.set(key, at)
  return code => {
    const texts = isCoded(code) ? textOf(code, 'text') : [...textOf(code, 'coded'), ...textOf(code, 'text')]
    const found = [...codesOf(code), ...texts].flatMap(key => places.get(key) ?? [])
    return found.length === 0 ? undefined : defined[found.reduce((one, other) => Math.min(one, other))]
  }
}

function isCoded(concept: unknown): boolean {
  return conceptsOf(concept).length > 0
}

function codesOf(concept: unknown): readonly string[] {
  return conceptsOf(concept).map(({ system, code }) => JSON.stringify([system, code]))
}

function textOf(concept: unknown, kind: 'coded' | 'text'): readonly string[] {
  return isNode(concept) && concept.text !== undefined ? [`${kind} ${JSON.stringify(concept.text)}`] : []
}
