import { Decimal, type Resource } from '#fhir'
import { canonicalUnit } from '#terminology'
import { type CodeableConcept, categoryOf as categoryConcepts, systems } from '../codes.ts'
import { certainUcum } from '../hl7v2/units.ts'
import { exactly, type FhirNumber, rounded, significantDigits } from '../numbers.ts'
import { lazyTable } from '../tables.ts'

interface VitalSignTable {
  readonly loinc: readonly string[]
  readonly units: Readonly<Record<string, readonly string[]>>
}

const table = lazyTable<VitalSignTable>('hl7v2/vital-signs.json')

type Node = { readonly [element: string]: unknown }

interface Quantity {
  readonly value?: FhirNumber
  readonly unit?: string
  readonly system?: string
  readonly code?: string
  readonly [element: string]: unknown
}

const [panel, systolic, diastolic] = ['85354-9', '8480-6', '8462-4']

/** Whether R4 calls what was measured a vital sign. @see https://hl7.org/fhir/R4/observation-vitalsigns.html */
export function isVitalSign(code: unknown): boolean {
  return loincOf(code).some(one => table().loinc.includes(one))
}

function loincOf(concept: unknown): readonly string[] {
  const { coding = [] } = (concept ?? {}) as CodeableConcept
  return coding.flatMap(({ system, code }) => (system === systems.loinc && code !== undefined ? [code] : []))
}

/**
 * A vital sign as its profile wants it, where that says the same: in one of its units, a pressure of two numbers as two components, a time
 * that is not known to the day as the period in which it is. Anything else as it stands.
 *
 * @see https://hl7.org/fhir/R4/observation-vitalsigns.html#vitals-table
 */
export function asVitalSign<T extends Node>(elements: T): T {
  if (!isVitalSign(elements.code)) return elements
  const { component } = elements
  const components = Array.isArray(component) ? { component: component.map(inItsUnit) } : {}
  return withPressures(withPeriod(inItsUnit({ ...elements, ...categoryOf(elements), ...components })))
}

/** Its code alone makes it one, wherever it was said. */
function categoryOf({ category }: Node): Node {
  const said = (category ?? []) as readonly CodeableConcept[]
  const isSaid = said.some(({ coding = [] }) => coding.some(({ code }) => code === 'vital-signs'))
  return isSaid ? {} : { category: [...said, ...categoryConcepts('vital-signs')] }
}

function withPeriod<T extends Node>(elements: T): T {
  const { effectiveDateTime: at, ...rest } = elements
  if (typeof at !== 'string' || at.length >= 'YYYY-MM-DD'.length) return elements
  return { ...rest, effectivePeriod: { start: at, end: at } } as Node as T
}

/** Two whole numbers that can only be millimetres of mercury. */
const pressures = /^\s*([5-9]\d|[12]\d\d)\s*\/\s*([2-9]\d|1\d\d)\s*$/

function withPressures<T extends Node>(elements: T): T {
  const { code, component, valueString } = elements
  const found = loincOf(code).includes(panel) && component === undefined ? pressures.exec(String(valueString)) : null
  if (found === null) return elements
  const halves = [systolic, diastolic].map((half, nth) => ({
    code: conceptOf(half),
    valueQuantity: { value: Number(found[nth + 1]), ...unitOf('mm[Hg]') },
  }))
  return { ...elements, component: halves }
}

function conceptOf(code: string): CodeableConcept {
  return { coding: [{ system: systems.loinc, code }] }
}

function unitOf(code: string) {
  return { unit: code, system: systems.ucum, code }
}

function inItsUnit<T extends Node>(node: T): T {
  const { valueQuantity } = node as { valueQuantity?: Quantity }
  const units = loincOf(node.code).flatMap(one => table().units[one] ?? [])
  if (valueQuantity === undefined || units.length === 0) return node
  const quantity = inOneOf(units, valueQuantity, loincOf(node.code))
  return quantity === valueQuantity ? node : { ...node, valueQuantity: quantity }
}

function inOneOf(units: readonly string[], quantity: Quantity, loinc: readonly string[]): Quantity {
  const { value, unit, system, code } = quantity
  if (value === undefined || (system !== undefined && system !== systems.ucum)) return quantity
  if (code !== undefined && units.includes(code)) return quantity
  const words = code ?? unit ?? ''
  const certain = loinc.map(one => certainUcum(words, one)).find(one => one !== undefined)
  if (certain !== undefined && units.includes(certain)) return { ...quantity, system: systems.ucum, code: certain }
  // What is measured tells `C` and `ft` from a coulomb and a femtotonne.
  for (const from of [words, certain ?? '']) {
    const change = changeTo(units, from)
    if (change !== undefined && isPossible(change, value)) return converted({ ...quantity, code: from }, value, change)
  }
  return quantity
}

/** Nobody has more than all; 97 of the unit 1 is a percentage whose unit nobody knew. */
function isPossible({ to, of }: Change, value: FhirNumber): boolean {
  return to !== '%' || of(Number(value)) <= 100
}

interface Change {
  readonly to: string
  of(value: number): number
}

/** How values in a unit become values in the first of some that measures the same. */
function changeTo(units: readonly string[], unit: string): Change | undefined {
  const from = canonicalUnit(unit)
  const target = from && units.find(one => canonicalUnit(one)?.unit === from.unit)
  const to = target === undefined ? undefined : canonicalUnit(target)
  if (from === undefined || target === undefined || to === undefined) return undefined
  return { to: target, of: value => to.fromCanonical(from.toCanonical(value)) }
}

function converted(quantity: Quantity & { readonly code: string }, given: FhirNumber, { to, of }: Change): Quantity {
  // `{beats}/min` and `/min` are one unit.
  if (of(0) === 0 && of(1) === 1) return { ...quantity, system: systems.ucum, code: to }
  const value = of(given instanceof Decimal ? given.valueOf() : given)
  const { extension, unit = quantity.code, ...rest } = quantity
  if (of(0) === 0 && isTens(of(1))) return { ...rest, value: exactly(value), ...unitOf(to) }
  const original = { value: given, unit, system: systems.ucum, code: quantity.code }
  return {
    ...rest,
    value: rounded(value, significantDigits(String(given))),
    ...unitOf(to),
    extension: [{ url: originalUrl, valueQuantity: original }],
  }
}

/** Whether a factor moves the decimal point and changes no digit. */
function isTens(factor: number): boolean {
  return /^1e/.test(factor.toExponential())
}

/** Where the value stands as it was given, when a conversion rounded it. */
const originalUrl = 'http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation'

const unknownTime = {
  extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }],
}
const unknownValue = { coding: [{ system: systems.dataAbsent, code: 'unknown' }] }
const unknownHalves = [systolic, diastolic].map(half => ({ code: conceptOf(half), dataAbsentReason: unknownValue }))

/** Says of the time and the value that a vital sign must have and has not that they are unknown. */
export function withUnknowns(resource: Resource): Resource {
  if (!isVitalSign(resource.code)) return resource
  const told: Resource = { ...resource }
  if (!has(resource, 'effective')) told._effectiveDateTime = unknownTime
  const { component, hasMember, dataAbsentReason } = resource
  if (loincOf(resource.code).includes(panel)) {
    if (component === undefined && hasMember === undefined) told.component = unknownHalves
  } else if (!has(resource, 'value') && [component, hasMember, dataAbsentReason].every(one => one === undefined))
    told.dataAbsentReason = unknownValue
  return told
}

/** A resource as it was before `withUnknowns`. */
export function withoutUnknowns(resource: Resource): Resource {
  const { component, dataAbsentReason, _effectiveDateTime, ...known } = resource
  return {
    ...known,
    ...(isLike(component, unknownHalves) ? {} : { component }),
    ...(isLike(dataAbsentReason, unknownValue) ? {} : { dataAbsentReason }),
    ...(isLike(_effectiveDateTime, unknownTime) ? {} : { _effectiveDateTime }),
  } as Resource
}

/** What is not there is left out as well. */
function isLike(one: unknown, other: unknown): boolean {
  return one === undefined || JSON.stringify(one) === JSON.stringify(other)
}

function has(resource: Resource, choice: string): boolean {
  return Object.keys(resource).some(name => new RegExp(`^_?${choice}[A-Z]`).test(name))
}
