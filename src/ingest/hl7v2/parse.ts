import HL7 from 'hl7-standard'
import { Problem } from '#kernel'
import type { Component, Field, Message, Repetition, Segment } from './message.ts'

interface Delimiters {
  readonly field: string
  readonly component: string
  readonly repetition: string
  readonly escape: string
  readonly subcomponent: string
}

const delimiterNames = ['field', 'component', 'repetition', 'escape', 'subcomponent'] as const

const standard: Delimiters = { field: '|', component: '^', repetition: '~', escape: '\\', subcomponent: '&' }

/** What MSH-1 and MSH-2 say; what they leave out is as usual. */
function delimitersOf(msh: string): Delimiters {
  const separator = msh[3] ?? ''
  const others = (msh.slice(4).split(separator, 1)[0] ?? '').slice(0, 4)
  const [component = '^', repetition = '~', escaping = '\\', subcomponent = '&'] = others
  const used = [separator, component, repetition, escaping]
  if (!/^[^A-Za-z0-9\s]$/.test(separator) || others === '' || new Set(used).size !== used.length)
    throw new Problem('invalid', 'ingest.hl7-malformed', 'MSH-1 and MSH-2 do not name the delimiters.', {
      expression: 'MSH-2',
    })
  // @NOTE senders that escape the escape character write five of them; the usual one is meant then.
  const real = subcomponent === escaping ? '&' : subcomponent
  return { field: separator, component, repetition, escape: escaping, subcomponent: real }
}

/** Where one of the usual delimiters is plain text in a message with others, it is this until the message is parsed. */
const standIns: Readonly<Record<string, string>> = {
  '|': '\uE0F1',
  '^': '\uE0F2',
  '&': '\uE0F3',
  '~': '\uE0F4',
  '\\': '\uE0F5',
}
const standingFor = new Map(Object.entries(standIns).map(([char, standIn]) => [standIn, char]))

/** A line as it would stand with the usual delimiters, the only ones the parser knows. */
function toStandard(line: string, from: Delimiters): string {
  if (delimiterNames.every(name => from[name] === standard[name])) return line
  const to = new Map(Object.entries(standIns))
  for (const name of delimiterNames) to.set(from[name], standard[name])
  return Array.from(line, char => to.get(char) ?? char).join('')
}

/**
 * One message as segments, fields, repetitions, components and subcomponents, unescaped.
 *
 * The parser is `hl7-standard`. It knows one set of delimiters, wants one kind of line end, and may throw what quotes
 * the message; so its input is made plain before, and what it throws goes no further.
 *
 * @throws Problem `invalid` · `ingest.hl7-malformed`; `too-large` · `ingest.hl7-too-many-parts`
 */
export function parseMessage(lines: readonly string[], decoder: TextDecoder): Message {
  const [first = '', ...rest] = lines
  const delimiters = delimitersOf(first)
  checkSize(lines, delimiters)
  // MSH-2 itself must stay as it is for the parser to step over.
  const head = first.slice(0, 4) + (first.slice(4).split(delimiters.field, 1)[0] ?? '')
  const msh = `MSH|^~\\&${toStandard(first.slice(head.length), delimiters)}`
  const text = `${[msh, ...rest.map(line => toStandard(line, delimiters))].join('\r')}\r`
  const seen = new Map<string, number>()
  const replaced: string[] = []
  const escapes = escapesOf(delimiters)
  const segments = transformed(text)
    .sort((a, b) => a.index - b.index)
    .map(segment => toSegment(segment, nthOf(segment.type, seen), { decoder, escapes }, replaced))
  const found = segments.find(segment => segment.name === 'MSH')
  if (found === undefined) throw new Problem('invalid', 'ingest.hl7-malformed', 'The message has no MSH segment.')
  return { segments, msh: found, replaced }
}

/** Segments and parts of a message that are read; one of bare separators must not fill the memory. */
const most = { segments: 10_000, parts: 500_000 }

function checkSize(lines: readonly string[], delimiters: Delimiters): void {
  const separators = new Set(delimiterNames.filter(name => name !== 'escape').map(name => delimiters[name]))
  let parts = 0
  for (const line of lines) for (const char of line) if (separators.has(char)) parts += 1
  if (lines.length > most.segments || parts > most.parts)
    throw new Problem(
      'too-large',
      'ingest.hl7-too-many-parts',
      'The message has more segments or fields than are read.',
    )
}

interface ParsedSegment {
  readonly type: string
  readonly index: number
  readonly data: Readonly<Record<string, unknown>>
}

function transformed(text: string): ParsedSegment[] {
  try {
    const hl7 = new HL7(text)
    hl7.transform()
    return hl7.getSegments()
  } catch {
    // Its message may quote the patient.
    throw new Problem('invalid', 'ingest.hl7-malformed', 'The message is not well-formed HL7 v2.')
  }
}

/** More fields than any segment has; a line of bare separators must not cost memory. */
const maxFields = 400

function nthOf(name: string, seen: Map<string, number>): number {
  const nth = (seen.get(name) ?? 0) + 1
  seen.set(name, nth)
  return nth
}

type Texts = Omit<Reading, 'replaced'>

function toSegment(parsed: ParsedSegment, nth: number, texts: Texts, replaced: string[]): Segment {
  const fields: (Field | undefined)[] = []
  for (const [place, content] of Object.entries(parsed.data)) {
    const number = Number(place.slice(parsed.type.length + 1))
    if (!(number > 0 && number <= maxFields) || content === '') continue
    const note = () => replaced.push(`${parsed.type}^${nth}^${number}`)
    fields[number] = toField(content, `${parsed.type}.${number}`, { ...texts, replaced: note })
  }
  return { name: parsed.type, nth, fields }
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

/** How the texts of a message are read: its character set, and what its escapes stand for. */
interface Reading {
  readonly decoder: TextDecoder
  readonly escapes: Readonly<Record<string, string>>
  /** Is told that a character of the text could not be kept. */
  readonly replaced: () => void
}

const formatting: Readonly<Record<string, string>> = {
  P: '#',
  H: '',
  N: '',
  '.br': '\n',
  '.sp': '\n',
  '.fi': '',
  '.nf': '',
  '.in': '',
  '.ti': '',
  '.sk': ' ',
  '.ce': '\n',
}

function escapesOf({ field, component, subcomponent, repetition, escape: own }: Delimiters) {
  return { ...formatting, F: field, S: component, T: subcomponent, R: repetition, E: own }
}

const escapePattern = /((?:\\X(?:[0-9A-Fa-f]{2})+\\)+)|\\(?:([FSTREPHN])|(\.[a-z]{2})[+-]?\d*|[CM][0-9A-Fa-f]{4,6})\\/g

/** Once, after splitting: `\E\T\E\` is the text `\T\`. A backslash that begins no escape is a backslash. */
function unescaped(text: string, reading: Reading): string {
  const read = unescapedOnce(text, reading).replace(/[\uE0F1-\uE0F5]/g, char => standingFor.get(char) ?? char)
  if (!unsayable.test(read) && read.isWellFormed()) return read
  reading.replaced()
  return read.toWellFormed().replace(unsayableAll, '\uFFFD')
}

/** What a FHIR string cannot hold: https://hl7.org/fhir/R4/datatypes.html#string */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsayable = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]/
const unsayableAll = new RegExp(unsayable, 'g')

function unescapedOnce(text: string, { decoder, escapes }: Reading): string {
  if (!text.includes('\\')) return text
  return text.replace(escapePattern, (_, hex?: string, letter?: string, format?: string) => {
    if (hex !== undefined) return decoder.decode(Buffer.from(hex.replace(/\\X|\\/g, ''), 'hex'))
    return escapes[letter ?? format ?? ''] ?? ''
  })
}
