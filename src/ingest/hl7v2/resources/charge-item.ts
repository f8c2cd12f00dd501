import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { value } from '../message.ts'
import { nth, type Scene } from '../scene.ts'
import { type Group, segmentOf } from '../structure.ts'
import { reject } from '../telling.ts'
import { notesOf } from './notes.ts'

/** Table 0017: a charge; what is paid, credited or adjusted is none. */
const charges = new Set(['', 'CG'])

/**
 * FT1 → ChargeItem
 *
 * @see HL7 v2.5.1, 6.5.1, for which the guide has no map
 */
export function mapCharge(scene: Scene, group: Group): void {
  const ft1 = segmentOf(group, 'FT1')
  if (ft1 === undefined || !charges.has(value(ft1, 6))) return
  const elements = combined(applied(scene, ft1, 'ChargeItem'), notesOf(scene, group))
  scene.ledger.keep(ft1, 6)
  if (elements.code === undefined) {
    reject(scene, ft1, 'FT1-7')
    return
  }
  const what = [value(ft1, 4), value(ft1, 7) || value(ft1, 7, 2)].join('|')
  const own = value(ft1, 2)
  const key = own === '' ? ['charge', what, String(nth(scene, `charge ${what}`))] : ['charge', own]
  const context = scene.encounter === undefined ? {} : { context: { reference: scene.encounter } }
  emit(scene, ft1, 'ChargeItem', key, { status: 'billable', ...elements, subject: scene.context.subject, ...context })
}
