import fc from 'fast-check'
import { isDate, isDateTime, isInstant, isTime, parseDateInterval, toInstant } from '#fhir'

const ms = (text: string): number => Date.parse(text)

describe('parseDateInterval – https://hl7.org/fhir/R4/search.html#date', () => {
  it.each([
    ['2026', '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['2026-03', '2026-03-01T00:00:00Z', '2026-04-01T00:00:00Z'],
    ['2026-12', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['2024-02-29', '2024-02-29T00:00:00Z', '2024-03-01T00:00:00Z'],
    ['2026-03-15T10:20', '2026-03-15T10:20:00Z', '2026-03-15T10:21:00Z'],
    ['2026-03-15T10:20:30', '2026-03-15T10:20:30Z', '2026-03-15T10:20:31Z'],
    ['2026-03-15T10:20:30+02:00', '2026-03-15T08:20:30Z', '2026-03-15T08:20:31Z'],
    ['2026-03-15T10:20:30.6Z', '2026-03-15T10:20:30.600Z', '2026-03-15T10:20:30.700Z'],
    ['2026-03-15T10:20:30.678Z', '2026-03-15T10:20:30.678Z', '2026-03-15T10:20:30.679Z'],
    ['2026-03-15T10:20:30.6789123456789Z', '2026-03-15T10:20:30.678Z', '2026-03-15T10:20:30.679Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00Z', '2017-01-01T00:00:01Z'],
    ['0001-01-01', '0001-01-01T00:00:00Z', '0001-01-02T00:00:00Z'],
    ['0050', '0050-01-01T00:00:00Z', '0051-01-01T00:00:00Z'],
    ['9999', '9999-01-01T00:00:00Z', '+010000-01-01T00:00:00Z'],
    ['2026-03-15T10:20:30-14:00', '2026-03-16T00:20:30Z', '2026-03-16T00:20:31Z'],
  ])('%s is [%s, %s)', (text, from, until) => {
    expect(parseDateInterval(text)).toEqual({ fromMs: ms(from), untilMs: ms(until) })
  })

  it.each([
    '0000',
    '26',
    '2026-13',
    '2026-00',
    '2026-02-30',
    '2025-02-29',
    '1900-02-29',
    '2026-04-31',
    '2026-03-00',
    '2026-03-15T24:00:00Z',
    '2026-03-15T10:60:00Z',
    '2026-03-15T10:20:61Z',
    '2026-03-15T10:20:30+14:01',
    '2026-03-15T10:20:30+02:60',
    '2026-03-15T10',
    '2026-03-15T10:20:30.Z',
    '2026-03-15 10:20:30',
    '2026-3-15',
    ' 2026',
    '2026-03-15Z',
    '２０２６',
    '',
    'ge2026',
  ])('%j is no date', text => {
    expect(parseDateInterval(text)).toBeUndefined()
  })

  it('the interval of a text lies within that of every shorter text of the same date', () => {
    const instant = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    fc.assert(
      fc.property(instant, fc.stringMatching(/^[0-9]{0,9}$/), (date, digits) => {
        const full = date.toISOString().slice(0, 23) + digits
        const widths = [4, 7, 10, 16, 19, 21, 22, 23, full.length]
        const intervals = widths.map(width => parseDateInterval(full.slice(0, width)))
        for (const [index, inner] of intervals.entries()) {
          const outer = intervals[Math.max(index - 1, 0)]
          expect(inner?.fromMs).toBeGreaterThanOrEqual(outer?.fromMs ?? Number.NaN)
          expect(inner?.untilMs).toBeLessThanOrEqual(outer?.untilMs ?? Number.NaN)
          expect(inner?.untilMs).toBeGreaterThan(inner?.fromMs ?? Number.NaN)
        }
      }),
    )
  })
})

describe('isDate, isDateTime, isInstant, isTime – https://hl7.org/fhir/R4/datatypes.html#primitive', () => {
  it.each([
    ['2026', true, true, false],
    ['2026-03-15', true, true, false],
    ['2026-03-15T10:20:30Z', false, true, true],
    ['2026-03-15T10:20:30.123456+02:00', false, true, true],
    ['2026-03-15T10:20:30', false, false, false],
    ['2026-03-15T10:20Z', false, false, false],
    ['2026-02-30', false, false, false],
    ['2026-02-30T10:20:30Z', false, false, false],
  ])('%s: date %s, dateTime %s, instant %s', (text, date, dateTime, instant) => {
    expect([isDate(text), isDateTime(text), isInstant(text)]).toEqual([date, dateTime, instant])
  })

  it.each([
    ['10:20:30', true],
    ['10:20:30.5', true],
    ['24:00:00', false],
    ['10:20', false],
    ['10:20:30Z', false],
  ])('time %s: %s', (text, expected) => {
    expect(isTime(text)).toBe(expected)
  })

  it('prints an instant that it reads back', () => {
    expect(toInstant(ms('2026-01-02T03:04:05.678Z'))).toBe('2026-01-02T03:04:05.678Z')
    expect(isInstant(toInstant(0))).toBe(true)
  })
})
