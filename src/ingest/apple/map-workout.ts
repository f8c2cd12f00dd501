import { type CodeableConcept, categoryOf, conceptOf, systems } from '../codes.ts'
import { type MapContext, type Outcome, rowName } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { AppleElement } from './element.ts'
import { identityOf, metadataComponents, observation, rejected, spanOf } from './observation.ts'
import { type FhirQuantity, readQuantity } from './quantity.ts'
import { appleTables, type QuantityType } from './tables.ts'

const workoutCode = frozen(conceptOf({ text: 'Exercise activity', loinc: ['73985-4'], pghd: 'workout' }))
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

interface QuantityComponent {
  readonly code: CodeableConcept
  readonly valueQuantity: FhirQuantity
}

/** One workout: what was done, for how long, and the statistics the watch made of it. */
export function mapWorkout(element: AppleElement, context: MapContext): Outcome {
  const name = element.attributes.workoutActivityType ?? ''
  const activity = appleTables().workouts.get(name)
  if (activity === undefined && !/^HKWorkoutActivityType[A-Za-z]{1,60}$/.test(name))
    return rejected('Workout', 'value-unknown', 'Workout.workoutActivityType')
  const span = spanOf(element)
  if (span === undefined) return rejected('Workout', 'date-malformed', 'Workout.startDate')
  const id = context.fingerprint('apple', ...identityOf(element, span))
  const resource = observation(element, { id, category: workoutCategory, code: workoutCode, span }, context)
  resource.valueCodeableConcept = activity?.concept ?? { coding: [{ system: systems.healthKit, code: name }] }
  const component = [
    ...durationOf(element),
    ...statisticsOf(element),
    ...totalsOf(element, activity?.distance),
    ...metadataComponents(element),
  ]
  if (component.length > 0) resource.component = component
  return { kind: 'mapped', row: rowName(name), resource, mode: 'create' }
}

function component(type: QuantityType, value: string | undefined, unit: string | undefined, code = type.code) {
  if (value === undefined) return []
  const reading = readQuantity(type, value, unit, 'Workout')
  return 'quantity' in reading ? [{ code, valueQuantity: reading.quantity }] : []
}

function durationOf(element: AppleElement): QuantityComponent[] {
  return component(duration, element.attributes.duration, element.attributes.durationUnit ?? 'min')
}

/** The sum of a statistic means what a record of its type means; the others have a code of their own. */
function statisticsOf(element: AppleElement): QuantityComponent[] {
  return (element.children ?? []).flatMap(child => {
    const type = appleTables().quantities.get(child.attributes.type ?? '')
    if (child.name !== 'WorkoutStatistics' || type === undefined) return []
    const { sum, unit } = child.attributes
    const spread = ['average', 'minimum', 'maximum'].flatMap(which =>
      component(type, child.attributes[which], unit, statisticCode(type, which)),
    )
    return [...component(type, sum, unit), ...spread]
  })
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

/** Exports before version 12 keep the totals in attributes; where both stand, the statistics are the newer word. */
function totalsOf(element: AppleElement, distance: string | undefined): QuantityComponent[] {
  const { totalDistance, totalDistanceUnit, totalEnergyBurned, totalEnergyBurnedUnit } = element.attributes
  const stated = new Set((element.children ?? []).map(child => child.attributes.type))
  const total = (name: string | undefined, value: string | undefined, unit: string | undefined) => {
    const identifier = `HKQuantityTypeIdentifier${name}`
    const type = appleTables().quantities.get(identifier)
    return type === undefined || stated.has(identifier) || Number(value) === 0 ? [] : component(type, value, unit)
  }
  return [
    ...total(distance, totalDistance, totalDistanceUnit),
    ...total('ActiveEnergyBurned', totalEnergyBurned, totalEnergyBurnedUnit),
  ]
}
