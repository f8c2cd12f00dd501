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

/** Twelve digits: conversion between units must not decide whether a limit belongs to a range. */
function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(12)) : value
}

/** The operand in another unit; undefined when the units measure different things. */
function inUnit(range: RangeOperand, from: string, to: string): RangeOperand | undefined {
  if (from === to) return range
  const source = canonicalUnit(from)
  const target = canonicalUnit(to)
  if (source === undefined || target === undefined || source.unit !== target.unit) return undefined
  const convert = (value: number): number => rounded(target.fromCanonical(source.toCanonical(value)))
  const [low, high] = [convert(range.low), convert(range.high)]
  return { ...range, low: Math.min(low, high), high: Math.max(low, high), exact: convert(range.exact) }
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
