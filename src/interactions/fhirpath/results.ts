import { type ElementDefinition, isDateTime, isResourceType, isTime, type Json, parseJson, shapeOf } from '#fhir'
import type { Found, Result } from './thread.ts'

/** One entry of Parameters. */
type Part = { readonly name: string; readonly [member: string]: unknown }

/** What has no value[x] of its own is shown as JSON, as testers of FHIRPath do. */
const jsonValue = 'http://fhir.forms-lab.com/StructureDefinition/json-value'
const absent = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'
const ucum = 'http://unitsofmeasure.org'

/**
 * What came of one element of the context, as `result` of Parameters: how many things were found, and each under the name of its type.
 * Testers show the context as a value beside the parts, which inv-1 does not allow.
 */
export function resultParts({ place, found, traced }: Result): Part {
  const context = place === undefined ? [] : [{ name: 'context', valueString: place }]
  const count = { name: 'count', valueInteger: found.length }
  const traces = traced.map(({ label, found: seen }) => ({
    name: 'trace',
    part: [{ name: 'label', valueString: label === '' ? '-' : label }, ...seen.map(partOf)],
  }))
  return { name: 'result', part: [...context, count, ...found.map(partOf), ...traces] }
}

/** A value that cannot be said as one. */
function unsaid(name: string, extension: readonly object[] = []): Part {
  const own = extension.length > 0 ? { extension } : {}
  return { name, ...own, _valueString: { extension: [{ url: absent, valueCode: 'unsupported' }] } }
}

/** What System's types are called by FHIR. @see http://hl7.org/fhirpath/N1/#type-safety-and-strict-evaluation */
const named: Readonly<Record<string, string>> = {
  'System.Boolean': 'boolean',
  'System.String': 'string',
  'System.Integer': 'integer',
  'System.Decimal': 'decimal',
  'System.Date': 'date',
  'System.DateTime': 'dateTime',
  'System.Time': 'time',
  'System.Quantity': 'Quantity',
}

function partOf({ type, value, beside }: Found): Part {
  const name = named[type] ?? type.slice(type.indexOf('.') + 1)
  const json = value === undefined ? undefined : parseJson(value)
  if (json === '') return unsaid('empty-string')
  if (isResourceType(name)) return { name, resource: json }
  const member = `value${name.charAt(0).toUpperCase()}${name.slice(1)}`
  const shown = type === 'System.Quantity' ? quantityOf(json) : json
  if (!values().has(member) || !isSayable(name, shown))
    return unsaid(name, [{ url: jsonValue, valueString: value ?? 'null' }])
  return {
    name,
    ...(shown === undefined ? {} : { [member]: shown }),
    ...(beside === undefined ? {} : { [`_${member}`]: parseJson(beside) }),
  }
}

function values(): ReadonlyMap<string, ElementDefinition> {
  return shapeOf('Parameters', 'parameter').elements
}

/** FHIRPath has hours without minutes, and integers beyond 32 bits. */
const sayable: Readonly<Record<string, (value: unknown) => boolean>> = {
  dateTime: value => typeof value === 'string' && isDateTime(value),
  time: value => typeof value === 'string' && isTime(value),
  integer: value => Number(value) === (Number(value) | 0),
  string: value => typeof value === 'string' && value.trim() !== '',
}

function isSayable(name: string, value: unknown): boolean {
  return value === undefined || !Object.hasOwn(sayable, name) || sayable[name]?.(value) === true
}

/** `4 days` and `2.5 'mg'`, as FHIRPath prints them. */
function quantityOf(json: Json | undefined): Json | undefined {
  const [, digits = '', code, word] = /^(-?[\d.]+) (?:'(.*)'|(\w+))$/s.exec(String(json)) ?? []
  if (digits === '') return json
  const value = parseJson(digits)
  return word === undefined ? { value, unit: code ?? '', system: ucum, code: code ?? '' } : { value, unit: word }
}
