import { newResourceId } from '#kernel'

/** The fields of the first MSH, as bytes are text: nothing is decoded, so that what comes back is what came. */
interface Header {
  readonly separator: string
  /** MSH-n at n; MSH-1 is the separator itself. */
  readonly fields: readonly string[]
}

/** Undefined where the bytes do not begin with a header. */
function headerOf(message: Buffer): Header | undefined {
  const text = message.subarray(0, 4096).toString('latin1')
  const line = /MSH[^\r\n]*/.exec(text)?.[0] ?? ''
  const separator = line[3]
  if (separator === undefined || /[A-Za-z0-9\s]/.test(separator)) return undefined
  return { separator, fields: ['MSH', ...line.split(separator)] }
}

const timestamp = (ms: number) => new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)

/**
 * An acknowledgement that this side gives by itself: what it refuses before anybody reads it, or nobody could be asked about.
 *
 * @param code  MSA-1: AR, CR, CE, CA
 * @param text  what is said; nothing of the message
 */
export function acknowledging(message: Buffer, code: string, nowMs: number, text?: string): Buffer {
  const { separator: s, fields } = headerOf(message) ?? { separator: '|', fields: [] }
  const [encoding = '^~\\&', component = '^'] = [fields[2], fields[2]?.[0]]
  const [application = '', facility = '', ownApplication = '', ownFacility = ''] = fields.slice(3, 7)
  const event = (fields[9] ?? '').split(component)[1] ?? ''
  const type = ['ACK', ...(event === '' ? [] : [event, 'ACK'])].join(component)
  const id = newResourceId().replaceAll('-', '').slice(0, 20)
  const sent = `${timestamp(nowMs)}+0000`
  const msh = [
    'MSH',
    encoding,
    ownApplication,
    ownFacility,
    application,
    facility,
    sent,
    '',
    type,
    id,
    fields[11] || 'P',
    fields[12] || '2.5.1',
  ]
  const msa = ['MSA', code, fields[10] ?? '']
  const condition = ['207', 'Application internal error', 'HL70357'].join(component)
  const err = text === undefined ? [] : [['ERR', '', '', condition, 'E', '', '', '', text].join(s)]
  return Buffer.from(`${[msh.join(s), msa.join(s), ...err].join('\r')}\r`, 'latin1')
}

/** MSA-1 of an acknowledgement; empty where it has none. */
export function codeOf(acknowledgement: Buffer): string {
  const text = acknowledgement.toString('latin1')
  const separator = text[3] ?? '|'
  const line = text.split(/[\r\n]+/).find(one => one.startsWith('MSA')) ?? ''
  return line.split(separator)[1] ?? ''
}

/** Of what the application says what the one who took the message in says: HL7 table 0008. */
const accepting: Readonly<Record<string, string>> = { AA: 'CA', AE: 'CE', AR: 'CR' }

/** HL7 table 0155: whether something is said, by whether the message was taken. */
const asked: Readonly<Record<string, (taken: boolean) => boolean>> = {
  AL: () => true,
  NE: () => false,
  ER: taken => !taken,
  SU: taken => taken,
}

/**
 * What a sender hears of a message, in order. Without MSH-15 and MSH-16 it is what the application says; in the enhanced mode the one who
 * takes the message in speaks first, which it does once all of it is stored, and the application where it is asked.
 *
 * @param told  what the application says: an acknowledgement of it
 * @see HL7 v2.5.1, 2.9.2 and 2.9.3
 */
export function answersTo(message: Buffer, told: Buffer, nowMs: number): readonly Buffer[] {
  const fields = headerOf(message)?.fields ?? []
  // What is no mode says nothing: silence would let a sender wait for ever.
  const [accept = '', application = ''] = [15, 16].map(number => {
    const mode = fields[number]?.trim() ?? ''
    return Object.hasOwn(asked, mode) ? mode : ''
  })
  if (accept === '' && application === '') return [told]
  const code = codeOf(told)
  const isSaid = (mode: string) => asked[mode]?.(code === 'AA') === true
  const commit = isSaid(accept) ? [acknowledging(message, accepting[code] ?? 'CE', nowMs)] : []
  return [...commit, ...(isSaid(application) ? [told] : [])]
}
