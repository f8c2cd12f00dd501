import { type CodeableConcept, categoryOf, conceptOf, systems } from '../codes.ts'
import { type Outcome, rowName } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleContext } from './context.ts'
import { parseAppleDate } from './dates.ts'
import { detailsOf, extensionsOf } from './details.ts'
import { type AppleElement, zoneOf } from './element.ts'
import { identityOf, observation, rejected, type Span, spanOf, unreadChildren } from './observation.ts'
import { Parts } from './parts.ts'
import { appleTables, type QuantityType } from './tables.ts'

const workoutCode = frozen(conceptOf({ text: 'Exercise activity', loinc: ['73985-4'], pghd: 'workout' }))
const partCode = frozen({
  coding: [{ system: systems.healthKit, code: 'HKWorkoutActivity' }],
  text: 'Part of a workout',
})
const workoutCategory = frozen(categoryOf('activity'))
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

const partsRead: ReadonlySet<string> = new Set(Object.keys(childReaders))
const readHere: ReadonlySet<string> = new Set([...partsRead, 'WorkoutActivity', 'WorkoutRoute'])

/** One workout: what was done, for how long, where, the statistics the watch made of it and what happened meanwhile. */
export function mapWorkout(element: AppleElement, context: AppleContext): Outcome[] {
  const name = element.attributes.workoutActivityType ?? ''
  const activity = appleTables().workouts.get(name)
  if (activity === undefined && !/^HKWorkoutActivityType[A-Za-z]{1,60}$/.test(name))
    return [rejected('Workout', 'value-unknown', 'Workout.workoutActivityType')]
  const span = spanOf(element)
  if (span === undefined) return [rejected('Workout', 'date-malformed', 'Workout.startDate')]
  const identity = identityOf(element, span)
  const parts = readParts(element)
  readTotals(element, activity?.distance, parts)
  const routes = readRoutes(element, parts, context)
  const id = context.fingerprint('apple', ...identity)
  const facts = { id, category: workoutCategory, code: workoutCode, span, components: parts.components }
  const resource = observation(element, facts, context)
  resource.valueCodeableConcept = activity?.concept ?? { coding: [{ system: systems.healthKit, code: name }] }
  const { members, outcomes } = mapActivities(element, span, identity, context)
  if (members.length > 0)
    resource.hasMember = members.map(member => ({ reference: `Observation/${member.resource.id}` }))
  if (routes.length > 0) resource.derivedFrom = routes
  return [
    ...members,
    { kind: 'mapped', row: rowName(name), resource, mode: 'create' },
    ...parts.outcomes,
    ...outcomes,
    ...unreadChildren(element, readHere),
  ]
}

function readParts(element: AppleElement): Parts {
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

const statisticConcepts = new Map<string, CodeableConcept>()

function statisticCode(type: QuantityType, which: string): CodeableConcept {
  const key = `${type.name} ${which}`
  let concept = statisticConcepts.get(key)
  if (concept === undefined) {
    const loinc = statisticCodes[key]
    const own = { system: systems.healthKit, code: `HKQuantityTypeIdentifier${type.name}.${which}` }
    const coding = loinc === undefined ? [own] : [{ system: systems.loinc, code: loinc }, own]
    concept = frozen({ coding, text: `${type.text}, ${which}` })
    statisticConcepts.set(key, concept)
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

/** An instant, to the millisecond, with the offset of another text. */
function shifted(text: string, ms: number): string {
  const offset = text.slice(19)
  const [, sign, hours, minutes] = /^([+-])(\d{2}):(\d{2})$/.exec(offset) ?? []
  const offsetMs = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * minuteMs * (sign === '-' ? -1 : 1)
  const local = new Date(Math.round(ms) + offsetMs).toISOString().slice(0, 23)
  return `${local.replace(/\.000$/, '')}${offset}`
}

/** Exports before version 12 keep the totals in attributes; where both stand, the statistics are the newer word. */
function readTotals(element: AppleElement, distance: string | undefined, parts: Parts): void {
  const { totalDistance, totalDistanceUnit, totalEnergyBurned, totalEnergyBurnedUnit } = element.attributes
  const stated = new Set((element.children ?? []).map(child => child.attributes.type))
  const total = (name: string | undefined, place: string, value: string | undefined, unit: string | undefined) => {
    const identifier = `HKQuantityTypeIdentifier${name}`
    const type = appleTables().quantities.get(identifier)
    if (type === undefined || stated.has(identifier) || Number(value) === 0) return
    parts.quantity(`Workout.${place}`, { type, value, unit })
  }
  total(distance, 'totalDistance', totalDistance, totalDistanceUnit)
  total('ActiveEnergyBurned', 'totalEnergyBurned', totalEnergyBurned, totalEnergyBurnedUnit)
}

const routeCode = frozen({ coding: [{ system: systems.healthKit, code: 'HKWorkoutRoute' }], text: 'Route' })

/** The files in which the route is kept: a document where the archive has it, else its name. */
function readRoutes(element: AppleElement, parts: Parts, context: AppleContext) {
  const references: { reference: string }[] = []
  for (const route of (element.children ?? []).filter(({ name }) => name === 'WorkoutRoute')) {
    const details = detailsOf(route.metadata)
    for (const file of route.children ?? []) {
      const path = file.name === 'FileReference' ? (file.attributes.path ?? '').trim() : ''
      const name = path.split('/').at(-1) ?? ''
      if (path === '') parts.outcomes.push({ kind: 'unmapped', row: rowName(`WorkoutRoute.${file.name}`) })
      else if (context.files.has(name)) references.push({ reference: `DocumentReference/${context.documentId(name)}` })
      if (path !== '')
        parts.components.push({
          ...(details.length === 0 ? {} : { extension: extensionsOf(details) }),
          code: routeCode,
          valueString: path.slice(0, 500),
        })
    }
  }
  return references
}

type Mapped = Extract<Outcome, { kind: 'mapped' }>

interface Activities {
  readonly members: readonly Mapped[]
  readonly outcomes: readonly Outcome[]
}

/** The parts of a workout of several; one that is the whole workout and says nothing else is no part. */
function mapActivities(
  workout: AppleElement,
  whole: Span,
  identity: readonly string[],
  context: AppleContext,
): Activities {
  const members: Mapped[] = []
  const outcomes: Outcome[] = []
  for (const child of (workout.children ?? []).filter(({ name }) => name === 'WorkoutActivity')) {
    const part = partOf(child, workout)
    const span = spanOf(part)
    if (span === undefined) outcomes.push(rejected('WorkoutActivity', 'date-malformed', 'WorkoutActivity.startDate'))
    else if (!isWhole(child, span, whole, workout)) {
      const parts = readParts(part)
      members.push(activityOf(part, span, identity, parts, context))
      outcomes.push(...parts.outcomes, ...unreadChildren(child, partsRead))
    }
  }
  return { members, outcomes }
}

function activityOf(
  part: AppleElement,
  span: Span,
  identity: readonly string[],
  { components }: Parts,
  context: AppleContext,
): Mapped {
  const uuid = part.attributes.uuid ?? ''
  const times = [span.start, span.end].map(({ ms }) => String(ms))
  const id = context.fingerprint('apple', 'WorkoutActivity', ...identity, uuid, ...times)
  const facts = { id, category: workoutCategory, code: partCode, span, components }
  const resource = observation(part, facts, context)
  if (uuid !== '') resource.identifier = [{ system: `${systems.healthKit}#HKWorkoutActivity`, value: uuid }]
  return { kind: 'mapped', row: 'WorkoutActivity', rows: 0, resource, mode: 'create' }
}

/** A part has the source, and the zone, of its workout. */
function partOf(child: AppleElement, workout: AppleElement): AppleElement {
  const zone = zoneOf(child) ?? zoneOf(workout)
  const metadata = new Map(child.metadata ?? [])
  if (zone !== undefined) metadata.set('HKTimeZone', zone)
  const { sourceName, sourceVersion, device, creationDate, endDate } = workout.attributes
  const inherited = Object.entries({ sourceName, sourceVersion, device, creationDate, endDate })
  const attributes = Object.fromEntries(
    [...inherited, ...Object.entries(child.attributes)].flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  )
  return { ...child, attributes, metadata }
}

function isWhole(child: AppleElement, span: Span, whole: Span, workout: AppleElement): boolean {
  if (span.start.ms !== whole.start.ms || span.end.ms !== whole.end.ms) return false
  const said = new Set((workout.children ?? []).map(saying))
  return (
    (child.children ?? []).every(one => said.has(saying(one))) &&
    [...(child.metadata ?? [])].every(([key, value]) => workout.metadata?.get(key) === value)
  )
}

function saying({ name, attributes }: AppleElement): string {
  return JSON.stringify([name, Object.entries(attributes).sort()])
}
