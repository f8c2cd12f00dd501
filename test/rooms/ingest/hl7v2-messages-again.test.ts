import type { Resource } from '#fhir'
import { createPatient, everything, found, ingested, ofPatient, openHouse, validator } from './house.ts'
import { message, segment } from './reading.ts'

/**
 * What is said again of an appointment, a document, a vaccination or a medicine: it changes what it names, and what comes late changes nothing.
 *
 * @see HL7 v2.5.1, 2.5.3 and 2.10.4
 */
const at = (minute: number) => `2024031012${String(minute).padStart(2, '0')}00+0000`

interface Sent {
  readonly event: string
  readonly minute: number
  readonly lines: readonly string[]
}

/** What stands of the only resource of a type after the messages, in the order in which they come. */
async function standing(type: string, ...messages: readonly Sent[]): Promise<Resource> {
  const house = await openHouse()
  try {
    for (const [index, { event, minute, lines }] of [
      { event: 'ADT^A04', minute: 1, lines: [] },
      ...messages,
    ].entries()) {
      const msh = `MSH|^~\\&|REG|HOSP|KIN|HOME|${at(minute)}||${event}|U${index}|P|2.5.1`
      const bytes = message(msh, 'PID|1||A1^^^HOSP^MR||Smith^Anna||20150607|F', ...lines)
      const { ack } = await house.ingest.hl7v2({ grant: everything(), message: bytes })
      expect(ack).toMatch(/MSA\|AA/)
    }
    const [resource, ...others] = await found(house.record, type)
    expect(others).toEqual([])
    expect(validator.validate(resource as Resource).filter(({ severity }) => severity === 'error')).toEqual([])
    return resource as Resource
  } finally {
  }
}

const sent = (event: string, minute: number, ...lines: readonly string[]): Sent => ({ event, minute, lines })

const appointment = (fields: Readonly<Record<number, string>> = {}) =>
  segment('SCH', { 1: 'A1^NS', 2: 'A2^NS', ...fields })
const booked = sent(
  'SIU^S12',
  10,
  appointment({ 11: '^^^20260301090000+0000^20260301093000+0000' }),
  'AIS|1||E1^ECG^L',
  'AIL|1||ROOM1^2^3^HOSP',
  'AIP|1||7^Lemon^Mike|P^Physician^L',
)
const moved = (minute: number) =>
  sent('SIU^S13', minute, appointment({ 11: '^^^20260302090000+0000^20260302093000+0000' }), 'AIL|1||ROOM2^2^3^HOSP')

const document = (fields: Readonly<Record<number, string>> = {}) =>
  segment('TXA', { 2: 'DS^Summary^L', 12: 'D1^NS', 17: 'AU', ...fields })
const written = (minute: number, words: string) =>
  sent('MDM^T02', minute, document(), `OBX|1|TX|H^History^L||${words}||||||F`)

const vaccination = (fields: Readonly<Record<number, string>> = {}) =>
  segment('RXA', { 1: '0', 2: '1', 3: '20260102', 5: '140^Flu^CVX', ...fields })
const given = sent(
  'VXU^V04',
  10,
  'ORC|RE||F1^NS',
  vaccination({ 6: '0.5', 7: 'mL^^UCUM', 15: 'L1', 20: 'CP', 21: 'A' }),
)

const prescribed = sent('RDE^O11', 10, 'ORC|NW|P1^NS', 'RXE||A1^Amoxicillin^L|500||mg^^UCUM', 'RXR|PO^Oral^HL70162')

const text = (words: string) => [{ attachment: { data: Buffer.from(words).toString('base64') } }]

describe('what is said again', () => {
  it.each<[string, string, readonly Sent[], object]>([
    [
      'an appointment that moves keeps its service and its people',
      'Appointment',
      [booked, moved(20)],
      { status: 'booked', start: '2026-03-02T09:00:00+00:00', serviceType: [{ coding: [{ code: 'E1' }] }] },
    ],
    [
      'one that is cancelled keeps its time',
      'Appointment',
      [booked, sent('SIU^S15', 20, appointment({ 6: 'Snow' }))],
      { status: 'cancelled', start: '2026-03-01T09:00:00+00:00', cancelationReason: { text: 'Snow' } },
    ],
    [
      'one that was cancelled is moved by nothing that was said before',
      'Appointment',
      [booked, sent('SIU^S15', 20, appointment()), moved(15)],
      { status: 'cancelled' },
    ],
    ['one to which nobody came', 'Appointment', [booked, sent('SIU^S26', 20, appointment())], { status: 'noshow' }],
    [
      'a document that is cancelled keeps its words',
      'DocumentReference',
      [written(10, 'old'), sent('MDM^T11', 20, document())],
      { status: 'entered-in-error', content: text('old') },
    ],
    [
      'one that was announced has its words when they come',
      'DocumentReference',
      [sent('MDM^T01', 10, document()), written(20, 'new')],
      { status: 'current', content: text('new') },
    ],
    [
      'one that is written anew has the new words',
      'DocumentReference',
      [written(10, 'old'), written(20, 'new')],
      { content: text('new') },
    ],
    [
      'old words do not come back',
      'DocumentReference',
      [written(20, 'new'), written(10, 'old')],
      { content: text('new') },
    ],
    [
      'a vaccination that is taken back keeps its lot',
      'Immunization',
      [given, sent('VXU^V04', 20, 'ORC|RE||F1^NS', vaccination({ 21: 'D' }))],
      { status: 'entered-in-error', lotNumber: 'L1' },
    ],
    [
      'a medicine that is stopped keeps its dose',
      'MedicationRequest',
      [prescribed, sent('RDE^O11', 20, 'ORC|DC|P1^NS', 'RXE||A1^Amoxicillin^L')],
      { status: 'stopped', dosageInstruction: [{ route: { coding: [{ code: 'PO' }] } }] },
    ],
    [
      'a problem that is over',
      'Condition',
      [
        sent('PPR^PC1', 10, 'PRB|AD|20240310|I10^Hypertension^I10|N1'),
        sent(
          'PPR^PC2',
          20,
          segment('PRB', { 1: 'UP', 2: '20240310', 3: 'I10^Hypertension^I10', 4: 'N1', 9: '20240309' }),
        ),
      ],
      { clinicalStatus: { coding: [{ code: 'resolved' }] }, abatementDateTime: '2024-03-09' },
    ],
    [
      'a problem that is deleted',
      'Condition',
      [
        sent('PPR^PC1', 10, 'PRB|AD|20240310|I10^Hypertension^I10|N1'),
        sent('PPR^PC3', 20, 'PRB|DE|20240310|I10^Hypertension^I10|N1'),
      ],
      { verificationStatus: { coding: [{ code: 'entered-in-error' }] } },
    ],
  ])('%s', async (_, type, messages, expected) => {
    expect(await standing(type, ...messages)).toMatchObject(expected)
  })

  it('a new place takes the place of the old one, and nobody else’s', async () => {
    const { participant } = (await standing('Appointment', booked, moved(20))) as Resource & {
      participant: { actor: { display?: string; reference: string } }[]
    }
    const who = participant.map(({ actor }) => actor.display ?? actor.reference.split('/')[0]).sort()
    expect(who).toEqual(['HOSP, ROOM2, 2, 3', 'Mike Lemon', 'Patient'])
  })
})

/** The acknowledgements of messages, and the documents that stand. */
async function heard(...messages: readonly Sent[]) {
  const house = await openHouse()
  const acks: string[] = []
  for (const [index, { event, minute, lines }] of [sent('ADT^A04', 1), ...messages].entries()) {
    const msh = `MSH|^~\\&|REG|HOSP|KIN|HOME|${at(minute)}||${event}|U${index}|P|2.5.1`
    const bytes = message(msh, 'PID|1||A1^^^HOSP^MR||Smith^Anna||20150607|F', ...lines)
    acks.push((await house.ingest.hl7v2({ grant: everything(), message: bytes })).ack)
  }
  const documents = (await found(house.record, 'DocumentReference')) as (Resource & {
    masterIdentifier: { value: string }
  })[]
  return {
    acks: acks.slice(1),
    states: Object.fromEntries(documents.map(({ masterIdentifier, status }) => [masterIdentifier.value, status])),
  }
}

describe('a deletion of what nobody knows is said', () => {
  const deleted = (fields: Readonly<Record<number, string>>) =>
    sent('VXU^V04', 20, 'ORC|RE||F1^NS', vaccination({ 21: 'D', ...fields }))
  const problem = (code: string, minute: number) =>
    sent('PPR^PC1', minute, `PRB|${code}|20240310|I10^Hypertension^I10|N1`)
  it.each<[string, readonly Sent[], boolean]>([
    ['a vaccination of another day', [given, deleted({ 3: '20260103' })], true],
    ['the vaccination itself', [given, deleted({})], false],
    ['the vaccination, again', [given, deleted({}), deleted({ 15: 'L1' })], false],
    [
      'a medicine that was given',
      [sent('RAS^O17', 20, 'ORC|RE|P1^NS', vaccination({ 5: 'A1^Amoxicillin^L', 21: 'D' }))],
      true,
    ],
    ['a problem', [problem('DE', 20)], true],
    ['a problem that is known', [problem('AD', 10), problem('DE', 20)], false],
  ])('%s', async (_, messages, isSaid) => {
    const { acks } = await heard(...messages)
    expect(/(RXA|PRB)-\d+: nothing that it takes back is known/.test(acks.at(-1) ?? '')).toBe(isSaid)
  })
})

describe('a document that is replaced – HL7 v2.5.1, 9.6.9 and 9.6.10', () => {
  const other = (event: string, minute: number, fields: Readonly<Record<number, string>> = {}) =>
    sent(`MDM^${event}`, minute, document({ 12: 'D2^NS', 13: 'D1^NS', ...fields }), 'OBX|1|TX|H^History^L||new||||||F')
  it.each<[string, readonly Sent[], object]>([
    ['is superseded', [written(10, 'old'), other('T10', 20)], { D1: 'superseded', D2: 'current' }],
    ['by a notification', [written(10, 'old'), other('T09', 20)], { D1: 'superseded', D2: 'current' }],
    ['and not by an addendum', [written(10, 'old'), other('T06', 20)], { D1: 'current', D2: 'current' }],
    ['nor by itself', [written(10, 'old'), other('T10', 20, { 12: 'D1^NS' })], { D1: 'current' }],
    [
      'nor under another authority',
      [written(10, 'old'), other('T10', 20, { 13: 'D1^XX' })],
      { D1: 'current', D2: 'current' },
    ],
    ['also when it comes late', [other('T10', 20), written(10, 'old')], { D1: 'superseded', D2: 'current' }],
    ['late, by a notification', [other('T09', 20), written(10, 'old')], { D1: 'superseded', D2: 'current' }],
    ['late, and not by an addendum', [other('T06', 20), written(10, 'old')], { D1: 'current', D2: 'current' }],
    [
      'late, and not under another authority',
      [other('T10', 20, { 13: 'D1^XX' }), written(10, 'old')],
      { D1: 'current', D2: 'current' },
    ],
    [
      'late, and not by what was an error',
      [other('T10', 20), sent('MDM^T11', 30, document({ 12: 'D2^NS' })), written(10, 'old')],
      { D1: 'current', D2: 'entered-in-error' },
    ],
    [
      'an error stays one',
      [written(10, 'old'), sent('MDM^T11', 15, document()), other('T10', 20)],
      { D1: 'entered-in-error', D2: 'current' },
    ],
  ])('%s', async (_, messages, states) => {
    expect((await heard(...messages)).states).toEqual(states)
  })

  it('and its sender is told, where it comes late', async () => {
    const { acks } = await heard(other('T10', 20), written(10, 'old'))
    expect(acks.at(-1)).toContain('was replaced before it came')
  })
})

it('a file of such messages comes in for its patient', async () => {
  const house = await openHouse()
  const msh = (event: string, id: string) => `MSH|^~\\&|REG|HOSP|KIN|HOME|${at(1)}||${event}|${id}|P|2.5.1`
  const pid = 'PID|1||A1^^^HOSP^MR||Smith^Anna||20150607|F'
  const file = Buffer.concat([
    message(msh('VXU^V04', '1'), pid, 'ORC|RE||F1^NS', vaccination({ 20: 'CP' })),
    message(msh('SIU^S12', '2'), ...[booked.lines[0] ?? ''], pid),
    message(msh('MDM^T02', '3'), pid, document(), 'OBX|1|TX|H^History^L||words||||||F'),
  ])
  const anna = await createPatient(house.record, {
    name: [{ family: 'Smith', given: ['Anna'] }],
    birthDate: '2015-06-07',
    gender: 'female',
  })
  const { counts, state } = await ingested(house, anna, ofPatient(anna), file)
  expect([state, counts.rejected]).toEqual(['done', []])
  for (const type of ['Immunization', 'Appointment', 'DocumentReference'])
    expect([type, (await found(house.record, type)).length]).toEqual([type, 1])
})
