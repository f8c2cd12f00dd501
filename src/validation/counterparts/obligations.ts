import type { ErrorObject } from 'ajv'
import { listOf } from '../content/check.ts'
import { isOfObligations } from '../content/structures.ts'
import { faultAt } from '../faults.ts'
import { urlOf } from '../profiles/definition.ts'
import { isNode, type Node } from '../walk.ts'
import type { Counterpart, Counterparts } from './held.ts'

const inheriting: ReadonlySet<unknown> = new Set([
  'http://hl7.org/fhir/StructureDefinition/inherit-obligations',
  'http://hl7.org/fhir/tools/StructureDefinition/inherit-obligations',
])

interface Inherited {
  readonly canonical: string
  readonly index: number
}

function inheritedBy({ extension }: Node): readonly Inherited[] {
  return listOf(extension).flatMap((each, index) =>
    isNode(each) && inheriting.has(each.url) && typeof each.valueCanonical === 'string'
      ? [{ canonical: each.valueCanonical, index }]
      : [],
  )
}

export function inheritedObligations(node: Node): readonly Counterpart[] {
  return inheritedBy(node).map(({ canonical }) => ({ type: 'StructureDefinition', canonical }))
}

/**
 * Obligations are taken over from profiles that say they are of obligations, and that have the same base.
 *
 * @see https://hl7.org/fhir/extensions/StructureDefinition-inherit-obligations.html
 */
export function obligationFaults(node: Node, at: string, { structure }: Counterparts): readonly ErrorObject[] {
  return inheritedBy(node).flatMap(({ canonical, index }) => {
    const found = structure(canonical) as Node | undefined
    if (found === undefined) return []
    const isFit = isOfObligations(found) && sameBase(found, node)
    return isFit ? [] : [faultAt('inheritedObligations', `${at}/extension/${index}`)]
  })
}

function sameBase(one: Node, other: Node): boolean {
  return urlOf(String(one.baseDefinition)) === urlOf(String(other.baseDefinition))
}
