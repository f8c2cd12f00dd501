import { categoryOf, systems } from '../codes.ts'
import type { Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleContext } from './context.ts'
import type { AppleElement } from './element.ts'
import { identityOf, observation, rejected, spanOf, unreadChildren } from './observation.ts'
import { Parts } from './parts.ts'
import type { QuantityType } from './tables.ts'

const category = frozen(categoryOf('exam'))
const code = frozen({
  coding: [{ system: systems.healthKit, code: 'HKDataTypeIdentifierAudiogram' }],
  text: 'Audiogram',
})
const threshold: QuantityType = frozen({
  name: 'Threshold',
  text: 'Hearing threshold',
  ucum: 'dB',
  fraction: false,
  code,
  category,
  variants: new Map(),
})
const readHere: ReadonlySet<string> = new Set(['SensitivityPoint'])

/** A hearing test: the threshold of each ear at each frequency. */
export function mapAudiogram(element: AppleElement, context: AppleContext): Outcome[] {
  const span = spanOf(element)
  if (span === undefined) return [rejected('Audiogram', 'date-malformed', 'Audiogram.startDate')]
  const points = (element.children ?? []).filter(({ name }) => name === 'SensitivityPoint')
  const parts = new Parts()
  for (const point of points) for (const side of ['left', 'right']) readPoint(point, side, parts)
  const { components } = parts
  const rest = [...parts.outcomes, ...unreadChildren(element, readHere)]
  if (components.length === 0) return [rejected('Audiogram', 'element-missing', 'Audiogram.SensitivityPoint'), ...rest]
  const said = points.map(({ attributes }) => JSON.stringify(Object.entries(attributes).sort()))
  const id = context.fingerprint('apple', ...identityOf(element, span), ...said)
  const resource = observation(element, { id, category, code, span, components }, context)
  return [{ kind: 'mapped', row: 'Audiogram', resource, mode: 'create' }, ...rest]
}

function readPoint({ attributes }: AppleElement, side: string, parts: Parts): void {
  const { frequencyValue = '', frequencyUnit = 'Hz' } = attributes
  const value = attributes[`${side}EarValue`]
  const row = 'Audiogram.SensitivityPoint'
  if (!/^\d+(?:\.\d+)?$/.test(frequencyValue) || frequencyUnit !== 'Hz') {
    parts.outcomes.push(rejected(row, 'value-malformed', 'SensitivityPoint.frequencyValue'))
    return
  }
  const masked = attributes[`${side}EarMasked`] === '1' ? ', masked' : ''
  const point = { text: `Hearing threshold, ${side} ear, ${Number(frequencyValue)} Hz${masked}` }
  parts.quantity(row, { type: threshold, code: point, value, unit: attributes[`${side}EarUnit`] })
}
