import type { Resource } from '#fhir'
import { everything, found, openHouse, type TestHouse, validator } from './house.ts'
import { message, segment } from './reading.ts'

/**
 * What a sender says of something by its number, though another part of what it is known by has changed. Senders use one number for several,
 * so what is new under a number is another one.
 */
const at = (minute: number) => `2024031012${String(minute).padStart(2, '0')}00+0000`
let ids = 0

async function send(house: TestHouse, event: string, minute: number, ...lines: readonly string[]): Promise<string> {
  const msh = `MSH|^~\\&|REG|HOSP|KIN|HOME|${at(minute)}||${event}|N${++ids}|P|2.5.1`
  const bytes = message(msh, 'PID|1||A1^^^HOSP^MR||Smith^Anna||20150607|F', ...lines)
  const { ack } = await house.ingest.hl7v2({ grant: everything(), message: bytes })
  expect(ack).toMatch(/MSA\|AA/)
  return ack
}

async function opened(): Promise<TestHouse> {
  const house = await openHouse()
  await send(house, 'ADT^A04', 1)
  return house
}

async function of(house: TestHouse, type: string): Promise<readonly Resource[]> {
  const all = await found(house.record, type)
  for (const one of all) expect(validator.validate(one).filter(({ severity }) => severity === 'error')).toEqual([])
  return all
}

const statuses = async (house: TestHouse, type: string) => (await of(house, type)).map(({ status }) => status).sort()

describe('a vaccination under one order number', () => {
  const rxa = (code: string, day: string, action: string) =>
    segment('RXA', { 1: '0', 2: '1', 3: day, 5: `${code}^x^CVX`, 6: '0.5', 21: action })
  const vxu = (house: TestHouse, minute: number, order: string, ...lines: readonly string[]) =>
    send(house, 'VXU^V04', minute, ...lines.flatMap(line => [`ORC|RE|P1^NS|${order}^NS`, line]))
  const given = async (house: TestHouse) =>
    (await of(house, 'Immunization'))
      .map(one => {
        const { coding } = one.vaccineCode as { coding: readonly { code: string }[] }
        return `${coding[0]?.code} ${one.occurrenceDateTime} ${one.status}`
      })
      .sort()

  it.each([
    ['its code', rxa('141', '20240102', 'U'), '141 2024-01-02 completed'],
    ['its day', rxa('140', '20240103', 'U'), '140 2024-01-03 completed'],
  ])('is corrected in %s, and stays one when that is said again', async (_, corrected, stands) => {
    const house = await opened()
    await vxu(house, 10, 'F1', rxa('140', '20240102', 'A'))
    await vxu(house, 20, 'F1', corrected)
    expect(await given(house)).toEqual([stands])
    await vxu(house, 30, 'F1', corrected.replace(/U$/, 'A'))
    expect(await given(house)).toEqual([stands])
    await vxu(house, 40, 'F1', corrected.replace(/U$/, 'D'))
    expect(await given(house)).toEqual([stands.replace('completed', 'entered-in-error')])
  })

  it('is not taken back by what says another day: that may be another one', async () => {
    const house = await opened()
    await vxu(house, 10, 'F1', rxa('140', '20240102', 'A'))
    const ack = await vxu(house, 20, 'F1', rxa('140', '20240109', 'D'))
    expect(ack).toContain('nothing that it takes back')
    expect(await statuses(house, 'Immunization')).toEqual(['completed', 'entered-in-error'])
  })

  it.each([
    ['two vaccines of a day', 'F1', [rxa('140', '20240102', 'A'), rxa('08', '20240102', 'A')]],
    ['two days of a vaccine', 'F1', [rxa('140', '20240102', 'A'), rxa('140', '20240202', 'A')]],
    ['a correction beside what it does not mean', 'F1', [rxa('140', '20240102', 'A'), rxa('08', '20240102', 'U')]],
    ['another code and another day', 'F1', [rxa('140', '20240102', 'A')], [rxa('08', '20240202', 'U')]],
    ['no order at all (9999)', '9999', [rxa('140', '20240102', 'A')], [rxa('140', '20240202', 'U')]],
  ])('of %s are two', async (_, order, ...messages) => {
    const house = await opened()
    for (const [minute, lines] of messages.entries()) await vxu(house, 10 + minute, order, ...lines)
    expect(await given(house)).toHaveLength(2)
  })

  it('is not guessed where several may be meant, and that is said', async () => {
    const house = await opened()
    await vxu(house, 10, 'F1', rxa('140', '20240102', 'A'), rxa('08', '20240102', 'A'))
    expect(await vxu(house, 20, 'F1', rxa('141', '20240102', 'U'))).toContain('several of the order may be meant')
    expect(await given(house)).toHaveLength(3)
  })

  it('that was taken back is not given again by what was said before, and the sender is told', async () => {
    const house = await opened()
    await vxu(house, 10, 'F1', rxa('140', '20240102', 'A'))
    await vxu(house, 30, 'F1', rxa('140', '20240102', 'D'))
    const ack = await vxu(house, 20, 'F1', rxa('140', '20240102', 'U'))
    expect(ack).toContain('was taken back since')
    expect(await statuses(house, 'Immunization')).toEqual(['entered-in-error'])
  })
})

describe('a medicine under one order number', () => {
  const rxe = (code: string) => `RXE||${code}^x^L|500||mg`
  const rde = (house: TestHouse, minute: number, control: string, ...codes: readonly string[]) =>
    send(house, 'RDE^O11', minute, ...codes.flatMap(code => [`ORC|${control}|P1^NS|F1^NS`, rxe(code)]))

  it('is another one when the order is changed', async () => {
    const house = await opened()
    await rde(house, 10, 'NW', 'A1')
    await rde(house, 20, 'XO', 'A2')
    const [request, ...others] = await of(house, 'MedicationRequest')
    expect(others).toEqual([])
    expect(request?.medicationCodeableConcept).toMatchObject({ coding: [{ code: 'A2' }] })
    await rde(house, 30, 'CA', 'A2')
    expect(await statuses(house, 'MedicationRequest')).toEqual(['cancelled'])
  })

  it.each(['NW', 'RE'])('of two, ordered with %s, are two', async control => {
    const house = await opened()
    await rde(house, 10, 'NW', 'A1')
    await rde(house, 20, control, 'A2')
    expect(await of(house, 'MedicationRequest')).toHaveLength(2)
  })

  it('is not guessed where several may be meant', async () => {
    const house = await opened()
    await rde(house, 10, 'NW', 'A1', 'A2')
    expect(await rde(house, 20, 'XO', 'A3')).toContain('several medicines of the order may be meant')
    await rde(house, 30, 'CA', 'A1')
    expect((await statuses(house, 'MedicationRequest')).filter(status => status === 'cancelled')).toHaveLength(1)
  })

  it('as the doctor orders it is not what the pharmacy makes of it', async () => {
    const house = await opened()
    await send(house, 'OMP^O09', 10, 'ORC|NW|P1^NS|F1^NS', 'RXO|A1^x^L|500||mg')
    await rde(house, 20, 'XO', 'A2')
    expect((await of(house, 'MedicationRequest')).map(({ intent }) => intent).sort()).toEqual([
      'filler-order',
      'original-order',
    ])
  })
})

describe('an order of which only ORC is said', () => {
  const orm = (house: TestHouse, minute: number, ...lines: readonly string[]) =>
    send(house, 'ORM^O01', minute, ...lines)
  const obr = (code: string) => `OBR|1|P1^NS|F1^NS|${code}^x^L`

  // CA asks for it, and CR and OC say that it was done: v2-to-fhir OrderControlCode[ServiceRequest.status].
  it.each([
    ['ORC|CA|P1^NS|F1^NS', 'active'],
    ['ORC|CA|P1^NS', 'active'],
    ['ORC|OC|P1^NS|F1^NS', 'revoked'],
    ['ORC|CR||F1^NS', 'revoked'],
    ['ORC|CA|P1^NS|F1^NS||CA', 'revoked'],
  ])('is the one that has its number: %s', async (orc, status) => {
    const house = await opened()
    await orm(house, 10, 'ORC|NW|P1^NS|F1^NS', obr('X'))
    await orm(house, 20, orc)
    expect(await statuses(house, 'ServiceRequest')).toEqual([status])
  })

  it('is not guessed where several have it', async () => {
    const house = await opened()
    await orm(house, 10, 'ORC|NW|P1^NS|F1^NS', obr('X'), 'ORC|NW|P1^NS|F1^NS', obr('Y'))
    expect(await orm(house, 20, 'ORC|OC|P1^NS|F1^NS')).toContain('several orders have the number')
    expect((await statuses(house, 'ServiceRequest')).filter(status => status === 'active')).toHaveLength(2)
  })
})

describe('an appointment', () => {
  const sch = (placer: string, filler: string, more: Readonly<Record<number, string>> = {}) =>
    segment('SCH', { 1: placer, 2: filler, 11: '^^^20260301090000+0000^20260301093000+0000', ...more })

  it.each([
    ['first by its placer alone', [sch('P1^NS', ''), sch('P1^NS', 'F1^NS')]],
    ['first by both', [sch('P1^NS', 'F1^NS'), sch('P1^NS', '')]],
  ])('known %s is one', async (_, lines) => {
    const house = await opened()
    for (const [minute, line] of [...lines, ...lines].entries())
      await send(house, minute === 0 ? 'SIU^S12' : 'SIU^S14', 10 + minute, line)
    expect(await statuses(house, 'Appointment')).toEqual(['booked'])
  })

  it.each([
    ['other numbers of the filler', sch('P1^NS', 'F1^NS'), sch('P1^NS', 'F2^NS')],
    ['a series', sch('P1^NS', 'F1^NS', { 3: '1' }), sch('P1^NS', 'F1^NS', { 3: '2' })],
  ])('of %s are two', async (_, one, other) => {
    const house = await opened()
    await send(house, 'SIU^S12', 10, one)
    await send(house, 'SIU^S12', 11, other)
    expect(await of(house, 'Appointment')).toHaveLength(2)
  })

  it.each(['S14', 'S18', 'S19', 'S20', 'S21', 'S22'])('that was cancelled is not booked again by %s', async event => {
    for (const [ends, status] of [
      ['S15', 'cancelled'],
      ['S17', 'entered-in-error'],
      ['S26', 'noshow'],
    ] as const) {
      const house = await opened()
      await send(house, 'SIU^S12', 10, sch('P1^NS', 'F1^NS'))
      await send(house, `SIU^${ends}`, 20, sch('P1^NS', 'F1^NS'))
      await send(house, `SIU^${event}`, 30, sch('P1^NS', 'F1^NS'))
      expect(await statuses(house, 'Appointment')).toEqual([status])
    }
  })

  it('is booked again by what says so', async () => {
    for (const [event, more] of [
      ['S12', {}],
      ['S13', {}],
      ['S14', { 25: 'Booked' }],
    ] as const) {
      const house = await opened()
      await send(house, 'SIU^S12', 10, sch('P1^NS', 'F1^NS'))
      await send(house, 'SIU^S15', 20, sch('P1^NS', 'F1^NS'))
      await send(house, `SIU^${event}`, 30, sch('P1^NS', 'F1^NS', more))
      expect(await statuses(house, 'Appointment')).toEqual(['booked'])
    }
  })
})
