import { Problem } from '#kernel'
import { canonicalUnit } from '#terminology'
import { splitAt, unescaped } from '../query/split.ts'
import type { QuantityOperand, RangeOperand } from '../query/types.ts'
import { parseUnit, type UnitEntry } from './entries.ts'
import { type Box, numberBoxes, parseNumberOperand } from './range.ts'

export const ucumSystem = 'http://unitsofmeasure.org'

/**
 * `[prefix]number|system|code`.
 *
 * @throws Problem `invalid` · `search.quantity-malformed`, `search.number-malformed`
 * @see https://hl7.org/fhir/R4/search.html#quantity
 */
export function parseQuantityOperand(text: string, name: string): QuantityOperand {
  const parts = splitAt(text, '|').map(unescaped)
  const [number = '', system, code] = parts
  if (parts.length !== 1 && parts.length !== 3)
    throw new Problem('invalid', 'search.quantity-malformed', 'A quantity is number or number|system|code.', {
      expression: name,
    })
  const range = parseNumberOperand(number, name)
  return { kind: 'quantity', range, system, code: code === '' ? undefined : code }
}

/** How far conversion may lead astray, as a share of the largest number in it: some twenty times what doubles round away. */
const astray = 2e-15

/**
 * The operand in another unit, and how much of it is rounding; undefined when the units measure different things. Conversion decides neither
 * whether a limit belongs to a range, nor whether two numbers of sixteen digits are the same.
 */
function inUnit(range: RangeOperand, from: string, to: string): RangeOperand | undefined {
  if (from === to) return range
  const source = canonicalUnit(from)
  const target = canonicalUnit(to)
  if (source === undefined || target === undefined || source.unit !== target.unit) return undefined
  const convert = (value: number): number => (value * source.factor + (source.offset - target.offset)) / target.factor
  const [low, high] = [convert(range.low), convert(range.high)].toSorted((one, other) => one - other) as [
    number,
    number,
  ]
  const largest = Math.abs(range.exact * source.factor) + Math.abs(source.offset) + Math.abs(target.offset)
  return { ...range, low, high, exact: convert(range.exact), slack: Math.abs((largest / target.factor) * astray) }
}

function isNamed(code: string, unit: UnitEntry): boolean {
  return unit.code === code || unit.unit === code
}

function forUnit({ range, system, code }: QuantityOperand, unit: UnitEntry): RangeOperand | undefined {
  if (system === undefined || system === '') return code === undefined || isNamed(code, unit) ? range : undefined
  if (unit.system !== system) return undefined
  if (code === undefined) return range
  return system === ucumSystem ? inUnit(range, code, unit.code) : unit.code === code ? range : undefined
}

/**
 * The limits that stored values of one unit must keep; undefined when none of them can.
 * UCUM operands are converted to the stored unit, so that rows keep the numbers that people wrote.
 */
export function quantityBox(operand: QuantityOperand, unitText: string): Box | undefined {
  const range = forUnit(operand, parseUnit(unitText))
  return range === undefined ? undefined : numberBoxes[range.prefix](range)
}

/** A number by which values of different units can be ordered: canonical for UCUM units, as written for others. */
export function canonicalValue(unitText: string): (value: number) => number {
  const { system, code } = parseUnit(unitText)
  const unit = system === ucumSystem ? canonicalUnit(code) : undefined
  return unit === undefined ? value => value : value => unit.toCanonical(value)
}
