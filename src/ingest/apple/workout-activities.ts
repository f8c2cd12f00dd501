import { systems } from '../codes.ts'
import type { Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleContext } from './context.ts'
import { type AppleElement, zoneOf } from './element.ts'
import { type MappedResource, observation, rejected, type Span, spanOf, unreadChildren } from './observation.ts'
import type { Parts } from './parts.ts'
import { partsRead, readParts, workoutCategory } from './workout-parts.ts'

const partCode = frozen({
  coding: [{ system: systems.healthKit, code: 'HKWorkoutActivity' }],
  text: 'Part of a workout',
})
type Mapped = Extract<Outcome, { kind: 'mapped' }>

/** What the parts of a workout become. */
interface Activities {
  readonly members: readonly Mapped[]
  readonly outcomes: readonly Outcome[]
  /** Of a part that is the whole. */
  readonly identifiers: readonly Identifier[]
}

interface Identifier {
  readonly system: string
  readonly value: string
}

/** Adds identifiers to those that an Observation has. */
export function addIdentifiers(resource: MappedResource, identifiers: readonly Identifier[]): void {
  const known = Array.isArray(resource.identifier) ? resource.identifier : []
  if (identifiers.length > 0) resource.identifier = [...known, ...identifiers]
}

function uuidOf({ attributes: { uuid = '' } }: AppleElement): Identifier[] {
  return uuid === '' ? [] : [{ system: `${systems.healthKit}#HKWorkoutActivity`, value: uuid }]
}

/** The parts of a workout of several; one that is the whole workout and says nothing else is no part. */
export function mapActivities(
  workout: AppleElement,
  whole: Span,
  identity: readonly string[],
  context: AppleContext,
): Activities {
  const members: Mapped[] = []
  const outcomes: Outcome[] = []
  const identifiers: Identifier[] = []
  for (const child of (workout.children ?? []).filter(({ name }) => name === 'WorkoutActivity')) {
    const part = partOf(child, workout)
    const span = spanOf(part)
    if (span === undefined) outcomes.push(rejected('WorkoutActivity', 'date-malformed', 'WorkoutActivity.startDate'))
    else if (isWhole(child, span, whole, workout)) identifiers.push(...uuidOf(child))
    else {
      const parts = readParts(part)
      members.push(activityOf(part, span, identity, parts, context))
      for (const outcome of [...parts.outcomes, ...unreadChildren(child, partsRead)]) outcomes.push(outcome)
    }
  }
  return { members, outcomes, identifiers }
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
  addIdentifiers(resource, uuidOf(part))
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
