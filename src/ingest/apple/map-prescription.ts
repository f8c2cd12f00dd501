import type { Resource } from '#fhir'
import { toFhirNumber } from '../numbers.ts'
import type { Outcome } from '../outcome.ts'
import type { AppleContext } from './context.ts'
import { parseAppleDate } from './dates.ts'
import { detailsOf, extensionsOf } from './details.ts'
import type { AppleElement } from './element.ts'
import { rejected, unreadChildren } from './observation.ts'

const eyes: Readonly<Record<string, string>> = { RightEye: 'right', LeftEye: 'left' }
const readHere: ReadonlySet<string> = new Set(Object.keys(eyes))
const productSystem = 'http://terminology.hl7.org/CodeSystem/ex-visionprescriptionproduct'

/** Numbers of an eye that R4 has an element for: https://hl7.org/fhir/R4/visionprescription.html */
const elements: readonly {
  readonly attribute: string
  readonly element: string
  readonly whole?: true
  readonly factor?: number
}[] = [
  { attribute: 'sphere', element: 'sphere' },
  { attribute: 'cylinder', element: 'cylinder' },
  { attribute: 'axis', element: 'axis', whole: true },
  { attribute: 'add', element: 'add' },
  { attribute: 'addPower', element: 'add' },
  { attribute: 'baseCurve', element: 'backCurve' },
  { attribute: 'diameter', element: 'diameter' },
]

/** A prescription of glasses or contact lenses. Who prescribed it the export does not say. */
export function mapPrescription(element: AppleElement, context: AppleContext): Outcome[] {
  const row = 'VisionPrescription'
  const { type = '', dateIssued, expirationDate, brand } = element.attributes
  const issued = parseAppleDate(dateIssued)
  if (issued === undefined) return [rejected(row, 'date-malformed', 'VisionPrescription.dateIssued')]
  const lenses = (element.children ?? []).filter(({ name }) => Object.hasOwn(eyes, name))
  if (lenses.length === 0) return [rejected(row, 'element-missing', 'VisionPrescription.RightEye')]
  const product = /contact/i.test(type) ? 'contact' : 'lens'
  const said = lenses.map(({ name, attributes }) => JSON.stringify([name, Object.entries(attributes).sort()]))
  const until = parseAppleDate(expirationDate)
  const details = extensionsOf(
    detailsOf(
      new Map([...(element.metadata ?? []), ...(until === undefined ? [] : [['expirationDate', until.text] as const])]),
    ),
  )
  const resource: Resource & { id: string } = {
    resourceType: 'VisionPrescription',
    id: context.fingerprint('apple', row, type, String(issued.ms), ...said),
    meta: { source: context.source },
    ...(details.length === 0 ? {} : { extension: details }),
    status: 'active',
    created: issued.text,
    patient: context.subject,
    dateWritten: issued.text,
    prescriber: { display: 'Not told' },
    lensSpecification: lenses.map(lens => ({
      product: { coding: [{ system: productSystem, code: product }] },
      ...lensOf(lens),
      ...(brand === undefined || brand.trim() === '' ? {} : { brand: brand.trim() }),
    })),
  }
  return [{ kind: 'mapped', row, resource, mode: 'create' }, ...unreadChildren(element, readHere)]
}

function lensOf({ name, attributes }: AppleElement) {
  const lens: Record<string, unknown> = { eye: eyes[name] }
  for (const { attribute, element, whole } of elements) {
    const value = toFhirNumber(attributes[attribute] ?? '')
    if (value !== undefined && lens[element] === undefined)
      lens[element] = whole === true ? Math.round(Number(value)) : value
  }
  // A prism has a direction in R4 and an angle in HealthKit: it stays in words, with what else has no element.
  const rest = Object.entries(attributes).filter(([key, value]) => value !== '' && !isRead(key, value))
  if (rest.length > 0)
    lens.note = [
      {
        text: rest
          .map(([key, value]) => `${key}: ${value}`)
          .join('; ')
          .slice(0, 2000),
      },
    ]
  return lens
}

function isRead(key: string, value: string): boolean {
  const isNumber = toFhirNumber(value) !== undefined
  return elements.some(({ attribute }) => (key === attribute && isNumber) || key === `${attribute}Unit`)
}
