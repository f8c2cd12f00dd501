import { fromUtf8, inSlices, Problem, type Steps, spend } from '#kernel'
import { Decimal } from './decimal.ts'
import { lettersAtATime, printJson, valuesAtATime } from './json-print.ts'
import { textPieces } from './utf8.ts'

/** Any JSON value; a number whose digits JavaScript would not print is a Decimal. */
export type Json = null | boolean | number | string | Decimal | readonly Json[] | { readonly [key: string]: Json }

/** Bounds on what is read. */
export interface JsonLimits {
  /** Nested objects and arrays; 64 by default. */
  readonly maxDepth?: number
}

/** So many objects and lists may lie within one another. */
export const deepestJson = 64
/** Keys by which a careless copy would change an object's prototype. No FHIR element has such a name. */
const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

const quote = 0x22
const comma = 0x2c
const minus = 0x2d
const point = 0x2e
const zero = 0x30
const nine = 0x39
const colon = 0x3a
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d
const byteOrderMark = 0xfeff

const literals: Readonly<Record<string, readonly [string, Json]>> = {
  t: ['true', true],
  f: ['false', false],
  n: ['null', null],
}
const numberGrammar = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

/**
 * Parses JSON strictly and without losing a digit: a number that JavaScript would print otherwise becomes a `Decimal`.
 *
 * @param text  text, or UTF-8 bytes
 * @throws      Problem `invalid` · `json.malformed` (also lone surrogates, NUL, numbers beyond double range),
 *              `json.not-utf8`, `json.too-deep`, `json.duplicate-key`, `json.forbidden-key`
 * @see         https://hl7.org/fhir/R4/json.html
 */
export function parseJson(text: string | Uint8Array, limits: JsonLimits = {}): Json {
  return new JsonReader(typeof text === 'string' ? text : decode(text), limits).read()
}

/**
 * Names of one object of what is sent: no element of FHIR has a hundred, and whatever looks at an object looks at all of them in one
 * go.
 */
const mostNames = 10_000

/** Letters of a number of what is sent: no measurement has a hundred, and a number is read, and compared, in one go. */
export const longestNumber = 4_096

/** Texts up to here are parsed in one go, whatever they hold; it takes a few milliseconds. */
const shortBytes = 64 * 1024

/**
 * As `parseJson`, for what somebody sends: its values are counted, and charged as `parsed`, before any of them is made, and
 * a long text is parsed in slices.
 *
 * @param sent  UTF-8 bytes, or a text that was decoded from some
 * @throws Problem as `parseJson`; `invalid` · `json.too-many-names`; `too-costly` · `budget.parsed-exceeded`
 */
export async function parseSentJson(sent: Uint8Array | string): Promise<Json> {
  if (sent.length <= shortBytes) return parseJson(sent)
  return inSlices(readSentInSteps(sent))
}

function* readSentInSteps(sent: Uint8Array | string): Steps<Json> {
  const text = typeof sent === 'string' ? sent : yield* decodeInSteps(sent)
  spend('parsed', yield* countValues(text))
  return yield* new JsonReader(text, sentLimits).readInSteps()
}

/** As `parseJson`, in slices: for a long text of our own, which is charged to nobody. */
export function* parseJsonInSteps(bytes: Uint8Array): Steps<Json> {
  return yield* new JsonReader(yield* decodeInSteps(bytes)).readInSteps()
}

/**
 * Whether two values say the same: the order of names does not matter, that of lists does, and so do the digits of numbers.
 */
export function* isSameJson(one: unknown, other: unknown): Steps<boolean> {
  if (one instanceof Decimal || other instanceof Decimal) return printJson(one) === printJson(other)
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other
  if (Array.isArray(one) !== Array.isArray(other)) return false
  yield
  return Array.isArray(one)
    ? yield* isSameList(one, other as readonly unknown[])
    : yield* isSameObject(one as Members, other as Members)
}

type Members = { readonly [name: string]: unknown }

function* isSameList(one: readonly unknown[], other: readonly unknown[]): Steps<boolean> {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) {
    if (at % valuesAtATime === 0) yield
    if (!(yield* isSameJson(one[at], other[at]))) return false
  }
  return true
}

function* isSameObject(one: Members, other: Members): Steps<boolean> {
  const names = namesOf(one)
  if (names.length !== namesOf(other).length) return false
  for (const name of names) {
    if (!Object.hasOwn(other, name)) return false
    if (!(yield* isSameJson(one[name], other[name]))) return false
  }
  return true
}

/** Of an object: what is undefined is not printed. */
function namesOf(node: Members): readonly string[] {
  return Object.keys(node).filter(name => node[name] !== undefined)
}

/** How many values a JSON text has, about: its separators outside of strings. */
function* countValues(text: string): Steps<number> {
  let count = 1
  let inString = false
  let at = 0
  for (let until = lettersAtATime; at < text.length; until += lettersAtATime) {
    for (; at < until && at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === quote) inString = !inString
      else if (inString) at += code === backslash ? 1 : 0
      else if (code === comma || code === openBrace || code === openBracket) count++
    }
    yield
  }
  return count
}

function decode(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes)
  } catch (cause) {
    throw notUtf8(cause)
  }
}

function* decodeInSteps(bytes: Uint8Array): Steps<string> {
  const texts: string[] = []
  for (const text of textPieces(bytes, notUtf8)) {
    texts.push(text)
    yield
  }
  return texts.join('')
}

function notUtf8(cause: unknown): Problem {
  return new Problem('invalid', 'json.not-utf8', 'The text is not UTF-8.', { cause })
}

/** Letters of an escape such as \u0041. */
const unicodeEscape = 6
/** Letters up to here are looked at one by one: beyond that the engine finds the end of a string sooner. */
const shortText = 256
// biome-ignore lint/suspicious/noControlCharactersInRegex: they end a string as well
const endOrEscape = /["\\\x00-\x1f]/g

/** Where something is found next; the end of the text where it is not. */
function nextOf(what: RegExp, text: string, from: number): number {
  what.lastIndex = from
  return what.exec(text)?.index ?? text.length
}

interface ReaderLimits extends JsonLimits {
  /** Names of one object that is read in steps. */
  readonly maxNames?: number
  /** Letters of one number. */
  readonly maxDigits?: number
}

/** Of what somebody sends, which may be long. */
const sentLimits: ReaderLimits = { maxNames: mostNames, maxDigits: longestNumber }

class JsonReader {
  private readonly text: string
  private readonly maxDepth: number
  private readonly maxNames: number
  private readonly maxDigits: number
  private at = 0
  private values = 0
  /** The place from which on others have their turn before the next value. */
  private pauseAt = lettersAtATime

  constructor(text: string, { maxDepth = deepestJson, maxNames, maxDigits }: ReaderLimits = {}) {
    this.text = text
    this.maxDepth = maxDepth
    this.maxNames = maxNames ?? Number.POSITIVE_INFINITY
    this.maxDigits = maxDigits ?? Number.POSITIVE_INFINITY
  }

  read(): Json {
    // RFC 8259 section 8.1 lets a reader ignore the mark that some editors put before a text.
    if (this.text.charCodeAt(0) === byteOrderMark) this.at = 1
    if (!this.text.isWellFormed()) throw this.malformed('a lone surrogate is not a character')
    const value = this.value(0)
    this.skipSpace()
    if (this.at < this.text.length) throw this.malformed('text after the end')
    return value
  }

  /** The same, interruptible. */
  *readInSteps(): Steps<Json> {
    if (this.text.charCodeAt(0) === byteOrderMark) this.at = 1
    const value = yield* this.valueInSteps(0)
    this.skipSpace()
    if (this.at < this.text.length) throw this.malformed('text after the end')
    return value
  }

  private *valueInSteps(depth: number): Steps<Json> {
    if (++this.values % valuesAtATime === 0 || this.at >= this.pauseAt) {
      this.pauseAt = this.at + lettersAtATime
      yield
    }
    const code = this.skipSpace()
    if (code === openBrace) return yield* this.objectInSteps(this.descend(depth))
    if (code === openBracket) return yield* this.arrayInSteps(this.descend(depth))
    return code === quote ? yield* this.stringInSteps() : this.value(depth)
  }

  private *stringInSteps(): Steps<string> {
    const start = this.at + 1
    const beginning = this.text.slice(start, start + shortText)
    const endsSoon = beginning.charCodeAt(nextOf(endOrEscape, beginning, 0)) === quote
    return endsSoon ? this.string() : yield* this.longString(start)
  }

  /** A string piece by piece. What begins in one of them and ends in the next is whole again when they are joined. */
  private *longString(start: number): Steps<string> {
    const pieces: string[] = []
    for (this.at = start; ; yield) {
      const piece = this.text.slice(this.at, this.at + lettersAtATime)
      const plain = nextOf(endOrEscape, piece, 0)
      pieces.push(piece.slice(0, plain))
      this.at += plain
      const code = this.text.charCodeAt(this.at)
      if (code === quote) break
      if (code === backslash) pieces.push(this.escapedPiece())
      else if (!(code >= 0x20)) throw this.malformed('a string does not end, or holds a control character')
    }
    this.at++
    return this.checked(pieces.join(''))
  }

  /** What stands from an escape on, up to the end of the string or as far as is read in one go; no escape is cut. */
  private escapedPiece(): string {
    const { text, at: start } = this
    const until = start + lettersAtATime
    let end = start
    for (let code = backslash; code !== quote && end < until; code = text.charCodeAt(end)) {
      const isLong = code === backslash && text.charAt(end + 1) === 'u'
      end += isLong ? unicodeEscape : code === backslash ? 2 : 1
      if (end >= text.length) throw this.malformed('a string does not end')
    }
    this.at = end
    return this.platformString(`"${text.slice(start, end)}"`)
  }

  private *objectInSteps(depth: number): Steps<Json> {
    const object: { [key: string]: Json } = {}
    this.at++
    if (this.skipSpace() === closeBrace) return this.close(object)
    for (let left = this.maxNames; ; left--) {
      const key = this.key(object)
      if (left <= 0) throw this.tooManyNames()
      object[key] = yield* this.valueInSteps(depth)
      const code = this.skipSpace()
      if (code === closeBrace) return this.close(object)
      if (code !== comma) throw this.malformed('a comma or brace is missing')
      this.at++
    }
  }

  private *arrayInSteps(depth: number): Steps<Json> {
    const list: Json[] = []
    this.at++
    if (this.skipSpace() === closeBracket) return this.close(list)
    for (;;) {
      list.push(yield* this.valueInSteps(depth))
      const code = this.skipSpace()
      if (code === closeBracket) return this.close(list)
      if (code !== comma) throw this.malformed('a comma or bracket is missing')
      this.at++
    }
  }

  private value(depth: number): Json {
    const code = this.skipSpace()
    if (code === quote) return this.string()
    if (code === openBrace) return this.object(this.descend(depth))
    if (code === openBracket) return this.array(this.descend(depth))
    if (code === minus || (code >= zero && code <= nine)) return this.number()
    return this.literal()
  }

  private tooManyNames(): Problem {
    const text = `An object of the JSON has more than ${this.maxNames} names.`
    return new Problem('invalid', 'json.too-many-names', text, this.place())
  }

  private descend(depth: number): number {
    if (depth < this.maxDepth) return depth + 1
    throw new Problem('invalid', 'json.too-deep', `The JSON is nested deeper than ${this.maxDepth} levels.`)
  }

  /** Moves to the next character that is not white space and gives its code; NaN at the end. */
  private skipSpace(): number {
    let code = this.text.charCodeAt(this.at)
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = this.text.charCodeAt(++this.at)
    return code
  }

  private object(depth: number): Json {
    const object: { [key: string]: Json } = {}
    this.at++
    if (this.skipSpace() === closeBrace) return this.close(object)
    for (;;) {
      const key = this.key(object)
      object[key] = this.value(depth)
      const code = this.skipSpace()
      if (code === closeBrace) return this.close(object)
      if (code !== comma) throw this.malformed('a comma or brace is missing')
      this.at++
    }
  }

  private key(object: { readonly [key: string]: Json }): string {
    if (this.skipSpace() !== quote) throw this.malformed('a name is missing')
    const key = this.string()
    if ((key.length === 9 || key.length === 11) && forbiddenKeys.has(key)) {
      throw new Problem('invalid', 'json.forbidden-key', 'The JSON has a name that is not allowed.', this.place())
    }
    // @NOTE the read alone decides nearly always; inherited names such as toString need the second question.
    if (object[key] !== undefined && Object.hasOwn(object, key)) {
      throw new Problem(
        'invalid',
        'json.duplicate-key',
        'The JSON has the same name twice in one object.',
        this.place(),
      )
    }
    if (this.skipSpace() !== colon) throw this.malformed('a colon is missing')
    this.at++
    return key
  }

  private array(depth: number): Json {
    const list: Json[] = []
    this.at++
    if (this.skipSpace() === closeBracket) return this.close(list)
    for (;;) {
      list.push(this.value(depth))
      const code = this.skipSpace()
      if (code === closeBracket) return this.close(list)
      if (code !== comma) throw this.malformed('a comma or bracket is missing')
      this.at++
    }
  }

  private close<T>(value: T): T {
    this.at++
    return value
  }

  private string(): string {
    const { text } = this
    const start = ++this.at
    for (let end = start; ; end++) {
      const code = text.charCodeAt(end)
      if (code === quote) {
        this.at = end + 1
        return text.slice(start, end)
      }
      if (code === backslash) return this.escapedString(start, end)
      // NaN past the end fails every comparison.
      if (!(code >= 0x20)) throw this.malformed('a string does not end, or holds a control character')
    }
  }

  /** A string with escapes: its end is sought here, its meaning is left to the platform. */
  private escapedString(start: number, firstEscape: number): string {
    let end = firstEscape
    for (let code = backslash; code !== quote; code = this.text.charCodeAt(end)) {
      end += code === backslash ? 2 : 1
      if (end >= this.text.length) throw this.malformed('a string does not end')
    }
    this.at = end + 1
    return this.checked(this.platformString(this.text.slice(start - 1, end + 1)))
  }

  private checked(decoded: string): string {
    if (!decoded.isWellFormed()) throw this.malformed('a lone surrogate is not a character')
    if (decoded.includes('\0')) throw this.malformed('NUL is not allowed')
    return decoded
  }

  private platformString(quoted: string): string {
    try {
      return JSON.parse(quoted) as string
    } catch (cause) {
      // The platform's message would quote the text.
      throw this.malformed('a string has a wrong escape', cause instanceof Error ? cause.name : undefined)
    }
  }

  private number(): Json {
    const { text } = this
    const start = this.at
    const end = plainEnd(text, start)
    if (end > start) {
      this.at = end
      return Number(text.slice(start, end))
    }
    const written = this.written(start)
    if (written === undefined) throw this.malformed('a number is wrong')
    if (written.length > this.maxDigits) throw this.malformed(`a number is longer than ${this.maxDigits} letters`)
    this.at = start + written.length
    const value = numberOf(written)
    if (value === undefined) throw this.malformed('a number is too large or too small')
    return value
  }

  /** A number as it is written; of one that is too long a little more than it may have. */
  private written(start: number): string | undefined {
    const within = this.maxDigits < this.text.length ? this.text.slice(start, start + this.maxDigits + 2) : this.text
    numberGrammar.lastIndex = within === this.text ? start : 0
    return numberGrammar.exec(within)?.[0]
  }

  private literal(): Json {
    const [word, value] = literals[this.text.charAt(this.at)] ?? ['', null]
    if (word === '' || !this.text.startsWith(word, this.at)) throw this.malformed('a value is missing')
    this.at += word.length
    return value
  }

  private malformed(why: string, detail?: string): Problem {
    return new Problem('invalid', 'json.malformed', `The text is not JSON as FHIR wants it: ${why}.`, {
      detail: `at ${this.at}${detail === undefined ? '' : `, ${detail}`}`,
    })
  }

  private place(): { readonly detail: string } {
    return { detail: `at ${this.at}` }
  }
}

/** Letters of a number that JavaScript keeps, whatever its digits. */
const longestPlain = 15

/**
 * The end of a number of at most 15 digits that JavaScript prints as it is written, or `start` when it needs a closer look:
 * no exponent, no last zero after the point, no negative zero, no zeros in front.
 */
function plainEnd(text: string, start: number): number {
  let at = text.charCodeAt(start) === minus ? start + 1 : start
  const first = text.charCodeAt(at)
  // Past the end the code is NaN, which is neither below nor above.
  if (!(first > zero && first <= nine)) return start
  const until = start + longestPlain
  let code = first
  while (code >= zero && code <= nine && at <= until) code = text.charCodeAt(++at)
  if (code === point) {
    const fraction = at + 1
    code = text.charCodeAt(++at)
    while (code >= zero && code <= nine && at <= until) code = text.charCodeAt(++at)
    if (at === fraction || text.charCodeAt(at - 1) === zero) return start
  }
  return code === 0x65 || code === 0x45 || at - start > longestPlain ? start : at
}

const wholeNumberGrammar = new RegExp(`^${numberGrammar.source}$`)

/** The number that a text denotes, without losing a digit; undefined for other texts, and for what lies beyond doubles. */
export function numberOf(text: string): number | Decimal | undefined {
  if (!wholeNumberGrammar.test(text)) return undefined
  const value = Number(text)
  if (isBeyondDouble(value, text)) return undefined
  return String(value) === text ? value : new Decimal(text)
}

function isBeyondDouble(value: number, written: string): boolean {
  return !Number.isFinite(value) || (value === 0 && /^-?[0.]*[1-9]/.test(written))
}
