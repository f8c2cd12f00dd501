import { parseDateInterval } from '#fhir'
import { canonicalUnit } from '#terminology'
import { isNode, type Node } from '../walk.ts'

/** Numbers that kept their digits are the numbers they write. */
function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null && typeof value.valueOf() === 'number' ? value.valueOf() : value
}

/** Whether a value is another one, no more and no less. @see https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.fixed_x_ */
export function isExactly(value: unknown, fixed: unknown): boolean {
  if (Array.isArray(value) && Array.isArray(fixed))
    return value.length === fixed.length && value.every((item, at) => isExactly(item, fixed[at]))
  if (!isObject(value) || !isObject(fixed)) return plain(value) === plain(fixed)
  const names = new Set([...Object.keys(value), ...Object.keys(fixed)])
  return names.values().every(name => isExactly(value[name], fixed[name]))
}

/**
 * Whether a value has at least what a pattern has: of lists, each item somewhere.
 *
 * @see https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_
 */
export function isLike(value: unknown, pattern: unknown): boolean {
  if (Array.isArray(pattern))
    return Array.isArray(value) && pattern.every(wanted => value.some(item => isLike(item, wanted)))
  if (!isObject(pattern)) return plain(value) === plain(pattern)
  return isObject(value) && Object.entries(pattern).every(([name, wanted]) => isLike(value[name], wanted))
}

function isObject(value: unknown): value is Node {
  return isNode(plain(value))
}

/** -1, 0 or 1; undefined for what cannot be compared: a year with a day in it, quantities of unlike units. */
export function compared(value: unknown, bound: unknown): number | undefined {
  const [one, other] = [plain(value), plain(bound)]
  if (typeof one === 'number' && typeof other === 'number') return Math.sign(one - other)
  if (typeof one === 'string' && typeof other === 'string') return comparedTexts(one, other)
  return isNode(one) && isNode(other) ? comparedQuantities(one, other) : undefined
}

function comparedTexts(one: string, other: string): number | undefined {
  const [left, right] = [parseDateInterval(one), parseDateInterval(other)]
  if (left === undefined || right === undefined) return one < other ? -1 : Number(one > other)
  if (left.untilMs <= right.fromMs) return -1
  if (left.fromMs >= right.untilMs) return 1
  return left.fromMs === right.fromMs && left.untilMs === right.untilMs ? 0 : undefined
}

const ucum = 'http://unitsofmeasure.org'

function comparedQuantities(one: Node, other: Node): number | undefined {
  const [left, right] = [plain(one.value), plain(other.value)]
  if (typeof left !== 'number' || typeof right !== 'number') return undefined
  const isSameUnit = one.code === other.code && (one.system ?? ucum) === (other.system ?? ucum)
  if (isSameUnit && (one.code !== undefined || one.unit === other.unit)) return Math.sign(left - right)
  const [from, to] = [unitOf(one), unitOf(other)]
  if (from === undefined || from.unit !== to?.unit) return undefined
  return Math.sign(from.toCanonical(left) - to.toCanonical(right))
}

function unitOf({ system, code }: Node): ReturnType<typeof canonicalUnit> {
  return typeof code === 'string' && system === ucum ? canonicalUnit(code) : undefined
}
