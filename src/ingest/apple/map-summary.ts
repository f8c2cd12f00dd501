import { isDate } from '#fhir'
import { categoryOf, systems } from '../codes.ts'
import type { Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleContext } from './context.ts'
import type { AppleElement } from './element.ts'
import { rejected, unreadChildren } from './observation.ts'
import { Parts } from './parts.ts'
import { appleTables, type RingType } from './tables.ts'

const code = frozen({
  coding: [{ system: systems.healthKit, code: 'HKActivitySummary' }],
  text: 'Activity of a day, and its goals',
})
const category = frozen(categoryOf('activity'))

/** The rings of a day. A day that had not ended when the file was made says more in the next file: it is brought up to date. */
export function mapSummary(element: AppleElement, context: AppleContext): Outcome[] {
  const row = 'ActivitySummary'
  const { dateComponents = '' } = element.attributes
  if (!/^\d{4}-\d{2}-\d{2}$/.test(dateComponents) || !isDate(dateComponents))
    return [rejected(row, 'date-malformed', 'ActivitySummary.dateComponents')]
  const parts = new Parts()
  for (const ring of appleTables().rings) readRing(ring, element, parts)
  const rest = [...parts.outcomes, ...unreadChildren(element, new Set())]
  if (parts.components.length === 0) return [rejected(row, 'value-missing', row), ...rest]
  const resource = {
    resourceType: 'Observation',
    id: context.fingerprint('apple', row, dateComponents),
    meta: { source: context.source },
    status: 'final',
    category,
    code,
    subject: context.subject,
    effectiveDateTime: dateComponents,
    component: parts.components,
  }
  return [{ kind: 'mapped', row, resource, mode: 'upsert' }, ...rest]
}

function readRing({ attribute, unitAttribute, type }: RingType, { attributes }: AppleElement, parts: Parts): void {
  const unit = unitAttribute === undefined ? unitName(type.ucum) : attributes[unitAttribute]
  parts.quantity(`ActivitySummary.${attribute}`, { type, value: attributes[attribute], unit })
}

/** What the export would write as the unit of an attribute that has none. */
function unitName(ucum: string): string {
  return ucum.startsWith('{') ? 'count' : ucum
}
