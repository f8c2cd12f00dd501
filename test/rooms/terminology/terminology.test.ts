import { forgetRemembered } from '#kernel'
import { canonicalUnit, isLoincWellFormed, isUcum } from '#terminology'

describe('canonicalUnit – https://ucum.org/ucum', () => {
  it('is remembered until all is forgotten that patients may have said', () => {
    const made = canonicalUnit('mg{hers}')
    expect(made?.unit).toBe('g1')
    expect(canonicalUnit('mg{hers}')).toBe(made)
    forgetRemembered()
    expect(canonicalUnit('mg{hers}')).not.toBe(made)
    expect(canonicalUnit('mg{hers}')?.unit).toBe('g1')
  })

  it.each([
    ['mg', 1000, 'g', 1],
    ['[lb_av]', 1, 'g', 453.59237],
    ['kcal', 1, 'kJ', 4.184],
    ['Cel', 37, 'K', 310.15],
    ['Cel', 100, '[degF]', 212],
    ['mm[Hg]', 120, 'kPa', 15.99864],
    ['/min', 60, 'Hz', 1],
    ['{beats}/min', 60, '/s', 1],
    ['mg/dL', 100, 'g/L', 1],
    ['h', 1, 's', 3600],
    ['[in_i]', 1, 'cm', 2.54],
  ])('%s: %d are as much in %s as %d', (from, value, to, expected) => {
    const [source, target] = [canonicalUnit(from), canonicalUnit(to)]
    expect(source?.unit).toBe(target?.unit)
    expect(target?.fromCanonical(source?.toCanonical(value) ?? Number.NaN)).toBeCloseTo(expected, 9)
  })

  it('gives the same number for the same amount, bit by bit', () => {
    expect(canonicalUnit('mg')?.toCanonical(1000)).toBe(canonicalUnit('g')?.toCanonical(1))
    expect(canonicalUnit('ug')?.toCanonical(5400)).toBe(canonicalUnit('mg')?.toCanonical(5.4))
  })

  it('keeps units apart that measure different things', () => {
    expect(canonicalUnit('mg')?.unit).not.toBe(canonicalUnit('mL')?.unit)
    expect(canonicalUnit('kg/m2')?.unit).not.toBe(canonicalUnit('kg')?.unit)
  })

  it.each(['[pH]', '[IU]', 'gram', 'beats per minute', '', 'MG ', 'x'.repeat(200)])(
    'knows no canonical form of %p',
    code => {
      expect(canonicalUnit(code)).toBeUndefined()
    },
  )

  it('answers the same at the second question', () => {
    expect(canonicalUnit('mmol/L')).toBe(canonicalUnit('mmol/L'))
    expect(canonicalUnit('nonsense')).toBeUndefined()
    expect(canonicalUnit('nonsense')).toBeUndefined()
  })
})

describe('isUcum – https://ucum.org/ucum', () => {
  it.each(['mg', 'mm[Hg]', '%', '1', '10*3/uL', '[pH]', '[IU]', '{steps}', 'Cel'])('%s is a unit', code => {
    expect(isUcum(code)).toBe(true)
  })
  it.each(['gram', 'pounds', '', 'mg/', 'bpm', 'm'.repeat(129)])('%p is none', code => {
    expect(isUcum(code)).toBe(false)
    expect(isUcum(code)).toBe(false)
  })
})

describe('isLoincWellFormed – LOINC users’ guide, check digit', () => {
  it.each(['8867-4', '8480-6', '8462-4', '55423-8', '29463-7', '2339-0', '41950-7', '1-8'])(
    '%s is well formed',
    code => {
      expect(isLoincWellFormed(code)).toBe(true)
    },
  )
  it.each(['8867-5', '8867', '8867-44', '-4', 'LA6576-8', '', '08867-4', '8867-4 ', '12345678-0'])(
    '%p is not',
    code => {
      expect(isLoincWellFormed(code)).toBe(false)
    },
  )
})
