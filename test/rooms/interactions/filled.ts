/** Resources in which every element has a value, made from what R4 says of their elements; invariants are not thought of. */
import {
  type ElementDefinition,
  isPrimitiveType,
  type Resource,
  requiredCodes,
  type Shape,
  shapeOf,
  shapeOfElement,
} from '#fhir'

type Node = Readonly<Record<string, unknown>>

/** Deep enough for every search parameter of R4. */
const deepest = 5
const withoutValue: ReadonlySet<string> = new Set([
  'id',
  'extension',
  'modifierExtension',
  'contained',
  'implicitRules',
])

const day = (turn: number) => `20${10 + turn}-03-0${1 + (turn % 9)}`
const quantity = (turn: number) => ({ value: turn + 1.5, system: 'http://unitsofmeasure.org', code: 'kg', unit: 'kg' })
const text = (name: string, turn: number) => `${name} ${['alpha', 'beta', 'gamma'][turn % 3]}${turn}`
const uri = (name: string, turn: number) => `http://x.example/${name}/${turn}`

const primitives: Readonly<Record<string, (name: string, turn: number) => unknown>> = {
  boolean: (_, turn) => turn % 2 === 0,
  integer: (_, turn) => turn + 1,
  positiveInt: (_, turn) => turn + 1,
  unsignedInt: (_, turn) => turn + 1,
  decimal: (_, turn) => turn + 0.5,
  date: (_, turn) => day(turn),
  dateTime: (_, turn) => `${day(turn)}T05:06:07Z`,
  instant: (_, turn) => `${day(turn)}T05:06:07.890Z`,
  time: () => '05:06:07',
  base64Binary: () => 'QUJD',
  code: (name, turn) => `${name}-${turn}`,
  uri,
  url: uri,
  canonical: uri,
  oid: () => 'urn:oid:1.2.3',
  uuid: () => 'urn:uuid:c757873d-ec9a-4326-a141-556f43239520',
  xhtml: () => '<div xmlns="http://www.w3.org/1999/xhtml">x</div>',
}

const dataTypes: Readonly<Record<string, (name: string, turn: number) => unknown>> = {
  Identifier: (name, turn) => ({ system: `http://x.example/${name}`, value: `${name}${turn}` }),
  HumanName: (_, turn) => ({ family: text('Family', turn), given: [text('Given', turn)] }),
  Address: (_, turn) => ({
    use: 'home',
    city: text('City', turn),
    state: text('State', turn),
    postalCode: `${turn}23`,
    country: 'CH',
  }),
  Period: (_, turn) => ({ start: day(turn), end: `20${10 + turn}-10-10` }),
  Timing: (_, turn) => ({ event: [day(turn)] }),
  Range: (_, turn) => ({ low: quantity(turn), high: quantity(turn + 5) }),
  Money: (_, turn) => ({ value: turn + 2.5, currency: 'CHF' }),
  SampledData: () => ({ origin: { value: 1 }, period: 1, dimensions: 1, data: '1 2' }),
  Narrative: () => ({ status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">narrated</div>' }),
}
for (const name of ['Quantity', 'Age', 'Duration', 'Distance', 'Count'])
  Object.assign(dataTypes, { [name]: (_: string, turn: number) => quantity(turn) })

/** What is left to other tests where a choice has something else: the judge knows no order of these. */
const unjudged: ReadonlySet<string> = new Set(['Timing', 'Range', 'SampledData', 'Attachment'])

function judged(choices: readonly ElementDefinition[]): readonly ElementDefinition[] {
  const left = choices.filter(({ type }) => !unjudged.has(type))
  return choices.length === 1 || left.length === 0 ? choices : left
}

/** What may be referred to where a reference may lead anywhere. */
const anything = [
  'Patient',
  'Practitioner',
  'Organization',
  'Encounter',
  'Device',
  'Location',
  'RelatedPerson',
  'Group',
]

function codeFor({ name, valueSet }: ElementDefinition, turn: number): { system: string; code: string } {
  const listed = Object.entries((valueSet === undefined ? undefined : requiredCodes(valueSet)) ?? {})
  const codes = listed.flatMap(([system, list]) => list.map(code => ({ system, code })))
  return codes[turn % codes.length] ?? { system: `http://x.example/${name}`, code: `${name}-${turn}` }
}

/**
 * @param turn  which of the types of a choice, of the targets of a reference and of the codes of a set are taken
 */
export function filled(type: string, turn: number): Resource {
  return { resourceType: type, id: `r${turn}`, ...fill(shapeOf(type), turn, 1) } as Resource
}

function fill(shape: Shape, turn: number, depth: number): Node {
  const byPath = Object.groupBy(shape.elements.values(), ({ path }) => path)
  const made = Object.values(byPath).flatMap((all = []) => {
    const choices = judged(all)
    const element = choices[turn % choices.length]
    if (element === undefined || withoutValue.has(element.name)) return []
    const value = valueFor(shape, element, turn, depth)
    return value === undefined ? [] : [[element.name, element.isList ? [value] : value] as const]
  })
  return Object.fromEntries(made)
}

function valueFor(shape: Shape, element: ElementDefinition, turn: number, depth: number): unknown {
  const { name, type, targets = anything } = element
  if (type === 'code') return codeFor(element, turn).code
  if (isPrimitiveType(type)) return (primitives[type] ?? text)(name, turn)
  if (type === 'Coding') return codeFor(element, turn)
  if (type === 'CodeableConcept') return { coding: [codeFor(element, turn)], text: text(name, turn) }
  if (type === 'Reference')
    return { reference: `${targets[turn % targets.length]}/r${turn % fewest}`, display: text(name, turn) }
  const made = dataTypes[type]
  if (made !== undefined) return made(name, turn)
  const within = shapeOfElement(shape, element)
  return within === undefined || depth === deepest ? undefined : fill(within, turn, depth + 1)
}

/** So many turns each type has. */
const fewest = 3

/** `type` of a RelatedArtifact has so many codes, each with a parameter of its own. */
const kindsOfArtifact = 8

/** In how many turns each type of a choice has had its own, and each target of a reference. */
export function turnsOf(type: string): number {
  return Math.max(fewest, mostChoices(shapeOf(type), 1))
}

function mostChoices(shape: Shape, depth: number): number {
  const elements = [...shape.elements.values()]
  const choices = Object.values(Object.groupBy(elements, ({ path }) => path)).map((all = []) => judged(all).length)
  return Math.max(...choices, ...elements.map(element => choicesIn(shape, element, depth)))
}

function choicesIn(shape: Shape, element: ElementDefinition, depth: number): number {
  const { type, targets = anything, nested } = element
  if (type === 'RelatedArtifact') return kindsOfArtifact
  if (type === 'Reference') return targets.length < 20 ? targets.length : 1
  const inner = nested === undefined || depth === 2 ? undefined : shapeOfElement(shape, element)
  return inner === undefined ? 1 : mostChoices(inner, depth + 1)
}
