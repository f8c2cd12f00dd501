import { printJson } from '#fhir'
import { parseAppleDate } from '../../../src/ingest/apple/dates.ts'
import { toDate, toDateTime, toInstantText } from '../../../src/ingest/hl7v2/times.ts'
import { fromFloat32, rounded, significantDigits, toFhirNumber } from '../../../src/ingest/numbers.ts'

describe('numbers as FHIR prints them – https://hl7.org/fhir/R4/datatypes.html#decimal', () => {
  it.each([
    ['5.40', '5.40'],
    ['72', '72'],
    ['-0.5', '-0.5'],
    ['1e3', '1e3'],
    ['.5', '0.5'],
    ['+3', '3'],
    ['007', '7'],
  ])('%s is %s', (text, printed) => {
    expect(printJson(toFhirNumber(text))).toBe(printed)
  })

  it.each(['', 'NaN', 'Infinity', '1e999', '0x10', '1,5', '1 2', '--1'])('%s is none', text => {
    expect(toFhirNumber(text)).toBeUndefined()
  })

  it('counts the digits that carry meaning', () => {
    expect(['0.0302', '150', '5.40', '1e3', '-0.0'].map(significantDigits)).toEqual([3, 3, 3, 1, 0])
  })

  it('rounds to what was given, at least four digits', () => {
    expect(rounded(167.64, 2)).toBe(167.6)
    expect(rounded(68.0388555, 6)).toBe(68.0389)
  })

  it('finds the shortest decimal of a 32-bit float', () => {
    expect(fromFloat32(36.599998474121094)).toBe(36.6)
    expect(fromFloat32(10.980997085571289)).toBe(10.980997)
  })
})

describe('times', () => {
  it.each([
    ['2026', '2026'],
    ['202602', '2026-02'],
    ['20260210', '2026-02-10'],
    ['2026021008', '2026-02-10T08:00:00+01:00'],
    ['202602100815', '2026-02-10T08:15:00+01:00'],
    ['20260210081530.25-0500', '2026-02-10T08:15:30.25-05:00'],
  ])('HL7 v2 %s is %s', (text, expected) => {
    expect(toDateTime(text, '+01:00')).toBe(expected)
  })

  it.each(['', '00000000', '20260230', '196203520', '2026021025', 'yesterday'])('HL7 v2 %s is none', text => {
    expect(toDateTime(text, 'Z')).toBeUndefined()
  })

  it('gives a date its day alone and an instant only a time', () => {
    expect(toDate('20260210081530+0100')).toBe('2026-02-10')
    expect(toInstantText('20260210', 'Z')).toBeUndefined()
  })

  it('reads the dates of Apple Health, in the zone of the record where it is told', () => {
    expect(parseAppleDate('2020-09-01 23:30:00 -0800')).toEqual({
      text: '2020-09-01T23:30:00-08:00',
      ms: Date.parse('2020-09-02T07:30:00Z'),
    })
    expect(parseAppleDate('2020-09-01 23:30:00 -0800', 'America/Los_Angeles')?.text).toBe('2020-09-02T00:30:00-07:00')
    expect(parseAppleDate('2020-09-01 23:30:00 +0000', 'Nowhere/At_All')?.text).toBe('2020-09-01T23:30:00+00:00')
    expect(parseAppleDate('2026-02-30 08:00:00 +0100')).toBeUndefined()
    expect(parseAppleDate('2026-02-03T08:00:00Z')).toBeUndefined()
  })
})
