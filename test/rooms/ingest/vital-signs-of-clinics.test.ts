import { Decimal, type Resource } from '#fhir'
import { judgeByProfiles } from '#validation'
import { documentOf, entry, entryOutcomes, ofType, section, template } from './ccda-documents.ts'
import { everything, found, ingested, openHouse, type TestHouse } from './house.ts'
import { hl7Outcomes, message, observationsOf } from './reading.ts'

/** Vital signs in messages and documents of clinics: https://hl7.org/fhir/R4/observation-vitalsigns.html */
const profile = 'http://hl7.org/fhir/StructureDefinition/vitalsigns'

async function faultsOf(resource: Resource): Promise<readonly string[]> {
  const question = { asked: [profile], kept: [], extent: 'warnings-too', isStrict: true } as const
  const issues = await judgeByProfiles(resource, question, 'owner')
  return issues.filter(({ severity }) => severity === 'error').map(({ text, expression }) => `${expression}: ${text}`)
}

const plain = (quantity: unknown) =>
  JSON.parse(JSON.stringify(quantity, (_, one) => (one instanceof Decimal ? Number(one) : one)))

const pid = 'PID|1||1^^^HOSP^MR||Wolf^Anna||19800203|F'
const header = (type: string, id = 'C1', at = '20240310120000+0000') =>
  `MSH|^~\\&|LAB|HOSP|KIN|HOME|${at}||${type}|${id}|P|2.5.1`
const order = 'OBR|1||F1|V^Vitals^L|||20240310080000+0000'

interface Measured {
  readonly loinc: string
  readonly value: string
  readonly unit: string
  readonly type?: string
}

const ways: Readonly<Record<string, (one: Measured) => Promise<readonly Resource[]>>> = {
  'HL7 v2': async ({ loinc, value, unit, type = 'NM' }) =>
    observationsOf(
      hl7Outcomes(message(header('ORU^R01'), pid, order, `OBX|1|${type}|${loinc}^x^LN||${value}|${unit}|||||F`)).flat(),
    ),
  'C-CDA': async ({ loinc, value, unit, type = 'PQ' }) => {
    const said =
      type === 'ST'
        ? `<value xsi:type="ST">${value}</value>`
        : `<value xsi:type="PQ" value="${value}"${unit === '' ? '' : ` unit="${unit}"`}/>`
    const statement = `<observation classCode="OBS" moodCode="EVN">${template('22.4.27')}<id root="1.2.3"/><code code="${loinc}" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><effectiveTime value="20240310080000+0000"/>${said}</observation>`
    return ofType(await entryOutcomes('22.2.4.1', statement), 'Observation')
  },
}

describe.each(Object.keys(ways))('a vital sign of %s', way => {
  const read = ways[way] as (one: Measured) => Promise<readonly Resource[]>

  it.each<[loinc: string, value: string, unit: string, expected: readonly [number, string, original?: string]]>([
    ['8302-2', '170', 'cm', [170, 'cm']],
    ['8302-2', '1.70', 'm', [170, 'cm']],
    ['8302-2', '1700', 'mm', [170, 'cm']],
    ['8302-2', '67', '[in_i]', [67, '[in_i]']],
    ['8302-2', '5.6', '[ft_i]', [170.7, 'cm', '[ft_i]']],
    ['8302-2', '5.6', 'ft', [170.7, 'cm', '[ft_i]']],
    ['9843-4', '0.505', 'm', [50.5, 'cm']],
    ['29463-7', '3200', 'g', [3200, 'g']],
    ['29463-7', '154', 'lb', [154, '[lb_av]']],
    ['29463-7', '112.5', '[oz_av]', [3.189, 'kg', '[oz_av]']],
    ['29463-7', '70', 'kilograms', [70, 'kg']],
    ['8310-5', '37.2', 'Cel', [37.2, 'Cel']],
    ['8310-5', '37.2', 'C', [37.2, 'Cel']],
    ['8310-5', '98.6', 'F', [98.6, '[degF]']],
    ['8310-5', '310.15', 'K', [37, 'Cel', 'K']],
    ['8867-4', '72', '{beats}/min', [72, '/min']],
    ['8867-4', '72', 'BPM', [72, '/min']],
    ['8867-4', '1.2', '/s', [72, '/min', '/s']],
    ['9279-1', '16', '{breaths}/min', [16, '/min']],
    ['2708-6', '97', '%{saturation}', [97, '%']],
    ['59408-5', '0.97', '1', [97, '%']],
    ['8480-6', '16.0', 'kPa', [120, 'mm[Hg]', 'kPa']],
    ['39156-5', '0.0024', 'g/mm2', [2.4, 'kg/m2']],
  ])('%s of %s %s is in a unit of its profile', async (loinc, value, unit, [expected, code, original]) => {
    const [sign] = (await read({ loinc, value, unit })).filter(one => one.valueQuantity !== undefined)
    expect(plain(sign?.valueQuantity)).toMatchObject({ value: expected, system: 'http://unitsofmeasure.org', code })
    expect(await faultsOf(sign as Resource)).toEqual([])
    const { extension = [] } = plain(sign?.valueQuantity)
    expect(extension).toEqual(
      original === undefined
        ? []
        : [
            {
              url: 'http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation',
              valueQuantity: expect.objectContaining({ value: Number(value), code: original }),
            },
          ],
    )
  })

  it.each([
    ['8867-4', '72', ''],
    ['29463-7', '70', 'stones and more'],
    ['8302-2', '170', 'kg'],
    ['2708-6', '97', '1'],
  ])('%s of %s "%s" is guessed nothing about', async (loinc, value, unit) => {
    const [sign] = (await read({ loinc, value, unit })).filter(one => one.valueQuantity !== undefined)
    const { value: kept, code } = plain(sign?.valueQuantity ?? {})
    expect([kept, code === unit ? undefined : code]).toEqual([Number(value), undefined])
  })

  it.each<[string, readonly [number, number] | undefined]>([
    ['120/80', [120, 80]],
    [' 95 / 60 ', [95, 60]],
    ['12/8', undefined],
    ['high', undefined],
    ['120/80/40', undefined],
  ])('a pressure in words, %j, has its two halves, known or not', async (value, halves) => {
    const [sign] = (await read({ loinc: '85354-9', value, unit: '', type: 'ST' })).filter(
      one => one.component !== undefined,
    )
    const components = sign?.component as { valueQuantity?: { value: number }; dataAbsentReason?: object }[]
    expect(components.map(one => one.valueQuantity?.value)).toEqual(halves ?? [undefined, undefined])
    expect(components.map(one => one.dataAbsentReason !== undefined)).toEqual([!halves, !halves])
    expect(await faultsOf(sign as Resource)).toEqual([])
  })
})

describe('a vital sign that lacks something', () => {
  const sent = async (house: TestHouse, ...segments: string[]) => {
    const { counts } = await ingested(house, house.anna, everything(), message(...segments))
    expect(counts.rejected).toEqual([])
    return found(house.record, 'Observation')
  }
  // Of a body mass index R4's profile wants the number itself, of a panel its members.
  const all = [
    '9279-1',
    '8867-4',
    '2708-6',
    '59408-5',
    '8310-5',
    '8302-2',
    '9843-4',
    '29463-7',
    '85354-9',
    '8480-6',
    '8462-4',
    '8478-0',
  ]

  it.each([
    ['a value', 'ORU^R01', order, (code: string) => `OBX|1|NM|${code}^x^LN|||||||||X`],
    ['its time', 'ADT^A08', 'PV1|1|O', (code: string) => `OBX|1|ST|${code}^x^LN||in words||||||F`],
    ['both', 'ADT^A08', 'PV1|1|O', (code: string) => `OBX|1|NM|${code}^x^LN|||||||||X`],
    ['the day', 'ORU^R01', order, (code: string) => `OBX|1|ST|${code}^x^LN||in words||||||F|||202403`],
  ])('%s, says so', async (_, type, second, obx) => {
    const house = await openHouse()
    const segments = all.map((code, nth) => obx(code).replace('OBX|1', `OBX|${nth + 1}`))
    const signs = await sent(house, header(type), pid, second, ...segments)
    expect(signs).toHaveLength(all.length)
    for (const sign of signs) expect([sign.code, await faultsOf(sign)]).toEqual([sign.code, []])
  })

  it('is whole when it is said, and stays what it is when it is not said again', async () => {
    const house = await openHouse()
    const obx = (value: string, time: string, status: string) =>
      `OBX|1|NM|8867-4^x^LN||${value}|/min|||||${status}|||${time}|||||||I1`
    const send = async (id: string, minute: number, value: string, time: string, status: string) => {
      const at = `202403101200${String(minute).padStart(2, '0')}+0000`
      const [sign] = await sent(house, header('ADT^A08', id, at), pid, 'PV1|1|O', obx(value, time, status))
      return sign
    }
    const first = await send('M1', 1, '', '', 'I')
    expect(first).toMatchObject({ dataAbsentReason: { coding: [{ code: 'unknown' }] }, _effectiveDateTime: {} })
    const second = await send('M2', 2, '72', '20240310080000+0000', 'F')
    expect(second).toMatchObject({ id: first?.id, valueQuantity: { value: 72 }, effectiveDateTime: expect.any(String) })
    expect(second).not.toHaveProperty('dataAbsentReason')
    expect(second).not.toHaveProperty('_effectiveDateTime')
    const third = await send('M3', 3, '', '', 'F')
    expect(third).toMatchObject({ valueQuantity: { value: 72 }, effectiveDateTime: second?.effectiveDateTime })
    expect(third).not.toHaveProperty('dataAbsentReason')
    const fourth = await send('M4', 4, '""', '', 'F')
    expect(fourth).not.toHaveProperty('valueQuantity')
    expect(await faultsOf(fourth as Resource)).toEqual([])
  })

  it('in a document, too', async () => {
    const one = (code: string, more: string) =>
      entry(
        `<observation classCode="OBS" moodCode="EVN">${template('22.4.27')}<id root="1.2.3.${code.slice(0, 3)}"/><code code="${code}" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>${more}</observation>`,
      )
    const value = '<value xsi:type="PQ" value="72" unit="{beats}/min"/>'
    const house = await openHouse()
    const document = documentOf(
      section(
        '22.2.4.1',
        one('8867-4', value) + one('9279-1', '<effectiveTime value="20240310"/>') + one('85354-9', ''),
      ),
    )
    await ingested(house, house.anna, everything(), document)
    const signs = await found(house.record, 'Observation')
    expect(signs).toHaveLength(3)
    for (const sign of signs) expect([sign.code, await faultsOf(sign)]).toEqual([sign.code, []])
  })

  it('what is no vital sign lacks nothing', async () => {
    const house = await openHouse()
    const [glucose] = await sent(house, header('ADT^A08'), pid, 'PV1|1|O', 'OBX|1|NM|2345-7^x^LN|||||||||X')
    expect(glucose).not.toHaveProperty('dataAbsentReason')
    expect(glucose).not.toHaveProperty('_effectiveDateTime')
  })
})
