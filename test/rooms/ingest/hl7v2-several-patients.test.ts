import { createPatient, everything, found, grantOf, ingested, openHouse, type TestHouse } from './house.ts'
import { message } from './reading.ts'

const number = (value: string) => [{ system: 'urn:x-hl7v2-hd:HOSP', value }]
const msh = (control = 'C1') => `MSH|^~\\&|LAB|LABOR|KIN|HOME|20240310120000+0000||ORU^R01|${control}|P|2.5.1`
const result = (id: string, order: string, glucose: string) => [
  `PID|1||${id}^^^HOSP^MR||Sample^${id}`,
  `OBR|1||${order}|2345-7^Glucose^LN|||20240310080000+0000`,
  `OBX|1|NM|2345-7^Glucose^LN||${glucose}|mg/dL|||||F`,
]
const send = (house: TestHouse, bytes: Buffer, grant = everything()) => house.ingest.hl7v2({ grant, message: bytes })

async function twoPeople() {
  const house = await openHouse()
  const [ann, bob] = [
    await createPatient(house.record, { identifier: number('A') }),
    await createPatient(house.record, { identifier: number('B') }),
  ]
  const results = async (patient: string) =>
    (await found(house.record, 'Observation', `subject=Patient/${patient}`)).map(
      one => `${(one.valueQuantity as { value: unknown }).value}`,
    )
  return { house, ann, bob, results }
}

describe('several PID groups in one message – HL7 v2.5.1 chapter 7, ORU_R01', () => {
  it('gives each group to its own patient, in one commit, with a Provenance each', async () => {
    const { house, ann, bob, results } = await twoPeople()
    const { status, ack } = await send(house, message(msh(), ...result('A', 'F1', '90'), ...result('B', 'F2', '300')))
    expect([status, ack.split('\r')[1]]).toEqual([200, 'MSA|AA|C1'])
    expect([await results(ann), await results(bob)]).toEqual([['90'], ['300']])
    for (const patient of [ann, bob])
      expect(await found(house.record, 'Provenance', `target=Patient/${patient}`)).toHaveLength(1)
  })

  it('the same order numbers of two people are two orders', async () => {
    const { house, ann, bob, results } = await twoPeople()
    await send(house, message(msh(), ...result('A', 'F1', '90'), ...result('B', 'F1', '300')))
    expect([await results(ann), await results(bob)]).toEqual([['90'], ['300']])
  })

  it('two groups of one patient are one patient', async () => {
    const { house, ann, results } = await twoPeople()
    await send(house, message(msh(), ...result('A', 'F1', '90'), ...result('A', 'F2', '95')))
    expect((await results(ann)).sort()).toEqual(['90', '95'])
  })

  it.each([
    ['one of them is not known', everything],
    ['one of them is out of reach', () => grantOf('user/*.cruds', { patients: [] })],
  ])('is refused whole when %s, with the place', async (_, grant) => {
    const { house, results, ann } = await twoPeople()
    const { status, ack } = await send(
      house,
      message(msh(), ...result('A', 'F1', '90'), ...result('C', 'F2', '1')),
      grant(),
    )
    expect([status, ack.split('\r')[1]]).toEqual([422, 'MSA|AE|C1'])
    expect(ack).toMatch(/\rERR\|\|PID\^[12]\^3/)
    expect(await results(ann)).toEqual([])
  })

  it('a second PID where the structure has one is refused, and so is a result before the first of several', async () => {
    const { house, ann, results } = await twoPeople()
    const adt = msh().replace('ORU^R01', 'ADT^A08')
    expect((await send(house, message(adt, 'PID|1||A^^^HOSP', 'PID|2||B^^^HOSP'))).ack).toContain('ERR||PID^2|100^')
    const [pid = '', ...order] = result('A', 'F1', '90')
    expect((await send(house, message(msh(), ...order, pid, ...result('B', 'F2', '1')))).ack).toContain(
      'ERR||OBR^1|100^',
    )
    expect(await results(ann)).toEqual([])
  })

  it('a file for one of them is refused by place', async () => {
    const { house, ann } = await twoPeople()
    const file = message(msh(), ...result('A', 'F1', '90'), ...result('B', 'F2', '300'))
    const { counts } = await ingested(house, ann, everything(), file, message(msh('C2'), ...result('A', 'F3', '95')))
    expect(counts.rejected).toMatchObject([{ reason: 'other-patient', expression: 'message[1]: PID[2]-3, PID[2]-5' }])
    expect(await found(house.record, 'Observation')).toHaveLength(1)
  })
})

describe('an appointment of several – HL7 v2.5.1 chapter 10, SIU_S12', () => {
  const siu = (event: string, minute: number, ...lines: readonly string[]) =>
    message(`MSH|^~\\&|LAB|LABOR|KIN|HOME|2024031012${minute}00+0000||SIU^${event}|S${minute}|P|2.5.1`, ...lines)
  const sch = 'SCH|P1^NS|F1^NS|||||||||^^^20260301090000+0000^20260301093000+0000'
  const [mother, child] = ['PID|1||A^^^HOSP^MR||Sample^A', 'PID|2||B^^^HOSP^MR||Sample^B']
  const resources = ['RGS|1', 'AIS|1||E1^Visit^L', 'NTE|1||both', 'AIL|1||ROOM1^2^3^HOSP']

  it('is one, of both, whoever is named first', async () => {
    const { house, ann, bob } = await twoPeople()
    expect((await send(house, siu('S12', 10, sch, 'NTE|1||words', mother, child, ...resources))).status).toBe(200)
    const both = [ann, bob].map(id => ({ actor: { reference: `Patient/${id}` } }))
    for (const patient of [ann, bob])
      expect(await found(house.record, 'Appointment', `patient=Patient/${patient}`)).toMatchObject([
        {
          status: 'booked',
          participant: expect.arrayContaining(both.map(one => expect.objectContaining(one))),
          comment: 'words\nboth',
        },
      ])
    expect((await send(house, siu('S15', 20, sch, child, mother, ...resources))).status).toBe(200)
    expect(await found(house.record, 'Appointment')).toMatchObject([{ status: 'cancelled' }])
  })

  it('gives what is of one of them to that one alone', async () => {
    const { house, bob } = await twoPeople()
    const bytes = siu('S12', 10, sch, mother, child, 'DG1|1||I10^x^I10', ...resources)
    expect((await send(house, bytes)).status).toBe(200)
    expect(await found(house.record, 'Condition')).toMatchObject([{ subject: { reference: `Patient/${bob}` } }])
  })

  it.each([
    ['one is not known', [sch, mother, child.replace('B^', 'Z^')]],
    ['something of one stands before them', [sch, 'DG1|1||I10^x^I10', mother, child]],
  ])('is refused whole where %s', async (_, lines) => {
    const { house } = await twoPeople()
    expect((await send(house, siu('S12', 10, ...lines))).status).toBe(422)
    expect(await found(house.record, 'Appointment')).toEqual([])
  })
})
