import { categoryOf, conceptOf } from '../codes.ts'
import type { MapContext, Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleElement } from './element.ts'
import { mapRecord } from './map-record.ts'
import { identityOf, observation, rejected, spanOf } from './observation.ts'

const foodCode = frozen(conceptOf({ text: 'Food eaten', loinc: ['80453-4'], pghd: 'food' }))
const foodCategory = frozen(categoryOf('social-history'))

/**
 * A Food correlation: its nutrients, and one Observation that holds them together.
 *
 * The nutrients stand loose in the file as well. They have the ids of their loose twins, so whichever comes second is
 * a duplicate, and nothing needs to be remembered over a file of any length.
 */
export function mapFood(element: AppleElement, context: MapContext): Outcome[] {
  const row = 'HKCorrelationTypeIdentifierFood'
  const span = spanOf(element)
  if (span === undefined) return [rejected(row, 'date-malformed', 'Correlation.startDate')]
  const nutrients = (element.children ?? []).map(child => mapRecord(child, context))
  const ids = nutrients.flatMap(outcome => (outcome.kind === 'mapped' ? [outcome.resource.id] : []))
  if (ids.length === 0) return [rejected(row, 'element-missing', 'Correlation.Record')]
  const id = context.fingerprint('apple', ...identityOf(element, span), ...ids)
  const resource = observation(element, { id, category: foodCategory, code: foodCode, span }, context)
  const text = element.metadata?.get('HKFoodType')
  if (text !== undefined && text.trim() !== '') resource.valueString = text.trim()
  resource.hasMember = ids.map(member => ({ reference: `Observation/${member}` }))
  return [...nutrients, { kind: 'mapped', row, resource, mode: 'create' }]
}
