import type { Resource } from '#fhir'
import { everything, found, openHouse, type TestHouse } from './house.ts'
import { message, segment } from './reading.ts'

/**
 * A number alone tells nobody whose it is: two hospitals count from one, and so do who orders and who fills. What one of them says by its
 * number is about nothing of the other, unless the number says by itself who gave it (HL7 v2.5.1, 2.A.28: an id of ISO, UUID …).
 */
const at = (minute: number) => `2024031012${String(minute).padStart(2, '0')}00+0000`
let ids = 0

/** Anna has a number of either hospital. */
async function send(house: TestHouse, sender: string, event: string, minute: number, ...lines: readonly string[]) {
  const msh = `MSH|^~\\&|${sender}|${sender}|KIN|HOME|${at(minute)}||${event}|N${++ids}|P|2.5.1`
  const bytes = message(msh, 'PID|1||A1^^^NORD^MR~B1^^^SUED^MR||Smith^Anna||20150607|F', ...lines)
  const { ack } = await house.ingest.hl7v2({ grant: everything(), message: bytes })
  expect(ack).toMatch(/MSA\|AA/)
  return ack
}

async function opened(): Promise<TestHouse> {
  const house = await openHouse()
  await send(house, 'NORD', 'ADT^A04', 1)
  return house
}

const statuses = async (house: TestHouse, type: string): Promise<readonly unknown[]> =>
  (await found(house.record, type)).map(({ status }: Resource) => status).sort()

const rxa = (code: string, day: string, action: string) =>
  segment('RXA', { 1: '0', 2: '1', 3: day, 5: `${code}^x^CVX`, 6: '0.5', 21: action })
const sch = (placer: string, filler: string) =>
  segment('SCH', { 1: placer, 2: filler, 11: '^^^20260301090000+0000^20260301093000+0000' })
const txa = (own: string, replaced: string) =>
  segment('TXA', { 1: '1', 2: 'CN', 3: 'TEXT', 12: own, 13: replaced, 17: 'AU' })
const text = 'OBX|1|TX|11488-4^Note^LN||words||||||F'

/** What one says of its own, and what the other says by the same number of its own. */
const kinds: readonly (readonly [string, string, (number: string) => readonly [Said, Said], number])[] = [
  [
    'an order',
    'ServiceRequest',
    number => [
      ['ORM^O01', `ORC|NW|${number}`, `OBR|1|${number}||X^x^L`],
      ['ORM^O01', `ORC|OC|${number}`],
    ],
    2,
  ],
  [
    'a medicine',
    'MedicationRequest',
    number => [
      ['RDE^O11', `ORC|NW|${number}`, 'RXE||A1^x^L|500||mg'],
      ['RDE^O11', `ORC|DC|${number}`, 'RXE||A2^x^L|500||mg'],
    ],
    2,
  ],
  [
    'a vaccination',
    'Immunization',
    number => [
      ['VXU^V04', `ORC|RE||${number}`, rxa('140', '20240102', 'A')],
      ['VXU^V04', `ORC|RE||${number}`, rxa('140', '20240102', 'D')],
    ],
    2,
  ],
  [
    'an appointment',
    'Appointment',
    number => [
      ['SIU^S12', sch(number, '')],
      ['SIU^S15', sch(number, 'F9')],
    ],
    2,
  ],
  [
    'a document',
    'DocumentReference',
    number => [
      ['MDM^T02', txa(number, ''), text],
      ['MDM^T10', txa('D2', number), text],
    ],
    2,
  ],
]
type Said = readonly [event: string, ...lines: readonly string[]]

describe.each(kinds)('%s of one hospital', (_, type, said, both) => {
  it.each(['4711', '4711^LAB'])('is not changed by another one that has its number: %s', async number => {
    const [first, [event, ...lines]] = said(number)
    const house = await opened()
    await send(house, 'NORD', first[0], 10, ...first.slice(1))
    const [before] = await statuses(house, type)
    await send(house, 'SUED', event, 20, ...lines)
    const after = await found(house.record, type)
    expect(after).toHaveLength(both)
    expect(after.filter(({ status }) => status === before)).not.toEqual([])
  })

  it('is not changed before it comes', async () => {
    const [first, [event, ...lines]] = said('4711')
    const alone = await opened()
    await send(alone, 'NORD', first[0], 10, ...first.slice(1))
    const house = await opened()
    await send(house, 'SUED', event, 5, ...lines)
    await send(house, 'NORD', first[0], 10, ...first.slice(1))
    const [wanted] = await statuses(alone, type)
    expect((await statuses(house, type)).filter(status => status === wanted)).not.toEqual([])
    expect(await found(house.record, type)).toHaveLength(both)
  })
})

describe('a number that says who gave it', () => {
  it('is of one order, whoever says it', async () => {
    const house = await opened()
    const number = '4711^^1.2.3.4^ISO'
    await send(house, 'NORD', 'ORM^O01', 10, `ORC|NW|${number}`, `OBR|1|${number}||X^x^L`)
    await send(house, 'SUED', 'ORM^O01', 20, `ORC|OC|${number}`)
    expect(await statuses(house, 'ServiceRequest')).toEqual(['revoked'])
  })
})

describe('the number of who orders and that of who fills', () => {
  it.each([
    ['ORC|OC|4711', 'ORC|NW||4711', 'OBR|1||4711|X^x^L'],
    ['ORC|OC||4711', 'ORC|NW|4711', 'OBR|1|4711||X^x^L'],
    ['ORC|OC|4711|F2', 'ORC|NW|4711|F1', 'OBR|1|4711|F1|X^x^L'],
  ])('are two: %s does not mean %s', async (other, ...order) => {
    const house = await opened()
    await send(house, 'NORD', 'ORM^O01', 10, ...order)
    await send(house, 'NORD', 'ORM^O01', 20, other)
    expect(await statuses(house, 'ServiceRequest')).toContain('active')
  })
})

describe('two of one message', () => {
  it('that may both mean the one of their number are two', async () => {
    const house = await opened()
    await send(house, 'NORD', 'VXU^V04', 10, 'ORC|RE||F1^NS', rxa('140', '20240102', 'A'))
    const lines = ['141', '142'].flatMap(code => ['ORC|RE||F1^NS', rxa(code, '20240102', 'U')])
    const ack = await send(house, 'NORD', 'VXU^V04', 20, ...lines)
    const codes = (await found(house.record, 'Immunization')).map(({ vaccineCode }) => JSON.stringify(vaccineCode))
    for (const code of ['141', '142']) expect(codes.join()).toContain(`"${code}"`)
    expect(ack).toContain('several of the order may be meant')
  })
})
