import { type CodeableConcept, categoryOf, conceptOf, systems } from '../codes.ts'
import { type Outcome, rowName } from '../outcome.ts'
import { frozen, perEdition } from '../tables.ts'
import { parseAppleDate } from './dates.ts'
import { detailsOf, extensionsOf } from './details.ts'
import { type AppleElement, zoneOf } from './element.ts'
import { rejected } from './observation.ts'
import { Parts } from './parts.ts'
import { appleTables, type QuantityType } from './tables.ts'

/** The category of workouts and their parts. */
export const workoutCategory = frozen(categoryOf('activity'))
const duration: QuantityType = frozen({
  name: 'Duration',
  text: 'Duration of exercise',
  ucum: 'min',
  fraction: false,
  code: conceptOf({ text: 'Duration of exercise', loinc: ['55411-3'] }),
  category: workoutCategory,
  variants: new Map(),
})

/** LOINC terms for a statistic over a workout, where there is one. */
const statisticCodes: Readonly<Record<string, string>> = {
  'HeartRate average': '55425-3',
  'HeartRate maximum': '55426-1',
}

type ChildReader = (child: AppleElement, parts: Parts, workout: AppleElement) => void

/** How the children of a workout, and of a part of one, become components. */
const childReaders: Readonly<Record<string, ChildReader>> = {
  WorkoutStatistics: readStatistics,
  WorkoutEvent: readEvent,
}

/** Names of the children that `readParts` reads. */
export const partsRead: ReadonlySet<string> = new Set(Object.keys(childReaders))
/** The components that the duration, the statistics and the events of a workout, or of a part of one, give. */
export function readParts(element: AppleElement): Parts {
  const parts = new Parts()
  const { attributes, children = [] } = element
  parts.quantity('Workout.duration', {
    type: duration,
    value: attributes.duration,
    unit: attributes.durationUnit ?? 'min',
  })
  for (const child of children)
    if (Object.hasOwn(childReaders, child.name)) childReaders[child.name]?.(child, parts, element)
  return parts
}

/** The sum of a statistic means what a record of its type means; the others have a code of their own. */
function readStatistics(child: AppleElement, parts: Parts): void {
  const { type: identifier = '', unit, sum, ...rest } = child.attributes
  const type = appleTables().quantities.get(identifier)
  if (type === undefined) {
    parts.outcomes.push({ kind: 'unmapped', row: rowName(`Workout.WorkoutStatistics.${identifier}`) })
    return
  }
  parts.quantity('Workout.WorkoutStatistics', { type, value: sum, unit })
  for (const which of ['average', 'minimum', 'maximum'])
    parts.quantity('Workout.WorkoutStatistics', { type, code: statisticCode(type, which), value: rest[which], unit })
}

/** By type and statistic; they have the words of the table. */
const statisticConcepts = perEdition(() => new Map<string, CodeableConcept>())

function statisticCode(type: QuantityType, which: string): CodeableConcept {
  const key = `${type.name} ${which}`
  const concepts = statisticConcepts()
  let concept = concepts.get(key)
  if (concept === undefined) {
    const loinc = statisticCodes[key]
    const own = { system: systems.healthKit, code: `HKQuantityTypeIdentifier${type.name}.${which}` }
    const coding = loinc === undefined ? [own] : [{ system: systems.loinc, code: loinc }, own]
    concept = frozen({ coding, text: `${type.text}, ${which}` })
    concepts.set(key, concept)
  }
  return concept
}

const minuteMs = 60_000

/** A lap, a pause, a segment: when it was, and for how long where that is told. */
function readEvent(child: AppleElement, parts: Parts, workout: AppleElement): void {
  const { type = '', date, duration: length, durationUnit = 'min' } = child.attributes
  const start = parseAppleDate(date, zoneOf(child) ?? zoneOf(workout))
  const name = /^HKWorkoutEventType(\w{1,60})$/.exec(type)?.[1]
  if (start === undefined || name === undefined) {
    parts.outcomes.push(rejected('Workout.WorkoutEvent', start === undefined ? 'date-malformed' : 'value-unknown'))
    return
  }
  const minutes =
    durationUnit === 'min' ? Number(length ?? 0) : Number(length ?? 0) / (durationUnit === 's' ? 60 : Number.NaN)
  if (Number.isNaN(minutes)) parts.outcomes.push(unreadAt('WorkoutEvent.duration'))
  const endMs = start.ms + minutes * minuteMs
  const value =
    endMs > start.ms
      ? { valuePeriod: { start: start.text, end: shifted(start.text, endMs) } }
      : { valueDateTime: start.text }
  const details = detailsOf(child.metadata)
  parts.components.push({
    ...(details.length === 0 ? {} : { extension: extensionsOf(details) }),
    code: { coding: [{ system: systems.healthKit, code: type }], text: name.replace(/(?<=[a-z])(?=[A-Z])/g, ' ') },
    ...value,
  })
}

function unreadAt(place: string): Outcome {
  return { kind: 'unread', place, location: place }
}

/** An instant, to the millisecond, with the offset of another text. */
function shifted(text: string, ms: number): string {
  const offset = text.slice(19)
  const [, sign, hours, minutes] = /^([+-])(\d{2}):(\d{2})$/.exec(offset) ?? []
  const offsetMs = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * minuteMs * (sign === '-' ? -1 : 1)
  const local = new Date(Math.round(ms) + offsetMs).toISOString().slice(0, 23)
  return `${local.replace(/\.000$/, '')}${offset}`
}
