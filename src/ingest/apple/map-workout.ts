import { conceptOf, systems } from '../codes.ts'
import { type Outcome, rowName } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleContext } from './context.ts'
import { detailsOf, extensionsOf } from './details.ts'
import type { AppleElement } from './element.ts'
import { identityOf, observation, rejected, spanOf, unreadChildren } from './observation.ts'
import type { Parts } from './parts.ts'
import { appleTables } from './tables.ts'
import { addIdentifiers, mapActivities } from './workout-activities.ts'
import { partsRead, readParts, workoutCategory } from './workout-parts.ts'

const workoutCode = frozen(conceptOf({ text: 'Exercise activity', loinc: ['73985-4'], pghd: 'workout' }))
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
  const { members, outcomes, identifiers } = mapActivities(element, span, identity, context)
  if (members.length > 0)
    resource.hasMember = members.map(member => ({ reference: `Observation/${member.resource.id}` }))
  if (routes.length > 0) resource.derivedFrom = routes
  addIdentifiers(resource, identifiers)
  return [
    ...members,
    { kind: 'mapped', row: rowName(name), resource, mode: 'create' },
    ...parts.outcomes,
    ...outcomes,
    ...unreadChildren(element, readHere),
  ]
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
