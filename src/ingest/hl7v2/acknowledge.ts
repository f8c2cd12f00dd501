import { newResourceId, type Problem, type ProblemKind } from '#kernel'
import type { Outcome } from '../outcome.ts'
import { reasonTexts } from '../reasons.ts'
import { delimitersOf, usualDelimiters } from './delimiters.ts'
import { type Message, value } from './message.ts'
import { toUsual } from './texts.ts'

/** Accepted, or refused with what the sender may do about it. */
export interface Verdict {
  readonly code: 'AA' | 'AE' | 'AR'
  /** HL7 table 0357. */
  readonly condition: string
  readonly text: string
  /** ERR-2: `PID^1^3`, repeated with `~`. */
  readonly location?: string
}

/** Something that an accepted message's sender should know; each has the place in the message. */
export interface Remark {
  /** ERR-4: W, a value was not taken over; I, nothing is made of it here. */
  readonly severity: 'W' | 'I'
  readonly location: string
  /** HL7 table 0357. */
  readonly condition: string
  readonly text: string
}

/** What is to be said to the sender of an outcome; undefined when nothing is. */
export function remarkOf(outcome: Outcome): Remark | undefined {
  if (outcome.kind === 'unread')
    return { severity: 'I', location: outcome.location, condition: '0', text: outcome.place }
  if (outcome.kind === 'unmapped') {
    const { row, location = `${row}^1` } = outcome
    return { severity: 'I', location, condition: '0', text: row }
  }
  if (outcome.kind === 'rejected') {
    const { row, reason, location = `${row}^1`, expression = row } = outcome
    const condition = reason === 'element-missing' ? '101' : '102'
    return { severity: 'W', location, condition, text: `${expression}: ${reasonTexts[reason]}` }
  }
  if (outcome.kind !== 'warning' || outcome.location === undefined) return undefined
  return { severity: 'W', location: outcome.location, condition: '102', text: outcome.text }
}

export const accepted: Verdict = { code: 'AA', condition: '0', text: 'Message accepted' }

/** By code of the Problem: AE where the sender can mend the message, AR where it cannot be taken as it is. */
const verdicts: Readonly<Record<string, Pick<Verdict, 'code' | 'condition'>>> = {
  'ingest.hl7-malformed': { code: 'AR', condition: '100' },
  'ingest.hl7-type-unsupported': { code: 'AR', condition: '200' },
  'ingest.hl7-event-unsupported': { code: 'AR', condition: '201' },
  'ingest.hl7-query-unanswered': { code: 'AR', condition: '200' },
  'ingest.hl7-processing-unsupported': { code: 'AR', condition: '202' },
  'ingest.hl7-version-unsupported': { code: 'AR', condition: '203' },
  'ingest.hl7-too-many-parts': { code: 'AR', condition: '104' },
  'ingest.token-too-long': { code: 'AR', condition: '104' },
  'ingest.hl7-frame-unended': { code: 'AE', condition: '100' },
  'ingest.hl7-segment-missing': { code: 'AE', condition: '100' },
  'ingest.hl7-segment-misplaced': { code: 'AE', condition: '100' },
  'ingest.hl7-field-missing': { code: 'AE', condition: '101' },
  'ingest.hl7-invalid': { code: 'AE', condition: '102' },
  'ingest.hl7-patient-unknown': { code: 'AE', condition: '204' },
  'ingest.patient-contradicted': { code: 'AE', condition: '205' },
  'ingest.patient-doubtful': { code: 'AE', condition: '205' },
  'scope.missing': { code: 'AR', condition: '207' },
  'record.patients-exceeded': { code: 'AE', condition: '207' },
  'budget.parsed-exceeded': { code: 'AR', condition: '207' },
  'budget.written-exceeded': { code: 'AR', condition: '207' },
  'budget.cpu-exceeded': { code: 'AR', condition: '207' },
}

/** What the sender reads of a message that is kept until a person decides whom it is about. */
export function heldRemark(problem: Problem): Remark {
  const { condition, location = 'PID^1' } = verdictOf(problem)
  return { severity: 'W', location, condition, text: `${problem.text} The message is kept until a person decides.` }
}

const passing: ReadonlySet<ProblemKind> = new Set(['conflict', 'throttled', 'busy', 'timeout', 'full'])

/**
 * Whether it passes by: the same message may be taken in when it comes again. That an account keeps as many people as it may does not: a
 * sender who waits for it hands on nobody else's messages.
 */
export function passes({ kind, code }: Problem): boolean {
  return passing.has(kind) && code !== 'record.patients-exceeded'
}

function textOf(problem: Problem): string {
  const plain = 'The message could not be taken in'
  return passes(problem) ? `${plain} at this moment: nothing of it was written, send it again.` : `${plain}.`
}

/** What a Problem means to the sender of the message. */
export function verdictOf(problem: Problem): Verdict {
  const known = verdicts[problem.code] ?? { code: 'AR', condition: '207' }
  const location = problem.expression.map(locationOf).join('~')
  const text = Object.hasOwn(verdicts, problem.code) ? problem.text : textOf(problem)
  return { ...known, text, ...(location === '' ? {} : { location }) }
}

/** `MSH-9.2` → `MSH^1^9^1^2`, `PID[2]` → `PID^2`; what is a location already stays. */
function locationOf(expression: string): string {
  if (expression.includes('^')) return expression
  const m = /^([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\.(\d+))?)?$/.exec(expression)
  if (m === null) return ''
  const [, segment, nth = '1', number, component] = m
  if (number === undefined) return `${segment}^${nth}`
  return component === undefined ? `${segment}^${nth}^${number}` : `${segment}^${nth}^${number}^1^${component}`
}

const names: Readonly<Record<string, string>> = {
  '0': 'Message accepted',
  '100': 'Segment sequence error',
  '101': 'Required field missing',
  '102': 'Data type error',
  '103': 'Table value not found',
  '104': 'Value too long',
  '200': 'Unsupported message type',
  '201': 'Unsupported event code',
  '202': 'Unsupported processing id',
  '203': 'Unsupported version id',
  '204': 'Unknown key identifier',
  '205': 'Duplicate key identifier',
  '207': 'Application internal error',
}

/**
 * The acknowledgement of a message, in the usual delimiters. Sender and receiver change places; ERR names places and
 * codes and quotes nothing.
 *
 * @param message  undefined when it could not even be parsed
 */
export function acknowledge(
  message: Message | undefined,
  verdict: Verdict,
  nowMs: number,
  remarks: readonly Remark[] = [],
): string {
  const given = (number: number) => fieldText(message, number)
  const event = escaped(value(message?.msh, 9, 2))
  const type = event === '' ? 'ACK' : `ACK^${event}^ACK`
  const control = newResourceId().replaceAll('-', '').slice(0, 20)
  const msh = ['MSH', '^~\\&', given(5), given(6), given(3), given(4), headerTime(nowMs), '', type, control]
  msh.push(given(11) || 'P', given(12) || '2.5')
  const msa = ['MSA', verdict.code, given(10)]
  const errors = verdict.code === 'AA' ? remarked(remarks) : [errorSegment({ location: '', ...verdict }, 'E')]
  return [msh, msa, ...errors].map(fields => `${fields.join('|')}\r`).join('')
}

/** So many places in one ERR; what a place says is named however often it is said. */
const mostPlaces = 100
/** So many different things: more than all fields of all segments with all of their components can be. */
const mostNamed = 20_000

/**
 * ERR segments of an accepted message: one for each thing that is to be said of values that were not taken over, with
 * all of its places, and one that lists what nothing is made of. ERR-4 W and I say that the message was accepted: HL7
 * v2.5.1, 2.15.5.4; ERR-2 repeats: 2.15.5.2.
 */
function remarked(remarks: readonly Remark[]): readonly (readonly string[])[] {
  const warnings = remarks.filter(({ severity }) => severity === 'W')
  const unread = remarks.filter(({ severity }) => severity === 'I')
  const alike = [...Map.groupBy(warnings, ({ condition, text }) => `${condition} ${text}`).values()]
  const segments = alike.slice(0, mostNamed).map(warned)
  if (alike.length > mostNamed)
    segments.push(errorSegment({ location: '', condition: '102', text: `And ${alike.length - mostNamed} more.` }, 'W'))
  return unread.length === 0 ? segments : [...segments, errorSegment(listed(unread), 'I')]
}

function warned(alike: readonly Remark[]): readonly string[] {
  const [{ condition, text } = { condition: '102', text: '' }] = alike
  const more = alike.length > mostPlaces ? ` So it is at ${alike.length - mostPlaces} places more.` : ''
  return errorSegment({ location: placed(alike), condition, text: `${text}${more}` }, 'W')
}

function listed(unread: readonly Remark[]): Omit<Remark, 'severity'> {
  const names = [...new Set(unread.map(({ text }) => text))]
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : ''
  const text = `Unmapped, nothing is made of: ${names.slice(0, mostNamed).join(', ')}${more}`
  return { location: placed(unread), condition: '0', text }
}

function placed(remarks: readonly Remark[]): string {
  return [...new Set(remarks.map(({ location }) => location))].slice(0, mostPlaces).join('~')
}

function errorSegment({ location, condition, text }: Omit<Remark, 'severity'>, severity: string): readonly string[] {
  return ['ERR', '', location, `${condition}^${names[condition]}^HL70357`, severity, '', '', '', escaped(text)]
}

const special: Readonly<Record<string, string>> = {
  '|': '\\F\\',
  '^': '\\S\\',
  '&': '\\T\\',
  '~': '\\R\\',
  '\\': '\\E\\',
  '\r': '',
  '\n': '',
}

/** A field of a header segment as it is written with the usual delimiters; cut, so that it cannot be made long. */
export function standardText(text: string, header: string | undefined): string {
  const from = (header !== undefined && delimitersOf(header)) || usualDelimiters
  return toUsual(text, from)
    .replace(/[|~\r\n\uE0F1-\uE0FA]/g, '')
    .slice(0, 200)
}

/** Now, as a header has it. */
export function headerTime(nowMs: number): string {
  const digits = new Date(nowMs).toISOString().replace(/[-:T]|\.\d+Z/g, '')
  return `${digits}+0000`
}

function escaped(text: string): string {
  return text.replace(/[|^&~\\\r\n]/g, char => special[char] ?? '')
}

/** A field of MSH as it came, for the acknowledgement to give back; cut, so that it cannot be made long. */
function fieldText(message: Message | undefined, number: number): string {
  const [first] = message?.msh.fields[number] ?? []
  return (first ?? [])
    .map(component => component.map(escaped).join('&'))
    .join('^')
    .slice(0, 200)
}
