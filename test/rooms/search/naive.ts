/**
 * A second reading of the specification, for the property tests: no columns, no dictionaries, no compiled paths. It looks at the JSON of each
 * resource for each question, knows a few parameters only, and shares no code with the room.
 */
import type { Resource } from '#fhir'

type Json = Readonly<Record<string, unknown>>

export interface NaiveCriterion {
  readonly name: string
  readonly modifier?: string
  /** Joined by OR; none of them holds a separator that must be escaped. */
  readonly values: readonly string[]
}

function list(value: unknown): Json[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as Json[]) : [value as Json]
}

function codings(concepts: readonly Json[]): Json[] {
  return concepts.flatMap(concept => list(concept.coding))
}

interface Kind {
  values(resource: Json): unknown[]
  fits(stored: never, sought: string): boolean
  sortValue?(stored: never): number | string | undefined
}

function isToken(stored: Json, sought: string): boolean {
  const code = String(stored.code ?? stored.value ?? '')
  const system = String(stored.system ?? '')
  const isCode = (text: string): boolean =>
    system.startsWith('http://hl7.org/fhir/') ? code === text : code.toLowerCase() === text.toLowerCase()
  if (!sought.includes('|')) return isCode(sought)
  const [wantedSystem, wantedCode] = sought.split('|') as [string, string]
  return system === wantedSystem && (wantedCode === '' || isCode(wantedCode))
}

function startsWith(stored: string, sought: string): boolean {
  const plain = (text: string): string =>
    text
      .normalize('NFD')
      .replace(/[\u0300-\u036f]/g, '')
      .toLowerCase()
  return plain(stored).startsWith(plain(sought))
}

function day(text: string): [number, number] {
  if (text.length === 4) return [Date.UTC(Number(text), 0, 1), Date.UTC(Number(text) + 1, 0, 1)]
  if (text.length === 7) {
    const [year, month] = text.split('-').map(Number) as [number, number]
    return [Date.UTC(year, month - 1, 1), Date.UTC(year, month, 1)]
  }
  if (text.length === 10) return [Date.parse(`${text}T00:00:00Z`), Date.parse(`${text}T00:00:00Z`) + 86_400_000]
  return [Date.parse(text), Date.parse(text) + 1000]
}

function interval(stored: unknown): [number, number] {
  if (typeof stored === 'string') return day(stored)
  const { start, end } = stored as { start?: string; end?: string }
  return [start === undefined ? -Infinity : day(start)[0], end === undefined ? Infinity : day(end)[1]]
}

function prefixed(sought: string): [string, string] {
  return /^[a-z]{2}/.test(sought) ? [sought.slice(0, 2), sought.slice(2)] : ['eq', sought]
}

function isDate(stored: unknown, sought: string): boolean {
  const [prefix, text] = prefixed(sought)
  const [from, until] = day(text)
  const [start, end] = interval(stored)
  const within = start >= from && end <= until
  const answers: Readonly<Record<string, boolean>> = {
    eq: within,
    ne: !within,
    lt: start < from,
    gt: end > until,
    le: start < from || within,
    ge: end > until || within,
    sa: start >= until,
    eb: end <= from,
  }
  return answers[prefix] === true
}

const grams: Readonly<Record<string, number>> = { mg: 0.001, g: 1, kg: 1000 }

/** Whole numbers only, so that the range of the digits is half a unit on either side. */
function isQuantity(stored: Json, sought: string): boolean {
  const [prefix, rest] = prefixed(sought)
  const [text, system, unit] = rest.split('|') as [string, string?, string?]
  if (unit !== undefined && (stored.system !== system || grams[String(stored.code)] === undefined)) return false
  const scale = unit === undefined ? 1 : (grams[String(stored.code)] as number) / (grams[unit] as number)
  const value = Number((Number(stored.value) * scale).toPrecision(12))
  const wanted = Number(text)
  const within = value >= wanted - 0.5 && value < wanted + 0.5
  const answers: Readonly<Record<string, boolean>> = {
    eq: within,
    ne: !within,
    lt: value < wanted,
    gt: value > wanted,
    le: value <= wanted,
    ge: value >= wanted,
    sa: value > wanted,
    eb: value < wanted,
  }
  return answers[prefix] === true
}

function isReference(stored: Json, sought: string): boolean {
  const [type, id] = String(stored.reference).split('/')
  return sought === `${type}/${id}` || sought === id
}

const asText = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()

function token(values: (resource: Json) => unknown[]): Kind {
  return {
    values,
    fits: isToken as Kind['fits'],
    sortValue: ((stored: Json) => String(stored.code ?? stored.value).toLowerCase()) as never,
  }
}
function text(values: (resource: Json) => unknown[]): Kind {
  return { values, fits: startsWith as Kind['fits'], sortValue: ((stored: string) => asText(stored)) as never }
}
function date(values: (resource: Json) => unknown[]): Kind {
  return { values, fits: isDate as Kind['fits'], sortValue: ((stored: unknown) => interval(stored)[0]) as never }
}
function quantity(values: (resource: Json) => unknown[]): Kind {
  return {
    values,
    fits: isQuantity as Kind['fits'],
    sortValue: ((stored: Json) =>
      Number(stored.value) * (stored.system === undefined ? 1 : (grams[String(stored.code)] ?? 1))) as never,
  }
}
function reference(values: (resource: Json) => unknown[]): Kind {
  return { values, fits: isReference as Kind['fits'], sortValue: ((stored: Json) => String(stored.reference)) as never }
}

const status = (resource: Json): unknown[] =>
  resource.status === undefined ? [] : [{ system: 'http://hl7.org/fhir/observation-status', code: resource.status }]
const parts = (resource: Json): Json[] => list(resource.component)
const names = (resource: Json): Json[] => list(resource.name)
const givens = (resource: Json): unknown[] => names(resource).flatMap(name => list(name.given) as unknown[])
const families = (resource: Json): unknown[] => names(resource).flatMap(name => list(name.family) as unknown[])
const whole = (value: unknown): unknown[] => (value === undefined ? [] : [value])

export const kinds: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  Observation: {
    code: token(r => codings(list(r.code))),
    category: token(r => codings(list(r.category))),
    status: token(status),
    'component-code': token(r => parts(r).flatMap(part => codings(list(part.code)))),
    'combo-code': token(r => [...codings(list(r.code)), ...parts(r).flatMap(part => codings(list(part.code)))]),
    identifier: token(r => list(r.identifier)),
    date: date(r => [...whole(r.effectiveDateTime), ...whole(r.effectivePeriod)]),
    'value-quantity': quantity(r => list(r.valueQuantity)),
    'component-value-quantity': quantity(r => parts(r).flatMap(part => list(part.valueQuantity))),
    subject: reference(r => list(r.subject)),
    patient: reference(r => list(r.subject).filter(subject => String(subject.reference).startsWith('Patient/'))),
    'has-member': reference(r => list(r.hasMember)),
  },
  Patient: {
    given: text(givens),
    family: text(families),
    name: text(r => [...givens(r), ...families(r)]),
    gender: token(r =>
      r.gender === undefined ? [] : [{ system: 'http://hl7.org/fhir/administrative-gender', code: r.gender }],
    ),
    birthdate: date(r => whole(r.birthDate)),
    identifier: token(r => list(r.identifier)),
    link: reference(r => list(r.link).flatMap(link => list(link.other))),
  },
}

function composite(resource: Json, sought: string): boolean {
  const [code = '', value = ''] = sought.split('$')
  return parts(resource).some(
    part =>
      codings(list(part.code)).some(coding => isToken(coding, code)) &&
      list(part.valueQuantity).some(stored => isQuantity(stored, value)),
  )
}

function isLocal(reference: Json, resource: Resource): boolean {
  return reference.reference === `${resource.resourceType}/${resource.id}`
}

function referencesOf(resource: Resource, name: string): Json[] {
  return (kinds[resource.resourceType]?.[name]?.values(resource) ?? []) as Json[]
}

/** Whether a resource fulfils a criterion, among the others that exist. */
export function fulfils(resource: Resource, criterion: NaiveCriterion, others: readonly Resource[]): boolean {
  const { name, modifier, values } = criterion
  if (name.startsWith('_has:')) {
    const [, type = '', link = '', ...inner] = name.split(':')
    return others.some(
      other =>
        other.resourceType === type &&
        referencesOf(other, link).some(reference => isLocal(reference, resource)) &&
        fulfils(other, { name: inner.join(':'), values }, others),
    )
  }
  if (name.includes('.')) {
    const [head = '', ...rest] = name.split('.')
    const references = referencesOf(resource, head)
    return references.some(reference =>
      others.some(
        other =>
          isLocal(reference, other) &&
          kinds[other.resourceType]?.[rest[0] ?? ''] !== undefined &&
          fulfils(other, { name: rest.join('.'), values }, others),
      ),
    )
  }
  if (name === '_id') return values.includes(resource.id ?? '')
  if (name === 'component-code-value-quantity') return values.some(value => composite(resource, value))
  const kind = kinds[resource.resourceType]?.[name] as Kind
  const stored = kind.values(resource)
  if (modifier === 'missing') return (stored.length === 0) === (values[0] === 'true')
  const found = stored.some(each => values.some(value => kind.fits(each as never, value)))
  return modifier === 'not' ? !found : found
}

/** Ascending looks at the least of several values, descending at the greatest; none comes last. */
export function sortValue(resource: Resource, name: string, descending: boolean): number | string | undefined {
  const kind = kinds[resource.resourceType]?.[name] as Kind
  const values = kind.values(resource).map(stored => kind.sortValue?.(stored as never) as number | string)
  if (values.length === 0) return undefined
  return values.reduce((best, value) => ((descending ? value > best : value < best) ? value : best))
}
