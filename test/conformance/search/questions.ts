import type { Values } from './values.ts'

/** A question, and whether what a resource holds answers it. */
export interface Question {
  readonly modifier: string
  readonly value: string
  readonly isRight: (values: Values) => boolean
}

interface Node {
  readonly [name: string]: unknown
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null
const textsIn = (values: readonly unknown[]): readonly string[] =>
  values.flat().filter((value): value is string => typeof value === 'string')
const escaped = (text: string) => text.replace(/[\\,$|]/g, '\\$&')
const folded = (text: string) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()

// --- https://hl7.org/fhir/R4/search.html#token ---------------------------------------------------------------------

interface Token {
  /** Undefined where the element has none of its own. */
  readonly system: string | undefined
  readonly code: string
}

function tokensOf(value: unknown): readonly Token[] {
  if (!isNode(value)) return value === undefined ? [] : [{ system: undefined, code: String(value) }]
  if (Array.isArray(value.coding)) return value.coding.flatMap(tokensOf)
  const code = value.code ?? value.value
  // A Coding or an Identifier without a system has none, a ContactPoint none that counts.
  const isContact = value.code === undefined && !String(value.system ?? ':').includes(':')
  return code === undefined ? [] : [{ system: isContact ? undefined : String(value.system ?? ''), code: String(code) }]
}

/** Those that differ in nothing but case may be the same, and are not asked about. */
const isSameCode = (one: string, other: string) => one === other || one.toLowerCase() === other.toLowerCase()

function* askTokens(values: Values): Generator<Question> {
  for (const { system, code } of some(values.flatMap(tokensOf))) {
    const has = (test: (token: Token) => boolean) => (each: Values) => each.flatMap(tokensOf).some(test)
    const isSame = has(token => isSameCode(token.code, code))
    yield { modifier: '', value: escaped(code), isRight: isSame }
    yield { modifier: ':not', value: escaped(code), isRight: each => !isSame(each) }
    if (system === undefined) continue
    const isBoth = has(token => token.code === code && token.system === system)
    yield { modifier: '', value: `${escaped(system)}|${escaped(code)}`, isRight: isBoth }
    yield { modifier: ':not', value: `${escaped(system)}|${escaped(code)}`, isRight: each => !isBoth(each) }
    if (system !== '')
      yield { modifier: '', value: `${escaped(system)}|`, isRight: has(token => token.system === system) }
    yield { modifier: '', value: `urn:nobodys|${escaped(code)}`, isRight: () => false }
  }
}

// --- https://hl7.org/fhir/R4/search.html#string --------------------------------------------------------------------

const parts = [
  'text',
  'family',
  'given',
  'prefix',
  'suffix',
  'line',
  'city',
  'district',
  'state',
  'postalCode',
  'country',
]

const wordsOf = (value: unknown): readonly string[] => textsIn(isNode(value) ? parts.map(name => value[name]) : [value])

function* askStrings(values: Values): Generator<Question> {
  const has = (test: (text: string) => boolean) => (each: Values) => each.flatMap(wordsOf).some(test)
  // Spaces at the ends are nothing to search for.
  const texts = values.flatMap(wordsOf).filter(text => text.length < 200 && text === text.trim())
  for (const text of some(texts)) {
    const [start, middle] = [text.slice(0, 4), text.slice(1, 6)]
    yield { modifier: ':exact', value: escaped(text), isRight: has(each => each === text) }
    for (const sought of [text, start.toUpperCase(), middle].filter(each => each !== '' && each === each.trim())) {
      const starts = (each: string) => folded(each.trimStart()).startsWith(folded(sought))
      yield { modifier: '', value: escaped(sought), isRight: has(starts) }
      yield {
        modifier: ':contains',
        value: escaped(sought),
        isRight: has(each => folded(each).includes(folded(sought))),
      }
    }
  }
}

// --- https://hl7.org/fhir/R4/search.html#date ----------------------------------------------------------------------

interface Interval {
  readonly from: number
  readonly until: number
}

const lengths = [4, 7, 10, 16, 19]

function intervalOf(text: string): Interval | undefined {
  const [, local = '', fraction = '', zone = 'Z'] = /^([\d:T-]+?)(\.\d+)?(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? []
  const precision = lengths.indexOf(local.length)
  if (precision < 0) return undefined
  const whole = local + '0000-01-01T00:00:00'.slice(local.length)
  const from = Date.parse(whole + fraction.slice(0, 4) + zone)
  if (fraction !== '') return { from, until: from + 10 ** Math.max(0, 4 - fraction.length) }
  const end = new Date(from)
  if (precision === 0) end.setUTCFullYear(end.getUTCFullYear() + 1)
  else if (precision === 1) end.setUTCMonth(end.getUTCMonth() + 1)
  else end.setTime(from + ([0, 0, 86_400_000, 60_000, 1_000][precision] ?? 0))
  return { from, until: end.getTime() }
}

function intervalsOf(value: unknown): readonly Interval[] {
  if (!isNode(value)) return [intervalOf(String(value))].filter(each => each !== undefined)
  const [start, end] = [value.start, value.end].map(each => (each === undefined ? undefined : intervalOf(String(each))))
  if (start === undefined && end === undefined) return []
  return [{ from: start?.from ?? Number.NEGATIVE_INFINITY, until: end?.until ?? Number.POSITIVE_INFINITY }]
}

const within = (one: Interval, other: Interval) => one.from >= other.from && one.until <= other.until
const prefixes: Readonly<Record<string, (value: Interval, asked: Interval) => boolean>> = {
  '': within,
  gt: (value, asked) => value.until > asked.until,
  lt: (value, asked) => value.from < asked.from,
  ge: (value, asked) => value.until > asked.until || within(value, asked),
  le: (value, asked) => value.from < asked.from || within(value, asked),
  sa: (value, asked) => value.from >= asked.until,
  eb: (value, asked) => value.until <= asked.from,
}

function* askDates(values: Values): Generator<Question> {
  const texts = values.flatMap(value => textsIn(isNode(value) ? [value.start, value.end] : [value]))
  for (const text of some(texts))
    for (const value of new Set([text, text.slice(0, 10), text.slice(0, 7), text.slice(0, 4)])) {
      const asked = intervalOf(value)
      if (asked === undefined) continue
      for (const [prefix, test] of Object.entries(prefixes))
        yield {
          modifier: '',
          value: prefix + value,
          isRight: each => each.flatMap(intervalsOf).some(interval => test(interval, asked)),
        }
    }
}

// --- https://hl7.org/fhir/R4/search.html#number, #quantity ---------------------------------------------------------

interface Measured {
  readonly value: number
  readonly system: string | undefined
  readonly code: string | undefined
}

function measuredOf(value: unknown): readonly Measured[] {
  if (typeof value === 'number') return [{ value, system: undefined, code: undefined }]
  if (!isNode(value) || value.value === undefined) return []
  const isMoney = value.currency !== undefined
  const { system, code } = isMoney ? { system: 'urn:iso:std:iso:4217', code: value.currency } : value
  return [{ value: Number(value.value), system: textsIn([system])[0], code: textsIn([code])[0] }]
}

/** Half of the last digit, to either side. */
function roundAbout(text: string): readonly [number, number] {
  const half = 0.5 * 10 ** -(text.split('.')[1]?.length ?? 0)
  return [Number(text) - half, Number(text) + half]
}

const comparisons: Readonly<Record<string, (value: number, text: string) => boolean>> = {
  '': (value, text) => value >= roundAbout(text)[0] && value < roundAbout(text)[1],
  ne: (value, text) => value < roundAbout(text)[0] || value >= roundAbout(text)[1],
  gt: (value, text) => value > Number(text),
  lt: (value, text) => value < Number(text),
  ge: (value, text) => value >= Number(text),
  le: (value, text) => value <= Number(text),
}

function* askNumbers(values: Values): Generator<Question> {
  if (values.some(value => isNode(value) && value.comparator !== undefined)) return
  for (const { value, system, code } of some(values.flatMap(measuredOf))) {
    const text = String(value)
    if (!/^-?\d+(?:\.\d+)?$/.test(text)) continue
    // What may be told in another unit is not asked about by its own.
    const isOwn = system !== undefined && system !== 'http://unitsofmeasure.org' && code !== undefined
    for (const unit of ['', ...(isOwn ? [`|${escaped(system)}|${escaped(code)}`] : [])])
      for (const [prefix, test] of Object.entries(comparisons))
        yield {
          modifier: '',
          value: prefix + text + unit,
          isRight: each =>
            each
              .flatMap(measuredOf)
              .some(one => (unit === '' || (one.system === system && one.code === code)) && test(one.value, text)),
        }
  }
}

// --- https://hl7.org/fhir/R4/search.html#uri, #reference -----------------------------------------------------------

function* askUris(values: Values): Generator<Question> {
  for (const uri of some(textsIn(values))) {
    const has = (test: (text: string) => boolean) => (each: Values) => textsIn(each).some(test)
    yield { modifier: '', value: escaped(uri), isRight: has(each => each === uri) }
    if (!uri.startsWith('http')) continue
    const above = uri.slice(0, uri.lastIndexOf('/'))
    yield { modifier: ':below', value: escaped(above), isRight: has(each => `${each}/`.startsWith(`${above}/`)) }
    yield {
      modifier: ':above',
      value: escaped(`${uri}/x/y`),
      isRight: has(each => `${uri}/x/y/`.startsWith(`${each}/`)),
    }
  }
}

const referencesOf = (value: unknown): readonly string[] => textsIn([isNode(value) ? value.reference : value])

function* askReferences(values: Values): Generator<Question> {
  for (const text of some(values.flatMap(referencesOf))) {
    const [, type, id] = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9.-]{1,64})$/.exec(text) ?? []
    const has = (test: (text: string) => boolean) => (each: Values) => each.flatMap(referencesOf).some(test)
    const isSame = has(each => each === text || each.startsWith(`${text}/_history/`))
    if (type !== undefined) {
      yield { modifier: '', value: text, isRight: isSame }
      yield { modifier: `:${type}`, value: String(id), isRight: isSame }
    } else if (!text.startsWith('#') && !text.includes('|'))
      yield { modifier: '', value: escaped(text), isRight: has(each => each.split('|')[0] === text) }
  }
}

/** By the kind of a parameter: questions about some of the values that resources hold. */
export const askers: Readonly<Record<string, (values: Values) => Generator<Question>>> = {
  token: askTokens,
  string: askStrings,
  date: askDates,
  number: askNumbers,
  quantity: askNumbers,
  uri: askUris,
  reference: askReferences,
}

const sampled = 3

/** The first, the last and one between, of what differs. */
function some<T>(all: readonly T[]): readonly T[] {
  const distinct = [...new Map(all.map(each => [JSON.stringify(each), each])).values()]
  if (distinct.length <= sampled) return distinct
  return [distinct[0], distinct[distinct.length >> 1], distinct.at(-1)] as readonly T[]
}
