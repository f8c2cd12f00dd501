import { type ElementDefinition, isPrimitiveType, requiredCodes, type Shape, shapeOf, shapeOfElement } from '#fhir'

interface Least {
  readonly [element: string]: unknown
}

const address = 'https://example.org/example'

/** One value of each primitive type. */
const values: Readonly<Record<string, unknown>> = {
  base64Binary: 'SGVsbG8=',
  boolean: true,
  canonical: address,
  code: 'example',
  date: '2026-01-01',
  dateTime: '2026-01-01',
  decimal: 1,
  instant: '2026-01-01T08:00:00Z',
  integer: 1,
  markdown: 'Example',
  oid: 'urn:oid:1.2.3',
  positiveInt: 1,
  string: 'Example',
  time: '08:00:00',
  unsignedInt: 1,
  uri: address,
  url: address,
  uuid: 'urn:uuid:c757873d-ec9a-4326-a141-556f43239520',
  id: 'example',
  xhtml: '<div xmlns="http://www.w3.org/1999/xhtml">Example</div>',
}

type Code = { readonly system: string; readonly code: string }

function firstCode(valueSet: string | undefined): Code | undefined {
  const [first] = Object.entries((valueSet === undefined ? undefined : requiredCodes(valueSet)) ?? {})
  const [system, [code] = []] = first ?? []
  return system === undefined || code === undefined ? undefined : { system, code }
}

/** Data types that mean nothing by what is mandatory in them, which is nothing. */
const dataTypes: Readonly<Record<string, (code: Code | undefined) => Least>> = {
  Annotation: () => ({ text: 'Example' }),
  Attachment: () => ({ contentType: 'text/plain', data: 'SGVsbG8=' }),
  CodeableConcept: code => (code === undefined ? { text: 'Example' } : { coding: [code] }),
  Coding: code => code ?? { system: 'https://example.org/codes', code: 'example' },
  ContactPoint: () => ({ system: 'email', value: 'anna@example.org' }),
  HumanName: () => ({ family: 'Example', given: ['Anna'] }),
  Identifier: () => ({ system: 'https://example.org/numbers', value: '1' }),
  Money: () => ({ value: 1, currency: 'EUR' }),
  Period: () => ({ start: '2026-01-01' }),
  Quantity: () => ({ value: 1, unit: 'piece' }),
  Range: () => ({ low: { value: 1, unit: 'piece' } }),
  Reference: () => ({ display: 'Example' }),
  Timing: () => ({ event: ['2026-01-01'] }),
}

function leastValue(shape: Shape, element: ElementDefinition): unknown {
  const code = firstCode(element.valueSet)
  if (isPrimitiveType(element.type)) return code?.code ?? values[element.type]
  const made = dataTypes[element.type]
  if (made !== undefined) return made(code)
  const within = shapeOfElement(shape, element)
  return within === undefined ? { resourceType: 'Basic', code: { text: 'Example' } } : mandatoryOf(within)
}

function mandatoryOf(shape: Shape): Least {
  const least: Record<string, unknown> = {}
  const chosen = new Set<string>()
  for (const element of shape.elements.values()) {
    if (element.min === 0 || chosen.has(element.path)) continue
    // Of a choice the first type that it may have.
    chosen.add(element.path)
    const value = leastValue(shape, element)
    least[element.name] = element.isList ? Array.from({ length: element.min }, () => value) : value
  }
  return least
}

/**
 * The least that a resource of a type must have, made from what R4 says of its elements; invariants are not thought of.
 *
 * @throws Problem `invalid` · `fhir.type-unknown`
 */
export function leastOf(type: string): Least {
  return mandatoryOf(shapeOf(type))
}
