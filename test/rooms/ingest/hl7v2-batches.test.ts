import { type BudgetLimits, withBudget } from '#kernel'
import { openMemoryStore } from '#store'
import { createPatient, everything, found, grantOf, openHouse, type TestHouse } from './house.ts'
import { message } from './reading.ts'

const identifier = [{ system: 'urn:x-hl7v2-hd:LAB', value: '7' }]
const pid = 'PID|1||7^^^LAB'
const msh = (id: string, processing = 'P', type = 'ORU^R01') =>
  `MSH|^~\\&|APP|LAB|K|H|20260101120000||${type}|${id}|${processing}|2.5.1`
const result = (id: string, value = '1', processing = 'P') =>
  message(msh(id, processing), pid, `OBR|1||${id}|X^x^L`, `OBX|1|NM|C^c^L||${value}||||||F`, 'ZZ1|1|own')
const bhs = 'BHS|^~\\&|APP|LAB|K|H|20260101120000||||B-77'
const send = (house: TestHouse, ...bytes: Buffer[]) =>
  house.ingest.hl7v2({ grant: everything(), message: Buffer.concat(bytes) })
const lines = (ack: string) => ack.split('\r').filter(line => line !== '')
const names = (ack: string) => lines(ack).map(line => line.slice(0, 3))
const line = (ack: string, name: string) =>
  lines(ack)
    .find(one => one.startsWith(name))
    ?.split('|') ?? []

async function known(): Promise<TestHouse> {
  const house = await openHouse()
  await createPatient(house.record, { identifier })
  return house
}

describe('a batch over HTTP – HL7 v2.5.1, 2.10.3', () => {
  it('is taken message by message and answered by a batch', async () => {
    const house = await known()
    const { status, ack } = await send(house, message(bhs), result('A'), result('B'), message('BTS|2'))
    expect(status).toBe(200)
    expect(names(ack).filter(name => name !== 'ERR')).toEqual(['BHS', 'MSH', 'MSA', 'MSH', 'MSA', 'BTS'])
    // Sender and receiver change places; BHS-12 names the batch that is answered.
    expect(line(ack, 'BHS').slice(2, 6)).toEqual(['K', 'H', 'APP', 'LAB'])
    expect(line(ack, 'BHS')[11]).toBe('B-77')
    expect(line(ack, 'BTS')[1]).toBe('2')
    expect(await found(house.record, 'Observation')).toHaveLength(2)
  })

  it('a message that is refused costs itself; the status is that of the worst', async () => {
    const house = await known()
    const bad = message(msh('B'), 'PID|1||unknown^^^LAB')
    const { status, ack } = await send(house, message(bhs), result('A'), bad, result('C'), message('BTS|3'))
    expect(status).toBe(422)
    expect(lines(ack).filter(one => one.startsWith('MSA'))).toEqual(['MSA|AA|A', 'MSA|AE|B', 'MSA|AA|C'])
    expect(await found(house.record, 'Observation')).toHaveLength(2)
  })

  it('messages one after the other without an envelope are one too', async () => {
    const house = await known()
    const { ack } = await send(house, result('A'), result('B'))
    expect(names(ack).filter(name => name !== 'ERR')).toEqual(['BHS', 'MSH', 'MSA', 'MSH', 'MSA', 'BTS'])
  })

  it.each([
    ['one message of more parts', { parsed: 20 }, [result('A')], 'values parsed'],
    ['a batch of more parts', { parsed: 60 }, ['A', 'B', 'C'].map(id => result(id)), 'values parsed'],
    ['a batch of more messages', { written: 2 }, ['A', 'B', 'C'].map(id => result(id)), 'writes one after the other'],
  ] as const)('%s than a request may have is refused before anything of it is taken', async (_, limits, sent, unit) => {
    const house = await known()
    const { status, ack } = await withBudget(limits as BudgetLimits, () => send(house, ...sent))
    expect(status).toBe(422)
    expect(line(ack, 'MSA')[1]).toBe('AR')
    // The figure, and what to do instead.
    expect(line(ack, 'ERR').join('|')).toMatch(
      new RegExp(`\\d ${unit}, where one request may have \\d+.*in several requests`),
    )
    expect(await found(house.record, 'Observation')).toHaveLength(0)
    expect((await withBudget({ parsed: 500, written: 3 }, () => send(house, ...sent))).status).toBe(200)
  })

  it('a file of two batches, in other delimiters, is answered by a file of two', async () => {
    const house = await known()
    const other = (text: Buffer) => Buffer.from(text.toString().replaceAll('|', '#'))
    const fhs = message('FHS#^~\\&#APP#LAB#K#H#20260101120000####F-1')
    const batch = (id: string) => [message(`BHS#^~\\&#APP#LAB#K#H#####${id}`), other(result(id)), message('BTS#1')]
    const { status, ack } = await send(house, fhs, ...batch('A'), ...batch('B'), message('FTS#2'))
    expect(status).toBe(200)
    expect(names(ack).filter(name => name !== 'ERR')).toEqual([
      'FHS',
      'BHS',
      'MSH',
      'MSA',
      'BTS',
      'BHS',
      'MSH',
      'MSA',
      'BTS',
      'FTS',
    ])
    expect(line(ack, 'FHS')[11]).toBe('F-1')
    expect(line(ack, 'FTS')[1]).toBe('2')
  })

  it('an empty one is refused in words', async () => {
    const { status, ack } = await send(await known(), message(bhs, 'BTS|0'))
    expect([status, line(ack, 'ERR')[8]]).toEqual([400, 'There is no message: no MSH.'])
  })

  it('sent again it changes nothing', async () => {
    const house = await known()
    const batch = [message(bhs), result('A'), result('B'), message('BTS|2')]
    const first = await send(house, ...batch)
    const again = await send(house, ...batch)
    const acks = ({ ack }: { ack: string }) => lines(ack).filter(one => !/^B[HT]S/.test(one))
    expect(acks(again)).toEqual(acks(first))
    expect(await found(house.record, 'Observation')).toHaveLength(2)
  })
})

describe('a message that comes again', () => {
  it('gets the first answer with its remarks, word for word', async () => {
    const house = await known()
    const first = await send(house, result('A'))
    expect(first.ack).toContain('ZZ1')
    house.clock.advance(60_000)
    expect(await send(house, result('A'))).toEqual(first)
  })

  it('with other line ends and within a batch it is the same one', async () => {
    const house = await known()
    const first = await send(house, result('A'))
    const windows = Buffer.from(result('A').toString().replaceAll('\r', '\r\n'))
    expect(await send(house, windows)).toEqual(first)
    expect((await send(house, message(bhs), result('A'), message('BTS|1'))).ack).toContain(first.ack)
  })

  it('with another content under its control id it is another message – 2.15.9.10', async () => {
    const house = await known()
    await send(house, result('A', '1'))
    const { status } = await send(house, result('A', '2'))
    expect(status).toBe(200)
    expect(await found(house.record, 'Observation')).toMatchObject([{ valueQuantity: { value: expect.anything() } }])
    expect(JSON.stringify(await found(house.record, 'Observation'))).toContain('"versionId":"2"')
  })

  it('of somebody whom the grant does not reach it tells nothing of the first answer', async () => {
    const house = await known()
    await send(house, result('A'))
    const grant = grantOf('patient/*.cruds', { patient: house.bert, patients: [] })
    const { status, ack } = await house.ingest.hl7v2({ grant, message: result('A') })
    expect(status).toBe(422)
    expect(ack).not.toContain('ZZ1')
  })
})

describe('MSH-11 – table 0103: production, training, debugging', () => {
  const training = { system: 'http://terminology.hl7.org/CodeSystem/v2-0103', code: 'T' }

  it('training is taken and says so in every resource', async () => {
    const house = await known()
    expect((await send(house, result('A', '1', 'T'))).status).toBe(200)
    expect(await found(house.record, 'Observation')).toMatchObject([{ meta: { tag: [training] } }])
    expect(await found(house.record, 'DiagnosticReport')).toMatchObject([{ meta: { tag: [training] } }])
  })

  it('a patient who is taken in by it too', async () => {
    const house = await openHouse()
    const bytes = message(msh('N', 'T', 'ADT^A04'), 'PID|1||99^^^LAB||New^Nora||19900101|F', 'PV1|1|O')
    expect((await send(house, bytes)).status).toBe(200)
    expect(await found(house.record, 'Patient', 'identifier=urn:x-hl7v2-hd:LAB|99')).toMatchObject([
      { meta: { tag: [training] } },
    ])
  })

  it('production says nothing of it', async () => {
    const house = await known()
    await send(house, result('A'))
    expect((await found(house.record, 'Observation'))[0]?.meta).not.toHaveProperty('tag')
  })

  it('is refused where a sender sends production alone: ingest.hl7-processing-unsupported', async () => {
    const senders = { zone: 'UTC', known: [{ facility: 'LAB', processing: ['P'] }] }
    const house = await openHouse({}, openMemoryStore(), senders)
    await createPatient(house.record, { identifier })
    const { status, ack } = await send(house, result('A', '1', 'T'))
    expect([status, line(ack, 'ERR')[3]?.split('^')[0], line(ack, 'ERR')[2]]).toEqual([400, '202', 'MSH^1^11'])
    expect((await send(house, result('B'))).status).toBe(200)
    expect(await found(house.record, 'Observation')).toHaveLength(1)
  })
})
