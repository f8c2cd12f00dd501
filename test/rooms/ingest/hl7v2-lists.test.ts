import type { Resource } from '#fhir'
import { everything, found, ingested, openHouse, type TestHouse, validator } from './house.ts'
import { message } from './reading.ts'

const noon = Date.parse('2026-03-01T12:00:00Z')
const pid = (rest = '') => `PID|1||4711^^^HOSP^MR||Smith^Anna||20150607|F${rest}`
const speaks = (code: string) => pid(`|||||||${code}`)
const pd1 = (practice: string, ...doctors: string[]) => `PD1|||${practice}|${doctors.join('~')}`
const rol = (number: string, name: string) => `ROL|1|AD|PP|${number}^${name}`

const bytes = (id: string, at: string, event: string, segments: readonly string[]) =>
  message(`MSH|^~\\&|REG|HOSP|KIN|HOME|20260301${at}+0000||${event}|${id}|P|2.5.1`, ...segments)

async function hospital() {
  const house = await openHouse()
  house.clock.advance(noon - house.clock.nowMs())
  let ids = 0
  const send = async (at: string, event: string, ...segments: string[]) => {
    const sent = bytes(`L${++ids}`, at, event, segments)
    const { ack } = await house.ingest.hl7v2({ grant: everything(), message: sent })
    expect(ack).toMatch(/MSA\|AA/)
    return ack
  }
  return { house, send }
}

async function only(house: TestHouse, type: string): Promise<Resource & { id: string }> {
  const all = (await found(house.record, type)).filter(one => one.id !== house.anna && one.id !== house.bert)
  expect(all).toHaveLength(1)
  expect(validator.validate(all[0] as Resource).filter(({ severity }) => severity === 'error')).toEqual([])
  return all[0] as Resource & { id: string }
}

const names = async (house: TestHouse, type: string, list: string) =>
  ((await only(house, type))[list] as { display: string }[] | undefined)?.map(({ display }) => display).toSorted()
const languages = async (house: TestHouse) =>
  ((await only(house, 'Patient')).communication as { language: { coding: { code: string }[] } }[]).map(
    ({ language }) => language.coding[0]?.code,
  )

async function edit(house: TestHouse, change: (stood: Resource) => object): Promise<void> {
  const stood = await only(house, 'Patient')
  await house.record
    .writer(everything())
    .transact(txn => txn.update('Patient', stood.id, { ...stood, ...change(stood), id: stood.id }))
}

describe('an update takes from a list what its own fields say – HL7 v2.5.1, 2.5.3', () => {
  it.each<[string, string[], string[], string[]]>([
    [
      'a doctor of PD1-4, and not those of ROL',
      [pd1('', '1^Old'), rol('7', 'Role')],
      [pd1('', '2^New')],
      ['New', 'Role'],
    ],
    [
      'a doctor of ROL, and not that of PD1-4',
      [pd1('', '1^Old'), rol('7', 'Role')],
      [rol('8', 'Next')],
      ['Next', 'Old'],
    ],
    ['a practice of PD1-3, and not the doctor of PD1-4', [pd1('P^^1', '1^Old')], [pd1('Q^^2')], ['Old', 'Q']],
    [
      'all of them',
      [pd1('P^^1', '1^Old'), rol('7', 'Role')],
      [pd1('Q^^2', '2^New'), rol('8', 'Next')],
      ['New', 'Next', 'Q'],
    ],
    ['nothing, where it says nothing', [pd1('P^^1', '1^Old'), rol('7', 'Role')], [], ['Old', 'P', 'Role']],
  ])('%s', async (_, first, second, expected) => {
    const { house, send } = await hospital()
    await send('1100', 'ADT^A04', pid(), ...first)
    await send('1130', 'ADT^A08', pid(), ...second)
    expect(await names(house, 'Patient', 'generalPractitioner')).toEqual(expected)
  })

  it('one doctor in the place of two is told', async () => {
    const { house, send } = await hospital()
    await send('1100', 'ADT^A04', pid(), pd1('P^^1', '1^Old', '2^Two'))
    const ack = await send('1130', 'ADT^A08', pid(), pd1('', '3^New'))
    expect(ack).toContain('Patient.generalPractitioner is not said any more')
    expect(await names(house, 'Patient', 'generalPractitioner')).toEqual(['New', 'P'])
  })

  it('of what a Patient had and has no more, the field that says it is named; what is deleted was asked for', async () => {
    const { send } = await hospital()
    const home = (...cities: string[]) => pid(`|||${cities.map(city => `1 Main^^${city}^^^^H`).join('~')}`)
    await send('1100', 'ADT^A04', home('One', 'Two'))
    expect(await send('1130', 'ADT^A08', home('One'))).toContain('PID-11: Patient.address is not said any more')
    expect(await send('1140', 'ADT^A08', pid('|||""'))).not.toContain('not said any more')
    // An admission takes nothing away.
    expect(await send('1150', 'ADT^A01', home('Three'))).not.toContain('not said any more')
  })

  it.each<[string, string, string, string, string[]]>([
    [
      'a responsible observer, and neither the director nor the laboratory',
      'L1^Lab^L|1^Obs|||||||Org^^9||2^Dir',
      '|3^Next',
      '',
      ['Dir', 'Lab', 'Next'],
    ],
    ['a director', 'L1^Lab^L|1^Obs|||||||Org^^9||2^Dir', '||||||||Org^^9', '||4^Chief', ['Chief', 'Lab', 'Obs']],
    ['a laboratory', 'L1^Lab^L|1^Obs', 'L2^Other^L', '', ['Obs', 'Other']],
  ])('of who did a measurement %s', async (_, first, second, rest, expected) => {
    const { house, send } = await hospital()
    const obx = (value: string, who: string) => `OBX|1|NM|C^c^L||${value}||||||F|||20260301080000+0000|${who}`
    await send('1100', 'ADT^A04', pid())
    await send('1110', 'ORU^R01', pid(), 'OBR|1||F1|P^Panel^L', obx('5', first))
    await send('1130', 'ORU^R01', pid(), 'OBR|1||F1|P^Panel^L', obx('6', `${second}${rest}`))
    expect(await names(house, 'Observation', 'performer')).toEqual(expected)
  })

  it('of who made a report its technician (OBR-34), and not who typed it (OBR-35)', async () => {
    const { house, send } = await hospital()
    const obr = (technician: string, typist = '') =>
      `OBR|1||F1|P^Panel^L${'|'.repeat(21)}F${'|'.repeat(9)}${technician}|${typist}`
    await send('1100', 'ADT^A04', pid())
    await send('1110', 'ORU^R01', pid(), obr('1&Tech', '2&Type'), 'OBX|1|NM|C^c^L||5||||||F')
    await send('1130', 'ORU^R01', pid(), obr('3&Other'), 'OBX|1|NM|C^c^L||5||||||F')
    expect(await names(house, 'DiagnosticReport', 'performer')).toEqual(['Other', 'Type'])
  })
})

describe('what a person has added to a list', () => {
  const added = (stood: Resource) => ({
    communication: [...(stood.communication as object[]), { language: { coding: [{ code: 'tr' }] }, preferred: true }],
    generalPractitioner: [{ display: 'Mine' }],
  })

  it('stays beside what a newer update says', async () => {
    const { house, send } = await hospital()
    await send('1100', 'ADT^A04', speaks('de'), pd1('', '1^Old'))
    await edit(house, added)
    await send('1230', 'ADT^A08', speaks('de'), pd1('', '2^New'))
    expect(await languages(house)).toEqual(['tr', 'de'])
    expect(await names(house, 'Patient', 'generalPractitioner')).toEqual(['Mine', 'New'])
  })

  it.each(['ADT^A08', 'ADT^A01'])('stays as it is when an older %s comes', async event => {
    const { house, send } = await hospital()
    await send('1100', 'ADT^A04', speaks('de'), pd1('', '1^Old'))
    await edit(house, added)
    await send('1130', event, speaks('en'), pd1('', '2^New'), 'PV1|1|I|||||||||||||||||V1')
    expect(await languages(house)).toEqual(['de', 'tr'])
    expect(await names(house, 'Patient', 'generalPractitioner')).toEqual(['Mine'])
  })

  it('an admission adds nothing to it', async () => {
    const { house, send } = await hospital()
    await send('1100', 'ADT^A04', speaks('de'), pd1('', '1^Old'))
    await edit(house, added)
    await send('1230', 'ADT^A01', speaks('en'), pd1('', '2^New'), 'PV1|1|I|||||||||||||||||V1')
    expect(await languages(house)).toEqual(['de', 'tr'])
    expect(await names(house, 'Patient', 'generalPractitioner')).toEqual(['Mine'])
  })

  it('a language that nobody has touched is replaced, also by a file', async () => {
    const { house, send } = await hospital()
    await send('1100', 'ADT^A04', speaks('de'))
    const { id } = await only(house, 'Patient')
    await ingested(house, id, everything(), bytes('F1', '1230', 'ADT^A08', [speaks('en')]))
    expect(await languages(house)).toEqual(['en'])
  })
})
