import type { Resource } from '#fhir'
import { createPatient, everything, found, grantOf, ingested, openHouse, readPatient, type TestHouse } from './house.ts'
import { message } from './reading.ts'

const pid = 'PID|1||4711^^^HOSP^MR||Sample^Ann'

interface Visit {
  readonly event: string
  /** When it was said, `YYYYMMDDHHMM`. */
  readonly said: string
  readonly from?: string
  readonly until?: string
  readonly ward?: string
  readonly of?: string
  readonly fields?: Readonly<Record<number, string>>
}

/** An ADT message about one visit. */
function adt(
  { event, said, from = '', until = '', ward = 'W', of = 'I', fields = {} }: Visit,
  more: readonly string[] = [],
) {
  const pv1: string[] = Array.from({ length: 53 }, () => '')
  Object.assign(pv1, { 0: 'PV1', 1: '1', 2: of, 3: ward, 19: 'V88^^^HOSP', 44: from, 45: until, ...fields })
  const msh = `MSH|^~\\&|REG|HOSP|KIN|HOME|${said}+0000||ADT^${event}|${event}${said}|P|2.5.1`
  return message(msh, `EVN|${event}|${said}+0000`, pid, pv1.join('|'), ...more)
}

async function hospital(): Promise<TestHouse> {
  const house = await openHouse()
  await createPatient(house.record, { identifier: [{ system: 'urn:x-hl7v2-hd:HOSP', value: '4711' }] })
  return house
}

async function send(house: TestHouse, ...messages: readonly Buffer[]): Promise<string[]> {
  const acks: string[] = []
  for (const one of messages) acks.push((await house.ingest.hl7v2({ grant: everything(), message: one })).ack)
  return acks
}

async function visitAfter(...visits: readonly Visit[]): Promise<Resource> {
  const house = await hospital()
  for (const ack of await send(house, ...visits.map(visit => adt(visit)))) expect(ack).toContain('MSA|AA|')
  const encounters = await found(house.record, 'Encounter')
  expect(encounters).toHaveLength(1)
  return encounters[0] as Resource
}

function* orders<T>(items: readonly T[]): Generator<readonly T[]> {
  if (items.length < 2) yield items
  for (const [at, first] of items.entries())
    if (items.length > 1) for (const rest of orders(items.toSpliced(at, 1))) yield [first, ...rest]
}

const admitted: Visit = { event: 'A01', said: '202403100800', from: '202403100800+0000' }
const moved: Visit = { event: 'A08', said: '202403111000', from: '202403100800+0000', ward: 'X' }
const discharged: Visit = {
  event: 'A03',
  said: '202403121000',
  from: '202403100800+0000',
  until: '202403121000+0000',
  ward: 'X',
}
const afterwards: Visit = { event: 'A08', said: '202403131000', from: '202403100800+0000', ward: 'Y' }
const reopened: Visit = { event: 'A13', said: '202403121100', from: '202403100800+0000', ward: 'X' }
const cancelled: Visit = { event: 'A11', said: '202403100900', from: '202403100800+0000' }
const ended: Visit = { event: 'A03', said: '202403121000', until: '202403121000+0000' }
const undated = (event: string, said: string): Visit => ({ event, said })
const planned: Visit = { event: 'A05', said: '202403010900', of: 'P' }

describe('the state of a visit – HL7 v2.5.1 chapter 3.3, v2-to-fhir PatientClass[EncounterStatus]', () => {
  it.each([
    ['a pre-admission (PV1-2 P)', [{ event: 'A04', said: '202403101200', of: 'P' }], 'planned'],
    ['an outpatient', [{ event: 'A04', said: '202403101200', of: 'O' }], 'in-progress'],
    ['a pre-admission, then an admission', [planned, admitted], 'in-progress'],
    ['a pre-admission that is taken back', [planned, { event: 'A38', said: '202403020900', of: 'P' }], 'cancelled'],
    ['a cancelled admission', [admitted, cancelled], 'cancelled'],
    ['an update that names the discharge', [admitted, { ...moved, until: '202403111000+0000' }], 'finished'],
    ['an update of what nobody knew', [moved], 'in-progress'],
    ['a leave of absence', [admitted, { event: 'A21', said: '202403110800' }], 'onleave'],
    [
      'a return from it',
      [admitted, { event: 'A21', said: '202403110800' }, { event: 'A22', said: '202403110900' }],
      'in-progress',
    ],
    ['a visit that was entered by mistake', [admitted, { event: 'A23', said: '202403110800' }], 'entered-in-error'],
    [
      'a repeated registration after the end',
      [admitted, discharged, { ...admitted, event: 'A04', said: '202403140800' }],
      'finished',
    ],
    [
      'a new beginning under the same number',
      [admitted, discharged, { ...admitted, said: '202404010800', from: '202404010800+0000' }],
      'in-progress',
    ],
  ])('%s', async (_, visits, status) => {
    expect(await visitAfter(...visits)).toMatchObject({ status })
  })

  it.each([
    [
      'admission, update, discharge, update',
      [admitted, moved, discharged, afterwards],
      {
        status: 'finished',
        period: { start: '2024-03-10T08:00:00+00:00', end: '2024-03-12T10:00:00+00:00' },
        location: [{ location: { display: 'Y' } }],
      },
    ],
    [
      'admission, discharge, discharge taken back',
      [admitted, discharged, reopened],
      { status: 'in-progress', period: { start: '2024-03-10T08:00:00+00:00' } },
    ],
    ['admission and its cancellation', [admitted, cancelled], { status: 'cancelled' }],
    ['pre-admission, admission, discharge', [planned, admitted, discharged], { status: 'finished' }],
    [
      'admission, discharge, and a registration that does not say since when',
      [undated('A01', '202403100800'), ended, undated('A04', '202403131000')],
      { status: 'finished', period: { end: '2024-03-12T10:00:00+00:00' } },
    ],
    [
      'discharge, and a pre-admission under its number that does not say for when',
      [admitted, ended, { ...undated('A05', '202403131000'), of: 'P' }],
      { status: 'finished' },
    ],
    [
      'admission, discharge, and another admission that says since when',
      [undated('A01', '202403100800'), ended, { ...undated('A01', '202403131000'), from: '202403130900+0000' }],
      { status: 'in-progress', period: { start: '2024-03-13T09:00:00+00:00' } },
    ],
    [
      'admission that does not say when, discharge, discharge taken back',
      [undated('A01', '202403100800'), ended, { ...undated('A13', '202403131000') }],
      { status: 'in-progress' },
    ],
    [
      'discharge without a time, and a registration after it',
      [undated('A01', '202403100800'), undated('A03', '202403121000'), undated('A04', '202403131000')],
      { status: 'finished' },
    ],
  ])('%s: the same in any order of arrival', async (_, visits, expected) => {
    for (const order of orders<Visit>(visits)) {
      const encounter = await visitAfter(...order)
      expect(encounter).toMatchObject(expected)
      expect(encounter.period).toEqual((expected as Partial<Resource>).period ?? encounter.period)
    }
  })

  it('a file of the messages in any order gives the same', async () => {
    const house = await openHouse()
    const file = Buffer.concat([afterwards, discharged, admitted].map(visit => adt(visit)))
    await ingested(house, house.anna, everything(), file)
    expect(await found(house.record, 'Encounter')).toMatchObject([{ status: 'finished' }])
    await ingested(
      house,
      house.anna,
      everything(),
      Buffer.concat([adt(moved), adt({ ...afterwards, said: '202403141000', ward: 'Z' })]),
    )
    expect(await found(house.record, 'Encounter')).toMatchObject([
      { status: 'finished', location: [{ location: { display: 'Z' } }] },
    ])
  })

  it('a message that comes again changes nothing', async () => {
    const house = await hospital()
    await send(house, adt(admitted), adt(discharged))
    const [before] = await found(house.record, 'Encounter')
    await send(house, adt({ ...admitted, fields: { 39: 'again' } }), adt({ ...discharged, fields: { 39: 'again' } }))
    expect((await found(house.record, 'Encounter'))[0]?.meta?.versionId).toBe(before?.meta?.versionId)
  })

  it('what a result says of a visit in passing fills what is not known and changes nothing', async () => {
    const house = await hospital()
    const result = (visit: Visit) =>
      Buffer.from(
        adt(visit, ['OBR|1||F1|X', 'OBX|1|ST|C||v'])
          .toString()
          .replace(/ADT\^A\d\d/, 'ORU^R01'),
      )
    await send(
      house,
      adt({ ...admitted, ward: '' }),
      result({ event: 'A01', said: '202403150800', until: '202403150700+0000', ward: 'LAB' }),
    )
    expect(await found(house.record, 'Encounter')).toMatchObject([
      { status: 'in-progress', location: [{ location: { display: 'LAB' } }] },
    ])
  })
})

describe('`""` deletes – HL7 v2.5.1 chapter 2.5.3', () => {
  it('the element of the visit, and of several people only those of its field', async () => {
    const house = await hospital()
    await send(
      house,
      adt({ ...admitted, fields: { 7: '7^Attending', 8: '8^Referring', 14: '7', 10: 'MED' } }),
      adt({ ...moved, ward: '""', fields: { 8: '""', 14: '""' } }),
    )
    const [encounter] = await found(house.record, 'Encounter')
    expect(encounter).toMatchObject({ participant: [{ individual: { display: 'Attending' } }], serviceType: {} })
    expect(encounter).not.toHaveProperty('location')
    expect(encounter).not.toHaveProperty('hospitalization.admitSource')
  })

  const inpatient = { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'IMP' }
  const nobodySaid = { system: 'http://terminology.hl7.org/CodeSystem/v3-NullFlavor', code: 'UNK' }

  it.each([
    ['is unknown after a null', [admitted, { ...moved, of: '""' }], nobodySaid],
    ['is unknown from a null on', [{ ...admitted, of: '""' }, moved, { ...afterwards, of: '""' }], nobodySaid],
    ['stays where an update does not say it', [admitted, { ...moved, of: '' }], inpatient],
    ['stays where a discharge does not say it', [admitted, { ...discharged, of: '' }], inpatient],
    ['comes of a late message where the later one did not say it', [{ ...moved, of: '' }, admitted], inpatient],
    ['comes of a later message', [{ ...admitted, of: '' }, moved], inpatient],
  ])('the class of a visit, which R4 requires, %s', async (_, visits: readonly Visit[], expected) => {
    expect((await visitAfter(...visits)).class).toEqual(expected)
  })

  it('those of the patient, in an update only, and home numbers without those at work', async () => {
    const house = await openHouse()
    const id = await createPatient(house.record, {
      identifier: [{ system: 'urn:x-hl7v2-hd:HOSP', value: '4711' }],
      telecom: [
        { system: 'phone', value: '1', use: 'home' },
        { system: 'phone', value: '2', use: 'work' },
      ],
      maritalStatus: { text: 'married' },
      address: [{ city: 'Old' }],
    })
    const update = (event: string, said: string) =>
      message(`MSH|^~\\&|REG|HOSP|||${said}+0000||ADT^${event}|${said}|P|2.5.1`, `${pid}||||||""||""|||""`)
    await send(house, update('A01', '202703100800'))
    expect(await readPatient(house.record, id)).toMatchObject({ address: [{ city: 'Old' }] })
    await send(house, update('A08', '202703110800'))
    const patient = await readPatient(house.record, id)
    expect(patient.telecom).toEqual([{ system: 'phone', value: '2', use: 'work' }])
    expect([patient.address, patient.maritalStatus]).toEqual([undefined, undefined])
  })
})

describe('what a field says is not said of its neighbours', () => {
  const before = {
    identifier: [{ system: 'urn:x-hl7v2-hd:HOSP', value: '4711' }],
    name: [
      { use: 'official', family: 'Sample', given: ['Ann'] },
      { use: 'nickname', family: 'Annie' },
    ],
    telecom: [
      { system: 'phone', value: '1', use: 'home' },
      { system: 'phone', value: '2', use: 'work' },
      { system: 'email', value: 'a@b.example', use: 'home' },
    ],
    address: [
      { use: 'home', city: 'Old' },
      { use: 'temp', city: 'Away' },
    ],
    extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName', valueString: 'M' }],
    maritalStatus: { text: 'married' },
  }
  const sent = async (event: string, ...fields: [number, string][]) => {
    const house = await openHouse()
    const id = await createPatient(house.record, before)
    const segment: string[] = Array.from({ length: 41 }, () => '')
    Object.assign(segment, { 0: 'PID', 1: '1', 3: '4711^^^HOSP^MR', 5: 'Sample^Ann^^^^^L' }, Object.fromEntries(fields))
    const [ack = ''] = await send(
      house,
      message(`MSH|^~\\&|REG|HOSP|||202703110800+0000||ADT^${event}|1|P|2.5.1`, segment.join('|')),
    )
    expect(ack).toContain('MSA|AA|')
    return { patient: await readPatient(house.record, id), ack }
  }

  it('an update of the home number leaves the one at work, the e-mail and the nickname', async () => {
    const { patient } = await sent('A08', [13, '^PRN^PH^^^^9'], [11, '^^New^^^^H'], [17, 'CHR^Christian'])
    expect(patient.telecom).toEqual(
      expect.arrayContaining([
        before.telecom[1],
        before.telecom[2],
        expect.objectContaining({ system: 'phone', value: '9', use: 'home' }),
      ]),
    )
    expect(patient.telecom).toHaveLength(3)
    expect(patient.address).toMatchObject([{ city: 'Away' }, { city: 'New' }])
    expect(patient.name).toMatchObject([{ family: 'Annie' }, { family: 'Sample' }])
    expect(patient.extension).toMatchObject([before.extension[0], { url: expect.stringContaining('religion') }])
  })

  it('an admission adds what is absent of a list and changes nothing in it', async () => {
    const { patient } = await sent('A01', [13, '^PRN^PH^^^^9'], [14, '^WPN^CP^^^^8'], [17, 'CHR^Christian'])
    expect(patient.telecom).toEqual(expect.arrayContaining(before.telecom))
    expect(JSON.stringify(patient)).not.toContain('"9"')
    expect(patient.extension).toHaveLength(2)
  })

  it.each([
    ['PID-9, which shares its list', 9],
    ['PID-12, a part of an address', 12],
    ['PID-40, numbers of any use', 40],
  ])('a null of %s deletes nothing and is told', async (_, number) => {
    const { patient, ack } = await sent('A08', [number, '""'])
    expect(patient).toMatchObject({ address: before.address, telecom: before.telecom })
    expect(patient.name).toHaveLength(2)
    expect(ack).toContain(`PID^1^${number}`)
  })

  it('a null in an admission deletes nothing and is told', async () => {
    const { patient, ack } = await sent('A01', [16, '""'])
    expect(patient).toMatchObject({ maritalStatus: { text: 'married' } })
    expect(ack).toContain('PID-16 (null)')
  })

  it('a null in an update deletes, also what is an extension', async () => {
    const { patient } = await sent('A31', [16, '""'], [6, '""'], [11, '""~""'])
    expect([patient.maritalStatus, patient.extension, patient.address]).toEqual([undefined, undefined, undefined])
  })

  it('an update of one place of a visit leaves its other numbers and people', async () => {
    const house = await hospital()
    await send(
      house,
      adt({ ...admitted, fields: { 6: 'OLD', 7: '7^Attending', 50: 'ALT^^^HOSP' } }),
      adt({ ...moved, fields: { 8: '8^Referring' } }),
    )
    const [encounter] = await found(house.record, 'Encounter')
    const people = ((encounter?.participant ?? []) as { individual: { display: string } }[]).map(
      one => one.individual.display,
    )
    expect(people).toEqual(['Attending', 'Referring'])
    expect(encounter).toMatchObject({ identifier: expect.arrayContaining([expect.objectContaining({ value: 'ALT' })]) })
    expect(JSON.stringify(encounter?.location)).toMatch(/OLD.*X/)
    // What is contained is there when something refers to it, and only then: dom-3.
    const named = JSON.stringify(encounter)
      .match(/"#[^"]+"/g)
      ?.map(text => text.slice(2, -1))
    const ids = ((encounter?.contained ?? []) as { id: string }[]).map(({ id }) => id)
    expect(new Set(ids)).toEqual(new Set(named))
    expect(ids.length).toBeGreaterThan(2)
  })
})

describe('a visit without a number', () => {
  const visit = (event: string, said: string) =>
    message(
      `MSH|^~\\&|REG|HOSP|||${said}+0000||${event}|${said}|P|2.5.1`,
      pid,
      'PV1|1|O|CLINIC',
      'OBR|1||F1|X',
      'OBX|1|ST|C||v',
    )

  it('is one of its kind and day, and what a result says of one is not taken for it', async () => {
    const house = await hospital()
    await send(
      house,
      visit('ADT^A04', '202403110800'),
      visit('ADT^A08', '202403110900'),
      visit('ORU^R01', '202403111000'),
    )
    expect((await found(house.record, 'Encounter')).map(({ status }) => status).sort()).toEqual([
      'in-progress',
      'unknown',
    ])
  })
})

describe('late messages about a person', () => {
  it('an older update does not take the place of a newer one, in any order', async () => {
    const update = (said: string, city: string) =>
      message(
        `MSH|^~\\&|REG|HOSP|||${said}+0000||ADT^A31|${said}|P|2.5.1`,
        `EVN|A31|${said}+0000`,
        `${pid}||||||^^${city}`,
      )
    for (const order of orders(['202403100800 Old', '202403110800 New', '202403120800 New'])) {
      const house = await hospital()
      await send(house, ...order.map(one => update(one.slice(0, 12), one.slice(13))))
      const [patient] = await found(house.record, 'Patient', 'identifier=4711')
      expect(patient).toMatchObject({ address: [{ city: 'New' }] })
    }
  })
})

describe('what is said and not taken is told', () => {
  const said = async (event: string, stored: object, pid: string, ...more: string[]) => {
    const house = await openHouse()
    const identifier = [{ system: 'urn:x-hl7v2-hd:HOSP', value: '4711' }]
    const id = await createPatient(house.record, { identifier, ...stored })
    const msh = `MSH|^~\\&|HIS|HOSP|||20260301120000+0000||${event}|C1|P|2.5.1`
    const bytes = message(msh, `PID|1||4711^^^HOSP^MR||${pid}`, ...more)
    const { ack } = await house.ingest.hl7v2({ grant: everything(), message: bytes })
    expect(ack).toContain('MSA|AA')
    return { house, ack, patient: await readPatient(house.record, id) }
  }
  const stands = 'says something else than what stands, which stays'
  const eva = { name: [{ family: 'Known', given: ['Eva'] }], address: [{ city: 'Town' }] }

  it('an admission completes a name, an address and a number that it says more of', async () => {
    const { patient, ack } = await said('ADT^A01', eva, 'Known^Eva^Maria^Jr^Dr^^L||||||1 St^^Town^ST^123^USA^H')
    expect(patient).toMatchObject({
      name: [{ use: 'official', family: 'Known', given: ['Eva', 'Maria'], prefix: ['Dr'], suffix: ['Jr'] }],
      address: [{ use: 'home', line: ['1 St'], city: 'Town', postalCode: '123' }],
      identifier: [{ value: '4711', type: { coding: [{ code: 'MR' }] } }],
    })
    expect(ack).not.toContain(stands)
  })

  it.each(['ADT^A01', 'ADT^A03', 'ADT^A28', 'ORU^R01'])('%s names what the Patient says otherwise', async event => {
    const { patient, ack } = await said(event, eva, 'Known^Eva||||||2 St^^Elsewhere|||||S')
    expect(patient).toMatchObject({ address: [{ city: 'Town' }], maritalStatus: expect.anything() })
    expect(ack).toMatch(new RegExp(`^ERR\\|\\|PID\\^1\\^11\\|.*PID-11 ${stands}`, 'm'))
    expect(ack).not.toMatch(/PID-(3|5|16) says|Elsewhere/)
  })

  it('who may not read the Patient does not learn what differs', async () => {
    const answers = await Promise.all(
      ['Town', 'Elsewhere'].map(async city => {
        const house = await openHouse()
        const identifier = [{ system: 'urn:x-hl7v2-hd:HOSP', value: '4711' }]
        await createPatient(house.record, { identifier, ...eva })
        const bytes = message(
          'MSH|^~\\&|HIS|HOSP|||20260301120000+0000||ADT^A01|C1|P|2.5.1',
          `PID|1||4711^^^HOSP^MR||Known^Eva||||||^^${city}`,
        )
        const { ack } = await house.ingest.hl7v2({ grant: grantOf('system/*.cud'), message: bytes })
        return ack.split('\r').filter(line => line.startsWith('ERR'))
      }),
    )
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]?.join()).not.toContain('PID-11')
  })

  it('an update replaces, and says nothing of it', async () => {
    const { patient, ack } = await said('ADT^A08', eva, 'Known^Eva||||||2 St^^Elsewhere')
    expect([patient.address, ack.includes(stands)]).toEqual([[expect.objectContaining({ city: 'Elsewhere' })], false])
  })

  it('an update by a bare name leaves the maiden name and the alias', async () => {
    const name = [
      { use: 'maiden', family: 'Roe' },
      { use: 'nickname', given: ['Evi'] },
      { family: 'Known', given: ['Eva'] },
    ]
    const { patient } = await said('ADT^A31', { name }, 'Known-Other^Eva')
    expect(patient.name).toEqual([name[0], name[1], { family: 'Known-Other', given: ['Eva'] }])
  })

  it('a result that comes late names its value', async () => {
    const obr = 'OBR|1||F1|P^Panel^L|||20260101'
    const { house } = await said('ORU^R01', eva, 'Known^Eva', obr, 'OBX|1|NM|G^g^L||90|mg|||||F')
    const late = message(
      'MSH|^~\\&|HIS|HOSP|||20260201120000+0000||ORU^R01|C0|P|2.5.1',
      'PID|1||4711^^^HOSP^MR||Known^Eva',
      obr,
      'OBX|1|NM|G^g^L||80|mg|||||F',
    )
    const { ack } = await house.ingest.hl7v2({ grant: everything(), message: late })
    expect(ack).toMatch(new RegExp(`ERR\\|\\|OBX\\^1\\^5\\|.*OBX-5 ${stands}`))
    expect(await found(house.record, 'Observation')).toMatchObject([{ valueQuantity: { value: 90 } }])
  })

  it.each([
    ['of another person than PID says', 'IN1|1|P|C|Payer||||||||||||Other^Name|SEL|19700101', /IN1-16/],
    ['of the patient', 'IN1|1|P|C|Payer||||||||||||Known^Eva|SEL', /^((?!IN1-16).)*$/s],
  ])('an insured who is the patient, by a name %s', async (_, in1, expected) => {
    const { ack } = await said('ADT^A01', eva, 'Known^Eva', in1)
    expect(ack).toMatch(expected)
  })
})

describe('a diagnosis that is taken back – DG1-21 D', () => {
  it.each([
    ['by its code', ''],
    ['by its number', '|||||||||||||||D1^HIS'],
  ])('is named by its visit no more: %s', async (_, number) => {
    const house = await openHouse()
    const sendVisit = (id: string, time: string, ...segments: string[]) =>
      house.ingest.hl7v2({
        grant: everything(),
        message: Buffer.from(
          [
            `MSH|^~\\&|HIS|HOSP|||${time}||ADT^${id === 'D1' ? 'A04' : 'A08'}|${id}|P|2.5.1`,
            `EVN||${time}`,
            'PID|1||77^^^HOSP^MR||Diag^Nora||19800101|F',
            'PV1|1|I|||||||||||||||||V77',
            ...segments,
          ].join('\r'),
        ),
      })
    const dg1 = (code: string, action: string, own = '') => {
      const fields = ['DG1', '1', '', `${code}^words^L`]
      if (own !== '') fields[20] = own
      fields[21] = action
      return Array.from(fields, text => text ?? '').join('|')
    }
    const own = number === '' ? '' : 'D1^HIS'
    await sendVisit('D1', '20260101100000', dg1('WRONG', 'A', own), dg1('RIGHT', 'A'))
    expect((await found(house.record, 'Encounter'))[0]?.diagnosis).toHaveLength(2)
    await sendVisit('D2', '20260101110000', dg1('WRONG', 'D', own))
    const [encounter] = await found(house.record, 'Encounter')
    const right = (await found(house.record, 'Condition')).find(one => JSON.stringify(one).includes('RIGHT'))
    expect(encounter?.diagnosis).toMatchObject([{ condition: { reference: `Condition/${right?.id}` } }])
  })
})
