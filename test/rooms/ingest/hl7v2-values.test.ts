import type { Resource } from '#fhir'
import { parseSenders } from '../../../src/ingest/hl7v2/senders.ts'
import { splitMessages } from '../../../src/ingest/hl7v2/split.ts'
import { toDateTime } from '../../../src/ingest/hl7v2/times.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { growth, mostGrowth } from '../../computing.ts'
import {
  createPatient,
  everything,
  found,
  ingested,
  openHouse,
  readPatient,
  type TestHouse,
  validator,
} from './house.ts'
import { atOnce, message } from './reading.ts'

const msh = (rest = '', time = '20240310120000+0000') =>
  `MSH|^~\\&|LAB|LABOR|KIN|HOME|${time}||ORU^R01|C1|P|2.5.1${rest}`
const pid = 'PID|1||4711^^^HOSP^MR||Sample^Ann'
const obr = 'OBR|1||F1|58410-2^Panel^LN|||20240310080000+0000'

async function hospital(senders?: Parameters<typeof openHouse>[2]): Promise<TestHouse> {
  const house = await openHouse({}, undefined, senders)
  await createPatient(house.record, { identifier: [{ system: 'urn:x-hl7v2-hd:HOSP', value: '4711' }] })
  return house
}
const send = (house: TestHouse, bytes: Buffer) => house.ingest.hl7v2({ grant: everything(), message: bytes })
const errors = (ack: string) => ack.split('\r').filter(line => line.startsWith('ERR'))

describe('one bad value costs itself', () => {
  it.each([
    ['an escaped control character', 'yel\\X07\\low'],
    ['a raw one', 'yel\x07low'],
    ['NUL', 'yel\\X00\\low'],
    ['a raw NUL', 'yel\0low'],
    ['an escape', 'yel\x1blow'],
    ['an escaped byte that is no letter of the character set', 'yel\\XE9\\low'],
    ['half an escaped letter', 'yel\\XC3\\low'],
  ])('%s in a text is replaced, and its place is told', async (_, text) => {
    const house = await hospital()
    const { ack } = await send(
      house,
      message(
        msh(),
        pid,
        obr,
        'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||F',
        `OBX|2|ST|5778-6^Colour^LN||${text}||||||F`,
      ),
    )
    expect(ack).toContain('MSA|AA|C1')
    expect(errors(ack)).toEqual([expect.stringMatching(/^ERR\|\|OBX\^2\^5\|102\^Data type error\^HL70357\|W\|/)])
    expect(ack).not.toContain('low')
    const observations = await found(house.record, 'Observation')
    expect(observations.map(one => one.valueString ?? 'number').sort()).toEqual(['number', 'yel\uFFFDlow'])
  })

  it.each(['PID-5', 'PID-11', 'OBR-4', 'OBX-3', 'OBX-8', 'NTE-3', 'PV1-3'])(
    'a control character in %s keeps the rest',
    async place => {
      const house = await hospital()
      const bad = (segment: string, ...fields: string[]) =>
        [segment, ...fields.map((text, at) => (place === `${segment}-${at + 1}` ? `${text}\\X07\\` : text))].join('|')
      const { ack } = await send(
        house,
        message(
          msh(),
          bad('PID', '1', '', '4711^^^HOSP^MR', '', 'Sample^Ann', '', '', '', '', '', '1 Main^^Town'),
          bad('PV1', '1', 'I', 'W^1', ...Array.from({ length: 15 }, () => ''), 'V1'),
          bad('OBR', '1', '', 'F1', 'Panel^Panel^L'),
          bad('OBX', '1', 'NM', 'Glu^Glucose^L', '', '90', 'mg/dL', '', 'H', '', '', 'F'),
          bad('NTE', '1', '', 'seen'),
        ),
      )
      expect(ack).toContain('MSA|AA|C1')
      expect(errors(ack)[0]).toContain(`ERR||${place.replace('-', '^1^')}|102^`)
      expect(await found(house.record, 'Observation')).toHaveLength(1)
    },
  )

  it('lone halves of characters from UTF-16 are replaced, whatever the format says', async () => {
    const house = await hospital()
    const text = message(msh('||||||UNICODE UTF-16'), pid, obr, 'OBX|1|ST|C^C^L||yel#low||||||F').toString()
    const bytes = Buffer.from(`\uFEFF${text}`, 'utf16le')
    bytes.writeUInt16LE(0xd800, bytes.indexOf(Buffer.from('#', 'utf16le')))
    expect((await send(house, bytes)).ack).toContain('MSA|AA|C1')
    expect(await found(house.record, 'Observation')).toMatchObject([{ valueString: 'yel\uFFFDlow' }])
  })

  it('an element that would not be valid is left out with its place, and the rest goes in', async () => {
    const house = await hospital()
    const { ack } = await send(
      house,
      message(
        msh(),
        pid,
        'PV1|1|I|||||||||||||||||V1^^^X&no uri at all&URI',
        obr,
        'OBX|1|NM|C^C^L||90|mg/dL|||||F|||2024',
      ),
    )
    expect(ack).toContain('MSA|AA|C1')
    expect(errors(ack)[0]).toContain('ERR||PV1^1^19')
    const [encounter] = await found(house.record, 'Encounter')
    expect(encounter).toMatchObject({ status: 'in-progress' })
    expect(await found(house.record, 'Observation')).toMatchObject([
      { encounter: { reference: `Encounter/${encounter?.id}` } },
    ])
  })

  it('a result without a code is named, and the report does not refer to it', async () => {
    const house = await hospital()
    const { ack } = await send(house, message(msh(), pid, obr, 'OBX|1|NM|||90|mg/dL|||||F', 'OBX|2|NM|C||1||||||F'))
    expect(errors(ack)).toEqual([
      expect.stringContaining('ERR||OBX^1^3|101^Required field missing^HL70357|W|'),
      expect.stringContaining('nothing is made of: OBX-2, OBX-5, OBX-6, OBX-11'),
    ])
    const [report] = await found(house.record, 'DiagnosticReport')
    expect(report?.result).toHaveLength(1)
  })

  it('a strict sender gets the message back whole: ingest.hl7-invalid, and other senders do not', async () => {
    const senders = { zone: 'UTC', known: [{ facility: 'LABOR', strict: true }] }
    const house = await hospital(senders)
    const results = [pid, obr, 'OBX|1|NM|C||1||||||F|||20241345']
    const { status, ack } = await send(house, message(msh(), ...results))
    expect([status, ack.split('\r')[1]]).toEqual([422, 'MSA|AE|C1'])
    expect(errors(ack)).toEqual([expect.stringContaining('ERR||OBX^1^14|102^')])
    expect(await found(house.record, 'Observation')).toEqual([])
    expect((await send(house, message(msh().replace('LABOR', 'OTHER'), ...results))).ack).toContain('MSA|AA|C1')
  })

  it('says of an accepted message which values nothing is made of, in one ERR of severity I', async () => {
    const house = await hospital()
    const { ack } = await send(
      house,
      message(msh(), `${pid}|||||||||||||||||||||||||||SPECIES`, obr, 'OBX|1|ST|C||v||||||F', 'ZZZ|1|secret'),
    )
    expect(errors(ack)).toEqual([
      expect.stringMatching(
        /^ERR\|\|.*ZZZ\^1.*\|0\^Message accepted\^HL70357\|I\|\|\|\|Unmapped, nothing is made of: .*ZZZ/,
      ),
    ])
    expect(ack).not.toMatch(/secret|SPECIES/)
  })
})

describe('a kind of allergy that R4 has no category for – v2-to-FHIR, AL1-2 and IAM-2; HL7 table 0127', () => {
  const alternate = (coding: object) => ({
    extension: [
      { url: 'http://hl7.org/fhir/StructureDefinition/alternate-codes', valueCodeableConcept: { coding: [coding] } },
    ],
  })
  const of0127 = 'http://terminology.hl7.org/CodeSystem/v2-0127'
  const kept = (code: string, display?: string) =>
    alternate({ system: of0127, code, ...(display === undefined ? {} : { display }) })
  const onAllergy = (segment: string, kind: string) =>
    message(msh().replace('ORU^R01', 'ADT^A08'), pid, `${segment}|1|${kind}|1605^Acetaminophen^L|||A`)

  it.each([
    ['AL1', 'MA', [null], [kept('MA', 'Miscellaneous allergy')], 'allergy'],
    ['AL1', 'MC', [null], [kept('MC', 'Miscellaneous contraindication')], undefined],
    ['AL1', 'MC^^HL70127', [null], [kept('MC', 'Miscellaneous contraindication')], undefined],
    ['IAM', 'MA', [null], [kept('MA', 'Miscellaneous allergy')], 'allergy'],
    ['IAM', 'MC^Contra^HL70127', [null], [kept('MC', 'Miscellaneous contraindication')], undefined],
    ['AL1', 'XX', [null], [kept('XX')], undefined],
    ['AL1', 'LATEX^Latex^L', [null], [alternate({ code: 'LATEX', display: 'Latex' })], undefined],
    ['AL1', 'DA', ['medication'], [kept('DA', 'Drug allergy')], 'allergy'],
  ])('%s-2 %s stands beside', async (segment, kind, category, beside, type) => {
    const house = await hospital()
    const { ack } = await send(house, onAllergy(segment, kind))
    expect(ack).toContain('MSA|AA|C1')
    const [allergy, ...others] = await found(house.record, 'AllergyIntolerance')
    expect(others).toEqual([])
    expect(validator.validate(allergy as Resource).filter(({ severity }) => severity === 'error')).toEqual([])
    expect(allergy).toMatchObject({ category, _category: beside })
    expect(allergy?.type).toBe(type)
  })

  it('a category that is said later takes its place, and is found; IAM-2 `""` takes both away', async () => {
    const house = await hospital()
    for (const kind of ['MA', 'FA']) await send(house, onAllergy('IAM', kind))
    expect(await found(house.record, 'AllergyIntolerance', 'category=food')).toMatchObject([
      { category: ['food'], _category: [kept('FA', 'Food allergy')] },
    ])
    expect(await found(house.record, 'AllergyIntolerance', 'category:missing=true')).toEqual([])
    await send(house, onAllergy('IAM', 'MC'))
    expect(await found(house.record, 'AllergyIntolerance', 'category=food')).toEqual([])
    await send(house, onAllergy('IAM', '""'))
    const [allergy] = await found(house.record, 'AllergyIntolerance')
    expect([allergy?.category, allergy?._category]).toEqual([undefined, undefined])
  })
})

describe('local times – HL7 v2.5.1, 2.15.9.7 and 2A.3.22', () => {
  it.each([
    ['winter', '20240110083000', 'Europe/Berlin', '2024-01-10T08:30:00+01:00'],
    ['summer', '20240710083000.120', 'Europe/Berlin', '2024-07-10T08:30:00.120+02:00'],
    ['an hour that clocks skip', '20240331023000', 'Europe/Berlin', '2024-03-31T03:30:00+02:00'],
    ['an hour that comes twice', '20241027023000', 'Europe/Berlin', '2024-10-27T02:30:00+02:00'],
    ['half an hour', '202401100830', 'Asia/Kolkata', '2024-01-10T08:30:00+05:30'],
    ['an offset of its own', '20240710083000-0500', 'Europe/Berlin', '2024-07-10T08:30:00-05:00'],
    ['a day', '20240710', 'Europe/Berlin', '2024-07-10'],
    ['an offset for a zone', '202407100830', '+02:00', '2024-07-10T08:30:00+02:00'],
    ['a day that is none', '20240230', 'UTC', undefined],
    ['an hour that is none', '2024023024', 'UTC', undefined],
    ['an offset that is none', '202402200800+9900', 'UTC', undefined],
  ])('%s', (_, text, zone, expected) => {
    expect(toDateTime(text, zone)).toBe(expected)
  })

  const results = (time: string) => [
    message(msh('', time), pid, 'OBR|1||F1|C^C^L|||20240710080000', 'OBX|1|NM|C||1||||||F|||20240110083000'),
  ]
  const effective = async (house: TestHouse) => (await found(house.record, 'Observation'))[0]?.effectiveDateTime

  it.each([
    [
      'the zone agreed with the sender',
      '20240710120000+0200',
      [{ facility: 'LABOR', zone: 'Europe/Berlin' }],
      '+01:00',
      'Europe/Berlin: the zone of its sender',
    ],
    [
      'the offset of MSH-7',
      '20240710120000+0200',
      [{ facility: 'OTHER', zone: 'Asia/Tokyo' }],
      '+02:00',
      '+02:00: the offset of MSH-7',
    ],
    ['the zone of the server', '20240710120000', [], '-05:00', 'America/Chicago'],
    [
      'the sender by application and facility first',
      '2024',
      [
        { facility: 'LABOR', zone: 'Asia/Tokyo' },
        { facility: 'LABOR', application: 'LAB', zone: 'Europe/Berlin' },
      ],
      '+01:00',
      'Europe/Berlin',
    ],
  ])('a time without an offset takes %s, and the report says so', async (_, time, known, offset, said) => {
    const house = await hospital({ zone: 'America/Chicago', known })
    const [bytes = Buffer.of()] = results(time)
    await send(house, bytes)
    const expected = offset === '-05:00' ? '2024-01-10T08:30:00-06:00' : `2024-01-10T08:30:00${offset}`
    expect(await effective(house)).toBe(expected)
    // For the same person: a file for somebody else that describes them would wait.
    const [patient] = await found(house.record, 'Patient', 'identifier=4711')
    const file = bytes.toString().replace('4711', '')
    const { report } = await ingested(house, patient?.id ?? '', everything(), file)
    expect(JSON.stringify(report)).toContain(`Times without an offset were read as ${said}`)
  })

  it.each([
    ['no JSON', '{'],
    ['no list', '{}'],
    ['a zone that is none', '[{"facility": "A", "zone": "Mars/Base"}]'],
    ['a member that is none', '[{"facility": "A", "colour": "red"}]'],
    ['nobody', '[{"strict": true}]'],
  ])('settings of senders with %s are refused: ingest.senders-malformed', (_, text) => {
    expect(() => parseSenders(text)).toThrow(expect.objectContaining({ code: 'ingest.senders-malformed' }))
  })

  it('settings of senders are a list', () => {
    expect(parseSenders('[{"facility": "A", "zone": "Europe/Berlin", "strict": true}]')).toHaveLength(1)
  })
})

describe('files and batches – HL7 v2.5.1, 2.10.3', () => {
  const one = (control: string) =>
    message(
      msh('', '20240310120000+0000').replace('|C1|', `|${control}|`),
      'PID|1',
      'OBR|1||F1|C^C^L',
      `OBX|1|ST|${control}||v||||||F`,
    )
  const imported = async (...parts: (string | Buffer)[]) => {
    const house = await openHouse()
    const { report, counts } = await ingested(house, house.anna, everything(), ...parts)
    return { house, counts, said: JSON.stringify(report) }
  }

  it.each([
    ['a batch without BTS', ['BHS|^~\\&\r', one('A')], 'no BTS'],
    ['a file without FTS', ['FHS|^~\\&\r', 'BHS|^~\\&\r', one('A'), 'BTS|1\r'], 'no FTS'],
    ['a batch in a batch', ['BHS|^~\\&\r', one('A'), 'BHS|^~\\&\r', one('B'), 'BTS|1\r'], 'no BTS'],
    ['a wrong count of messages', ['BHS|^~\\&\r', one('A'), 'BTS|2\r'], 'number of messages'],
    ['a wrong count of batches', ['FHS|^~\\&\r', 'BHS|^~\\&\r', one('A'), 'BTS|1\r', 'FTS|2\r'], 'number of batches'],
    ['a count of none', ['BHS|^~\\&\r', one('A'), 'BTS|0\r'], 'number of messages'],
    ['a count that is none', ['BHS|^~\\&\r', one('A'), 'BTS|one\r'], 'number of messages'],
    ['a count of no batches', ['FHS|^~\\&\r', 'BHS|^~\\&\r', one('A'), 'BTS|1\r', 'FTS|0\r'], 'number of batches'],
    ['an end without a beginning', [one('A'), 'BTS|1\r'], 'did not begin'],
  ])('%s is said, and its messages are taken', async (_, parts, expected) => {
    const { house, said } = await imported(...parts)
    expect(said).toContain(expected)
    expect((await found(house.record, 'Observation')).length).toBeGreaterThan(0)
  })

  it('each batch counts its own messages', async () => {
    const { said } = await imported(
      'FHS|^~\\&\r',
      'BHS|^~\\&\r',
      one('A'),
      'BTS|1\r',
      'BHS|^~\\&\r',
      one('B'),
      one('C'),
      'BTS|2\r',
      'FTS|2\r',
    )
    expect(said).not.toMatch(/number of|no BTS|no FTS/)
  })

  it('what stands behind a trailer is no part of the message before it', async () => {
    const { house, said } = await imported('BHS|^~\\&\r', one('A'), 'BTS|1\r', 'OBX|9|ST|X||stray||||||F\r')
    expect(said).toContain('outside of any message')
    expect(await found(house.record, 'Observation')).toHaveLength(1)
  })

  it('a file without any message is refused: ingest.hl7-malformed', async () => {
    const { counts } = await imported('FHS|^~\\&\r', 'BHS|^~\\&\r', 'BTS|0\r', 'FTS|1\r')
    expect(counts.problem).toMatchObject({ code: 'ingest.hl7-malformed' })
  })

  it('a message of too many parts costs itself', async () => {
    const bomb = message(msh(), 'PID|1', `OBX|1|ST|${'~'.repeat(600_000)}`)
    const { counts, house } = await imported(one('A'), bomb, one('B'))
    expect(counts.rejected).toMatchObject([{ expression: 'message[2]' }])
    expect(await found(house.record, 'Observation')).toHaveLength(2)
    expect((await send(house, bomb)).ack).toContain('104^Value too long')
    expect(atOnce(splitMessages([bomb.toString()], defaultLimits)).messages[0]?.refused).toMatchObject({
      code: 'ingest.hl7-too-many-parts',
    })
  })

  it('a line of text that begins with capitals is no segment', async () => {
    const { house } = await imported(Buffer.concat([one('A'), Buffer.from('NTE|1||first\rDOB: second\r')]))
    expect((await found(house.record, 'Observation'))[0]?.note).toEqual([{ text: 'first\nDOB: second' }])
  })

  it('a hundred thousand pieces of one segment are not joined one by one', async () => {
    const joined = async (pieces: number) => {
      const { said } = await imported(one('A'), `NTE|1||${'x\r'.repeat(pieces)}`)
      expect(said).toContain('line breaks')
    }
    expect(await growth(joined, 12_500)).toBeLessThan(mostGrowth)
  })

  it('the patient is not touched by a message that is refused', async () => {
    const { house, counts } = await imported(one('A').toString().replace('ORU^R01', 'QBP^Q22'), one('B'))
    expect(counts.rejected).toMatchObject([{ reason: 'not-supported', expression: 'message[1]' }])
    expect(await readPatient(house.record, house.anna)).toMatchObject({ meta: { versionId: '1' } })
  })
})
