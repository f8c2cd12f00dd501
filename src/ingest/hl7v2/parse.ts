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

const standard: Delimiters = { field: '|', component: '^', repetition: '~', escape: '\\', subcomponent: '&' }

/** What MSH-1 and MSH-2 say; what they leave out is as usual. */
function delimitersOf(msh: string): Delimiters {
  const separator = msh[3] ?? ''
  const others = (msh.slice(4).split(separator, 1)[0] ?? '').slice(0, 4)
  const [component = '^', repetition = '~', escape = '\\', subcomponent = '&'] = others
  const used = [separator, component, repetition, escape]
  if (!/^[^A-Za-z0-9\s]$/.test(separator) || new Set(used).size !== used.length)
    throw new Problem('invalid', 'ingest.hl7-malformed', 'MSH-1 and MSH-2 do not name the delimiters.', {
      expression: 'MSH-2',
    })
  // @NOTE senders that escape the escape character write five of them; the usual one is meant then.
  return { field: separator, component, repetition, escape, subcomponent: subcomponent === escape ? '&' : subcomponent }
}

const escapesOfStandard: Readonly<Record<string, string>> = {
  '|': '\\F\\',
  '^': '\\S\\',
  '&': '\\T\\',
  '~': '\\R\\',
  '\\': '\\E\\',
}

/** A line as it would stand with the usual delimiters, the only ones the parser knows. */
function toStandard(line: string, from: Delimiters): string {
  const names = Object.keys(standard) as (keyof Delimiters)[]
  if (names.every(name => from[name] === standard[name])) return line
  const to = new Map(Object.entries(escapesOfStandard))
  for (const name of names) to.set(from[name], standard[name])
  return Array.from(line, char => to.get(char) ?? char).join('')
}

/**
 * One message as segments, fields, repetitions, components and subcomponents, unescaped.
 *
 * The parser is `hl7-standard`. It knows one set of delimiters, wants one kind of line end, and may throw what quotes
 * the message; so its input is made plain before, and what it throws goes no further.
 *
 * @throws Problem `invalid` · `ingest.hl7-malformed`
 */
export function parseMessage(lines: readonly string[], decoder: TextDecoder): Message {
  const [first = '', ...rest] = lines
  const delimiters = delimitersOf(first)
  // MSH-2 itself must stay as it is for the parser to step over.
  const head = first.slice(0, 4) + (first.slice(4).split(delimiters.field, 1)[0] ?? '')
  const msh = `MSH|^~\\&${toStandard(first.slice(head.length), delimiters)}`
  const text = `${[msh, ...rest.map(line => toStandard(line, delimiters))].join('\r')}\r`
  const segments = transformed(text)
    .sort((a, b) => a.index - b.index)
    .map(segment => toSegment(segment, decoder))
  const found = segments.find(segment => segment.name === 'MSH')
  if (found === undefined) throw new Problem('invalid', 'ingest.hl7-malformed', 'The message has no MSH segment.')
  return { segments, msh: found }
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

function toSegment(parsed: ParsedSegment, decoder: TextDecoder): Segment {
  const fields: (Field | undefined)[] = []
  for (const [place, content] of Object.entries(parsed.data)) {
    const number = Number(place.slice(parsed.type.length + 1))
    if (number > 0 && number <= maxFields && content !== '')
      fields[number] = toField(content, `${parsed.type}.${number}`, decoder)
  }
  return { name: parsed.type, fields }
}

/** The parser gives text, an object of components, a list of such objects, or a list of subcomponents. */
function toField(content: unknown, place: string, decoder: TextDecoder): Field {
  if (Array.isArray(content) && content.some(item => typeof item === 'object'))
    return content.map(item => toRepetition(item, place, decoder))
  return [toRepetition(content, place, decoder)]
}

function toRepetition(content: unknown, place: string, decoder: TextDecoder): Repetition {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return [toComponent(content, decoder)]
  const components: Component[] = []
  for (const [name, part] of Object.entries(content))
    components[Number(name.slice(place.length + 1)) - 1] = toComponent(part, decoder)
  return Array.from(components, component => component ?? [])
}

function toComponent(content: unknown, decoder: TextDecoder): Component {
  const parts = Array.isArray(content) ? content : [content]
  return parts.map(text => (typeof text === 'string' ? unescape(text, decoder) : ''))
}

const simpleEscapes: Readonly<Record<string, string>> = {
  F: '|',
  S: '^',
  T: '&',
  R: '~',
  E: '\\',
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

const escapes = /((?:\\X(?:[0-9A-Fa-f]{2})+\\)+)|\\(?:([FSTREPHN])|(\.[a-z]{2})[+-]?\d*|[CM][0-9A-Fa-f]{4,6})\\/g

/** Once, after splitting: `\E\T\E\` is the text `\T\`. A backslash that begins no escape is a backslash. */
function unescape(text: string, decoder: TextDecoder): string {
  if (!text.includes('\\')) return text
  return text.replace(escapes, (_, hex?: string, letter?: string, format?: string) => {
    if (hex !== undefined) return decoder.decode(Buffer.from(hex.replace(/\\X|\\/g, ''), 'hex'))
    return simpleEscapes[letter ?? format ?? ''] ?? ''
  })
}
