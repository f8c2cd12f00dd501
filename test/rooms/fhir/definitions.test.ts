import {
  isId,
  isPrimitiveType,
  isResourceType,
  mandatoryElements,
  requiredCodes,
  resourceTypes,
  shapeOf,
  shapeOfElement,
  summaryElements,
} from '#fhir'

describe('resource types – https://hl7.org/fhir/R4/resourcelist.html', () => {
  it('are the 146 concrete ones of R4', () => {
    expect(resourceTypes).toHaveLength(146)
    expect(resourceTypes).toEqual([...resourceTypes].sort())
    expect(isResourceType('Observation')).toBe(true)
    for (const name of ['Resource', 'DomainResource', 'observation', 'Quantity', 'Bot', '__proto__']) {
      expect(isResourceType(name)).toBe(false)
    }
  })

  it.each([
    ['a', true],
    ['A-1.b', true],
    ['a'.repeat(64), true],
    ['a'.repeat(65), false],
    ['', false],
    ['a_b', false],
    ['a/b', false],
    ['a\n', false],
  ])('isId %j: %s', (text, expected) => {
    expect(isId(text)).toBe(expected)
  })
})

describe('element facts – https://hl7.org/fhir/R4/observation-definitions.html', () => {
  it('know summary and mandatory elements by their JSON names', () => {
    expect([...mandatoryElements('Observation')]).toEqual(['status', 'code'])
    expect([...mandatoryElements('MedicationRequest')]).toContain('medicationReference')
    expect(summaryElements('Observation').has('valueQuantity')).toBe(true)
    expect(summaryElements('Observation').has('note')).toBe(false)
    expect(summaryElements('Patient')).toBe(summaryElements('Patient'))
  })

  it('spell choices out, follow content references, and know bindings', () => {
    const observation = shapeOf('Observation')
    expect(observation.elements.get('valueQuantity')).toEqual({
      name: 'valueQuantity',
      path: 'value[x]',
      type: 'Quantity',
      min: 0,
      isList: false,
    })
    expect(observation.elements.get('status')?.valueSet).toBe('observation-status')
    const component = observation.elements.get('component')
    const within = component === undefined ? undefined : shapeOfElement(observation, component)
    const range = within?.elements.get('referenceRange')
    expect(range?.isList).toBe(true)
    expect(within !== undefined && range !== undefined && shapeOfElement(within, range)).toBe(
      shapeOf('Observation', 'referenceRange'),
    )
    expect(shapeOf('Extension').elements.has('valueCodeableConcept')).toBe(true)
  })

  it('end at primitives and at resources whose type only the data tells', () => {
    const observation = shapeOf('Observation')
    for (const name of ['status', 'contained']) {
      const element = observation.elements.get(name)
      expect(element !== undefined && shapeOfElement(observation, element)).toBeUndefined()
    }
    expect(isPrimitiveType('dateTime')).toBe(true)
    expect(isPrimitiveType('Quantity')).toBe(false)
  })

  it('know the codes of required bindings', () => {
    expect(requiredCodes('administrative-gender')).toEqual({
      'http://hl7.org/fhir/administrative-gender': ['male', 'female', 'other', 'unknown'],
    })
    expect(requiredCodes('mimetypes')).toBeUndefined()
  })

  it('refuse a type that R4 does not have: fhir.type-unknown', () => {
    expect(() => shapeOf('Bot')).toThrow(expect.objectContaining({ code: 'fhir.type-unknown' }))
    expect(() => summaryElements('constructor')).toThrow(expect.objectContaining({ code: 'fhir.type-unknown' }))
  })
})
