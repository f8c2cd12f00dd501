import { categoryOf, conceptOf } from '../codes.ts'
import type { Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleContext } from './context.ts'
import { type Component, detailsOf } from './details.ts'
import { type AppleElement, ownElement } from './element.ts'
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
    const twin = this.#held.get(key)
    if (twin !== undefined) learn(twin, element)
    if (twin !== undefined || this.#taken.has(key)) return [folded(element)]
    this.#held.set(key, ownElement(element))
    return this.#held.size > maxHeld ? this.flush() : []
  }

  /**
   * A correlation: the two halves of which it is made, wherever else they stand in the file, are this panel. What else it holds, and
   * all that it holds when it makes no panel, are readings by themselves.
   */
  correlate(element: AppleElement): Outcome[] {
    const records = (element.children ?? []).filter(({ name }) => readHere.has(name))
    for (const record of records) learn(record, this.#held.get(halfKey(record)))
    const outcome = panel(element, records, this.#context)
    const halves = outcome.kind === 'mapped' ? halvesOf(records) : []
    const outcomes = [outcome, ...unreadChildren(element, readHere)]
    for (const half of halves) outcomes.push(...this.#fold(half), ...unreadChildren(half, new Set()))
    for (const record of records) if (!halves.includes(record)) outcomes.push(...this.#alone(record))
    return outcomes
  }

  /** The loose twin of a half that is in a panel, if it came already; if it comes later it is known then. */
  #fold(half: AppleElement): Outcome[] {
    const key = halfKey(half)
    const loose = this.#held.get(key)
    this.#held.delete(key)
    this.#taken.add(key)
    return loose === undefined ? [] : [folded(loose)]
  }

  #alone(record: AppleElement): Outcome[] {
    return isBloodPressure(record.attributes.type) ? this.hold(record) : mapRecord(record, this.#context)
  }

  /** What is left: halves with the same source and time are one measurement, the others stand alone. */
  flush(): Outcome[] {
    const outcomes: Outcome[] = []
    const pairs = Map.groupBy(this.#held.values(), timeKey)
    for (const halves of pairs.values()) {
      for (const outcome of this.#ofPair(halves) ?? halves.flatMap(half => mapRecord(half, this.#context)))
        outcomes.push(outcome)
    }
    this.#held.clear()
    return outcomes
  }

  /** One panel of two rows; undefined when they are not the two halves of one. */
  #ofPair(halves: readonly AppleElement[]): Outcome[] | undefined {
    const [first] = halves
    if (halves.length !== 2 || first === undefined || halvesOf(halves).length !== 2) return undefined
    const outcome = panel(first, halves, this.#context)
    if (outcome.kind !== 'mapped') return undefined
    return [{ ...outcome, rows: 2 }, ...halves.flatMap(half => unreadChildren(half, new Set()))]
  }
}

/** The first of each half. */
function halvesOf(records: readonly AppleElement[]): readonly AppleElement[] {
  return [systolic, diastolic].flatMap(name => records.find(({ attributes }) => attributes.type === name) ?? [])
}

/** What a twin says beside the value is said of the one that is kept. */
function learn(half: AppleElement, twin: AppleElement | undefined): void {
  if (twin?.metadata !== undefined) half.metadata = new Map([...twin.metadata, ...(half.metadata ?? [])])
}

function halfKey(element: AppleElement): string {
  const { type, value, unit } = element.attributes
  return [timeKey(element), type, value, unit].join('\n')
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
