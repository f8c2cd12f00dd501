import type { Resource } from '#fhir'
import { everything, found, openHouse, type TestHouse, validator } from './house.ts'
import { message } from './reading.ts'

const pid = 'PID|1||4711^^^HOSP^MR||Smith^Anna||20150607|F'
const prt = (role: string, number: string, name: string) => `PRT||AD||${role}^^HL70912|${number}^${name}|||Org^^9`
const rol = (role: string, number: string, name: string) => `ROL||AD|${role}|${number}^${name}`
const obr = 'OBR|1|P1|F1|X^Panel^L'
const obx = (name: string, type = '') =>
  `OBX|1|NM|${name}^${name}^L||5||||||F|||20260301080000+0000${'|'.repeat(15)}${type}`
const spm = 'SPM|1|S1^S2||BLD^Blood^HL70487'

async function sent(event: string, ...segments: string[]) {
  const house = await openHouse()
  let ids = 0
  const send = async (type: string, ...all: string[]) => {
    const head = `MSH|^~\\&|LAB|HOSP|KIN|HOME|2026030112000${++ids}+0000||${type}|P${ids}|P|2.7`
    const { ack } = await house.ingest.hl7v2({ grant: everything(), message: message(head, pid, ...all) })
    expect(ack).toMatch(/MSA\|AA/)
    return ack
  }
  await send('ADT^A04')
  const ack = await send(event, ...segments)
  return { house, send, ack }
}

async function only(house: TestHouse, type: string, query = ''): Promise<Resource & { id: string }> {
  const all = await found(house.record, type, query)
  expect(all).toHaveLength(1)
  expect(validator.validate(all[0] as Resource).filter(({ severity }) => severity === 'error')).toEqual([])
  return all[0] as Resource & { id: string }
}

const shown = (reference: unknown) => (reference as { display?: string } | undefined)?.display

/** https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-message-oml-o21-to-bundle.html, 6.2 and 6.4.4; message-oru-r01, 4.2.1.2 and 4.2.4 */
describe('who takes part in an order', () => {
  it.each<[string, string, string[]]>([
    ['PRT behind ORC', 'OML^O21', ['ORC|NW|P1|F1', prt('OP', '55', 'Order'), obr]],
    ['PRT behind OBR', 'OML^O21', ['ORC|NW|P1|F1', obr, prt('OP', '55', 'Order')]],
    ['ROL behind OBR', 'ORM^O01', ['ORC|NW|P1|F1', obr, rol('OP', '55', 'Order')]],
    ['PRT behind OBR alone', 'OMG^O19', [obr, prt('OP', '55', 'Order')]],
    ['PRT behind ORC of a result', 'ORU^R01', ['ORC|RE|P1|F1', prt('OP', '55', 'Order'), obr, obx('A')]],
    ['PRT behind OBR of a result', 'ORU^R01', [obr, prt('OP', '55', 'Order'), obx('A')]],
  ])('%s with OP is who ordered', async (_, event, segments) => {
    const { house } = await sent(event, ...segments)
    const request = await only(house, 'ServiceRequest')
    expect(shown(request.requester)).toBe('Order')
    expect(request.requester).toMatchObject({ type: 'PractitionerRole' })
    for (const report of await found(house.record, 'DiagnosticReport')) expect(report).not.toHaveProperty('performer')
  })

  it('of a medicine, too', async () => {
    const { house } = await sent('RDE^O11', 'ORC|NW|P1|F1', prt('OP', '55', 'Order'), 'RXE||M^Medicine^L|5||mg')
    expect(shown((await only(house, 'MedicationRequest')).requester)).toBe('Order')
  })

  it('whom ORC-12 names stays, and the other one is named', async () => {
    const { house, ack } = await sent('OML^O21', `ORC|NW|P1|F1${'|'.repeat(9)}44^First`, prt('OP', '55', 'Order'), obr)
    expect(shown((await only(house, 'ServiceRequest')).requester)).toBe('First')
    expect(ack).toContain('PRT^1')
  })

  it.each<[string, string, string[]]>([
    ['of an order with SPM', 'OML^O21', ['ORC|NW|P1|F1', obr, prt('SC', '58', 'Coll'), spm]],
    ['of an order without SPM', 'OML^O21', ['ORC|NW|P1|F1', obr, prt('SC', '58', 'Coll')]],
    ['of a result with SPM', 'ORU^R01', [obr, prt('SC', '58', 'Coll'), obx('A'), spm]],
    ['of a result without SPM', 'ORU^R01', [obr, rol('SC', '58', 'Coll'), obx('A')]],
    ['of a specimen that one order is of', 'OUL^R22', [spm, obr, prt('SC', '58', 'Coll'), obx('A')]],
  ])('SC is who collected the specimen %s', async (_, event, segments) => {
    const { house } = await sent(event, ...segments)
    expect(shown(((await only(house, 'Specimen')).collection as { collector?: unknown }).collector)).toBe('Coll')
    for (const report of await found(house.record, 'DiagnosticReport')) expect(report).not.toHaveProperty('performer')
  })

  it('whom a specimen names itself has collected it, and of two the other one is of the order', async () => {
    const own = [spm, prt('SC', '60', 'Own'), 'SPM|2|T1^T2||UR^Urine^HL70487']
    const { house } = await sent('OML^O21', 'ORC|NW|P1|F1', obr, prt('SC', '58', 'Coll'), ...own)
    const specimens = await found(house.record, 'Specimen')
    const collectors = specimens.map(({ collection }) => shown((collection as { collector?: unknown }).collector))
    expect(collectors.toSorted()).toEqual(['Coll', 'Own'])
  })

  it('roles that the guide has no place for, and who is deleted, are named', async () => {
    const gone = prt('OP', '55', 'Order').replace('|AD|', '|D|')
    const { house, ack } = await sent('OML^O21', 'ORC|NW|P1|F1', prt('EP', '56', 'Enter'), gone, obr)
    expect(ack).toMatch(/PRT\^1~PRT\^2\|/)
    expect(await only(house, 'ServiceRequest')).not.toHaveProperty('requester')
  })

  it('who interprets and who assists is the report’s', async () => {
    const roles = [prt('PRI', '1', 'Reads'), prt('TN', '2', 'Tech'), prt('ARI', '3', 'Second')]
    const { house } = await sent('ORU^R01', obr, ...roles, obx('A'))
    const { resultsInterpreter, performer } = (await only(house, 'DiagnosticReport')) as Record<string, unknown>
    expect((resultsInterpreter as unknown[]).map(shown).toSorted()).toEqual(['Reads', 'Second'])
    expect((performer as unknown[]).map(shown)).toEqual(['Tech'])
  })
})

/** message-oru-r01, 4.2.4.3.1: OBX-29 IN ("QST", "SCI") */
describe('what was known when something was ordered', () => {
  const results = async (house: TestHouse, type: string, list: string) => {
    const [resource] = await found(house.record, type)
    const references = (resource?.[list] ?? []) as { reference: string }[]
    const all = await found(house.record, 'Observation')
    const named = new Map(all.map(({ id, code }) => [`Observation/${id}`, (code as { text: string }).text]))
    return references.map(({ reference }) => named.get(reference))
  }

  it.each(['QST', 'SCI'])('%s is said with the order, and is no result of it', async type => {
    const { house } = await sent('ORU^R01', obr, obx('A', type), obx('B', 'RSLT'), obx('C'), spm, obx('D', type))
    expect(await results(house, 'ServiceRequest', 'supportingInfo')).toEqual(['A', 'D'])
    expect(await results(house, 'DiagnosticReport', 'result')).toEqual(['B', 'C'])
  })

  it('of an order that nobody has numbered it is a result: nothing else refers to it', async () => {
    const { house } = await sent('ORU^R01', 'OBR|1|||X^Panel^L', obx('A', 'QST'))
    expect(await found(house.record, 'ServiceRequest')).toEqual([])
    expect(await results(house, 'DiagnosticReport', 'result')).toEqual(['A'])
  })

  it('a document among it is kept with the report', async () => {
    const pdf = `OBX|1|ED|Q^Q^L||^application^pdf^Base64^QUJD||||||F${'|'.repeat(18)}QST`
    const { house } = await sent('ORU^R01', obr, pdf, obx('B'))
    expect((await only(house, 'DiagnosticReport')).presentedForm).toHaveLength(1)
  })

  it('of the order and of the result both stay', async () => {
    const { house, send } = await sent('OML^O21', 'ORC|NW|P1|F1', obr, obx('A'))
    await send('ORU^R01', 'ORC|RE|P1|F1', obr, obx('B', 'QST'), obx('C'))
    expect((await results(house, 'ServiceRequest', 'supportingInfo')).toSorted()).toEqual(['A', 'B'])
  })
})

/** message-oru-r01, 4.2.7.2.1: Observation.focus */
describe('what is observed of a specimen', () => {
  it.each<[string, string, string[], string]>([
    ['a result', 'ORU^R01', [obr, obx('A'), spm, obx('B')], 'B'],
    ['an order', 'OML^O21', ['ORC|NW|P1|F1', obr, obx('A'), spm, obx('B')], 'B'],
    ['a specimen with its orders', 'OUL^R22', [spm, obx('B'), obr, obx('A')], 'B'],
  ])('names it, in %s', async (_, event, segments, name) => {
    const { house } = await sent(event, ...segments)
    const reference = `Specimen/${(await only(house, 'Specimen')).id}`
    const all = await found(house.record, 'Observation')
    const of = all.filter(({ focus }) => focus !== undefined)
    expect(of.map(({ code }) => (code as { text: string }).text)).toEqual([name])
    expect(of[0]).toMatchObject({ focus: [{ reference }], specimen: { reference } })
    expect(of[0]?.subject).toMatchObject({ reference: expect.stringMatching(/^Patient\//) })
  })

  it('of two specimens each its own', async () => {
    const { house } = await sent('ORU^R01', obr, spm, obx('A'), 'SPM|2|T1^T2||UR^Urine^HL70487', obx('B'))
    const specimens = await found(house.record, 'Specimen')
    const all = await found(house.record, 'Observation')
    const ids = all.map(({ specimen }) => (specimen as { reference: string }).reference.split('/')[1])
    expect(new Set(ids)).toEqual(new Set(specimens.map(({ id }) => id)))
  })
})
