import { categoryOf, conceptOf } from '../codes.ts'
import type { Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleContext } from './context.ts'
import { type Component, detailsOf } from './details.ts'
import type { AppleElement } from './element.ts'
import { mapRecord } from './map-record.ts'
import { identityOf, observation, rejected, spanOf, unreadChildren } from './observation.ts'
import { readQuantity } from './quantity.ts'
import { appleTables } from './tables.ts'

const systolic = 'HKQuantityTypeIdentifierBloodPressureSystolic'
const diastolic = 'HKQuantityTypeIdentifierBloodPressureDiastolic'
const correlation = 'HKCorrelationTypeIdentifierBloodPressure'

const panelCode = frozen(conceptOf({ text: 'Blood pressure', loinc: ['85354-9'], pghd: 'bloodPressure' }))
const panelCategory = frozen(categoryOf('vital-signs'))

const readHere: ReadonlySet<string> = new Set(['Record'])

/** Loose readings that wait for their correlation; more than this many and the oldest go their own way. */
const maxHeld = 100_000

export function isBloodPressure(type: string | undefined): boolean {
  return type === systolic || type === diastolic
}

/**
 * Makes one panel of the two halves of a measurement. The export writes them loose and again inside a correlation,
 * in either order, and some apps write no correlation at all; so loose halves wait until the end of the file.
 */
export class BloodPressureDesk {
  readonly #context: AppleContext
  readonly #held = new Map<string, AppleElement>()
  readonly #taken = new Set<string>()

  constructor(context: AppleContext) {
    this.#context = context
  }

  /** A loose half. */
  hold(element: AppleElement): Outcome[] {
    const key = halfKey(element)
    if (this.#taken.has(key) || this.#held.has(key)) return [folded(element)]
    this.#held.set(key, element)
    return this.#held.size > maxHeld ? this.flush() : []
  }

  /** A correlation: its halves, wherever else they stand in the file, are this panel. */
  correlate(element: AppleElement): Outcome[] {
    const outcomes: Outcome[] = [
      panel(element, element.children ?? [], this.#context),
      ...unreadChildren(element, readHere),
    ]
    for (const half of element.children ?? []) {
      const key = halfKey(half)
      const loose = this.#held.get(key)
      if (loose !== undefined) outcomes.push(folded(loose))
      this.#held.delete(key)
      this.#taken.add(key)
    }
    return outcomes
  }

  /** What is left: halves with the same source and time are one measurement, the others stand alone. */
  flush(): Outcome[] {
    const outcomes: Outcome[] = []
    const pairs = Map.groupBy(this.#held.values(), timeKey)
    for (const halves of pairs.values()) {
      const one = halves.filter(half => half.attributes.type === systolic)
      const other = halves.filter(half => half.attributes.type === diastolic)
      if (one[0] !== undefined && one.length === 1 && other[0] !== undefined && other.length === 1) {
        outcomes.push(...ofTwo(panel(one[0], halves, this.#context), other[0]))
      } else {
        for (const half of halves) outcomes.push(...mapRecord(half, this.#context))
      }
    }
    this.#held.clear()
    return outcomes
  }
}

/** Two rows became this. */
function ofTwo(outcome: Outcome, other: AppleElement): Outcome[] {
  return outcome.kind === 'mapped' ? [{ ...outcome, rows: 2 }] : [outcome, folded(other)]
}

function halfKey(element: AppleElement): string {
  return `${timeKey(element)}\n${element.attributes.type}\n${element.attributes.value}`
}

function timeKey(element: AppleElement): string {
  const { sourceName, startDate, endDate } = element.attributes
  return `${sourceName}\n${startDate}\n${endDate}`
}

function folded(element: AppleElement): Outcome {
  return { kind: 'folded', row: element.attributes.type ?? correlation }
}

function panel(element: AppleElement, halves: readonly AppleElement[], context: AppleContext): Outcome {
  const span = spanOf(element)
  if (span === undefined) return rejected(correlation, 'date-malformed', 'Correlation.startDate')
  const components: Component[] = []
  const values: string[] = []
  for (const name of [systolic, diastolic]) {
    const half = halves.find(child => child.attributes.type === name)
    const type = appleTables().quantities.get(name)
    if (half === undefined || type === undefined) return rejected(correlation, 'element-missing', 'Correlation.Record')
    const reading = readQuantity(type, half.attributes.value, half.attributes.unit, 'Correlation.Record')
    if ('reason' in reading) return rejected(correlation, reading.reason, reading.expression)
    components.push({ code: type.code, valueQuantity: reading.quantity })
    values.push(half.attributes.value ?? '', half.attributes.unit ?? '')
  }
  const [, ...identity] = identityOf(element, span)
  const id = context.fingerprint('apple', 'BloodPressure', ...identity, ...values)
  // What the halves say is said of the measurement; where they say the same it is said once.
  const metadata = new Map([element, ...halves].flatMap(({ metadata }) => [...(metadata ?? [])]))
  const facts = { id, category: panelCategory, code: panelCode, span, components, details: detailsOf(metadata) }
  const resource = observation(element, facts, context)
  return { kind: 'mapped', row: correlation, resource, mode: 'create' }
}
