/** MLLP frames in what is sent over HTTP or as a file: `0B message 1C 0D` – HL7 Version 3 Transport Specification: MLLP, Release 1. */
import { splitMessages } from '../../../src/ingest/hl7v2/split.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { everything, openHouse, type TestHouse } from './house.ts'
import { atOnce, message } from './reading.ts'

const msh = (id: string) => `MSH|^~\\&|HIS|C|||20260210||ADT^A01|${id}|P|2.5`
const whole = (id: string, number: string) =>
  message(msh(id), `PID|1||${number}^^^H^MR||Sample^Ann||19800203|F`, 'PV1|1|I|WARD1').toString('latin1')
/** What is left of one that ended in the middle of its PID. */
const half = (id: string, number: string) => `${msh(id)}\rPID|1||${number}^^^H^MR||Sam`
const frame = (text: string) => `\x0b${text}\x1c\r`

let house: TestHouse
beforeEach(async () => {
  house = await openHouse()
})

async function answersTo(text: string): Promise<readonly string[]> {
  const { ack } = await house.ingest.hl7v2({ grant: everything(), message: Buffer.from(text, 'latin1') })
  return ack.split('\r').flatMap(line => /^MSA\|(\w\w\|\w*)/.exec(line)?.[1] ?? [])
}

describe('a message whose frame did not end is refused, and none beside it', () => {
  it.each([
    ['another began within it', `\x0b${half('H', '1')}${frame(whole('W', '2'))}`, ['AE|H', 'AA|W']],
    ['another began on a line of its own', `\x0b${half('H', '1')}\r${frame(whole('W', '2'))}`, ['AE|H', 'AA|W']],
    [
      'it is between two',
      `${frame(whole('V', '3'))}\x0b${half('H', '1')}\r\n${frame(whole('W', '2'))}`,
      ['AA|V', 'AE|H', 'AA|W'],
    ],
    ['it is the last', `${frame(whole('W', '2'))}\x0b${half('H', '1')}`, ['AA|W', 'AE|H']],
  ])('%s', async (_, text, answers) => {
    expect(await answersTo(text)).toEqual(answers)
  })

  it('says so', async () => {
    const text = `\x0b${half('H', '1')}${frame(whole('W', '2'))}`
    const { ack } = await house.ingest.hl7v2({ grant: everything(), message: Buffer.from(text, 'latin1') })
    expect(ack).toContain('frame did not end')
    const { messages } = atOnce(splitMessages([text], defaultLimits))
    expect(messages.map(({ refused }) => refused?.code)).toEqual(['ingest.hl7-frame-unended', undefined])
  })
})

describe('a message is taken', () => {
  it.each([
    ['in its frame', frame(whole('V', '1')), ['AA|V']],
    [
      'in a frame whose last return is missing',
      `\x0b${whole('V', '1')}\x1c\x0b${whole('W', '2')}\x1c`,
      ['AA|V', 'AA|W'],
    ],
    ['with space between the frames', `${frame(whole('V', '1'))} \r\n\t\n${frame(whole('W', '2'))}`, ['AA|V', 'AA|W']],
    [
      'with space behind the ends of frames',
      `\x0b${whole('V', '1')}\x1c \r\x0b${whole('W', '2')}\x1c`,
      ['AA|V', 'AA|W'],
    ],
    ['behind a frame of nothing', `\x0b\x1c\r${whole('V', '1')}${frame(whole('W', '2'))}`, ['AA|V', 'AA|W']],
    ['with lines between the frames', `${frame(whole('V', '1'))}\n\n${frame(whole('W', '2'))}`, ['AA|V', 'AA|W']],
    ['where no frame of all is ended', `\x0b${whole('V', '1')}\x0b${whole('W', '2')}`, ['AA|V', 'AA|W']],
    ['where one frame holds two', frame(whole('V', '1') + whole('W', '2')), ['AA|V', 'AA|W']],
    ['in no frame, beside one in a frame', whole('V', '1') + frame(whole('W', '2')), ['AA|V', 'AA|W']],
  ])('%s', async (_, text, answers) => {
    expect(await answersTo(text)).toEqual(answers)
  })
})
