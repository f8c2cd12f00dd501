import { categoryOf, conceptOf } from '../codes.ts'
import type { Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleContext } from './context.ts'
import { detailsOf } from './details.ts'
import type { AppleElement } from './element.ts'
import { mapRecord } from './map-record.ts'
import { foodOf, identityOf, observation, rejected, spanOf, unreadChildren } from './observation.ts'

const foodCode = frozen(conceptOf({ text: 'Food eaten', loinc: ['80453-4'], pghd: 'food' }))
const foodCategory = frozen(categoryOf('social-history'))
const readHere: ReadonlySet<string> = new Set(['Record'])

/**
 * A Food correlation: its nutrients, and one Observation that holds them together. What was eaten is part of its identity:
 * two foods of one meal may have the same nutrients.
 *
 * The nutrients stand loose in the file as well. They have the ids of their loose twins, so whichever comes second is
 * a duplicate, and nothing needs to be remembered over a file of any length.
 */
export function mapFood(element: AppleElement, context: AppleContext): Outcome[] {
  const row = 'HKCorrelationTypeIdentifierFood'
  const span = spanOf(element)
  if (span === undefined) return [rejected(row, 'date-malformed', 'Correlation.startDate')]
  const records = (element.children ?? []).filter(({ name }) => name === 'Record')
  const nutrients = records.flatMap(child => mapRecord(child, context))
  const ids = nutrients.flatMap(outcome => (outcome.kind === 'mapped' ? [outcome.resource.id] : []))
  const rest = unreadChildren(element, readHere)
  if (ids.length === 0) return [...nutrients, rejected(row, 'element-missing', 'Correlation.Record'), ...rest]
  const id = context.fingerprint('apple', ...identityOf(element, span), ...ids, ...foodOf(element))
  const details = detailsOf(element.metadata)
  const food = details.find(({ key }) => key === 'HKFoodType')
  const beside = { details: details.filter(detail => detail !== food) }
  const resource = observation(element, { id, category: foodCategory, code: foodCode, span, ...beside }, context)
  Object.assign(resource, food?.value)
  resource.hasMember = ids.map(member => ({ reference: `Observation/${member}` }))
  return [...nutrients, { kind: 'mapped', row, resource, mode: 'create' }, ...rest]
}
