import { type CodeableConcept, categoryOf, systems } from '../codes.ts'
import { frozen } from '../tables.ts'
import type { DataPoint } from './data-point.ts'
import { type Activity, fitConcept, fitTables } from './tables.ts'

/** The type of what somebody does, by time. */
export const activitySegment = 'com.google.activity.segment'

/** Of what a person does and how they sleep. */
export const activityCategory = frozen(categoryOf('activity'))

const workoutCode = fitConcept({ text: 'Exercise activity', loinc: ['73985-4'], pghd: 'workout' }, 'activity.segment')

/** How long somebody did something. https://loinc.org/55411-3 */
export const durationCode = fitConcept({ text: 'Exercise duration', loinc: ['55411-3'] }, 'com.google.activity.summary')

/** What is observed of somebody who does something, or sleeps. */
export function codeOf({ kind }: Pick<Activity, 'kind'>): CodeableConcept {
  const sleep = fitTables().types.get('com.google.sleep.segment')
  return kind === 'sleep' && sleep !== undefined ? sleep.code : workoutCode
}

/** What they do. */
export function conceptOfActivity({ code, text }: Activity): CodeableConcept {
  return { coding: [{ system: systems.googleFit, code: activityType({ code }) }], text }
}

/** The name under which it is noted of what was told, so that a walk is not taken for the ride of the same hour. */
export function activityType({ code }: Pick<Activity, 'code'>): string {
  return `${activitySegment}.${code}`
}

/** A point as that of its activity; undefined for what is none. */
export function asActivity(point: DataPoint): DataPoint | undefined {
  const [value] = point.values
  if (point.type !== activitySegment || value?.kind !== 'number') return undefined
  return { ...point, type: activityType({ code: Number(value.text) }) }
}
