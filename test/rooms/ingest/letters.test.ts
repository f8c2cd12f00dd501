import {
  createPatient,
  everything,
  found,
  grantOf,
  ingested,
  ofPatient,
  openHouse,
  type TestHouse,
  versionsOf,
} from './house.ts'
import { message } from './reading.ts'

const system = 'urn:oid:2.999.1.1'
const adt = (number: string, id = 'M1', event = 'A08', family = 'Sample', rest: readonly string[] = []) =>
  message(
    `MSH|^~\\&|HIS|C|||20260210||ADT^${event}|${id}|P|2.5`,
    `PID|1||${number}^^^&2.999.1.1&ISO||${family}^Ann||19800203|F`,
    ...rest,
  )
const known = (number: string) => ({
  identifier: [{ system, value: number }],
  name: [{ family: 'Sample', given: ['Ann'] }],
  birthDate: '1980-02-03',
  gender: 'female',
})
const send = async (house: TestHouse, bytes: Buffer, grant = everything()) => {
  const { status, ack } = await house.ingest.hl7v2({ grant, message: bytes })
  return { status, code: /MSA\|(..)/.exec(ack)?.[1] }
}
const listed = (house: TestHouse, grant = everything()) => house.ingest.letters.list(grant)
const only = async (house: TestHouse, grant = everything()) => {
  const [letter, ...others] = await listed(house, grant)
  expect(others).toEqual([])
  if (letter === undefined) throw new Error('nothing is kept')
  return letter
}
const codeOf = (work: Promise<unknown>) => work.then(String, error => error.code)

describe('a message that is refused is kept with its reason', () => {
  it('of somebody new for whom an account has no room, and is taken in once it has: nobody is to send it again', async () => {
    const house = await openHouse()
    const grant = grantOf('user/*.cruds', { account: 'anna', patients: [] })
    await house.record.setPatientQuota('anna', 0)
    const { status, ack, ...more } = await house.ingest.hl7v2({ grant, message: adt('4711', 'M1', 'A04') })
    expect([status, /MSA\|(..)/.exec(ack)?.[1], more]).toEqual([422, 'AE', {}])
    expect(ack).toContain('The account may keep 0 people in its own right')
    const letter = await only(house, grant)
    expect(letter.refusal.code).toBe('record.patients-exceeded')
    await house.record.setPatientQuota('anna', undefined)
    expect((await send(house, adt('4711', 'M1', 'A04'), grant)).status).toBe(200)
    expect(await listed(house, grant)).toEqual([])
    expect(await house.record.patientsOf('anna')).toHaveLength(1)
  })

  it.each([
    ['of somebody who is not here', adt('9'), 'ingest.hl7-patient-unknown'],
    ['of an event that is not taken', adt('4711', 'M1', 'Z99'), 'ingest.hl7-event-unsupported'],
    [
      'of a type that is not taken',
      message('MSH|^~\\&|A|B|||20260210||XYZ^X01|1|P|2.5', 'PID|1||4711'),
      'ingest.hl7-type-unsupported',
    ],
    [
      'of another version',
      message('MSH|^~\\&|A|B|||20260210||ADT^A08|1|P|3.0', 'PID|1||4711'),
      'ingest.hl7-version-unsupported',
    ],
    [
      'without a control id',
      message('MSH|^~\\&|A|B|||20260210||ADT^A08||P|2.5', 'PID|1||4711'),
      'ingest.hl7-field-missing',
    ],
    [
      'about another person',
      adt('4711', 'M1', 'A08', 'Other').toString().replace('19800203|F', '19550607|M'),
      'ingest.patient-contradicted',
    ],
    ['without an MSH', Buffer.from('PID|1||4711\r'), 'ingest.hl7-malformed'],
  ])('%s', async (_, text, code) => {
    const house = await openHouse()
    await createPatient(house.record, known('4711'))
    const bytes = Buffer.from(text)
    expect((await send(house, bytes)).code).toMatch(/A[ER]/)
    const letter = await only(house)
    expect(letter).toMatchObject({ keeper: 'house', times: 1, refusal: { code }, sizeBytes: bytes.length })
    expect(JSON.stringify(letter)).not.toMatch(/Sample|Other|1980|4711/)
    const { content } = await house.ingest.letters.show(letter.id, everything())
    expect(content.equals(bytes)).toBe(true)
  })

  it('in the character set that it came in', async () => {
    const house = await openHouse()
    const text = adt('9').toString().replace('|2.5\r', '|2.5||||||8859/1\r').replace('Sample', 'Müller')
    const bytes = Buffer.from(text, 'latin1')
    await send(house, bytes)
    const { content } = await house.ingest.letters.show((await only(house)).id, everything())
    expect(content.equals(bytes)).toBe(true)
  })

  it('once, however often it comes, with other line ends and in a batch too', async () => {
    const house = await openHouse()
    await send(house, adt('9'))
    await send(house, Buffer.from(adt('9').toString().replaceAll('\r', '\r\n')))
    await send(house, message('BHS|^~\\&|A|B', ...adt('9').toString().trim().split('\r'), 'BTS|1'))
    expect(await only(house)).toMatchObject({ times: 3 })
  })

  it('of a batch each that is refused, and no other', async () => {
    const house = await openHouse()
    await createPatient(house.record, known('4711'))
    const lines = ['9', '4711', '8'].flatMap((number, at) => adt(number, `M${at}`).toString().trim().split('\r'))
    await send(house, message('BHS|^~\\&|A|B', ...lines, 'BTS|3'))
    const contents = []
    for (const { id } of await listed(house))
      contents.push((await house.ingest.letters.show(id, everything())).content.toString().replace('\uFEFF', ''))
    expect(contents.sort()).toEqual([adt('9', 'M0').toString(), adt('8', 'M2').toString()].sort())
  })

  it('of a file each message that is refused, and no other', async () => {
    const house = await openHouse()
    const { anna } = house
    const grant = ofPatient(anna)
    const file = Buffer.concat([adt('1', 'M1', 'Z99'), adt('1', 'M2')])
    await ingested(house, anna, grant, file)
    expect(await only(house)).toMatchObject({
      patient: anna,
      keeper: `patient ${anna}`,
      refusal: { code: 'not-supported' },
    })
  })

  it('but not what passes by, what waits for a person, or what a person has thrown away', async () => {
    const house = await openHouse()
    await createPatient(house.record, known('4711'))
    const doubtful = adt('4711', 'M1', 'A08', 'Miller')
    expect((await send(house, doubtful)).code).toBe('AA')
    expect(await listed(house)).toEqual([])
    const [held] = await house.ingest.people.review.list(everything())
    await house.ingest.people.review.decide({ grant: everything(), id: held?.id ?? '', decision: 'reject' })
    expect((await send(house, doubtful)).code).toBe('AE')
    expect(await listed(house)).toEqual([])
  })

  it('nor of anybody who may not write at all', async () => {
    const house = await openHouse()
    expect((await send(house, adt('9'), grantOf('system/*.rs'))).code).toBe('AR')
    expect(await listed(house)).toEqual([])
  })
})

describe('a letter', () => {
  it('is sent again once it is put right what it was refused for, and kept no more', async () => {
    const house = await openHouse()
    await send(house, adt('9'))
    const { id } = await only(house)
    const { letters } = house.ingest
    expect(await letters.resend(id, everything())).toMatchObject({
      state: 'refused',
      ack: expect.stringContaining('MSA|AE'),
    })
    expect(await only(house)).toMatchObject({ id, times: 2 })
    const { identifier, birthDate } = known('9')
    const patient = await createPatient(house.record, { identifier, birthDate, name: known('9').name })
    expect(await letters.resend(id, everything())).toMatchObject({
      state: 'taken',
      ack: expect.stringContaining('MSA|AA'),
    })
    expect(await listed(house)).toEqual([])
    expect(await found(house.record, 'Patient', 'identifier=9')).toMatchObject([{ id: patient, gender: 'female' }])
    expect(await codeOf(letters.resend(id, everything()))).toBe('ingest.letter-unknown')
  })

  it('is kept no more when its sender sends it again, and when it waits for a person then', async () => {
    const house = await openHouse()
    for (const [family, number] of [
      ['Sample', '9'],
      ['Miller', '8'],
    ] as const) {
      const bytes = adt(number, 'M1', 'A08', family)
      await send(house, bytes)
      expect(await listed(house)).toHaveLength(1)
      await createPatient(house.record, known(number))
      expect((await send(house, bytes)).code).toBe('AA')
      expect(await listed(house)).toEqual([])
    }
    expect(await house.ingest.people.review.list(everything())).toHaveLength(1)
  })

  it('of a file goes in for whom the file was imported', async () => {
    const house = await openHouse()
    const number = { identifier: [{ system, value: '7' }] }
    const anna = await createPatient(house.record, {
      ...known('7'),
      ...number,
      birthDate: '1955-06-07',
      gender: 'male',
    })
    await ingested(house, anna, everything(), Buffer.concat([adt('7', 'M1', 'A08', 'Other'), adt('7', 'M2', 'A08')]))
    const letters = await listed(house)
    expect(letters).toHaveLength(2)
    for (const { id } of letters)
      expect(await house.ingest.letters.resend(id, everything())).toMatchObject({ state: 'refused' })
    await house.record.writer(everything()).transact(async txn => {
      await txn.update('Patient', anna, { resourceType: 'Patient', id: anna, ...known('7') })
    })
    const states = []
    for (const { id } of letters) states.push((await house.ingest.letters.resend(id, everything())).state)
    expect(states.sort()).toEqual(['refused', 'taken'])
    expect(await listed(house)).toHaveLength(1)
  })

  it('is dropped, and its content with it', async () => {
    const house = await openHouse()
    await send(house, adt('9'))
    const { id } = await only(house)
    await house.ingest.letters.drop(id, everything())
    expect(await listed(house)).toEqual([])
    expect(await codeOf(house.ingest.letters.show(id, everything()))).toBe('ingest.letter-unknown')
    expect(await codeOf(house.ingest.letters.drop(id, everything()))).toBe('ingest.letter-unknown')
    expect((await house.store.collections()).filter(name => name.startsWith('ingest-letter'))).toEqual([])
  })

  it('goes with the patient whom it is about, and with the one for whom it was sent', async () => {
    const house = await openHouse()
    const patient = await createPatient(house.record, known('4711'))
    const contradicting = Buffer.from(adt('4711', 'M1', 'A08', 'Other').toString().replace('19800203|F', '19550607|M'))
    await send(house, contradicting)
    await send(house, adt('9', 'M2'))
    await ingested(house, house.anna, everything(), adt('1', 'M3', 'Z99'))
    await send(house, adt('5', 'M4'), ofPatient(house.bert))
    expect(await listed(house)).toHaveLength(4)
    for (const gone of [patient, house.anna, house.bert]) await house.ingest.forgetPatient(gone)
    expect(await only(house)).toMatchObject({ patients: [] })
  })

  it('expires after 92 days', async () => {
    const house = await openHouse()
    await send(house, adt('9'))
    house.clock.advance(93 * 24 * 3600 * 1000)
    expect(await listed(house)).toEqual([])
  })
})

describe('a letter is kept for whom its sender acts', () => {
  const family = (account: string, patients: readonly string[]) => grantOf('user/*.cruds', { account, patients })

  it('and nobody else sees, sends or drops it', async () => {
    const house = await openHouse()
    const { anna, bert } = house
    const [north, south] = [family('north', [anna]), family('south', [bert])]
    await send(house, adt('9', 'M1'), north)
    await send(house, adt('9', 'M2'), ofPatient(bert))
    await send(house, adt('9', 'M3'))
    const [ofNorth, ofBert, ofHouse] = ['account north', `patient ${bert}`, 'house']
    const keepers = async (grant = everything()) => (await listed(house, grant)).map(({ keeper }) => keeper)
    expect(await keepers()).toEqual([ofNorth, ofBert, ofHouse])
    expect([await keepers(north), await keepers(south)]).toEqual([[ofNorth], [ofBert]])
    const { letters } = house.ingest
    const [{ id } = { id: '' }] = await listed(house, north)
    for (const ask of [letters.show, letters.resend, letters.drop])
      expect(await codeOf(ask(id, south))).toBe('ingest.letter-unknown')
    for (const grant of [ofPatient(anna), grantOf('user/*.rs', { account: 'north', patients: [anna] })])
      expect(await codeOf(letters.list(grant))).toBe('scope.missing')
  })

  it('the same from two families is two, and neither is told of the other', async () => {
    const house = await openHouse()
    const [north, south] = [family('north', [house.anna]), family('south', [house.bert])]
    for (const grant of [north, south, south]) await send(house, adt('9'), grant)
    expect([await only(house, north), await only(house, south)]).toMatchObject([{ times: 1 }, { times: 2 }])
  })

  it('and goes to nobody else: who runs the house sends it again as its sender would', async () => {
    const house = await openHouse()
    const account = await house.record.writer(everything()).transact(async () => 'north')
    await house.record.addPatientTo(account, house.anna)
    const strangers = await createPatient(house.record, known('9'))
    await send(house, adt('9', 'M1'), family(account, [house.anna]))
    const before = await versionsOf(house.record)
    const { id } = await only(house)
    expect(await house.ingest.letters.resend(id, everything())).toMatchObject({ state: 'refused' })
    expect(await versionsOf(house.record)).toBe(before)
    await house.record.addPatientTo(account, strangers)
    expect(await house.ingest.letters.resend(id, everything())).toMatchObject({ state: 'taken' })
  })
})

describe('what is kept is bounded', () => {
  it('in number, for each keeper, and what is dropped makes room', async () => {
    const house = await openHouse({ maxLetters: 3 })
    for (let at = 0; at < 5; at++) await send(house, adt('9', `M${at}`))
    const kept = await listed(house)
    expect(kept).toHaveLength(3)
    await send(house, adt('9', 'M9'), ofPatient(house.anna))
    expect(await listed(house)).toHaveLength(4)
    await house.ingest.letters.drop(kept[0]?.id ?? '', everything())
    for (let at = 10; at < 13; at++) await send(house, adt('9', `M${at}`))
    expect(await listed(house)).toHaveLength(4)
  })

  it('in bytes, and one of them', async () => {
    const long = (id: string, size: number) => adt('9', id, 'A08', 'Sample', [`NTE|1||${'x'.repeat(size)}`])
    const house = await openHouse({ maxMessage: 3_000, maxLetterBytes: 5_000 })
    for (const [id, size] of [
      ['M1', 2_000],
      ['M2', 2_000],
      ['M3', 2_000],
      ['M4', 4_000],
    ] as const)
      await send(house, long(id, size))
    expect((await listed(house)).map(({ times }) => times)).toEqual([1, 1])
  })

  it('also when many are refused at once, by several processes', async () => {
    const house = await openHouse({ maxLetters: 6 })
    await Promise.all(Array.from({ length: 12 }, (_, at) => send(house, adt('9', `M${at}`))))
    expect((await listed(house)).length).toBeLessThanOrEqual(6)
    await Promise.all(Array.from({ length: 4 }, () => send(house, adt('9', 'M0'))))
    expect((await listed(house)).length).toBeLessThanOrEqual(6)
  })
})
