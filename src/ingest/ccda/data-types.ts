import { isDateTime } from '#fhir'
import { type CodeableConcept, type Coding, systems } from '../codes.ts'
import { compact, type Node } from '../hl7v2/drafts.ts'
import { toDateTime } from '../hl7v2/times.ts'
import { statedUcum } from '../hl7v2/units.ts'
import { type FhirNumber, toFhirNumber } from '../numbers.ts'
import { type CdaElement, textOf } from './element.ts'
import { narrativeOf, type Section } from './read-document.ts'
import { ccdaTables, inSet } from './tables.ts'

/** Where a value stands: what its references and its times without an offset refer to. */
export interface Around {
  /** For times that carry no offset. */
  readonly zone: string
  readonly section: Section | undefined
}

const oidPattern = /^[0-2](?:\.(?:0|[1-9]\d*))+$/
const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const absentUrl = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'

/**
 * An OID or UUID as a URI.
 *
 * @param known  those that have a name of their own
 */
function uriOf(root: string, known: ReadonlyMap<string, string>): string | undefined {
  const name = known.get(root)
  if (name !== undefined) return name
  if (oidPattern.test(root)) return `urn:oid:${root}`
  return uuidPattern.test(root) ? `urn:uuid:${root.toLowerCase()}` : undefined
}

/** II: a number with its authority. A root alone is a number of the whole world. */
export function identifierOf(id: CdaElement): Node | undefined {
  const [root = '', extension] = [id.attribute('root'), id.attribute('extension')]
  const uri = uriOf(root, ccdaTables().registers)
  if (extension === undefined && uri === undefined) return undefined
  id.use()
  if (extension === undefined) return { system: 'urn:ietf:rfc:3986', value: plainUri(root) }
  return compact({ system: uri, value: extension, assigner: assignerOf(id) })
}

/** What a root is as a number; a register has no number of its own. */
function plainUri(root: string): string {
  return uriOf(root, new Map()) ?? root
}

function assignerOf(id: CdaElement): Node | undefined {
  const display = id.attribute('assigningAuthorityName')
  return display === undefined ? undefined : { display }
}

export function identifiersOf(element: CdaElement | undefined): readonly Node[] {
  return (element?.all('id') ?? []).map(identifierOf).filter(one => one !== undefined)
}

/** ED, ST: its own text, else the part of the narrative that it refers to. */
export function referredText(element: CdaElement | undefined, { section }: Around): string | undefined {
  if (element === undefined) return undefined
  const reference = element.find('reference')
  const value = reference?.attribute('value')
  const own = textOf(element)
  const found = value?.startsWith('#') === true ? textOf(narrativeOf(section, value.slice(1))) : ''
  if (own === '' && found === '') return undefined
  element.use('all')
  return own === '' || own === found ? found : found === '' ? own : `${own}: ${found}`
}

/** CD, CE, CV, CO, CS: its own code, its translations, and the words in which it was said. */
export function conceptOf(element: CdaElement | undefined, around: Around): CodeableConcept | undefined {
  if (element === undefined) return undefined
  const codings = [element, ...element.all('translation')].flatMap(one => codingOf(one) ?? [])
  const original = referredText(element.find('originalText'), around)
  const qualified = qualifiersOf(element)
  const words = original ?? wordsOf(element) ?? (qualified === '' ? undefined : element.attribute('code'))
  const text = words === undefined ? undefined : `${words}${qualified}`
  const concept = compact({ coding: distinct(codings), text }) as CodeableConcept | undefined
  if (concept !== undefined) element.use()
  return concept
}

/** A code that is refined by others – its side, its site – is so in words: FHIR has one code and no parts of it. */
function qualifiersOf(element: CdaElement): string {
  const parts = element.all('qualifier').flatMap(qualifier => {
    const [name, value] = ['name', 'value'].map(part => qualifier.find(part))
    const [what, how] = [name, value].map(part => part && (wordsOf(part) ?? part.attribute('code')))
    if (how === undefined) return []
    name?.use()
    value?.use()
    return [what === undefined ? how : `${what}: ${how}`]
  })
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`
}

/** Words that stand where nothing but a code should. */
function wordsOf(element: CdaElement): string | undefined {
  const own = element.content.filter(one => typeof one === 'string').join(' ')
  const text = own.replace(/\s+/g, ' ').trim()
  return element.attribute('displayName') ?? (text === '' ? undefined : text)
}

function distinct(codings: readonly Coding[]): readonly Coding[] {
  return [...new Map(codings.map(coding => [`${coding.system} ${coding.code}`, coding])).values()]
}

/** One code with its system; words without a code say nothing of a system. */
export function codingOf(element: CdaElement | undefined): Coding | undefined {
  const code = element?.attribute('code')?.replace(/\s+/g, ' ')
  if (element === undefined || code === undefined) return undefined
  element.use()
  const oid = element.attribute('codeSystem')
  const name = element.attribute('codeSystemName')
  const { systems: known, systemsByName } = ccdaTables()
  const system = oid === undefined ? systemsByName.get((name ?? '').toUpperCase()) : (uriOf(oid, known) ?? oid)
  return compact({
    system,
    version: element.attribute('codeSystemVersion'),
    code,
    display: element.attribute('displayName') ?? ownWordsOf(element),
  }) as Coding
}

/** A translation may have the words of its own. */
function ownWordsOf(element: CdaElement): string | undefined {
  const text = element.name === 'translation' ? textOf(element.find('originalText')?.use('all')) : ''
  return text === '' ? undefined : text
}

/** What is said instead of a value. */
export function absentReason(nullFlavor: string | undefined): CodeableConcept | undefined {
  const coding = inSet('null-flavor', nullFlavor)
  return coding === undefined ? undefined : { coding: [coding] }
}

/** The same beside an element that has no value. */
export function absence(nullFlavor = 'UNK'): Node {
  const code = inSet('null-flavor', nullFlavor)?.code ?? 'unknown'
  return { extension: [{ url: absentUrl, valueCode: code }] }
}

/** TS: a date or a time of its own precision. */
export function timeOf(element: CdaElement | undefined, { zone }: Around): string | undefined {
  const value = element?.attribute('value')
  if (element === undefined || value === undefined) return undefined
  const time = toDateTime(value, zone) ?? (isDateTime(value) ? value : undefined)
  if (time !== undefined) element.use()
  return time
}

/** TS as an instant; a day alone is none. */
export function instantOf(element: CdaElement | undefined, around: Around): string | undefined {
  const time = element?.attribute('value') === undefined ? undefined : toTimeOnly(element, around)
  if (time !== undefined) element?.use()
  return time
}

function toTimeOnly(element: CdaElement, { zone }: Around): string | undefined {
  const time = toDateTime(element.attribute('value') ?? '', zone)
  return time?.includes('T') === true ? time : undefined
}

/** IVL_TS: when something began and ended. */
export interface Span {
  readonly at?: string
  readonly start?: string
  readonly end?: string
  /** Why an end is not known; then it has ended. */
  readonly endAbsent?: string
  readonly absent?: string
}

export function spanOf(element: CdaElement | undefined, around: Around): Span {
  if (element === undefined) return {}
  const [low, high] = [element.find('low'), element.find('high')]
  const at = timeOf(element, around) ?? timeOf(element.find('center'), around)
  const [start, end] = [timeOf(low, around), timeOf(high, around)]
  const span = { at, start, end, endAbsent: high?.nullFlavor, absent: element.nullFlavor ?? low?.nullFlavor }
  return (compact(span) ?? {}) as Span
}

export function periodOf(element: CdaElement | undefined, around: Around): Node | undefined {
  const { at, start = at, end } = spanOf(element, around)
  return compact({ start, end })
}

/**
 * When something was, as a choice of dateTime and Period.
 *
 * @param name  of the choice: `effective`, `performed`
 */
export function whenOf(name: string, element: CdaElement | undefined, around: Around): Node {
  const { at, start, end, absent } = spanOf(element, around)
  if (at !== undefined) return { [`${name}DateTime`]: at }
  if (start !== undefined && start === end) return { [`${name}DateTime`]: start }
  if (start !== undefined || end !== undefined) return { [`${name}Period`]: compact({ start, end }) }
  return element === undefined || absent === undefined ? {} : { [`_${name}DateTime`]: absence(absent) }
}

/** A number of a document with the digits that it has. */
export function numberOf(text: string | undefined): FhirNumber | undefined {
  return text === undefined ? undefined : toFhirNumber(text)
}

/** PQ, REAL, INT, MO: a number with its unit, a UCUM code where it is one. */
export function quantityOf(element: CdaElement | undefined, comparator?: string): Node | undefined {
  if (element === undefined) return undefined
  const value = numberOf(element.attribute('value'))
  if (value === undefined) return translatedQuantity(element, comparator)
  element.use()
  const extension = element.all('translation').flatMap(translationOf)
  return {
    ...(extension.length === 0 ? {} : { extension }),
    value,
    ...(comparator === undefined ? {} : { comparator }),
    ...unitOf(element),
  }
}

/** PQR: the same quantity in another unit. */
function translationOf(translation: CdaElement): readonly Node[] {
  const value = numberOf(translation.attribute('value'))
  if (value === undefined) return []
  translation.use()
  const { system, code, display } = codingOf(translation) ?? {}
  const valueQuantity = compact({
    value,
    unit: textOf(translation.find('originalText')?.use('all')) || display || code,
    system,
    code,
  })
  return [{ url: translationUrl, valueQuantity }]
}

const translationUrl = 'http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation'

function unitOf(element: CdaElement): Node {
  const unit = element.attribute('unit') ?? element.attribute('currency')
  if (unit === undefined) return {}
  const code = element.attribute('currency') === undefined ? statedUcum(unit) : undefined
  return code === undefined ? { unit } : { unit, system: systems.ucum, code }
}

/** A quantity whose own unit is none of UCUM says itself in a translation. */
function translatedQuantity(element: CdaElement, comparator?: string): Node | undefined {
  for (const translation of element.all('translation')) {
    const value = numberOf(translation.attribute('value'))
    if (value === undefined) continue
    translation.use('all')
    const unit = textOf(translation.find('originalText')) || translation.attribute('displayName')
    return compact({ value, comparator, unit: unit ?? translation.attribute('code') })
  }
  return undefined
}

/** IVL_PQ: a range, or a quantity with a comparator where one end is open. */
export function rangeOf(element: CdaElement): Node | undefined {
  const [low, high] = [element.find('low'), element.find('high')]
  const [from, to] = [quantityOf(low), quantityOf(high)]
  if (from !== undefined && to !== undefined) return { valueRange: { low: from, high: to } }
  if (from !== undefined) return { valueQuantity: quantityOf(low, low?.attributes.inclusive === 'false' ? '>' : '>=') }
  if (to !== undefined) return { valueQuantity: quantityOf(high, high?.attributes.inclusive === 'false' ? '<' : '<=') }
  const center = quantityOf(element.find('center')) ?? quantityOf(element)
  return center === undefined ? undefined : { valueQuantity: center }
}

function ratioOf(element: CdaElement): Node | undefined {
  const [numerator, denominator] = [quantityOf(element.find('numerator')), quantityOf(element.find('denominator'))]
  const isWhole = numerator !== undefined && denominator !== undefined
  return isWhole ? { valueRatio: { numerator, denominator } } : undefined
}

type ValueReader = (element: CdaElement, around: Around) => Node | undefined

const under =
  (name: string, read: (element: CdaElement, around: Around) => unknown): ValueReader =>
  (element, around) => {
    const value = read(element, around)
    return value === undefined ? undefined : { [name]: value }
  }

const concept = under('valueCodeableConcept', conceptOf)
const text = under('valueString', referredText)
const quantity = under('valueQuantity', element => quantityOf(element))
const period = under('valuePeriod', periodOf)

/** How a value of each data type becomes a `value[x]`. */
const valueReaders: Readonly<Record<string, ValueReader>> = {
  CD: concept,
  CE: concept,
  CV: concept,
  CO: concept,
  CS: concept,
  SC: concept,
  PQ: quantity,
  MO: quantity,
  REAL: quantity,
  INT: under('valueInteger', integerOf),
  BL: under('valueBoolean', booleanOf),
  BN: under('valueBoolean', booleanOf),
  ST: text,
  ED: text,
  TS: under('valueDateTime', timeOf),
  IVL_TS: period,
  IVL_PQ: rangeOf,
  IVL_INT: rangeOf,
  IVL_REAL: rangeOf,
  RTO: ratioOf,
  RTO_PQ_PQ: ratioOf,
  RTO_MO_PQ: ratioOf,
  II: under('valueString', element => {
    const id = identifierOf(element)
    return id === undefined ? undefined : String(id.value)
  }),
  TEL: under('valueString', element => element.use().attribute('value')),
  URL: under('valueString', element => element.use().attribute('value')),
}

/** ANY: whatever an observation says, by its `xsi:type`; undefined where it says nothing that can be read. */
export function valueIn(element: CdaElement, around: Around): Node | undefined {
  const type = element.attribute('xsi:type') ?? guessedType(element)
  return Object.hasOwn(valueReaders, type) ? valueReaders[type]?.(element, around) : undefined
}

function guessedType(element: CdaElement): string {
  if (element.attribute('code') !== undefined) return 'CD'
  if (element.attribute('unit') !== undefined) return 'PQ'
  if (element.find('low') !== undefined || element.find('high') !== undefined) return 'IVL_PQ'
  return 'ST'
}

function integerOf(element: CdaElement): number | undefined {
  const text = element.attribute('value') ?? ''
  if (!/^[+-]?\d{1,10}$/.test(text) || Math.abs(Number(text)) > 2_147_483_647) return undefined
  element.use()
  return Number(text)
}

function booleanOf(element: CdaElement): boolean | undefined {
  const text = element.attribute('value')
  if (text !== 'true' && text !== 'false') return undefined
  element.use()
  return text === 'true'
}
