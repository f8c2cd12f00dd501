import type { ErrorObject } from 'ajv'
import { listOf } from '../content/check.ts'
import { faultAt } from '../faults.ts'
import type { StructureDefinition } from '../profiles/definition.ts'
import { isNode, type Node } from '../walk.ts'
import type { Counterpart, Counterparts } from './held.ts'

const root = 'http://hl7.org/fhir/StructureDefinition/Extension'

export function baseOfExtension({ type, derivation, baseDefinition }: Node): readonly Counterpart[] {
  const isDerived = type === 'Extension' && derivation === 'constraint' && baseDefinition !== root
  return isDerived && typeof baseDefinition === 'string'
    ? [{ type: 'StructureDefinition', canonical: baseDefinition }]
    : []
}

/**
 * Whatever derives from an extension is known by the same address, once that is fixed.
 *
 * @see https://hl7.org/fhir/R4/defining-extensions.html and https://hl7.org/fhir/R4/profiling.html
 */
export function extensionFaults(node: Node, at: string, held: Counterparts): readonly ErrorObject[] {
  const [base] = baseOfExtension(node)
  const known = base && held.structure(base.canonical)
  const wanted = known && fixedUrl(known)
  if (wanted === undefined) return []
  return ['differential', 'snapshot'].flatMap(view =>
    elementsIn(node[view]).flatMap((element, index) =>
      isOther(element, wanted) ? [faultAt('derivedUrl', `${at}/${view}/element/${index}/fixedUri`)] : [],
    ),
  )
}

function fixedUrl({ differential, snapshot }: StructureDefinition): unknown {
  const elements = [...elementsIn(differential), ...elementsIn(snapshot)]
  return elements.find(({ path, fixedUri }) => path === 'Extension.url' && fixedUri !== undefined)?.fixedUri
}

function elementsIn(view: unknown): readonly Node[] {
  return isNode(view) ? listOf(view.element).filter(isNode) : []
}

function isOther({ path, fixedUri }: Node, wanted: unknown): boolean {
  return path === 'Extension.url' && fixedUri !== undefined && fixedUri !== wanted
}
