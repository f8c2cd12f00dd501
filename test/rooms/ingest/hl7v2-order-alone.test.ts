import type { Resource } from '#fhir'
import { remarkOf } from '../../../src/ingest/hl7v2/acknowledge.ts'
import { hl7Outcomes, message, resourcesOf } from './reading.ts'

const pid = 'PID|1||4711^^^HOSP^MR||Sample^Ann'
const pv1 = 'PV1|1|I|W^1^1||||||||||||||||V1'
const orc = 'ORC|RE|P1|F1'

interface Read {
  readonly resources: readonly Resource[]
  /** Places that the sender is told of. */
  readonly named: readonly string[]
}

function read(event: string, ...segments: readonly string[]): Read {
  const msh = `MSH|^~\\&|LAB|LABOR|KIN|HOME|20240310120000+0000||${event}|C1|P|2.5.1`
  const outcomes = hl7Outcomes(message(msh, ...segments)).flat()
  return { resources: resourcesOf(outcomes), named: outcomes.flatMap(one => remarkOf(one)?.location ?? []) }
}

const ofType = ({ resources }: Read, type: string) => resources.filter(({ resourceType }) => resourceType === type)

/** By event, what stands before and behind the ORC of an order of which nothing but its number is said. */
const orders: [event: string, before: readonly string[], behind: readonly string[]][] = [
  ['ORU^R01', [pid], []],
  ['ORU^R01', [pid, pv1], ['TQ1|1||||||20240310080000+0000']],
  ['ORU^R30', [pid], []],
  ['ORU^R01', [pid], ['SPM|1|S1||BLD']],
  ['OUL^R22', [pid, 'SPM|1|S1||BLD'], []],
  ['OUL^R24', [pid], []],
  ['VXU^V04', [pid, pv1], []],
  ['PPR^PC1', [pid, pv1, 'PRB|AD|20240310|J45^Asthma^I10|PR1'], []],
  ['DFT^P03', [pid, pv1], []],
  ['ORM^O01', [pid], []],
  ['OML^O21', [pid], []],
  ['RDE^O11', [pid], []],
  ['RAS^O17', [pid], []],
]

/** An AA means that what was sent is kept: HL7 v2.5.1, 2.9.2. ORC without OBR is legal in a chain of ORC; some senders leave OBR out. */
describe('what was observed behind an ORC alone', () => {
  it.each(orders)('%s %j %j: a result is an Observation of the order', (event, before, behind) => {
    const given = read(event, ...before, orc, ...behind, 'OBX|1|NM|718-7^Hb^LN||7.5|mmol/L|||||F', 'NTE|1||seen')
    const [result, ...others] = ofType(given, 'Observation')
    expect(others).toEqual([])
    expect(result).toMatchObject({
      code: { coding: [{ code: '718-7' }] },
      valueQuantity: { value: expect.anything(), code: 'mmol/L' },
      note: [{ text: 'seen' }],
    })
    expect(given.named.filter(place => /^(OBX|NTE)/.test(place))).toEqual([])
  })

  it.each(orders)('%s %j %j: a document is kept', (event, before, behind) => {
    const given = read(
      event,
      ...before,
      orc,
      ...behind,
      'OBX|1|ED|11502-2^R^LN||^application^pdf^Base64^JVBERi0xLjQ=||||||F',
    )
    expect(ofType(given, 'DocumentReference')).toEqual([
      expect.objectContaining({ content: [{ attachment: { contentType: 'application/pdf', data: 'JVBERi0xLjQ=' } }] }),
    ])
    expect(given.named.filter(place => place.startsWith('OBX'))).toEqual([])
  })

  it('refers to what was ordered, and lists its specimen', () => {
    const given = read(
      'ORU^R01',
      pid,
      orc,
      'SPM|1|S1||BLD|||||||||||||20240309070000+0000',
      'OBX|1|NM|718-7^Hb^LN||7|g/L|||||F',
    )
    const [request, specimen, result] = ['ServiceRequest', 'Specimen', 'Observation'].map(
      type => ofType(given, type)[0],
    )
    expect(result).toMatchObject({
      basedOn: [{ reference: `ServiceRequest/${request?.id}` }],
      specimen: { reference: `Specimen/${specimen?.id}` },
      effectiveDateTime: '2024-03-09T07:00:00+00:00',
    })
  })

  it('is known by the number of the order: a correction meets it', () => {
    const of = (value: string, status: string) =>
      ofType(read('ORU^R01', pid, orc, `OBX|1|NM|718-7^Hb^LN||${value}|g/L|||||${status}`), 'Observation')[0]?.id
    expect(of('7', 'P')).toBe(of('8', 'F'))
  })

  it('two orders have two results of one code', () => {
    const obx = 'OBX|1|NM|718-7^Hb^LN||7|g/L|||||F'
    const given = read('ORU^R01', pid, orc, obx, 'ORC|RE|P2|F2', obx)
    expect(new Set(ofType(given, 'Observation').map(({ id }) => id)).size).toBe(2)
  })
})

/** A note behind ORC or TQ1 is of the order: HL7 v2.8, 4.3; v2-to-FHIR, NTE[MedicationRequest]. */
describe('a note behind an ORC', () => {
  const note = 'NTE|1||with food'
  it.each([
    ['OMP^O09', 'RXO|A01^Aspirin^L|100||mg', 'MedicationRequest'],
    ['RDE^O11', 'RXE||A01^Aspirin^L|100||mg', 'MedicationRequest'],
    ['RGV^O15', 'RXG|1|||A01^Aspirin^L|100||mg', 'MedicationRequest'],
    ['RDS^O13', 'RXD|1|A01^Aspirin^L|20240310|10|TAB', 'MedicationDispense'],
    ['RAS^O17', 'RXA|0|1|20240310|20240310|A01^Aspirin^L|100|mg', 'MedicationAdministration'],
    ['VXU^V04', 'RXA|0|1|20240310||08^HepB^CVX|1|mL', 'Immunization'],
    ['ORM^O01', 'OBR|1|P1||58410-2^Panel^LN', 'ServiceRequest'],
    ['OML^O21', 'OBR|1|P1||58410-2^Panel^LN', 'ServiceRequest'],
  ])('of %s is one of what it orders', (event, rx, type) => {
    for (const segments of [
      [orc, note, rx],
      [orc, 'TQ1|1||Q8H', note, rx],
      [orc, rx, note],
    ]) {
      const given = read(event, pid, ...segments)
      expect(ofType(given, type)).toEqual([expect.objectContaining({ note: [{ text: 'with food' }] })])
      expect(given.named.filter(place => place.startsWith('NTE'))).toEqual([])
    }
  })

  it('stands with the doctor’s order and with the pharmacy’s, and beside their own', () => {
    const rx = ['RXO|A01^Aspirin^L|100||mg', 'NTE|1||own', 'RXE||A01^Aspirin^L|100||mg']
    const notes = ofType(read('RDE^O11', pid, orc, note, ...rx), 'MedicationRequest').map(one => one.note)
    expect(notes).toEqual([[{ text: 'own' }, { text: 'with food' }], [{ text: 'with food' }]])
  })
})

/** HL7 v2.5.1, 2.A.24: ED has data in its fifth component. */
describe('a document without data', () => {
  it.each(['ADT^A01', 'ORU^R01', 'MDM^T02'])('of %s that is null is none, and what is said of it is named', event => {
    const obx = 'OBX|1|ED|11502-2^R^LN||^application^pdf^Base64^""||||||F'
    const before = event === 'ORU^R01' ? ['OBR|1||F1|X^Y^L'] : event === 'MDM^T02' ? ['TXA|1|CN'] : [pv1]
    const given = read(event, pid, ...before, obx)
    expect(JSON.stringify(given.resources)).not.toMatch(/"data"|presentedForm/)
    expect(given.named).toContain('OBX^1^5')
  })

  it.each(['SRC&1.2.3&ISO^image', '^image^jpeg', '^application^pdf^Base64'])('keeps its words in MDM: %s', words => {
    const given = read('MDM^T02', pid, 'TXA|1|CN', `OBX|1|ED|11502-2^R^LN||${words}||||||F`)
    const [document] = ofType(given, 'DocumentReference') as (Resource & {
      content: { attachment: { data: string } }[]
    })[]
    expect(Buffer.from(document?.content[0]?.attachment.data ?? '', 'base64').toString()).toBe(words)
  })
})
