import { readdirSync, readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import type { Outcome } from '../../../src/ingest/outcome.ts'
import { cases, hl7Outcomes, message } from './reading.ts'

/**
 * Nothing is lost in silence: each component and subcomponent of each field of each segment that the guide maps, and of OBX-5
 * in every data type, is filled with a mark, which is then found in what is stored or at a place that the report names.
 */
const folder = new URL('hl7v2-guide/segments/', cases)

const simple = new Set(['ST', 'TX', 'FT', 'ID', 'IS', 'SI', 'NM', 'DT', 'TM', 'DTM', 'TS', 'GTS', 'NUL', ''])
const components: Readonly<Record<string, number>> = {
  CE: 6,
  CF: 6,
  CNE: 22,
  CWE: 22,
  CX: 12,
  DR: 2,
  EI: 4,
  EIP: 2,
  HD: 3,
  PL: 11,
  XAD: 23,
  XCN: 25,
  XON: 10,
  XPN: 15,
  XTN: 18,
}

interface Filled {
  readonly text: string
  /** Mark → its place without the segment: `3.1.2`. */
  readonly marks: ReadonlyMap<string, string>
}

let count = 0

/** A field with a mark in each of its leaves. */
function filled(type: string, number: number): Filled {
  const marks = new Map<string, string>()
  const mark = (place: string) => {
    const text = `mark${++count}x`
    marks.set(text, place)
    return text
  }
  if (simple.has(type)) return { text: mark(`${number}.1`), marks }
  const parts = Array.from({ length: components[type] ?? 6 }, (_, at) => `${number}.${at + 1}`)
  // The first alone, then divided ones: both forms stand in real messages.
  const text = parts.map((place, at) => (at % 2 === 0 ? mark(place) : `${mark(`${place}.1`)}&${mark(`${place}.2`)}`))
  return { text: text.join('^'), marks }
}

/** Types of the fields of segments for which the guide has no map: HL7 v2.5.1, 4.14, 6.5 and 12.4. */
const unguided: Readonly<Record<string, string>> = {
  RXG: 'NM NM CWE CWE NM NM CWE CWE CWE ID PL ID CWE ST ST CWE NM CWE ST DTM CWE CWE NM CWE',
  RXC: 'ID CWE NM CWE NM CWE CWE NM CWE',
  GOL: 'ID DTM CWE EI EI NM DTM DTM CWE CWE CWE DTM DTM DTM CWE CWE CWE CWE DTM CWE XPN',
  FT1: 'SI ST ST DR DTM CWE CWE ST ST NM CWE CWE CWE CWE CWE PL IS IS CWE XCN XCN CWE EI XCN CWE CWE CWE ST CWE',
}

function fieldsOf(segment: string): ReadonlyMap<number, string> {
  const fields = new Map<number, string>(unguided[segment]?.split(' ').map((type, at) => [at + 1, type]))
  for (const name of readdirSync(folder).filter(file => file.startsWith(`${segment}[`)))
    for (const [, from = '', , type = ''] of parse(readFileSync(new URL(name, folder), 'utf8'), {
      relax_column_count: true,
      relax_quotes: true,
    }) as string[][]) {
      const number = /^\w{3}-(\d+)$/.exec(from)?.[1]
      if (number !== undefined) fields.set(Number(number), type.trim())
    }
  return fields
}

const appointment = 'SCH||A1|||||||||^^^20260301090000^20260301093000'

/** Where a segment stands, and what it is nothing without. */
const around: Readonly<
  Record<string, { event: string; before: readonly string[]; own: Readonly<Record<number, string>> }>
> = {
  PID: { event: 'ADT^A08', before: [], own: {} },
  PD1: { event: 'ADT^A08', before: [], own: {} },
  NK1: { event: 'ADT^A01', before: [], own: { 2: 'Kin^Ann' } },
  PV1: { event: 'ADT^A01', before: [], own: { 2: 'I', 19: 'V1' } },
  PV2: { event: 'ADT^A01', before: ['PV1|1|I|||||||||||||||||V1'], own: {} },
  AL1: { event: 'ADT^A01', before: [], own: { 3: 'NUT^Nuts^L' } },
  DG1: { event: 'ADT^A01', before: [], own: { 3: 'C1^Code^L' } },
  PR1: { event: 'ADT^A01', before: [], own: { 3: 'P1^Code^L' } },
  GT1: { event: 'ADT^A01', before: [], own: { 3: 'Gua^Ann' } },
  IN1: { event: 'ADT^A01', before: [], own: { 2: 'PLAN', 3: 'I1', 4: 'Insurer' } },
  ORC: { event: 'ORU^R01', before: [], own: { 2: 'O1', 3: 'F1' } },
  OBR: { event: 'ORU^R01', before: [], own: { 3: 'F1', 4: 'X^x^L' } },
  OBX: { event: 'ORU^R01', before: ['OBR|1||F1|X^x^L'], own: { 2: 'ST', 3: 'C^c^L', 5: 'v', 11: 'F' } },
  SPM: { event: 'ORU^R01', before: ['OBR|1||F1|X^x^L'], own: { 4: 'BLD' } },
  SCH: { event: 'SIU^S12', before: [], own: { 2: 'A1', 11: '^^^20260301090000^20260301093000' } },
  AIS: { event: 'SIU^S12', before: [appointment], own: {} },
  AIG: { event: 'SIU^S12', before: [appointment], own: {} },
  AIL: { event: 'SIU^S12', before: [appointment], own: {} },
  AIP: { event: 'SIU^S12', before: [appointment], own: {} },
  RXA: { event: 'VXU^V04', before: ['ORC|RE||F1'], own: { 3: '20260102', 5: '140^Flu^CVX' } },
  RXR: { event: 'VXU^V04', before: ['ORC|RE||F1', 'RXA|0|1|20260102||140^Flu^CVX'], own: {} },
  RXO: { event: 'OMP^O09', before: ['ORC|NW|P1'], own: { 1: 'M1^Medicine^L' } },
  RXG: { event: 'RGV^O15', before: ['ORC|RE||F1'], own: { 1: '1', 4: 'M1^Medicine^L' } },
  RXC: { event: 'OMP^O09', before: ['ORC|NW|P1', 'RXO|M1^Medicine^L'], own: { 2: 'I1^Part^L' } },
  GOL: { event: 'PPR^PC1', before: [], own: { 3: 'G1^Walk^L' } },
  FT1: { event: 'DFT^P03', before: [], own: { 4: '20260102', 6: 'CG', 7: 'C1^Charge^L' } },
  TXA: { event: 'MDM^T02', before: [], own: { 2: 'DS^Summary^L', 12: 'D1' } },
  NTE: { event: 'ORU^R01', before: ['OBR|1||F1|X^x^L', 'OBX|1|ST|C^c^L||v||||||F'], own: { 3: 'words' } },
}

function outcomesWith(segment: string, fields: Readonly<Record<number, string>>): readonly Outcome[] {
  const { event, before, own } = around[segment] ?? { event: 'ADT^A01', before: [], own: {} }
  const all: string[] = []
  for (const [number, text] of Object.entries({ ...own, ...fields })) all[Number(number) - 1] = text
  const line = [segment, ...Array.from(all, text => text ?? '')].join('|')
  const pid = segment === 'PID' ? [] : ['PID|1||4711^^^HOSP^MR||Doe^Jane']
  const head = `MSH|^~\\&|HIS|HOSP|||20260210081500+0100||${event}|M1|P|2.5.1`
  return hl7Outcomes(message(head, ...pid, ...before, line))[0] ?? []
}

/** All that would be stored, as text. */
function storedOf(outcomes: readonly Outcome[]): string {
  const resources = outcomes.map(outcome => {
    if (outcome.kind === 'mapped') return outcome.resource
    return outcome.kind === 'amend' ? outcome.change({ resourceType: outcome.type }) : undefined
  })
  const text = JSON.stringify(resources)
  const attached = [...text.matchAll(/"data":"([A-Za-z0-9+/=]+)"/g)].map(([, data = '']) => Buffer.from(data, 'base64'))
  return [text, ...attached.map(String)].join('\n').toLowerCase()
}

/** Places that are named, as `3.1.2`, each with what is below it. */
function namedIn(outcomes: readonly Outcome[], segment: string): readonly string[] {
  return outcomes.flatMap(outcome => {
    if (outcome.kind === 'unmapped' && outcome.row === segment) return ['']
    const location = 'location' in outcome ? outcome.location : undefined
    const [name, , field, , ...below] = location?.split('^') ?? []
    if (name !== segment) return []
    return [field === undefined ? '' : [field, ...below].join('.')]
  })
}

function silentIn(
  outcomes: readonly Outcome[],
  segment: string,
  marks: ReadonlyMap<string, string>,
): readonly string[] {
  const stored = storedOf(outcomes)
  const named = namedIn(outcomes, segment)
  const isNamed = (place: string) => named.some(one => one === '' || place === one || place.startsWith(`${one}.`))
  return [...marks].flatMap(([mark, place]) => (stored.includes(mark) || isNamed(place) ? [] : [`${segment}-${place}`]))
}

/** What stands in a message for its structure alone. */
const structural = new Set(['OBX-2', 'OBX-5', 'OBX-1', 'PID-1', 'NK1-1', 'PV1-1', 'NTE-1', 'FT1-1', 'FT1-6'])

describe('nothing is lost in silence', () => {
  const rows = Object.keys(around).flatMap(segment =>
    [...fieldsOf(segment)]
      .filter(([number]) => !structural.has(`${segment}-${number}`))
      .map(([number, type]) => [`${segment}-${number}`, type, segment, number] as const),
  )

  it.each(rows)('%s %s', (_, type, segment, number) => {
    const { text, marks } = filled(type, number)
    expect(silentIn(outcomesWith(segment, { [number]: text }), segment, marks)).toEqual([])
  })

  const valueTypes = [
    ...[
      'AD',
      'CE',
      'CF',
      'CN',
      'CNE',
      'CP',
      'CQ',
      'CWE',
      'CX',
      'DR',
      'DT',
      'DTM',
      'ED',
      'EI',
      'FC',
      'FT',
      'HD',
      'ID',
      'IS',
    ],
    ...[
      'JCC',
      'MA',
      'MO',
      'NA',
      'NDL',
      'NM',
      'NR',
      'PL',
      'PN',
      'RP',
      'SN',
      'ST',
      'TM',
      'TN',
      'TS',
      'TX',
      'VR',
      'XAD',
      'XCN',
    ],
    ...['XON', 'XPN', 'XTN', 'ZZZ'],
  ]

  it.each(valueTypes)('OBX-5 as %s', type => {
    // Each leaf divided and alone, and the first repetition and a second one.
    const one = filled(components[type] === undefined && simple.has(type) ? 'CX' : type, 5)
    const outcomes = outcomesWith('OBX', { 2: type, 5: one.text })
    expect(silentIn(outcomes, 'OBX', one.marks)).toEqual([])
  })

  it('OBX-6: a code beside other words that is no UCUM is named', () => {
    const outcomes = outcomesWith('OBX', { 2: 'NM', 5: '1', 6: 'ownunit^other words^L' })
    expect(namedIn(outcomes, 'OBX')).toContain('6.1')
    expect(storedOf(outcomes)).toContain('other words')
  })

  it.each(['<>^23', 'low^^high'])('OBX-6: the code beside the words is named where SN %s becomes a text', sn => {
    const outcomes = outcomesWith('OBX', { 2: 'SN', 5: sn, 6: 'mg/dL^milligrams^UCUM' })
    expect(namedIn(outcomes, 'OBX')).toEqual(expect.arrayContaining(['6.1']))
    expect(storedOf(outcomes)).toContain('milligrams')
  })
})

describe('notes behind what has none in R4', () => {
  const note = (behind: readonly string[], event = 'ADT^A01') =>
    hl7Outcomes(
      message(
        `MSH|^~\\&|HIS|HOSP|||20260210081500+0100||${event}|M1|P|2.5.1`,
        'PID|1||4711^^^HOSP^MR||Doe^Jane',
        ...behind,
        'NTE|1||first line~second line||7^Roe^Ann|20260101',
      ),
    )[0] ?? []

  it.each([
    ['PID', [], undefined],
    ['PV1', ['PV1|1|I|||||||||||||||||V1'], 'Encounter/'],
    ['NK1', ['NK1|1|Kin^Ann|MTH'], 'RelatedPerson/'],
    ['GT1', ['GT1|1||Gua^Ann'], 'RelatedPerson/'],
    ['IN1', ['IN1|1|PLAN|I1|Insurer'], 'Coverage/'],
  ] as const)('behind %s is a DocumentReference about the patient', (name, behind, about) => {
    const outcomes = note(behind)
    const documents = outcomes.flatMap(one => (one.kind === 'mapped' ? [one.resource] : []))
    const found = documents.filter(({ resourceType }) => resourceType === 'DocumentReference')
    expect(found).toMatchObject([
      {
        status: 'current',
        type: { text: `Note (${name})` },
        subject: { reference: 'Patient/anna' },
        author: [{ display: 'Ann Roe' }],
        content: [{ attachment: { data: Buffer.from('first line\nsecond line').toString('base64') } }],
      },
    ])
    if (about !== undefined) expect(JSON.stringify(found[0]?.context)).toContain(about)
    expect(namedIn(outcomes, 'NTE')).toEqual([])
  })

  it('behind an order that has no report is a note of the order', () => {
    const outcomes = note(['ORC|NW|O1|F1'], 'ORU^R01')
    expect(storedOf(outcomes)).toContain('"note":[{')
  })
})
