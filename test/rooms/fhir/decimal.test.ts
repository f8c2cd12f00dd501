import fc from 'fast-check'
import { Decimal, implicitRange, isSameDecimal } from '#fhir'

describe('Decimal – https://hl7.org/fhir/R4/datatypes.html#decimal', () => {
  it('compares as its number and prints as its text', () => {
    const decimal = new Decimal('1.50')
    expect(decimal.valueOf()).toBe(1.5)
    expect(decimal > new Decimal('1.4')).toBe(true)
    expect(`${decimal}`).toBe('1.50')
    expect(JSON.stringify([decimal])).toBe('[1.50]')
  })

  it.each(['', '1.', '.5', '01', '+1', '1e', 'NaN', ' 1', '1,5', '0x1'])('fhir.decimal-malformed: %j', text => {
    expect(() => new Decimal(text)).toThrow(expect.objectContaining({ code: 'fhir.decimal-malformed' }))
    expect(() => implicitRange(text)).toThrow(expect.objectContaining({ code: 'fhir.decimal-malformed' }))
  })

  it.each([
    ['1.50', '15e-1', true],
    ['100', '1e2', true],
    ['0', '-0.00', true],
    ['0.1', '0.10000000000000000001', false],
    ['1', '-1', false],
  ])('%s and %s are the same number: %s', (a, b, same) => {
    expect(isSameDecimal(a, b)).toBe(same)
  })
})

describe('implicitRange – https://hl7.org/fhir/R4/search.html#number', () => {
  it.each([
    ['100', 99.5, 100.5],
    ['100.00', 99.995, 100.005],
    ['1e2', 95, 105],
    ['1.0e2', 95, 105],
    ['5.40', 5.395, 5.405],
    ['-5', -5.5, -4.5],
    ['0', -0.5, 0.5],
    ['0.0', -0.05, 0.05],
    ['-0.10', -0.105, -0.095],
    ['12e1', 115, 125],
    ['1e-3', 0.00095, 0.00105],
  ])('%s denotes [%d, %d)', (text, low, high) => {
    expect(implicitRange(text)).toEqual({ low, high })
  })

  it('is not empty for more digits than a double has', () => {
    const { low, high } = implicitRange('0.1234567890123456789')
    expect(low).toBe(Number('0.1234567890123456789'))
    expect(high).toBeGreaterThan(low)
  })

  it('holds the number itself, and narrows with every digit', () => {
    const text = fc.tuple(fc.integer({ min: -9999, max: 9999 }), fc.stringMatching(/^[0-9]{1,6}$/))
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 9 }), ([whole, fraction], digit) => {
        const wide = implicitRange(`${whole}.${fraction}`)
        const narrow = implicitRange(`${whole}.${fraction}${digit}`)
        expect(wide.low).toBeLessThanOrEqual(Number(`${whole}.${fraction}`))
        expect(wide.high).toBeGreaterThan(Number(`${whole}.${fraction}`))
        expect(narrow.high - narrow.low).toBeLessThan(wide.high - wide.low)
      }),
    )
  })
})
