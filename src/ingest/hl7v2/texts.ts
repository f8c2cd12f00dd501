import type { Steps } from '../turns.ts'
import { type Delimiters, delimiterNames, usualDelimiters } from './delimiters.ts'

/** Where one of the usual delimiters is plain text in a message with others, it is this until the message is parsed. */
const standIns: Readonly<Record<string, string>> = {
  '|': '\uE0F1',
  '^': '\uE0F2',
  '&': '\uE0F3',
  '~': '\uE0F4',
  '\\': '\uE0F5',
}
const standingFor = new Map(Object.entries(standIns).map(([char, standIn]) => [standIn, char]))
/** What the message's own delimiters are while the usual ones are put aside. */
const passing = ['\uE0F6', '\uE0F7', '\uE0F8', '\uE0F9', '\uE0FA']

/** Whether a message has the delimiters that the parser knows. */
export function isUsual(delimiters: Delimiters): boolean {
  return delimiterNames.every(name => delimiters[name] === usualDelimiters[name])
}

/** A line as it would stand with the usual delimiters, the only ones the parser knows. */
export function toUsual(line: string, from: Delimiters): string {
  if (isUsual(from)) return line
  let text = line
  for (const [at, name] of delimiterNames.entries()) text = text.replaceAll(from[name], passing[at] ?? '')
  for (const [char, standIn] of Object.entries(standIns)) text = text.replaceAll(char, standIn)
  for (const [at, name] of delimiterNames.entries()) text = text.replaceAll(passing[at] ?? '', usualDelimiters[name])
  return text
}

/** How the texts of a message are read: its character set, and what its escapes stand for. */
export interface Reading {
  readonly decoder: TextDecoder
  readonly escapes: Readonly<Record<string, string>>
  readonly isUsual: boolean
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

/** What the escapes of a message with these delimiters stand for. */
export function escapesOf({ field, component, subcomponent, repetition, escape: own }: Delimiters): Reading['escapes'] {
  return { ...formatting, F: field, S: component, T: subcomponent, R: repetition, E: own }
}

const escapePattern = /((?:\\X(?:[0-9A-Fa-f]{2})+\\)+)|\\(?:([FSTREPHN])|(\.[a-z]{2})[+-]?\d*|[CM][0-9A-Fa-f]{4,6})\\/g

/** Once, after splitting: `\E\T\E\` is the text `\T\`. A backslash that begins no escape is a backslash. */
export function unescaped(text: string, reading: Reading): string {
  if (!text.includes('\\')) return sayable(text, reading)
  const read = text.replace(escapePattern, (_, ...found: readonly string[]) => meaningOf(found, reading))
  return sayable(read, reading)
}

const escapesAtOnce = 2_000

/** The same of a text that may have very many escapes; yields between them. */
export function* unescapedInSteps(text: string, reading: Reading): Steps<string> {
  const pieces: string[] = []
  let from = 0
  for (const { 0: whole, 1: hex, 2: letter, 3: format, index } of text.matchAll(escapePattern)) {
    pieces.push(text.slice(from, index), meaningOf([hex, letter, format], reading))
    from = index + whole.length
    if (pieces.length % escapesAtOnce === 0) yield
  }
  return sayable(pieces.join('') + text.slice(from), reading)
}

function sayable(text: string, reading: Reading): string {
  const read = ownDelimiters(text, reading)
  if (!unsayable.test(read) && read.isWellFormed()) return read
  reading.replaced()
  return read.toWellFormed().replace(unsayableAll, '\uFFFD')
}

function ownDelimiters(text: string, reading: Reading): string {
  return reading.isUsual ? text : text.replace(/[\uE0F1-\uE0F5]/g, char => standingFor.get(char) ?? char)
}

/** What a FHIR string cannot hold: https://hl7.org/fhir/R4/datatypes.html#string */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsayable = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]/
const unsayableAll = new RegExp(unsayable, 'g')

function meaningOf([hex, letter, format]: readonly (string | undefined)[], reading: Reading): string {
  if (hex === undefined) return reading.escapes[letter ?? format ?? ''] ?? ''
  const read = reading.decoder.decode(Buffer.from(hex.replace(/\\X|\\/g, ''), 'hex'))
  if (read.includes('\uFFFD')) reading.replaced()
  return read
}
