import type { Resource } from '#fhir'
import { remarkOf } from '../../../src/ingest/hl7v2/acknowledge.ts'
import { hl7Outcomes, message, resourcesOf } from './reading.ts'

const ucum = 'http://unitsofmeasure.org'
const snomed = 'http://snomed.info/sct'

interface Said {
  readonly result: Resource | undefined
  /** Places that the sender is told of. */
  readonly named: readonly string[]
}

function said(type: string, value: string, unit: string, code = '2345-7^Glucose^LN'): Said {
  const outcomes = hl7Outcomes(
    message(
      'MSH|^~\\&|LAB|LABOR|KIN|HOME|20240310120000+0000||ORU^R01|C1|P|2.5.1',
      'PID|1||4711^^^HOSP^MR||Sample^Ann',
      'OBR|1||F1|58410-2^Panel^LN|||20240310080000+0000',
      `OBX|1|${type}|${code}||${value}|${unit}|||||F`,
    ),
  ).flat()
  return {
    result: resourcesOf(outcomes).find(({ resourceType }) => resourceType === 'Observation'),
    named: outcomes.flatMap(one => remarkOf(one)?.location ?? []),
  }
}

const quantity = (given: Said) => given.result?.valueQuantity as Record<string, unknown> | undefined

/** https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-cwe-to-quantity.html; https://ucum.org/ucum */
describe('the unit of a result', () => {
  it.each([
    ['10^3/uL', '10^3/uL', '10*3/uL'],
    ['10^9/L', '10^9/L', '10*9/L'],
    ['10^12/L', '10^12/L', '10*12/L'],
    ['x10^3/uL', 'x10^3/uL', '10*3/uL'],
    ['X10^6/uL', 'X10^6/uL', '10*6/uL'],
    ['10\\S\\3/uL', '10^3/uL', '10*3/uL'],
    ['10*3/uL', '10*3/uL', '10*3/uL'],
    ['10^3/ml2/x', '10^3/ml2/x', undefined],
    ['10^3', '10^3', '10*3'],
  ])('a power of ten whose ^ is not escaped is one unit: %s', (sent, unit, code) => {
    const given = said('NM', '5', sent)
    expect(quantity(given)).toMatchObject(code === undefined ? { unit } : { unit, system: ucum, code })
    expect(quantity(given)?.code).toBe(code)
    expect(given.named).toEqual([])
  })

  it.each(['258773002', '10', '7', '1.73', '10^decade^L'])(
    'a number is no unit of UCUM that nobody called one: %s',
    sent => {
      const given = quantity(said('NM', '5', sent)) ?? {}
      expect(Object.keys(given)).toEqual(['value', 'unit'])
    },
  )

  it.each([
    ['µg/L', 'ug/L'],
    ['μg/L', 'ug/L'],
    ['µmol/l', 'umol/L'],
    ['kg/m²', 'kg/m2'],
    ['µg/L^^UCUM', 'ug/L'],
  ])('letters that UCUM does not have are spelled as it spells them: %s', (sent, code) => {
    expect(quantity(said('NM', '5', sent))).toEqual({
      value: expect.anything(),
      unit: sent.split('^')[0],
      system: ucum,
      code,
    })
  })

  it.each([
    ['2.16.840.1.113883.6.8', ucum],
    ['urn:oid:2.16.840.1.113883.6.8', ucum],
    ['http://unitsofmeasure.org', ucum],
    ['UCUM', ucum],
    ['2.16.840.1.113883.6.96', snomed],
    ['http://snomed.info/sct', snomed],
    ['SCT', snomed],
  ])('its system is named by table 0396, an OID or an address: %s', (name, system) => {
    const given = said('NM', '5', `mL^ml^${name}`)
    expect(quantity(given)).toMatchObject({ unit: 'ml', code: 'mL', system })
    expect(given.named).toEqual([])
  })

  /** CQ.2 is a CWE: https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-cq-to-quantity.html */
  it.each([
    ['5^258773002&mL&SCT', { unit: 'mL', system: snomed, code: '258773002' }],
    ['5^258773002^mL^SCT', { unit: 'mL', system: snomed, code: '258773002' }],
    ['5^mL&milliliter&UCUM', { unit: 'milliliter', system: ucum, code: 'mL' }],
    ['5^mL', { unit: 'mL', system: ucum, code: 'mL' }],
    ['5^258773002', { unit: '258773002' }],
    ['5^10&10\\S\\3/uL&L', { unit: '10^3/uL', system: ucum, code: '10*3/uL' }],
  ])('CQ has its own: %s', (value, unit) => {
    const given = said('CQ', value, '')
    expect(quantity(given)).toEqual({ value: expect.anything(), ...unit })
    expect(given.named).toEqual([])
  })

  it.each([
    ['CQ', '5^mg'],
    ['MO', '5^USD'],
    ['CP', '5&USD'],
    ['ST', 'five'],
    ['CWE', 'A^B^L'],
  ])('OBX-6 beside what has another unit, or none, is named: %s', (type, value) => {
    expect(said(type, value, 'mL').named).toEqual(['OBX^1^6'])
  })

  it('OBX-6 is the unit of a CQ that has none', () => {
    const given = said('CQ', '5', 'mL')
    expect(quantity(given)).toMatchObject({ unit: 'mL', system: ucum, code: 'mL' })
    expect(given.named).toEqual([])
  })
})

describe('a code', () => {
  it.each([
    ['2.16.840.1.113883.6.1', 'http://loinc.org'],
    ['http://loinc.org', 'http://loinc.org'],
    ['1.2.3.4.5', 'urn:oid:1.2.3.4.5'],
    ['https://lab.example/codes', 'https://lab.example/codes'],
    ['LABX', 'urn:x-hl7v2-0396:LABX'],
    ['2.16.840.1.113883.12.78', 'http://terminology.hl7.org/CodeSystem/v2-0078'],
  ])('of a system that is named by its OID or address has its URI: %s', (name, system) => {
    const { result } = said('NM', '5', 'mg', `2345-7^Glucose^${name}`)
    expect((result?.code as { coding?: object[] } | undefined)?.coding?.[0]).toMatchObject({ system, code: '2345-7' })
  })

  it('whose system is told by an OID alone has its URI too – CWE.14', () => {
    const { result } = said('NM', '5', 'mg', '2345-7^Glucose^^^^^^^^^^^^2.16.840.1.113883.6.1')
    expect((result?.code as { coding?: object[] } | undefined)?.coding?.[0]).toMatchObject({
      system: 'http://loinc.org',
    })
  })
})
