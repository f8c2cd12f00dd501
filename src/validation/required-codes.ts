import { requiredCodes } from '#fhir'

type Check = (value: unknown) => boolean

interface CodedValue {
  readonly system?: unknown
  readonly code?: unknown
  readonly coding?: unknown
}

/**
 * Whether a code, Coding or CodeableConcept satisfies a required binding. Of a CodeableConcept one coding must; a Coding without
 * code, and a concept that is only text, are left alone.
 *
 * @see https://hl7.org/fhir/R4/terminologies.html#required
 */
export function codeRule(valueSet: string): Check {
  const bySystem = Object.entries(requiredCodes(valueSet) ?? {})
  const codes = new Set(bySystem.flatMap(([, listed]) => listed))
  const pairs = new Set(bySystem.flatMap(([system, listed]) => listed.map(code => pairOf(system, code))))
  const isIn = (coding: CodedValue): boolean => pairs.has(pairOf(coding.system, coding.code))
  return value => {
    if (typeof value === 'string') return codes.has(value)
    if (!isCoded(value)) return true
    if (!Array.isArray(value.coding)) return value.code === undefined || isIn(value)
    const coded = value.coding.filter(isCoded).filter(coding => coding.code !== undefined)
    return coded.length === 0 || coded.some(isIn)
  }
}

function pairOf(system: unknown, code: unknown): string {
  return `${typeof system === 'string' ? system : ''}|${typeof code === 'string' ? code : ''}`
}

function isCoded(value: unknown): value is CodedValue {
  return typeof value === 'object' && value !== null
}
