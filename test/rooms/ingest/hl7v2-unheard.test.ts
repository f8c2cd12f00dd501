import { validPart } from '../../../src/ingest/without-invalid.ts'
import { validator } from './house.ts'
import { context, hl7Outcomes, message } from './reading.ts'

/**
 * What was read and is in no resource all the same is named: because another segment says something else of the same
 * element, because nothing was made of the segment, or because it says nothing without what is missing beside it.
 */
const places = (...segments: readonly string[]) =>
  (hl7Outcomes(message(...segments))[0] ?? []).flatMap(one => (one.kind === 'unread' ? [one.place] : []))
const msh = (type: string) => `MSH|^~\\&|A|B|C|D|20240501101112+0100||${type}|1|P|2.5.1`
const pid = 'PID|1||4711^^^C'
const empty = (count: number) => '|'.repeat(count)

describe('two segments of one element', () => {
  const orc = `ORC|NW|1^L|2^L${empty(9)}7^Roe^R`
  const ordered = (type: string, by: string) => places(msh(type), pid, orc, `OBR|1|1^L|2^L|X^Y^L${empty(12)}${by}`)

  it.each(['ORM^O01', 'OML^O21^OML_O21', 'ORU^R01'])(
    '%s: who orders in ORC stands, another one in OBR is named',
    type => {
      expect(ordered(type, '8^Doe^D')).toEqual(['OBR-16'])
      expect(ordered(type, '7^Roe^R')).toEqual([])
    },
  )

  it('of a timing what TQ1 says otherwise than OBR-27 is named', () => {
    const obr = `OBR|1|1^L|2^L|X^Y^L${empty(23)}5^^^20240501`
    const said = places(msh('OML^O21^OML_O21'), pid, 'ORC|NW|1^L|2^L', obr, 'TQ1|1|3|||||20240601')
    expect(said).toEqual(['OBR-27'])
  })
})

describe('a segment of which nothing is made', () => {
  it('is rejected, and each of its fields is named', () => {
    const obx = 'OBX|1|NM|||90|mg/dL|60-110||||F|||20240501'
    expect(places(msh('ORU^R01'), pid, 'OBR|1|1^L|2^L|X^Y^L', obx)).toEqual([
      ...['OBX-2', 'OBX-5', 'OBX-6', 'OBX-7', 'OBX-11', 'OBX-14'],
    ])
  })

  it('and what was joined to it', () => {
    const outcomes = hl7Outcomes(message(msh('ADT^A01'), pid, `IN1|1|PLAN|${empty(5)}Group`, 'IN2|||E1'))[0] ?? []
    expect(outcomes.flatMap(one => (one.kind === 'unread' ? [one.place] : []))).toEqual(['IN1-2', 'IN1-8'])
    expect(outcomes).toContainEqual(expect.objectContaining({ kind: 'unmapped', row: 'IN2' }))
  })

  it('because what is made of it would not be valid', () => {
    const refusing = { ...context, validPart: () => ({ resource: undefined, left: [] }) }
    const [outcomes = []] = hl7Outcomes(message(msh('ADT^A01'), pid, 'AL1|1|DA|P^Penicillin^L||Rash'), refusing)
    expect(outcomes.flatMap(one => (one.kind === 'unread' ? [one.place] : []))).toEqual(['AL1-2', 'AL1-3', 'AL1-5'])
  })
})

it('what would not be valid is named where it was said, whichever segment the resource is made of first', () => {
  const validating = { ...context, validPart: (one: Parameters<typeof validPart>[0]) => validPart(one, validator) }
  const segments = [
    'SCH|1^P|2^F|||||||||^^^20240601080000+0000^20240601083000+0000',
    pid,
    'RGS|1',
    'AIS|1||nounit^Visit^UCUM',
  ]
  const [outcomes = []] = hl7Outcomes(message(msh('SIU^S12'), ...segments), validating)
  expect(outcomes.flatMap(one => (one.kind === 'warning' ? [one.location] : []))).toEqual(['AIS^1^3'])
})

it('of a plan of insurance the second and the third number are kept', () => {
  const in1 = 'IN1|1|P1^Plan^L^P2^Second^NAIC^^^^P3^Third^X|7^^^X|Payor'
  const [outcomes = []] = hl7Outcomes(message(msh('ADT^A01'), pid, in1))
  const [coverage] = outcomes.flatMap(one => (one.kind === 'mapped' ? [one.resource] : []))
  expect(coverage?.identifier).toMatchObject([
    { value: 'P1', type: { text: 'Plan' } },
    { system: 'urn:x-hl7v2-0396:NAIC', value: 'P2', type: { text: 'Second' } },
    { system: 'urn:x-hl7v2-0396:X', value: 'P3', type: { text: 'Third' } },
  ])
  expect(places(msh('ADT^A01'), pid, in1)).toEqual([])
})

describe('what says nothing alone', () => {
  it.each([
    ['who numbers places where none is named', 'PV1|1|I|^^^^^^^^Words^^HOSP&1.2.3&ISO', 'PV1-3.11'],
    ['the kind of the id of who numbers a place', 'PV1|1|I|W^1^2^^^^^^^9&HOSP&&ISO', 'PV1-3.10.4'],
    ['a number that is no address of mail', `${pid}${empty(10)}^^Internet^^49^30^1234`, 'PID-13.3'],
    ['a telephone where there is an address alone', `${pid}${empty(10)}^^PH^a@b.example`, 'PID-13.3'],
    ['a coding system without a code', `${pid}${empty(13)}M^Married^HL70002^^^SYS`, 'PID-16.6'],
    ['the third one', `${pid}${empty(13)}M^Married^HL70002${'^'.repeat(9)}SYS`, 'PID-16.12'],
    ['a coding system with words', `${pid}${empty(13)}^Married^SYS`, 'PID-16.3'],
    ['the kind of no universal id', 'PID|1||4711^^^HOSP&&ISO', 'PID-3.4.3'],
  ])('%s', (_, segment, ...named) => {
    const segments = segment.startsWith('PID') ? [segment] : [pid, segment]
    expect(places(msh('ADT^A01'), ...segments)).toEqual(named)
  })

  it('the kind of the universal id of an order', () => {
    expect(places(msh('ORU^R01'), pid, 'OBR|1|1^HOSP^^ISO|2^L|X^Y^L')).toEqual(['OBR-2.4'])
  })
})
