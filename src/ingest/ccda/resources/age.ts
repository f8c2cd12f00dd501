import type { Node } from '../../hl7v2/drafts.ts'
import { quantityOf } from '../data-types.ts'
import type { CdaElement } from '../element.ts'

/** An age has a UCUM unit of time: https://hl7.org/fhir/R4/datatypes.html#Age, age-1 */
export function ageOf(element: CdaElement | undefined): Node | undefined {
  const quantity = quantityOf(element)
  return quantity !== undefined && /^(a|mo|wk|d|h|min)$/.test(String(quantity.code)) ? quantity : undefined
}
