import { splitMessages } from '../../../src/ingest/hl7v2/split.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { createPatient, everything, found, ingested, openHouse } from './house.ts'
import { atOnce, message } from './reading.ts'

const msh = 'MSH|^~\\&|APP|LAB|K|H|20260101120000||ORU^R01|A|P|2.5.1'
const pid = 'PID|1||7^^^LAB'
const obr = 'OBR|1|||X^x^L'
const obx = 'OBX|1|NM|C^c^L||5||||||F'

const linesOf = (...lines: string[]) =>
  atOnce(splitMessages([[msh, ...lines].join('\r')], defaultLimits)).messages[0]?.lines.slice(1)

/** HL7 v2.5.1, 2.5.2: a segment is named by three characters, and Z begins those of one's own. */
describe('a segment with a name that is none', () => {
  it.each([
    ['Z__', 'Z__|1|own'],
    ['Z', 'ZA|own'],
    ['four letters', 'ZOWN|own'],
    ['small letters of its own', 'zpi|own'],
    ['small letters of a known one', 'obx|2|NM|C^c^L||6||||||F'],
    ['mixed letters of a known one', 'Obx|2|NM|C^c^L||6||||||F'],
    ['two letters', 'OB|2|NM'],
    ['a line below', 'A_1|x'],
    ['components and repetitions', 'Z__|a^b&c~d|e'],
  ])('%s stands alone', (_, line) => {
    expect(linesOf(pid, obr, obx, line, 'NTE|1||note')).toEqual([pid, obr, obx, line, 'NTE|1||note'])
  })

  it('blanks behind a name are no part of it', () => {
    expect(linesOf(pid, obr, 'OBX  |1|NM|C^c^L||5')).toEqual([pid, obr, 'OBX|1|NM|C^c^L||5'])
  })

  it.each([
    ['words of a value', 'OBX|1|TX|C^c^L||one', 'two three||||||F'],
    ['one word of a value', 'OBX|1|TX|C^c^L||one', 'OK||||||F'],
    ['three capitals at the end of a value', 'OBX|1|TX|C^c^L||one', 'NEG||||||F|||20260101'],
    ['small letters at the end of a value', 'OBX|1|TX|C^c^L||one', 'arm||||||F'],
    ['a word of a note', 'NTE|1||one', 'OK|RE'],
    ['a line of capitals without fields', 'NTE|1||one', 'Z ALL'],
    ['an address', 'PID|1||7^^^LAB||D^J||||||Street 1', 'Apt^Town|M'],
  ])('%s are the rest of the field that was broken', (_, first, rest) => {
    expect(linesOf(first, rest)).toEqual([`${first}\\.br\\${rest}`])
  })

  it.each(['Z__|1|own', 'ZA|own', 'ZOWN|own', 'zpi|own', 'obx|2|NM|C^c^L||6||||||F', 'OB|2|NM'])(
    '%s is named, in the acknowledgement and in the report, and changes nothing of the others',
    async line => {
      const name = line.split('|')[0] ?? ''
      const identifier = [{ system: 'urn:x-hl7v2-hd:LAB', value: '7' }]
      const house = await openHouse()
      const anna = await createPatient(house.record, { identifier })
      const sent = message(msh, pid, obr, obx, line, 'NTE|1||note')
      const { ack } = await house.ingest.hl7v2({ grant: everything(), message: sent })
      expect(ack).toContain('MSA|AA')
      expect(ack).toContain(`|${name}^1|`)
      const [observation, ...others] = await found(house.record, 'Observation')
      expect(others).toEqual([])
      expect(observation).toMatchObject({ valueQuantity: { value: expect.anything() }, status: 'final' })
      const { counts } = await ingested(house, anna, everything(), sent.toString().replace('|A|P|', '|B|P|'))
      expect(counts.unmapped).toEqual([{ row: name, count: 1 }])
    },
  )

  it('says which segments had line breaks inside', () => {
    const { warnings } = atOnce(splitMessages([[msh, pid, 'x', obr, obx, 'y'].join('\r')], defaultLimits))
    expect(warnings).toEqual([expect.stringMatching(/line breaks.*: PID\.$/), expect.stringMatching(/: OBX\.$/)])
  })
})
