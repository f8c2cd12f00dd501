import type { Comparison, Modifier, Operand } from '../query/types.ts'
import { parseCanonical } from './canonical.ts'

type UriOperand = Extract<Operand, { kind: 'uri' }>

/** A canonical may carry a version that the search does not name: `http://x|1.0` is found by `http://x`. */
export function isSameCanonical(stored: string, sought: string): boolean {
  return stored === sought || (stored.startsWith(sought) && stored[sought.length] === '|' && !sought.includes('|'))
}

/** Whether a canonical is of a version that begins as the one sought: `|1` has `|1.0` and `|1.1` below it, but not `|10`. */
export function isCanonicalBelow(stored: string, sought: string): boolean {
  const [one, other] = [parseCanonical(stored), parseCanonical(sought)]
  if (one.url !== other.url) return false
  return other.version === undefined || one.version === other.version || isPart(one.version, other.version)
}

function isPart(version: string | undefined, prefix: string): boolean {
  return version?.startsWith(`${prefix}.`) === true
}

/** Whether `path` is `parent` or lies below it. */
function isWithin(path: string, parent: string): boolean {
  return path === parent || path.startsWith(parent.endsWith('/') ? parent : `${parent}/`)
}

/** The path of a canonical: a version is no part of it. */
function pathOf(canonical: string): string {
  const bar = canonical.indexOf('|')
  return bar < 0 ? canonical : canonical.slice(0, bar)
}

/** What is found without a modifier is found with one. */
const tests: Readonly<Partial<Record<Modifier | Comparison, (stored: string, sought: string) => boolean>>> = {
  above: (stored, sought) => isSameCanonical(stored, sought) || isWithin(sought, pathOf(stored)),
  below: (stored, sought) => isSameCanonical(stored, sought) || isWithin(pathOf(stored), sought),
}

/** Exact and case sensitive, or by path with `:above` and `:below`: https://hl7.org/fhir/R4/search.html#uri */
export function uriTest(
  operands: readonly UriOperand[],
  modifier: Modifier | Comparison | undefined,
): (entry: string) => boolean {
  const test = (modifier === undefined ? undefined : tests[modifier]) ?? isSameCanonical
  return entry => operands.some(operand => test(entry, operand.text))
}
