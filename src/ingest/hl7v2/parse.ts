import HL7 from 'hl7-standard'
import { Problem } from '#kernel'
import type { Steps } from '../turns.ts'
import { type Delimiters, delimitersOf } from './delimiters.ts'
import type { Component, Field, Message, Repetition, Segment } from './message.ts'
import { escapesOf, isUsual, type Reading, toUsual, unescaped, unescapedInSteps } from './texts.ts'

/**
 * One message as segments, fields, repetitions, components and subcomponents, unescaped. Yields after each piece.
 *
 * The parser is `hl7-standard`. It knows one set of delimiters, wants one kind of line end, takes its time for what it is
 * given, and may throw what quotes the message; so its input is made plain and cut into pieces before, and what it throws
 * goes no further.
 *
 * @throws Problem `invalid` · `ingest.hl7-malformed`
 */
export function* parseMessage(lines: readonly string[], decoder: TextDecoder): Steps<Message> {
  const [first = '', ...rest] = lines
  const delimiters = first.startsWith('MSH') ? delimitersOf(first) : undefined
  if (delimiters === undefined)
    throw new Problem('invalid', 'ingest.hl7-malformed', 'MSH-1 and MSH-2 do not name the delimiters.', {
      expression: 'MSH-2',
    })
  const parser = new Parser(delimiters, decoder)
  const msh = parser.take(parsed([headerLine(first, delimiters)])[0])
  yield
  for (const piece of piecesOf(rest, delimiters)) yield* parser.read(piece)
  return { segments: parser.segments, msh, replaced: parser.replaced }
}

/** MSH-2 itself must stay as it is for the parser to step over. */
function headerLine(first: string, delimiters: Delimiters): string {
  const head = first.slice(0, 4) + (first.slice(4).split(delimiters.field, 1)[0] ?? '')
  return usualHeader + toUsual(first.slice(head.length), delimiters)
}

const usualHeader = 'MSH|^~\\&'

/** What is parsed at once, a millisecond or two: so many parts or escapes, or 32 times as many characters. */
const mostAtOnce = 1_000

/** What any line costs, however short, as if it had so many parts. */
const costOfLine = 8

/** What a text costs to be parsed: its separators, its escapes, and its length. */
function costOf(text: string): number {
  let parts = 0
  for (let at = 0; at < text.length; at++) if (isSeparator(text.charCodeAt(at))) parts += 1
  return parts + text.length / 32
}

const separators = new Set(['|', '~', '^', '&', '\\'].map(char => char.charCodeAt(0)))

function isSeparator(code: number): boolean {
  return code < 0x80 && separators.has(code)
}

/** Lines in the usual delimiters, as many as are parsed at once. A longer one is alone. */
function* piecesOf(lines: readonly string[], delimiters: Delimiters): Generator<readonly string[], void, void> {
  yield* gathered(
    lines.map(line => toUsual(line, delimiters)),
    line => (plainName.test(line) ? costOfLine + costOf(line) : alone),
  )
}

/** What is read field by field: very many parts, or a name that the parser does not take. */
function isApart(line: string): boolean {
  return !plainName.test(line) || costOf(line) > mostAtOnce
}

const plainName = /^[A-Z0-9]{3}(?:\||$)/

/** More than is parsed at once: nothing else is read with it. */
const alone = mostAtOnce + 1

/** Neighbours together, as many as are parsed at once; one that is more is alone. */
function* gathered(texts: readonly string[], cost: (text: string) => number): Generator<readonly string[], void, void> {
  let group: string[] = []
  let spent = 0
  for (const text of texts) {
    const more = cost(text)
    if (group.length > 0 && spent + more > mostAtOnce) {
      yield group
      group = []
      spent = 0
    }
    group.push(text)
    spent += more
  }
  if (group.length > 0) yield group
}

interface ParsedSegment {
  readonly type: string
  readonly index: number
  readonly data: Readonly<Record<string, unknown>>
}

/** Segments of lines, in their order. */
function parsed(lines: readonly string[]): readonly ParsedSegment[] {
  try {
    const isHead = lines[0]?.startsWith(usualHeader) === true
    const hl7 = new HL7(`${[...(isHead ? [] : [`${usualHeader}|`]), ...lines].join('\r')}\r`)
    hl7.transform()
    const segments = hl7.getSegments().sort((a, b) => a.index - b.index)
    return isHead ? segments : segments.slice(1)
  } catch {
    // Its message may quote the patient.
    throw new Problem('invalid', 'ingest.hl7-malformed', 'The message is not well-formed HL7 v2.')
  }
}

/** A field that is parsed by itself is one of this segment to the parser, whatever its own is called. */
const anyName = 'ZZZ'

/** Makes segments of lines, and numbers them within their message. */
class Parser {
  readonly segments: Segment[] = []
  readonly replaced: string[] = []
  readonly #reading: Omit<Reading, 'replaced'>
  readonly #seen = new Map<string, number>()

  constructor(delimiters: Delimiters, decoder: TextDecoder) {
    this.#reading = { decoder, escapes: escapesOf(delimiters), isUsual: isUsual(delimiters) }
  }

  *read(lines: readonly string[]): Steps<void> {
    const [line = ''] = lines
    if (lines.length === 1 && isApart(line)) yield* this.#readLong(line)
    else for (const segment of parsed(lines)) this.take(segment)
    yield
  }

  take(segment: ParsedSegment | undefined): Segment {
    const { type = 'MSH', data = {} } = segment ?? {}
    const next = this.#open(type)
    for (const [place, content] of Object.entries(data)) {
      const number = Number(place.slice(type.length + 1))
      if (number > 0 && content !== '') next.fields[number] = this.#field(content, next, number)
    }
    return next
  }

  #open(name: string): Segment & { readonly fields: (Field | undefined)[] } {
    const nth = (this.#seen.get(name) ?? 0) + 1
    this.#seen.set(name, nth)
    const segment = { name, nth, fields: [] }
    this.segments.push(segment)
    return segment
  }

  /** A segment of very many parts, field by field. */
  *#readLong(line: string): Steps<void> {
    const [name = '', ...texts] = line.split('|')
    const segment = this.#open(name)
    for (const [at, text] of texts.entries())
      if (text !== '') segment.fields[at + 1] = yield* this.#longField(text, segment, at + 1)
  }

  *#longField(text: string, segment: Segment, number: number): Steps<Field> {
    const field: Repetition[] = []
    for (const group of gathered(text.split('~'), costOf)) {
      const [only = ''] = group
      if (group.length === 1 && costOf(only) > mostAtOnce)
        field.push(yield* this.#longRepetition(only, segment, number))
      else field.push(...this.#fieldOf(group.join('~'), segment, number))
      yield
    }
    return field
  }

  *#longRepetition(text: string, segment: Segment, number: number): Steps<Repetition> {
    const repetition: Component[] = []
    for (const group of gathered(text.split('^'), costOf)) {
      const [only = ''] = group
      if (group.length === 1 && costOf(only) > mostAtOnce)
        repetition.push(yield* this.#longComponent(only, segment, number))
      else repetition.push(...(this.#fieldOf(group.join('^'), segment, number)[0] ?? []))
      yield
    }
    return repetition
  }

  *#longComponent(text: string, segment: Segment, number: number): Steps<Component> {
    const component: string[] = []
    for (const one of text.split('&')) component.push(yield* unescapedInSteps(one, this.#readingOf(segment, number)))
    return component
  }

  #fieldOf(text: string, segment: Segment, number: number): Field {
    if (text === '') return [[['']]]
    return this.#field(parsed([`${anyName}|${text}`])[0]?.data[`${anyName}.1`], segment, number, `${anyName}.1`)
  }

  /** @param place  where the parser has met it */
  #field(content: unknown, segment: Segment, number: number, place = `${segment.name}.${number}`): Field {
    return toField(content, place, this.#readingOf(segment, number))
  }

  #readingOf({ name, nth }: Segment, number: number): Reading {
    const place = `${name}^${nth}^${number}`
    const replaced = () => {
      if (this.replaced.at(-1) !== place) this.replaced.push(place)
    }
    return { ...this.#reading, replaced }
  }
}

/** The parser gives text, an object of components, a list of such objects, or a list of subcomponents. */
function toField(content: unknown, place: string, reading: Reading): Field {
  if (Array.isArray(content) && content.some(item => typeof item === 'object'))
    return content.map(item => toRepetition(item, place, reading))
  return [toRepetition(content, place, reading)]
}

function toRepetition(content: unknown, place: string, reading: Reading): Repetition {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return [toComponent(content, reading)]
  const components: Component[] = []
  for (const [name, part] of Object.entries(content))
    components[Number(name.slice(place.length + 1)) - 1] = toComponent(part, reading)
  return Array.from(components, component => component ?? [])
}

function toComponent(content: unknown, reading: Reading): Component {
  const parts = Array.isArray(content) ? content : [content]
  return parts.map(text => (typeof text === 'string' ? unescaped(text, reading) : ''))
}
