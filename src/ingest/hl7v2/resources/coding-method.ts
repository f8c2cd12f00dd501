import type { CodeableConcept } from '../../codes.ts'
import { codingSystem } from '../codings.ts'
import { type Segment, value } from '../message.ts'
import type { Elements, Scene } from '../scene.ts'

/**
 * DG1-2 and PR1-2 name the system of the code in the field behind them, where that names none: HL7 v2.3 and before.
 *
 * @param elements  with `code`
 */
export function withMethod(scene: Scene, segment: Segment, elements: Elements): Elements {
  const system = codingSystem(value(segment, 2))
  const { code } = elements as { code?: CodeableConcept }
  const [first, ...others] = code?.coding ?? []
  if (system === undefined || first === undefined) return elements
  if (first.system === undefined || first.system === system) scene.ledger.keep(segment, 2)
  return first.system === undefined
    ? { ...elements, code: { ...code, coding: [{ system, ...first }, ...others] } }
    : elements
}
