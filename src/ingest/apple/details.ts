import { type CodeableConcept, systems } from '../codes.ts'
import { exactly, toFhirNumber } from '../numbers.ts'
import { plainUnit, quantityOf } from './quantity.ts'
import { appleTables, type MetadataKey } from './tables.ts'

/** One thing that the metadata of an element tell, with its value as one of FHIR's forms. */
export interface Detail {
  readonly key: string
  readonly code: CodeableConcept
  readonly value: Readonly<Record<string, unknown>>
  /** What it says has an element of its own in an Observation. */
  readonly place?: 'bodySite' | 'method' | 'identifier'
}

/** A component or an extension of the form FHIR wants. */
export interface Component {
  readonly code: CodeableConcept
  readonly [element: string]: unknown
}

/** FHIR bounds a string at a megabyte; what an app writes beside a reading and is longer than this is no note. */
const maxText = 10_000

/** All that the MetadataEntry children of an element tell, in their order. */
export function detailsOf(metadata: ReadonlyMap<string, string> | undefined): readonly Detail[] {
  if (metadata === undefined) return []
  return [...metadata].flatMap(([key, value]) => readDetail(key, value.trim()))
}

function readDetail(key: string, text: string): Detail[] {
  if (text === '' || key.trim() === '') return []
  const row = appleTables().metadata.get(key)
  if (row === undefined) return [{ key, code: ownCode(key), value: readQuantityText(text) ?? stringOf(text) }]
  return readers[row.kind](row, text)
}

function ownCode(key: string): CodeableConcept {
  return /^_?HK\w{1,100}$/.test(key)
    ? { coding: [{ system: systems.healthKit, code: key }], text: key }
    : { text: key.slice(0, 200) }
}

function stringOf(text: string) {
  return { valueString: text.slice(0, maxText) }
}

const readers: Readonly<Record<MetadataKey['kind'], (row: MetadataKey, text: string) => Detail[]>> = {
  coded: (row, text) => {
    const concept = row.values.get(text)
    if (concept === undefined) return [{ key: row.key, code: row.code, value: stringOf(text) }]
    const detail = { key: row.key, code: row.code, value: { valueCodeableConcept: concept } }
    return [row.bodySite ? { ...detail, place: 'bodySite' } : detail]
  },
  quantity: (row, text) => [
    { key: row.key, code: row.code, value: readQuantityText(text, row.hundredths) ?? stringOf(text) },
  ],
  boolean: (row, text) => [
    { key: row.key, code: row.code, value: /^[01]$/.test(text) ? { valueBoolean: text === '1' } : stringOf(text) },
  ],
  text: (row, text) => [{ key: row.key, code: row.code, value: stringOf(text) }],
  zone: (row, text) => [{ key: row.key, code: row.code, value: stringOf(text) }],
  identifier: (row, text) => [
    {
      key: row.key,
      code: row.code,
      value: { system: detailUrl(row.key), value: text.slice(0, 500) },
      place: 'identifier',
    },
  ],
  // That something was not entered by hand is what every other record says by saying nothing.
  method: (row, text) =>
    text === '1' ? [{ key: row.key, code: row.code, value: { ...row.code }, place: 'method' }] : [],
}

/** `4200 cm`, `56 degF`, `9.5 kcal/hr·kg`; undefined when it is no number with a unit that is known. */
function readQuantityText(text: string, hundredths = false): { valueQuantity: unknown } | undefined {
  const [, number, name] = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?) (\S{1,40})$/.exec(text) ?? []
  const value = number === undefined ? undefined : toFhirNumber(number)
  if (value === undefined || name === undefined) return undefined
  if (name === '%') return { valueQuantity: quantityOf(hundredths ? exactly(Number(value) / 100) : value, '%') }
  const unit = appleTables().units.get(plainUnit(name))
  return unit === undefined ? undefined : { valueQuantity: quantityOf(value, unit.ucum) }
}

/** The URL under which a detail of HealthKit is known where it stands as an extension. */
function detailUrl(key: string): string {
  return `${systems.healthKit}#${encodeURIComponent(key)}`
}

/** Details as extensions, for what takes no components: a vital sign, or a component itself. */
export function extensionsOf(details: readonly Detail[]) {
  return details.map(({ key, value, place }) => ({
    url: detailUrl(key),
    ...(place === undefined || place === 'bodySite' ? value : { [extensionForms[place]]: value }),
  }))
}

const extensionForms = { method: 'valueCodeableConcept', identifier: 'valueIdentifier' } as const

/** Details as components. */
export function componentsOf(details: readonly Detail[]): Component[] {
  return details.map(({ code, value }) => ({ code, ...value }))
}
