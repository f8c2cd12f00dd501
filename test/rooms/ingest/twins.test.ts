import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPatient, everything, found, ofPatient, openHouse, type TestHouse, versionsOf } from './house.ts'
import { message } from './reading.ts'
import { zipOfMany } from './zips.ts'

/** Twins and siblings are called alike and share a birth date, a house and a policy: a slip gives one the number of the other. */
let ids = 0
const adt = (event: string, pid: string, from = 'REG|HOSP') =>
  message(`MSH|^~\\&|${from}|KIN|HOME|20240310120000+0000||ADT^${event}|T${++ids}|P|2.5.1`, pid)
const oru = (pid: string) =>
  message(
    `MSH|^~\\&|LAB|HOSP|KIN|HOME|20240310120000+0000||ORU^R01|T${++ids}|P|2.5.1`,
    pid,
    `OBR|1||F${ids}|2345-7^Glucose^LN|||20240310080000+0000`,
    'OBX|1|NM|2345-7^Glucose^LN||90|mg/dL|||||F',
  )
const send = async (house: TestHouse, bytes: Buffer) => {
  const { ack } = await house.ingest.hl7v2({ grant: everything(), message: bytes })
  return { code: /MSA\|(..)/.exec(ack)?.[1], places: /ERR\|\|([^|]*)\|205/.exec(ack)?.[1], ack }
}
const pid = (number: string, who: string) => `PID|1||${number}^^^HOSP^MR||${who}`
const idOf = async (house: TestHouse, number: string) =>
  (await found(house.record, 'Patient', `identifier=${number}`))[0]?.id ?? ''
const waiting = (house: TestHouse) => house.ingest.people.review.list(everything())
/** Two people with a number each, A1 and B1. */
const houseOf = async (one: string, other: string) => {
  const house = await openHouse()
  await send(house, adt('A04', pid('A1', one)))
  await send(house, adt('A04', pid('B1', other)))
  expect(await waiting(house)).toEqual([])
  return { house, a: await idOf(house, 'A1'), b: await idOf(house, 'B1') }
}
const anna = 'Smith^Anna||20150607|F'
const anne = 'Smith^Anne||20150607|F'

describe('a message with the number of one and the name of another, who is called alike', () => {
  it.each<[string, string, string, string]>([
    ['twins', anna, anne, anne],
    ['the other way about', anne, anna, anna],
    ['without a birth date', anna, anne, 'Smith^Anne'],
    ['without a birth date, of sisters', anna, 'Smith^Anne||20170101|F', 'Smith^Anne'],
    ['with the year alone', anna, anne, 'Smith^Anne||2015|F'],
    ['where the year alone is known of the other', anna, 'Smith^Anne||2015|F', anne],
    ['where no birth date is known of the other', anna, 'Smith^Anne', anne],
    ['a second name left out', anna, 'Smith^Anne^Marie||20150607|F', anne],
    ['spelled otherwise', 'Müller^Anna||20150607|F', 'Mueller^Anne||20150607|F', 'Muller^Anne||20150607|F'],
    ['cousins in all but one letter', 'Meier^Jan||20150607|M', 'Meyer^Jan||20150607|M', 'Meyer^Jan||20150607|M'],
    ['a short name', 'Smith^Michael||20150607|M', 'Smith^Mike||20150607|M', 'Smith^Mike||20150607|M'],
    ['unnamed newborns', 'Smith^Boy A||20240309|M', 'Smith^Boy B||20240309|M', 'Smith^Boy B||20240309|M'],
    ['one has a name', 'Smith^Boy||20240309|M', 'Smith^Tom||20240309|M', 'Smith^Tom||20240309|M'],
    ['a name that is not like it', anna, 'Smith^Tim||20150607|M', 'Smith^Tim||20150607'],
    ['one of whom only the family name is known', 'Smith', anne, anne],
    ['one of whom only the number is known', '', anne, anne],
  ])('waits, for either of them: %s', async (_, one, other, said) => {
    const { house, a, b } = await houseOf(one, other)
    const before = await versionsOf(house.record)
    expect(await send(house, adt('A08', pid('A1', said)))).toMatchObject({ code: 'AA', places: 'PID^1^5' })
    expect(await waiting(house)).toMatchObject([{ doubt: { patients: [a, b], elements: ['name'] } }])
    await send(house, oru(pid('A1', said)))
    expect(await waiting(house)).toHaveLength(2)
    expect(await versionsOf(house.record)).toBe(before)
  })

  it.each<[string, string, string, string]>([
    ['their own name', anna, anne, anna],
    ['a name alike that is nobody’s', anna, anne, 'Smith^Ann||20150607|F'],
    ['a slip, and nobody else', anna, 'Other^Bob||20150607|M', anne],
    ['the name of somebody born on another day', anna, 'Smith^Anne||19800101|F', anne],
    [
      'the name of somebody of another sex',
      'Smith^Andrew||20150607|M',
      'Smith^Andrea||20150607|F',
      'Smith^Andrew||20150607|M',
    ],
    ['no name', anna, anne, '||20150607|F'],
    ['an initial that both have', anna, anne, 'Smith^A||20150607|F'],
    [
      'a name by marriage beside the maiden name',
      'Jones^Mary||19800203|F',
      'Smith^May||19800203|F',
      'Smith^Mary~Jones^Mary^^^^^M||19800203|F',
    ],
    ['a name where only the number is known, and somebody is called so', '', 'Smith^Anne', 'Smith^Anne'],
    ['the given name of whom only the family name is known', 'Smith', 'Smith^Anne', 'Smith^Anne'],
    [
      'a second name more, and somebody of that name of whom no date is known',
      anna,
      'Smith^Anna^Marie',
      'Smith^Anna^Marie||20150607|F',
    ],
    ['that name and a date of which nothing is known', '', 'Smith^Anne', anne],
    [
      'an initial for a second name, beside one of no date',
      'Smith^Anna^Marie||20150607|F',
      'Smith^Anna',
      'Smith^Anna^M||20150607|F',
    ],
    [
      'a second name for an initial, beside one of no date',
      'Smith^Anna^M||20150607|F',
      'Smith^Anna',
      'Smith^Anna^Marie||20150607|F',
    ],
    [
      'initials of both names, beside one of no date',
      'Smith^Anna^Marie||20150607|F',
      'Smith^Anna',
      'Smith^A^M||20150607|F',
    ],
    ['names that changed places', anna, anne, 'Anna^Smith||20150607|F'],
    ['a title and a particle', anna, anne, 'von Smith^Anna^^^Dr.||20150607|F'],
    ['capitals and hyphens', anna, anne, 'SMITH-JONES^ANNA||20150607|F'],
    ['an umlaut spelled out', 'Müller^Jörg||19700101|M', 'Müller^Jürg||19700101|M', 'Mueller^Joerg||19700101|M'],
    ['the name that a newborn got', 'Smith^Boy||20240309|M', 'Smith^Tim||20240309|M', 'Smith^Tom||20240309|M'],
  ])('goes in with %s', async (_, one, other, said) => {
    const { house } = await houseOf(one, other)
    expect(await send(house, adt('A03', pid('A1', said)))).toMatchObject({ code: 'AA' })
    expect(await waiting(house)).toEqual([])
  })

  it('a name by marriage goes in where the maiden name is known', async () => {
    const { house, a } = await houseOf('Jones^Mary||19800203|F', anna)
    await send(house, adt('A31', pid('A1', 'Smith^Mary~Jones^Mary^^^^^M||19800203|F')))
    for (const said of ['Smith^Mary||19800203|F', 'Jones^Mary||19800203|F', 'Smith-Jones^Mary||19800203|F'])
      expect(await send(house, adt('A31', pid('A1', said)))).toMatchObject({ code: 'AA' })
    expect(await waiting(house)).toEqual([])
    expect(await idOf(house, 'A1')).toBe(a)
  })

  it('goes to whom a person chooses, and the same again is not asked again', async () => {
    const { house, b } = await houseOf(anna, anne)
    await send(house, oru(pid('A1', anne)))
    const [held] = await waiting(house)
    const { review } = house.ingest.people
    await review.decide({ grant: everything(), id: held?.id ?? '', decision: 'accept', patient: b })
    await send(house, oru(pid('A1', anne)))
    expect(await waiting(house)).toEqual([])
    expect(await found(house.record, 'Observation', `subject=Patient/${b}`)).toHaveLength(2)
    expect(await found(house.record, 'Observation')).toHaveLength(2)
  })

  it('two numbers that are two people’s are doubtful, whatever the name', async () => {
    const { house, a, b } = await houseOf(anna, anne)
    await send(house, adt('A08', `PID|1||A1^^^HOSP^MR~B1^^^HOSP^MR||${anna}`))
    const of = await waiting(house)
    expect(of.map(({ doubt }) => ({ doubt: { ...doubt, patients: [...doubt.patients].sort() } }))).toMatchObject([
      { doubt: { patients: [a, b].sort(), elements: ['identifier'] } },
    ])
  })

  it('of two hospitals each has its own: the number of one hospital, the name of a twin whom the other knows', async () => {
    const house = await openHouse()
    await send(house, adt('A04', pid('A1', anna)))
    await send(house, adt('A04', `PID|1||A1^^^CLINIC^MR||${anne}`, 'REG|CLINIC'))
    await send(house, adt('A08', `PID|1||A1^^^CLINIC^MR||${anne}`, 'REG|CLINIC'))
    await send(house, adt('A08', pid('A1', anna)))
    expect(await waiting(house)).toEqual([])
    await send(house, adt('A08', pid('A1', anne)))
    expect(await waiting(house)).toHaveLength(1)
  })

  it('a policy that twins share takes neither for the other', async () => {
    const house = await openHouse()
    const policy = '~P1^^^INS^HC'
    await send(house, adt('A04', `PID|1||A1^^^HOSP^MR${policy}||${anna}`))
    await send(house, adt('A04', `PID|1||B1^^^CLINIC^MR${policy}||${anne}`, 'REG|CLINIC'))
    expect(await waiting(house)).toMatchObject([{ doubt: { patients: [await idOf(house, 'A1')], elements: ['name'] } }])
    const [held] = await waiting(house)
    await house.ingest.people.review.decide({ grant: everything(), id: held?.id ?? '', decision: 'new' })
    await send(house, adt('A08', `PID|1||B1^^^CLINIC^MR${policy}||${anne}`, 'REG|CLINIC'))
    await send(house, adt('A08', `PID|1||A1^^^HOSP^MR${policy}||${anna}`))
    expect(await waiting(house)).toEqual([])
  })

  it('a merge of the two is what its message says, not a doubt', async () => {
    const { house, a } = await houseOf(anna, anne)
    const merge = message(
      `MSH|^~\\&|REG|HOSP|KIN|HOME|20240310120000+0000||ADT^A40|T${++ids}|P|2.5.1`,
      pid('A1', anne),
      'MRG|B1^^^HOSP^MR',
    )
    expect(await send(house, merge)).toMatchObject({ code: 'AA' })
    expect(await waiting(house)).toEqual([])
    await send(house, adt('A08', pid('A1', anne)))
    await send(house, adt('A08', pid('B1', anne)))
    expect(await waiting(house)).toEqual([])
    expect(await found(house.record, 'Patient', `_id=${a}`)).toMatchObject([{ name: [{ given: ['Anne'] }] }])
  })
})

describe('newborn twins of one name – PID-25, HL7 v2.9 chapter 3.4.2.25', () => {
  const born = (name: string, order: string) => `Smith^${name}||20240309|M${'|'.repeat(16)}Y|${order}`
  const waitsBy = async (house: TestHouse, element: string) =>
    expect((await waiting(house)).map(({ doubt }) => doubt.elements)).toEqual([[element]])

  it.each([
    ['the place of the other', born('Boy', '1'), born('Boy', '2'), 'PID^1^25', 'multipleBirth'],
    ['the letter of the other', born('Boy A', ''), born('Boy B', ''), 'PID^1^5', 'name'],
    ['another mother', born('Boy of Jane', ''), born('Boy of Mary', ''), 'PID^1^5', 'name'],
    ['no birth date, and somebody has a name', 'Smith^Jane||19900101|F', 'Smith^Baby Girl|||F', 'PID^1^5', 'name'],
  ])('a message with the number of one waits: %s', async (_, one, said, places, element) => {
    const house = await openHouse()
    await send(house, adt('A01', pid('A1', one)))
    const before = await versionsOf(house.record)
    for (const event of ['A01', 'A08'] as const) {
      expect(await send(house, adt(event, pid('A1', said)))).toMatchObject({ code: 'AA', places })
      if (event === 'A01') await waitsBy(house, element)
    }
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('what a person said once of a place is not said of another one', async () => {
    const house = await openHouse()
    await send(house, adt('A01', pid('A1', born('Boy', '1'))))
    await send(house, oru(pid('A1', born('Boy', '2'))))
    const [held] = await waiting(house)
    const [id, patient] = [held?.id ?? '', await idOf(house, 'A1')]
    await house.ingest.people.review.decide({ grant: everything(), id, decision: 'accept', patient })
    await send(house, oru(pid('A1', born('Boy', '2'))))
    expect(await waiting(house)).toEqual([])
    await send(house, oru(pid('A1', born('Boy', '3'))))
    await waitsBy(house, 'multipleBirth')
  })

  it.each([
    ['unnamed', 'Boy', 'Boy'],
    ['named', 'Max', 'Moritz'],
  ])('are not merged by a message: %s', async (_, one, other) => {
    const { house } = await houseOf(born(one, '1'), born(other, '2'))
    const before = await versionsOf(house.record)
    const merge = message(
      `MSH|^~\\&|REG|HOSP|KIN|HOME|20240310120000+0000||ADT^A40|T${++ids}|P|2.5.1`,
      pid('A1', `Smith^${one}||20240309|M`),
      'MRG|B1^^^HOSP^MR',
    )
    expect(await send(house, merge)).toMatchObject({ code: 'AE', places: 'MRG^1^1' })
    expect(await versionsOf(house.record)).toBe(before)
  })
})

describe('a file for one twin that describes the other', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-test-'))
  const person = (name: string, number?: string) => ({
    name: [{ family: 'Smith', given: [name] }],
    birthDate: '2015-06-07',
    gender: 'female',
    ...(number === undefined ? {} : { identifier: [{ system: 'http://hosp.example/mr', value: number }] }),
  })
  const weight = {
    resourceType: 'Observation',
    id: 'o',
    status: 'final',
    code: { text: 'x' },
    subject: { reference: 'Patient/p' },
  }
  const bundle = (patient: object) =>
    JSON.stringify({
      resourceType: 'Bundle',
      type: 'collection',
      entry: [{ resource: { resourceType: 'Patient', id: 'p', ...patient } }, { resource: weight }],
    })
  const ndjson = (patient: object) =>
    `${JSON.stringify({ resourceType: 'Patient', id: 'p', ...patient })}\n${JSON.stringify(weight)}\n`
  const imported = (
    house: TestHouse,
    patient: string,
    file: string | Uint8Array,
    force = false,
    grant = everything(),
  ) => {
    const path = join(folder, `file-${++ids}`)
    writeFileSync(path, file)
    return house.ingest.importFile({ grant, patient, path, force })
  }
  const twins = async () => {
    const house = await openHouse()
    const a = await createPatient(house.record, person('Anna', 'A1'))
    const b = await createPatient(house.record, person('Anne', 'B1'))
    return { house, a, b }
  }

  it.each([
    ['a Bundle', bundle],
    ['NDJSON', ndjson],
  ])('%s by name waits, and goes to whom a person chooses', async (_, file) => {
    const { house, a, b } = await twins()
    expect(await imported(house, a, file(person('Anne')))).toMatchObject({
      state: 'failed',
      problem: { code: 'ingest.patient-doubtful', expression: ['Patient.name'] },
    })
    const [held] = await waiting(house)
    expect(held?.doubt).toMatchObject({ patients: [a, b], elements: ['name'] })
    expect(await found(house.record, 'Observation')).toEqual([])
    await house.ingest.people.review.decide({ grant: everything(), id: held?.id ?? '', decision: 'accept', patient: b })
    expect(await found(house.record, 'Observation', `subject=Patient/${b}`)).toHaveLength(1)
  })

  const healthOf = (clinics: object) =>
    zipOfMany([
      {
        name: 'apple_health_export/export.xml',
        data: Buffer.from(
          '<HealthData><Me HKCharacteristicTypeIdentifierDateOfBirth="2015-06-07" HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexFemale"/></HealthData>',
        ),
      },
      {
        name: 'apple_health_export/clinical-records/Patient-1.json',
        data: Buffer.from(JSON.stringify({ resourceType: 'Patient', id: 'p', ...clinics })),
      },
    ])

  it.each([
    ['by name', person('Anne'), 'name'],
    ['by number', person('Anna', 'B1'), 'identifier'],
  ])('Apple Health waits where the record of a clinic is about the other one, %s', async (_, who, element) => {
    const house = await openHouse()
    const a = await createPatient(house.record, person('Anna'))
    const b = await createPatient(house.record, person('Anne', 'B1'))
    const before = await versionsOf(house.record)
    expect(await imported(house, a, healthOf(who))).toMatchObject({ problem: { code: 'ingest.patient-doubtful' } })
    expect(await waiting(house)).toMatchObject([{ doubt: { patients: [a, b], elements: [element] } }])
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('Apple Health is refused where the record of a clinic has the number of the other one in place of the known one', async () => {
    const { house, a } = await twins()
    const before = await versionsOf(house.record)
    const refused = { problem: { code: 'ingest.patient-contradicted', expression: ['Patient.identifier'] } }
    expect(await imported(house, a, healthOf(person('Anna', 'B1')))).toMatchObject(refused)
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('Apple Health goes in where a clinic only writes the name in its own way', async () => {
    const { house, a } = await twins()
    const miller = { ...person('Anna'), name: [{ family: 'Miller', given: ['Anna'] }] }
    for (const who of [person('Ann'), person('Anna', 'A1')])
      expect(await imported(house, a, healthOf(who))).toMatchObject({ state: 'done', rejected: [] })
    // Its own Patient is not taken, and that is no fault of how the record is built.
    expect(await imported(house, a, healthOf(miller))).toMatchObject({
      state: 'done',
      rejected: [{ row: 'ClinicalRecord', reason: 'doubtful-patient', expression: 'Patient.name' }],
    })
  })

  it.each(['Anna', 'Ann', undefined])('by number waits, too: %s', async name => {
    const house = await openHouse()
    const a = await createPatient(house.record, person('Anna'))
    const b = await createPatient(house.record, person('Anne', 'B1'))
    const { name: names, ...rest } = person(name ?? '', 'B1')
    const file = bundle(name === undefined ? rest : { ...rest, name: names })
    expect(await imported(house, a, file)).toMatchObject({
      problem: { code: 'ingest.patient-doubtful', expression: ['Patient.identifier'] },
    })
    expect((await waiting(house))[0]?.doubt).toMatchObject({ patients: [a, b], elements: ['identifier'] })
  })

  it.each([
    ['their own name', person('Anna')],
    ['a name alike that is nobody’s', person('Ann')],
  ])('goes in with %s', async (_, who) => {
    const { house, a } = await twins()
    expect(await imported(house, a, bundle(who))).toMatchObject({ state: 'done' })
  })

  it('goes in when it is forced, and for whom nobody else is within reach', async () => {
    const { house, a } = await twins()
    const file = bundle(person('Anne'))
    expect(await imported(house, a, file, false, ofPatient(a))).toMatchObject({ state: 'done' })
    expect(await imported(house, a, `${file} `, true)).toMatchObject({ state: 'done' })
  })

  it('HL7: the message is rejected by its place, the others go in, and what was accepted once is not asked again', async () => {
    const { house, a } = await twins()
    const file = Buffer.concat([oru(pid('X', anna)), oru(pid('X', anne))]).toString()
    expect(await imported(house, a, file)).toMatchObject({
      state: 'done',
      rejected: [{ reason: expect.anything(), expression: expect.stringMatching(/^message\[2\].*PID-5/) }],
    })
    expect(await found(house.record, 'Observation')).toHaveLength(1)
    await imported(house, a, bundle(person('Anne')))
    const [held] = await waiting(house)
    await house.ingest.people.review.decide({ grant: everything(), id: held?.id ?? '', decision: 'accept', patient: a })
    expect(await imported(house, a, `${file}\r`)).toMatchObject({ state: 'done', rejected: [] })
  })
})
