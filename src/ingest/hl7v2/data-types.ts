import { type CodeableConcept, type Coding, systems } from '../codes.ts'
import { type Component, type Field, part, type Repetition } from './message.ts'
import { codeTables, lookUp } from './tables.ts'
import { toDate, toDateTime, toInstantText } from './times.ts'

/** What a converter knows beside the field. */
export interface FieldContext {
  readonly zone: string
  readonly table?: string
  readonly use?: string
  readonly type?: string
}

type Converter = (field: Field, context: FieldContext) => unknown

type Plain = Readonly<Record<string, unknown>>

/** An object without its undefined and empty members; undefined when none are left. */
export function compact(members: Plain): Plain | undefined {
  const kept = Object.entries(members).filter(
    ([, member]) => member !== undefined && member !== '' && !(Array.isArray(member) && member.length === 0),
  )
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

function all<T>(field: Field, read: (repetition: Repetition) => T | undefined): readonly T[] | undefined {
  const found = field.flatMap(repetition => read(repetition) ?? [])
  return found.length === 0 ? undefined : (found as T[])
}

/** A local name as part of a URN; such systems are the sender's own and are marked as such. */
function localUrn(kind: string, name: string): string | undefined {
  return /^[\w.\-/ ]{1,64}$/.test(name) ? `urn:x-hl7v2-${kind}:${name.replace(/[/ ]/g, '_')}` : undefined
}

/** HD: an assigning authority as a URI. */
function authority(namespace: string, id: string, type: string): string | undefined {
  const kind = type.toUpperCase()
  if (id !== '' && (kind === 'ISO' || (kind === '' && /^[0-2](\.\d+)+$/.test(id)))) return `urn:oid:${id}`
  if (id !== '' && kind === 'UUID') return `urn:uuid:${id.toLowerCase()}`
  if (id !== '' && (kind === 'URI' || kind === 'URL')) return id
  return localUrn('hd', namespace === '' ? id : namespace)
}

function identifierType(code: string): CodeableConcept | undefined {
  return code === '' ? undefined : { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code }] }
}

/** CX */
export function toIdentifier(repetition: Repetition): Plain | undefined {
  const value = part(repetition, 1)
  if (value === '') return undefined
  const namespace = part(repetition, 4)
  return compact({
    type: identifierType(part(repetition, 5)),
    system: authority(namespace, part(repetition, 4, 2), part(repetition, 4, 3)),
    value,
    period: compact({ start: toDate(part(repetition, 7)), end: toDate(part(repetition, 8)) }),
    assigner: namespace === '' ? undefined : { display: namespace },
  })
}

/** EI */
function toEntity(repetition: Repetition, type: string | undefined): Plain | undefined {
  const value = part(repetition, 1)
  if (value === '') return undefined
  return compact({
    type: type === undefined ? undefined : identifierType(type),
    system: authority(part(repetition, 2), part(repetition, 3), part(repetition, 4)),
    value,
  })
}

/** XPN, and the name inside XCN when `from` is 2. */
function nameParts(repetition: Repetition, from: number) {
  const given = [part(repetition, from + 1), ...part(repetition, from + 2).split(' ')].filter(text => text !== '')
  const suffix = [part(repetition, from + 3), part(repetition, from + 5)].filter(text => text !== '')
  const prefix = [part(repetition, from + 4)].filter(text => text !== '')
  return { family: part(repetition, from), given, prefix, suffix }
}

function toName(repetition: Repetition): Plain | undefined {
  const parts = nameParts(repetition, 1)
  if (parts.family === '' && parts.given.length === 0) return undefined
  const use = lookUp(codeTables().tables['0200']?.codes, part(repetition, 7))
  const period = compact({ start: toDate(part(repetition, 12)), end: toDate(part(repetition, 13)) })
  return compact({ use, ...parts, period })
}

/** XAD */
function toAddress(repetition: Repetition): Plain | undefined {
  const kind = part(repetition, 7)
  const line = [streetOf(repetition), part(repetition, 2)].filter(text => text !== '')
  const place = {
    line,
    city: part(repetition, 3),
    district: part(repetition, 9),
    state: part(repetition, 4),
    postalCode: part(repetition, 5),
    country: part(repetition, 6),
  }
  if (compact(place) === undefined) return undefined
  const { tables } = codeTables()
  return compact({
    use: lookUp(tables['0190-use']?.codes, kind),
    type: lookUp(tables['0190-type']?.codes, kind),
    ...place,
    period: compact({ start: toDate(part(repetition, 13)), end: toDate(part(repetition, 14)) }),
  })
}

/** SAD: some senders repeat the name of the street in its own subcomponent, others write it there alone. */
function streetOf(repetition: Repetition): string {
  const [whole, name, number] = [1, 2, 3].map(at => part(repetition, 1, at))
  if (whole !== undefined && name !== undefined && whole.includes(name)) return whole
  return [whole, name, number].filter(text => text !== '').join(' ')
}

/** XTN */
function toTelecom(repetition: Repetition, use: string | undefined): Plain | undefined {
  const address = part(repetition, 4)
  const equipment = part(repetition, 3).toUpperCase()
  const isEmail = address.includes('@') || part(repetition, 2) === 'NET'
  const value = isEmail ? address || part(repetition, 1) : phoneNumber(repetition)
  if (value === '') return undefined
  const { tables } = codeTables()
  const mobile = equipment === 'CP' ? 'mobile' : undefined
  return compact({
    system: isEmail ? 'email' : (lookUp(tables['0202']?.codes, equipment) ?? 'phone'),
    value,
    use: mobile ?? lookUp(tables['0201']?.codes, part(repetition, 2)) ?? use,
  })
}

function phoneNumber(repetition: Repetition): string {
  const plain = part(repetition, 12) || part(repetition, 1)
  if (plain !== '') return plain
  const country = part(repetition, 5)
  const local = [part(repetition, 6), part(repetition, 7)].filter(text => text !== '').join(' ')
  const extension = part(repetition, 8)
  if (local === '') return ''
  return `${country === '' ? '' : `+${country.replace(/^\+/, '')} `}${local}${extension === '' ? '' : ` x${extension}`}`
}

/** Table 0396: the URI of a coding system. One that is not known keeps its name in a URN of its own. */
function codingSystem(name: string): string | undefined {
  if (name === '' || name === 'L') return undefined
  const hl7 = /^HL7(\d{4})$/.exec(name)
  if (hl7 !== null) return `http://terminology.hl7.org/CodeSystem/v2-${hl7[1]}`
  return lookUp(codeTables().codingSystems.systems, name) ?? localUrn('0396', name)
}

/** CWE, CE, CNE, CF: up to two codings and the text. A table turns codes without a system into FHIR's. */
export function toConcept(repetition: Repetition, table?: string): CodeableConcept | undefined {
  const coding = [1, 4].flatMap(at => {
    const system = part(repetition, at + 2)
    const code = part(repetition, at)
    const display = part(repetition, at + 1)
    if (code === '') return []
    const mapped =
      table === undefined || (system !== '' && !/^HL7\d{4}$|^L$/.test(system)) ? undefined : byTable(code, table)
    const own = compact({ system: codingSystem(system), code, display }) as Coding
    return [mapped ?? own]
  })
  const text = part(repetition, 9) || part(repetition, 2) || part(repetition, 5)
  const concept = compact({ coding, text })
  return concept as CodeableConcept | undefined
}

function byTable(code: string, table: string): Coding | undefined {
  const rows = lookUp(codeTables().tables, table)
  const mapped = rows?.codes === undefined ? code : lookUp(rows.codes, code)
  if (rows?.system === undefined || mapped === undefined) return undefined
  return { system: rows.systems?.[mapped] ?? rows.system, code: mapped }
}

/** XCN: a person as a reference that has a name and an identifier but points nowhere. */
function toPerson(repetition: Repetition): Plain | undefined {
  const { family, given, prefix, suffix } = nameParts(repetition, 2)
  const display = [...prefix, ...given, family, ...suffix].filter(text => text !== '').join(' ')
  const value = part(repetition, 1)
  const system = authority(part(repetition, 9), part(repetition, 9, 2), part(repetition, 9, 3))
  const identifier = value === '' ? undefined : compact({ system, value })
  return compact({ identifier, display })
}

/** XON */
function toOrganization(repetition: Repetition): Plain | undefined {
  const value = part(repetition, 10) || part(repetition, 3)
  const system = authority(part(repetition, 6), part(repetition, 6, 2), part(repetition, 6, 3))
  const identifier = value === '' ? undefined : compact({ system, value })
  return compact({ identifier, display: part(repetition, 1) })
}

/** PL: ward, room, bed and building in words. */
function toPlace(repetition: Repetition): Plain | undefined {
  const words = [4, 7, 8, 1, 2, 3, 9].map(at => part(repetition, at)).filter(text => text !== '')
  return words.length === 0 ? undefined : { display: words.join(', ') }
}

function code(repetition: Repetition | undefined, table: string | undefined): string | undefined {
  const given = part(repetition, 1)
  const codes = table === undefined ? undefined : lookUp(codeTables().tables, table)?.codes
  return codes === undefined ? given || undefined : (lookUp(codes, given) ?? lookUp(codes, given.toUpperCase()))
}

/** NM with what an OBX-7 says: `3.5-5.0`, `<0.10`, or words. */
function toRange(repetition: Repetition): Plain | undefined {
  const text = part(repetition, 1)
  return text === '' ? undefined : { text }
}

/** Each `as` of segments.json. */
export const converters: Readonly<Record<string, Converter>> = {
  text: field => part(field[0], 1) || undefined,
  texts: field => all(field, repetition => (part(repetition, 1) === '' ? undefined : { text: part(repetition, 1) })),
  value: field => all(field, repetition => compact({ value: part(repetition, 1) })),
  code: (field, { table }) => code(field[0], table),
  boolean: (field, { table }) => ({ true: true, false: false })[code(field[0], table) ?? ''],
  integer: field => (/^\d{1,4}$/.test(part(field[0], 1)) ? Number(part(field[0], 1)) : undefined),
  coding: (field, { table }) => toConcept(field[0] ?? [], table)?.coding?.[0],
  concept: (field, { table }) => toConcept(field[0] ?? [], table),
  concepts: (field, { table }) => all(field, repetition => toConcept(repetition, table)),
  identifiers: field => all(field, toIdentifier),
  ssn: field => all(field, ssn),
  entity: (field, { type }) => toEntity(field[0] ?? [], type),
  entityName: field => compact({ display: part(field[0], 1) }),
  specimenIds: field => all(field, specimenId),
  names: field => all(field, toName),
  addresses: field => all(field, toAddress),
  telecoms: (field, { use }) => all(field, repetition => toTelecom(repetition, use)),
  person: field => toPerson(field[0] ?? []),
  people: field => all(field, toPerson),
  organizations: field => all(field, toOrganization),
  place: field => toPlace(field[0] ?? []),
  referenceRange: field => all(field, toRange),
  birthDate: field => toDate(part(field[0], 1)),
  date: field => toDate(part(field[0], 1)),
  dateTime: (field, { zone }) => toDateTime(part(field[0], 1), zone),
  instant: (field, { zone }) => toInstantText(part(field[0], 1), zone),
  rangeStart: (field, { zone }) => toDateTime(part(field[0], 1), zone),
}

/** The converters that read a time, whose failure the sender should hear of. */
export const timeConverters: ReadonlySet<string> = new Set(['birthDate', 'date', 'dateTime', 'instant', 'rangeStart'])

function ssn(repetition: Repetition): Plain | undefined {
  const value = part(repetition, 1)
  if (value === '') return undefined
  // PID-19 holds other countries' numbers too.
  const system = /^\d{3}-?\d{2}-?\d{4}$/.test(value) ? { system: 'http://hl7.org/fhir/sid/us-ssn' } : {}
  return { type: identifierType('SS'), ...system, value }
}

/** EIP: the filler's id is a component of subcomponents. */
function specimenId(repetition: Repetition): Plain | undefined {
  const filler: Component = repetition[1] ?? []
  const placer: Component = repetition[0] ?? []
  const [value = '', namespace = '', id = '', type = ''] = filler.some(text => text !== '') ? filler : placer
  return value === '' ? undefined : compact({ system: authority(namespace, id, type), value })
}

/** A UCUM quantity where the unit is one, else the unit in words. */
export function withUnit(value: unknown, unit: string, isUcum: (code: string) => boolean): Plain {
  if (unit === '') return { value }
  const spelled = lookUp(codeTables().units.ucum, unit) ?? unit
  return isUcum(spelled) ? { value, unit, system: systems.ucum, code: spelled } : { value, unit }
}
