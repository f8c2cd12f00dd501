import { toFhirNumber } from '../numbers.ts'
import { toAttachment, toPointer } from './attachments.ts'
import { authority, codingSystem, isLocal, toCode, toCoding, toConcept, Uncoded, universalId } from './codings.ts'
import { holds } from './conditions.ts'
import { toContactPoints } from './contact-points.ts'
import { combined, compact, Draft, type Node, nameText } from './drafts.ts'
import { Elements } from './element-paths.ts'
import { type Used, unwatched, watching } from './ledger.ts'
import { toLocation } from './locations.ts'
import { below, isEmpty, part, type Repetition } from './message.ts'
import { codeTable, type FieldRule, lookUp, type TypeMap, typeMap } from './tables.ts'
import { isBefore, toDate, toDateTime, toInstantText, toTime } from './times.ts'
import { unitBehind, unitIn } from './units.ts'

/** What is known while a field is read, and what could not be. */
export interface Reading {
  readonly zone: string
  /** Where it stands: `PID-5[2].7`. */
  readonly place: string
  /** Whether it is a component: then what it is made of are subcomponents. */
  readonly isComponent: boolean
  /** Places that had a value which could not be read. */
  readonly lost: string[]
  /** Places with a code for which R4 has no word; it is kept beside. */
  readonly uncoded: string[]
  /** Says what was made use of. */
  readonly used: Used
}

type Converter = (given: Repetition, rule: FieldRule, reading: Reading) => unknown

const nothing = () => undefined

/** What a rule makes of a field's repetition or of a component; undefined when it can make nothing of it. */
export function readAs(rule: FieldRule, given: Repetition, reading: Reading): unknown {
  const { as = 'string' } = rule
  const map = typeMap(as)
  const value = map === undefined ? convert(as, rule, given, reading) : readType(map, given, reading)
  return rule.with === undefined ? value : withConstants(value, rule.with)
}

/** Code is watched at what it reads, where it does not note that itself. */
function convert(as: string, rule: FieldRule, given: Repetition, reading: Reading): unknown {
  // A code of a table says nothing more by the name of the table.
  if (as === 'code' && /^(HL7-?)?\d{4}$|^L$/i.test(part(given, 3))) reading.used(3)
  return converters[as]?.(as === 'XTN[ContactPoint]' ? given : watching(given, reading.used), rule, reading)
}

/** What the value says itself comes first; lists get what they do not have. */
function withConstants(value: unknown, constants: Readonly<Node>): unknown {
  if (value instanceof Draft) return new Draft(value.resourceType, combined(value.elements, constants), value.display)
  if (Array.isArray(value)) return value.map(entry => withConstants(entry, constants))
  return typeof value === 'object' && value !== null ? combined(value as Node, constants) : value
}

/** Applies the rows of a data type to what a field or a component is made of. */
function readType(map: TypeMap, given: Repetition, reading: Reading): Node | Draft | undefined {
  const elements = new Elements()
  const texts = (place: string) => part(given, Number(place.slice(place.indexOf('.') + 1)))
  for (const row of map.rows) {
    const number = Number(row.from.split('.')[1] ?? 0)
    // A row from the type itself reads several of its components at once.
    const inner = number === 0 ? given : below(given, number)
    if (isEmpty([inner]) || (row.when !== undefined && !holds(row.when, texts))) continue
    if (row.needs !== undefined && !elements.has(row.needs)) continue
    const place = number === 0 ? reading.place : `${reading.place}.${number}`
    const noted: (readonly [component: number, subcomponent: number | undefined])[] = []
    const used: Used = (...part) => void noted.push([part[0], part[1]])
    const isPut = putRow(elements, row, inner, { ...reading, place, isComponent: true, used })
    const isImplied = row.as === 'uri' && isLocal(part(inner, 1))
    if (!isPut && !isImplied) continue
    for (const [at, below] of noted) number === 0 ? reading.used(at, below) : reading.used(number, at)
  }
  if (Object.keys(elements.node).length === 0 || (map.needs !== undefined && !elements.has(map.needs))) return undefined
  return map.resource === undefined ? elements.node : new Draft(map.resource, elements.node)
}

/** Whether a constant says which code stands there: one for all that is not that code says nothing of it. */
function saysItsCode({ when = '' }: FieldRule): boolean {
  return / (EQUALS|IN) /.test(when) && !/ NOT /.test(when)
}

/** Reads by one row and puts what it gives. A time or a code that gives nothing is lost. */
export function putRow(elements: Elements, row: FieldRule, given: Repetition, reading: Reading): boolean {
  const value = row.constant ?? readAs(row, given, reading)
  if (row.constant !== undefined && saysItsCode(row)) reading.used(1)
  if (value === undefined) {
    if (isStrict(row)) reading.lost.push(reading.place)
    return false
  }
  if (value instanceof Uncoded) return putUncoded(elements, row, value, reading)
  if (endsBefore(elements, row, value)) {
    reading.lost.push(reading.place)
    return false
  }
  if (row.to === '$this') return Object.assign(elements.node, combined(elements.node, thisOf(value))) !== undefined
  const values: readonly unknown[] = Array.isArray(value) && row.to.includes('[]') ? value : [value]
  const beside = row.beside === undefined ? [] : [row.beside].flat()
  return values.map(one => elements.put(row.to, one, beside)).some(wasPut => wasPut)
}

/** An end before its start costs itself and not the start: https://hl7.org/fhir/R4/datatypes.html#Period, per-1 */
function endsBefore(elements: Elements, { to }: FieldRule, value: unknown): boolean {
  const period = /^((?:.*[pP]eriod\.)?)end$/.exec(to)?.[1]
  return period !== undefined && isBefore(value, elements.at(`${period}start`))
}

function thisOf(value: unknown): Node {
  return value instanceof Draft ? value.elements : (value as Node)
}

/** https://hl7.org/fhir/extensions/StructureDefinition-alternate-codes.html */
export const alternateCodes = 'http://hl7.org/fhir/StructureDefinition/alternate-codes'

/** A code for which R4 has no word stands as an extension in the place of the word, and is named to the sender. */
function putUncoded(elements: Elements, { to, beside }: FieldRule, { coding }: Uncoded, reading: Reading): boolean {
  if (to.endsWith(']')) {
    reading.lost.push(reading.place)
    return false
  }
  // The code of an extension is bound to nothing.
  if (to.includes('extension[')) return elements.put(to, coding.code, beside === undefined ? [] : [beside].flat())
  reading.uncoded.push(reading.place)
  const extension = { url: alternateCodes, valueCodeableConcept: { coding: [coding] } }
  return elements.put(`${to.replace(/([^.]+)$/, '_$1')}.extension[]`, extension)
}

const strict = new Set(['date', 'dateTime', 'instant', 'time', 'code', 'boolean', 'decimal', 'integer', 'positiveInt'])

function isStrict({ as = 'string', constant }: FieldRule): boolean {
  return constant === undefined && strict.has(as)
}

/** All of a component that is one text; of a field its first component. */
function textOf(given: Repetition, { isComponent }: Reading): string | undefined {
  const text = isComponent ? given.map((_, at) => part(given, at + 1)).join('&') : part(given, 1)
  return text.replace(/&+$/, '') || undefined
}

function integer(least: number): Converter {
  return given => {
    const text = part(given, 1).replace(/^\+/, '').replace(/\.0*$/, '')
    return /^\d{1,9}$/.test(text) && Number(text) >= least ? Number(text) : undefined
  }
}

function toBoolean(given: Repetition): boolean | undefined {
  return { Y: true, YES: true, 1: true, T: true, TRUE: true, N: false, NO: false, 0: false, F: false, FALSE: false }[
    part(given, 1).toUpperCase()
  ]
}

const identifierTypes = 'http://terminology.hl7.org/CodeSystem/v2-0203'

function identifierType(given: Repetition): Node | undefined {
  const code = part(given, 1)
  return code === '' ? undefined : { coding: [{ system: identifierTypes, code }] }
}

/** EI: an identifier and who gave it. */
function toEntity(given: Repetition): Node | undefined {
  const [value, namespace = '', id = ''] = [1, 2, 3].map(at => part(given, at))
  const type = id === '' ? '' : part(given, 4)
  const assigner = toAssigner([[namespace], [id], [type]])
  return value === '' ? undefined : compact({ system: authority(namespace, id, type), value, assigner })
}

/** HD: who gave an identifier, in words and by its own identifier. */
export function toAssigner(given: Repetition): Node | undefined {
  const display = part(given, 1) || part(given, 2)
  if (display === '') return undefined
  return { type: 'Organization', identifier: universalId(given) ?? { value: display }, display }
}

/** HD as an organization: the local name, and the identifier that is unique anywhere. */
function toFacility(given: Repetition): Draft | undefined {
  const name = part(given, 1)
  const identifier = [name === '' ? undefined : { value: name }, universalId(given)].filter(one => one !== undefined)
  return identifier.length === 0 ? undefined : new Draft('Organization', compact({ identifier, name }) as Node)
}

/** SAD: some senders repeat the name of the street in its own subcomponent. */
function toLines(given: Repetition): readonly string[] {
  const [whole = '', name = '', number = ''] = [1, 2, 3].map(at => part(given, at))
  const others = [name, number].filter(text => !whole.includes(text))
  return [whole, ...others].filter(text => text !== '')
}

function toPeriod(given: Repetition, { zone, place, lost }: Reading): Node | undefined {
  const [start, said] = [1, 2].map(at => toDateTime(part(given, at), zone))
  const end = isBefore(said, start) ? undefined : said
  if (start === undefined && part(given, 1) !== '') lost.push(`${place}.1`)
  if (end === undefined && part(given, 2) !== '') lost.push(`${place}.2`)
  return compact({ start, end })
}

function toPatientNumber(given: Repetition): Node | undefined {
  const value = part(given, 1)
  // PID-19 holds other countries' numbers too.
  const isAmerican = /^\d{3}-?\d{2}-?\d{4}$/.test(value)
  if (value === '') return undefined
  const type = { coding: [{ system: identifierTypes, code: isAmerican ? 'SS' : 'SB' }] }
  return { type, ...(isAmerican ? { system: 'http://hl7.org/fhir/sid/us-ssn' } : {}), value }
}

/** CQ: a number and its unit. */
function toQuantity(given: Repetition, _: FieldRule, { used }: Reading): Node | undefined {
  const value = toFhirNumber(part(given, 1))
  if (value === undefined) return undefined
  return compact({ value, ...unitBehind(unwatched(given), used) })
}

/** Days; R4 wants a UCUM code of a time in a Duration. */
function toLengthOfStay(given: Repetition): Node | undefined {
  const value = toFhirNumber(part(given, 1))
  if (value === undefined || part(given, 1).startsWith('-')) return undefined
  return { value, unit: 'days', system: 'http://unitsofmeasure.org', code: 'd' }
}

const cdcCodes = 'urn:oid:2.16.840.1.113883.6.238'
const raceCategories = /^(1002-5|2028-9|2054-5|2076-8|2106-3)$/

/** Race and ethnicity as US Core has them: only for codes of the CDC, since other countries ask other questions. */
function usCore(kind: 'race' | 'ethnicity'): Converter {
  return (given, { table }) => {
    const concept = toConcept(given, table)
    const coding = concept?.coding?.find(one => one.system === cdcCodes || isCdc(one.code))
    if (coding === undefined) return undefined
    const isCategory =
      kind === 'ethnicity'
        ? /^218[56]-/.test(coding.code ?? '') || coding.code === '2135-2'
        : raceCategories.test(coding.code ?? '')
    return { url: isCategory ? 'ombCategory' : 'detailed', valueCoding: { ...coding, system: cdcCodes } }
  }
}

function isCdc(code = ''): boolean {
  return /^[12]\d{3}-\d$/.test(code)
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** A description in words as a narrative. */
function toNarrative(given: Repetition): Node | undefined {
  const text = part(given, 1).replace(/[&<>"]/g, char => escapes[char] ?? char)
  return text === ''
    ? undefined
    : { status: 'additional', div: `<div xmlns="http://www.w3.org/1999/xhtml">${text}</div>` }
}

function toUniversalTime(given: Repetition, { zone }: Reading): string | undefined {
  const dateTime = toDateTime(part(given, 1), zone)
  return dateTime?.includes('T') === true ? dateTime : undefined
}

/** Seconds, minutes … as R4's units of time, by the code or by the word. */
function unitOfTime(given: Repetition): string | undefined {
  return unitNamed([part(given, 1), part(given, 2)])
}

function unitNamed(texts: readonly string[]): string | undefined {
  const table = codeTable('TestServiceDefaultDurationUnits')
  for (const text of texts) {
    const unit = lookUp(table?.codes, text.toLowerCase())?.[0] ?? lookUp(table?.own?.codes, text.toUpperCase())
    if (unit !== undefined) return unit
  }
  return undefined
}

/** NDL.4 to NDL.11 are the components of a PL in another order. */
function placeOfNdl(given: Repetition): Repetition {
  return [4, 5, 6, 7, 0, 0, 10, 11].map(at => given[at - 1] ?? [])
}

const unitsOfTime: Readonly<Record<string, string>> = { S: 's', M: 'min', H: 'h', D: 'd', W: 'wk', L: 'mo' }

/** A number of a unit of time; R4 takes no other for a Duration: https://hl7.org/fhir/R4/datatypes.html#Duration, drt-1 */
function toDurationOfUnit(given: Repetition): Node | undefined {
  const code = unitNamed([part(given, 2, 1), part(given, 2, 2)])
  const value = code === undefined ? undefined : toFhirNumber(part(given, 1))
  return value === undefined ? undefined : { value, unit: code, system: 'http://unitsofmeasure.org', code }
}

/** TQ.3: `D5` is five days; HL7 v2.5.1, 4.3.3. Other words are left to the reader. */
function toDuration(text: string): Node | undefined {
  const [, letter = '', digits = ''] = /^([SMHDWL])(\d{1,5})$/.exec(text) ?? []
  const code = unitsOfTime[letter]
  return code === undefined
    ? undefined
    : { value: Number(digits), unit: code, system: 'http://unitsofmeasure.org', code }
}

const concept: Converter = (given, { table }) => toConcept(given, table)

/** Each `as` of the tables that is no data type of data-types.json. */
export const converters: Readonly<Record<string, Converter>> = {
  string: (given, _, reading) => textOf(given, reading),
  text: given => compact({ text: part(given, 1) }),
  'ST[CodeableConcept]': (given, row) =>
    given.length > 1 ? toConcept(given, row.table) : compact({ text: part(given, 1) }),
  name: given =>
    nameText({
      prefix: part(given, 5),
      given: [part(given, 2), part(given, 3)],
      family: part(given, 1),
      suffix: part(given, 4),
    }),
  code: (given, { table = '' }) => (part(given, 1) === '' ? undefined : toCode(part(given, 1), table)),
  boolean: given => toBoolean(given),
  integer: integer(0),
  positiveInt: integer(1),
  decimal: given => toFhirNumber(part(given, 1)),
  date: given => toDate(part(given, 1)),
  dateTime: (given, _, { zone }) => toDateTime(part(given, 1), zone),
  timed: (given, _, reading) => toUniversalTime(given, reading),
  instant: (given, _, { zone }) => toInstantText(part(given, 1), zone),
  time: given => toTime(part(given, 1)),
  times: given =>
    part(given, 1)
      .split(',')
      .flatMap(text => toTime(text) ?? []),
  unitOfTime,
  uri: given => codingSystem(part(given, 1)),
  'CWE[CodeableConcept]': concept,
  'ID[CodeableConcept]': concept,
  'CWE[Coding]': (given, { table }) => toCoding(given, table),
  'CWE[string]': given => part(given, 9) || part(given, 2) || part(given, 1) || undefined,
  'CWE[unit]': (given, _, { used }) => unitIn(unwatched(given), used),
  'CWE[authority]': given => authority(part(given, 1), part(given, 3), '') ?? undefined,
  'HD[uri]': given => authority(part(given, 1), part(given, 2), part(given, 2) === '' ? '' : part(given, 3)),
  'HD[Assigner]': given => toAssigner(given),
  'HD[Organization]': given => toFacility(given),
  'ID[Identifier.type]': given => identifierType(given),
  'EI[Identifier]': given => toEntity(given),
  'ST[Identifier-SSN]': given => toPatientNumber(given),
  'SAD[Address]': given => toLines(given),
  'XTN[ContactPoint]': (given, _, { zone, used }) => toContactPoints(given, zone, used),
  'PL[Location]': given => toLocation(given),
  'NDL[Location]': given => toLocation(placeOfNdl(given)),
  'CQ[Duration]': toDurationOfUnit,
  'TQ[Duration]': given => toDuration(part(given, 1)),
  'DR[Period]': (given, _, reading) => toPeriod(given, reading),
  'CQ[Quantity]': toQuantity,
  'NM[Quantity-LengthOfStay]': given => toLengthOfStay(given),
  'ED[Attachment]': given => toAttachment(given),
  'RP[Attachment]': given => toPointer(given),
  'CWE[Extension-USCoreRace]': usCore('race'),
  'CWE[Extension-USCoreEthnicity]': usCore('ethnicity'),
  narrative: given => toNarrative(given),
}

/** CX */
export function toIdentifier(given: Repetition): Node | undefined {
  const lost: string[] = []
  const reading: Reading = { zone: 'Z', place: 'CX', isComponent: false, lost, uncoded: [], used: nothing }
  return readAs({ from: '', to: '', as: 'CX[Identifier]' }, given, reading) as Node | undefined
}
