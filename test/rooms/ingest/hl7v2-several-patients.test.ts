import { createPatient, everything, found, ingested, openHouse } from './house.ts'
import { message } from './reading.ts'

const number = (value: string) => [{ system: 'urn:x-hl7v2-hd:HOSP', value }]
const twoPeople = message(
  'MSH|^~\\&|LAB|LABOR|KIN|HOME|20240310120000+0000||ORU^R01|C1|P|2.5.1',
  'PID|1||A^^^HOSP^MR||Sample^Ann',
  'OBR|1||F1|2345-7^Glucose^LN|||20240310080000+0000',
  'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||F',
  'PID|2||B^^^HOSP^MR||Other^Bob',
  'OBR|1||F2|2345-7^Glucose^LN|||20240310080000+0000',
  'OBX|1|NM|2345-7^Glucose^LN||300|mg/dL|||||F',
)

describe('several PID groups in one message – HL7 v2.5.1 chapter 7, ORU_R01', () => {
  it('ingest.hl7-several-patients', async () => {
    const house = await openHouse()
    for (const one of ['A', 'B']) await createPatient(house.record, { identifier: number(one) })
    const { status, ack } = await house.ingest.hl7v2({ grant: everything(), message: twoPeople })
    expect(status).toBe(422)
    expect(ack).toContain('ERR||PID^2|100^')
    expect(await found(house.record, 'Observation')).toEqual([])
  })

  it('a file for one of them is refused by place', async () => {
    const house = await openHouse()
    const ann = await createPatient(house.record, { identifier: number('A') })
    const { counts } = await ingested(house, ann, everything(), twoPeople)
    expect(counts.rejected).toMatchObject([{ reason: 'other-patient', expression: 'message[1]: PID[2]-3, PID[2]-5' }])
    expect(await found(house.record, 'Observation')).toEqual([])
  })
})
