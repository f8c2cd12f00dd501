import { newResourceId, type Problem } from '#kernel'
import { type Message, value } from './message.ts'

/** Accepted, or refused with what the sender may do about it. */
export interface Verdict {
  readonly code: 'AA' | 'AE' | 'AR'
  /** HL7 table 0357. */
  readonly condition: string
  readonly text: string
  /** ERR-2: `PID^1^3`, repeated with `~`. */
  readonly location?: string
}

export const accepted: Verdict = { code: 'AA', condition: '0', text: 'Message accepted' }

/** By code of the Problem: AE where the sender can mend the message, AR where it cannot be taken as it is. */
const verdicts: Readonly<Record<string, Pick<Verdict, 'code' | 'condition'>>> = {
  'ingest.hl7-malformed': { code: 'AR', condition: '100' },
  'ingest.hl7-type-unsupported': { code: 'AR', condition: '200' },
  'ingest.hl7-event-unsupported': { code: 'AR', condition: '201' },
  'ingest.hl7-processing-unsupported': { code: 'AR', condition: '202' },
  'ingest.hl7-version-unsupported': { code: 'AR', condition: '203' },
  'ingest.hl7-segment-missing': { code: 'AE', condition: '100' },
  'ingest.hl7-segment-misplaced': { code: 'AE', condition: '100' },
  'ingest.hl7-several-patients': { code: 'AE', condition: '100' },
  'ingest.hl7-field-missing': { code: 'AE', condition: '101' },
  'ingest.hl7-invalid': { code: 'AE', condition: '102' },
  'ingest.hl7-patient-unknown': { code: 'AE', condition: '204' },
  'ingest.patient-contradicted': { code: 'AE', condition: '205' },
  'ingest.patient-doubtful': { code: 'AE', condition: '205' },
  'scope.missing': { code: 'AR', condition: '207' },
}

/** What a Problem means to the sender of the message. */
export function verdictOf(problem: Problem): Verdict {
  const known = verdicts[problem.code] ?? { code: 'AR', condition: '207' }
  const location = problem.expression.map(locationOf).join('~')
  const text = Object.hasOwn(verdicts, problem.code) ? problem.text : 'The message could not be taken in.'
  return { ...known, text, ...(location === '' ? {} : { location }) }
}

/** `MSH-9.2` → `MSH^1^9^1^2`, `PID[2]` → `PID^2` */
function locationOf(expression: string): string {
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
export function acknowledge(message: Message | undefined, verdict: Verdict, nowMs: number): string {
  const given = (number: number) => fieldText(message, number)
  const time = new Date(nowMs)
    .toISOString()
    .replace(/[-:]|\.\d+Z/g, '')
    .replace('T', '')
  const event = escaped(value(message?.msh, 9, 2))
  const type = event === '' ? 'ACK' : `ACK^${event}^ACK`
  const control = newResourceId().replaceAll('-', '').slice(0, 20)
  const msh = ['MSH', '^~\\&', given(5), given(6), given(3), given(4), `${time}+0000`, '', type, control]
  msh.push(given(11) || 'P', given(12) || '2.5')
  const msa = ['MSA', verdict.code, given(10)]
  const err = ['ERR', '', verdict.location ?? '', `${verdict.condition}^${names[verdict.condition]}^HL70357`, 'E']
  err.push('', '', '', escaped(verdict.text))
  const segments = verdict.code === 'AA' ? [msh, msa] : [msh, msa, err]
  return segments.map(fields => `${fields.join('|')}\r`).join('')
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
