import { decodeHl7 } from '../../../src/ingest/hl7v2/decode.ts'
import { value } from '../../../src/ingest/hl7v2/message.ts'
import { parseMessage } from '../../../src/ingest/hl7v2/parse.ts'
import { splitMessages } from '../../../src/ingest/hl7v2/split.ts'
import { type Group, structured } from '../../../src/ingest/hl7v2/structure.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { atOnce, hl7Outcomes, message, resourcesOf } from './reading.ts'

const msh = (type: string) => `MSH|^~\\&|HIS|CLINIC|||20260210081500+0100||${type}|M1|P|2.5.1`

const grouped = (structure: string, ...segments: string[]) => {
  const { texts, decoder } = decodeHl7(message(msh('X'), ...segments))
  const [only] = atOnce(splitMessages(texts, defaultLimits)).messages
  return atOnce(structured(atOnce(parseMessage(only?.lines ?? [], decoder)), structure))
}

/** `PATIENT(PID PD1 VISIT(PV1))`, each segment with its first field. */
const shown = ({ name, segments, groups }: Group): string =>
  `${name}(${[...segments.map(one => `${one.name}${value(one, 1)}`), ...groups.map(shown)].join(' ')})`

describe('message structure – HL7 v2.5.1 chapters 3.3 and 7.3.1', () => {
  it('groups a result by patient, visit, order, observation and specimen', () => {
    const { header, patients } = grouped(
      'ORU_R01',
      ...[
        'SFT|1',
        'PID|1',
        'PD1|',
        'NTE|1',
        'PV1|1',
        'PV2|',
        'ORC|1',
        'TQ1|1',
        'OBR|1',
        'NTE|2',
        'OBX|1',
        'NTE|3',
        'NTE|4',
      ],
      ...['OBX|2', 'SPM|1', 'OBX|3', 'OBR|2', 'OBX|4'],
    )
    expect(header.map(({ name }) => name)).toEqual(['MSH', 'SFT'])
    expect(patients.map(shown)).toEqual([
      'PATIENT(PID1 PD1 NTE1 VISIT(PV11 PV2) ORDER(ORC1 OBR1 NTE2 TIMING(TQ11) OBSERVATION(OBX1 NTE3 NTE4) OBSERVATION(OBX2) ' +
        'SPECIMEN(SPM1 OBSERVATION(OBX3))) ORDER(OBR2 OBSERVATION(OBX4)))',
    ])
  })

  it('groups an admission by what a segment stands behind', () => {
    const { patients } = grouped(
      'ADT_A01',
      ...[
        'EVN|1',
        'PID|1',
        'ROL|1',
        'NK1|1',
        'PV1|1',
        'PV2|',
        'ROL|2',
        'OBX|1',
        'NTE|1',
        'AL1|1',
        'NTE|2',
        'PR1|1',
        'ROL|3',
      ],
      ...['IN1|1', 'IN2|1', 'IN1|2', 'ROL|4', 'ACC|1', 'ZZZ|1'],
    )
    expect(patients.map(shown)).toEqual([
      'PATIENT(PID1 ROL1 ACC1 ZZZ1 NEXT_OF_KIN(NK11) VISIT(PV11 PV2 ROL2) OBSERVATION(OBX1 NTE1) ALLERGY(AL11 NTE2) ' +
        'PROCEDURE(PR11 ROL3) INSURANCE(IN11 IN21) INSURANCE(IN12 ROL4))',
    ])
  })

  it.each([
    [
      'a visit after the order',
      ['PID|1', 'OBR|1', 'PV1|1', 'OBX|1'],
      'PATIENT(PID1 ORDER(OBR1 OBSERVATION(OBX1)) VISIT(PV11))',
    ],
    [
      'a PV2 after the results',
      ['PID|1', 'PV1|1', 'OBR|1', 'OBX|1', 'PV2|2'],
      'PATIENT(PID1 VISIT(PV11 PV22) ORDER(OBR1 OBSERVATION(OBX1)))',
    ],
    ['what stands before the only patient', ['PV1|1', 'PID|1', 'OBR|1'], 'PATIENT(PID1 ORDER(OBR1) VISIT(PV11))'],
    [
      'a result of no order',
      ['PID|1', 'OBX|1', 'OBR|1', 'OBX|2'],
      'PATIENT(PID1 OBSERVATION(OBX1) ORDER(OBR1 OBSERVATION(OBX2)))',
    ],
    ['an allergy where the structure has none', ['PID|1', 'AL1|1', 'NTE|1'], 'PATIENT(PID1 ALLERGY(AL11 NTE1))'],
    [
      'orders of which one has no OBR',
      ['PID|1', 'ORC|1', 'ORC|2', 'OBR|2'],
      'PATIENT(PID1 ORDER(ORC1) ORDER(ORC2 OBR2))',
    ],
  ])('takes %s', (_, segments, expected) => {
    expect(grouped('ORU_R01', ...segments).patients.map(shown)).toEqual([expected])
  })

  it('never gives a segment to another patient', () => {
    const { patients } = grouped(
      'ORU_R01',
      'PID|1',
      'PV1|1',
      'OBR|1',
      'OBX|1',
      'PID|2',
      'PV2|2',
      'NTE|2',
      'OBX|2',
      'OBR|2',
    )
    expect(patients.map(shown)).toEqual([
      'PATIENT(PID1 VISIT(PV11) ORDER(OBR1 OBSERVATION(OBX1)))',
      'PATIENT(PID2 PV22 NTE2 OBSERVATION(OBX2) ORDER(OBR2))',
    ])
  })

  it.each([
    ['a second PID where there is one patient', 'ADT_A01', ['PID|1', 'PID|2'], 'PID[2]'],
    ['a segment before the first of several', 'ORU_R01', ['OBX|1', 'PID|1', 'PID|2'], 'OBX[1]'],
  ])('refuses %s: ingest.hl7-segment-misplaced', (_, structure, segments, place) => {
    expect(() => grouped(structure, ...segments)).toThrow(
      expect.objectContaining({ code: 'ingest.hl7-segment-misplaced', expression: [place] }),
    )
  })
})

describe('fields are accounted for', () => {
  const said = (...segments: string[]) =>
    (hl7Outcomes(message(msh('ADT^A01'), ...segments))[0] ?? []).flatMap(outcome =>
      outcome.kind === 'unread' ? [`${outcome.place} @${outcome.location}`] : [],
    )

  it('names each valued field, repetition and component that nothing reads', () => {
    const segments = [
      'PID|1||4711^^^C||Doe^Jane^^^^^^^^^^^^^^X',
      `PV1|1|I|||||||||||||||||V1^^^C${'|'.repeat(20)}odd&odd`,
      'IN1|1|P|C1|Insurer||||||||||A1',
    ]
    expect(said(...segments)).toEqual(
      expect.arrayContaining(['PID-5.16 @PID^1^5^1^16', 'PV1-39 @PV1^1^39', 'IN1-14 @IN1^1^14']),
    )
  })

  it('says nothing of what became an element, of set ids and of what is empty', () => {
    expect(said('PID|1||4711^^^C^MR||Doe^Jane||19800101|F|||')).toEqual([])
  })

  it('counts each segment once: mapped, unmapped or rejected', () => {
    const outcomes =
      hl7Outcomes(
        message(
          msh('ORU^R01'),
          'PID|1||1',
          'PD1|',
          'OBR|1|P1|F1|X',
          'NTE|1||n',
          'OBX|1|ST|C||v',
          'OBX|2|ST|||v',
          'ZZZ|1',
        ),
      )[0] ?? []
    const rows = outcomes.flatMap(outcome =>
      outcome.kind === 'warning' || outcome.kind === 'unread'
        ? []
        : [`${outcome.row} ${outcome.kind} ${'rows' in outcome ? outcome.rows : 1}`],
    )
    // MSH and PD1 went into the Patient, the NTE into the report.
    expect(rows).toEqual([
      'PID amend 3',
      'OBR mapped 2',
      'OBX mapped 1',
      'OBX rejected 1',
      'OBR mapped 0',
      'ZZZ unmapped 1',
    ])
    expect(resourcesOf(outcomes)).toHaveLength(3)
  })
})

it.each([
  ['in their groups', ['PID|1', 'OBR|1'], 'OBX|1'],
  ['before their patient', [], 'NTE|1', ['PID|1']],
])('sorts few of very many segments between two steps: %s', (_, before, many, after: readonly string[] = []) => {
  const count = 8_192
  const lines = [msh('ORU^R01^ORU_R01'), 'ORC|1', ...before, ...Array<string>(count).fill(many), ...after]
  const { texts, decoder } = decodeHl7(message(...lines))
  const [only] = atOnce(splitMessages(texts, defaultLimits)).messages
  const steps = structured(atOnce(parseMessage(only?.lines ?? [], decoder)), 'ORU_R01')
  let paused = 0
  for (let step = steps.next(); step.done !== true; step = steps.next()) paused++
  expect(paused).toBeGreaterThanOrEqual(count / 256)
})
