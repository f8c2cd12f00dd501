import { rowName } from '../outcome.ts'
import type { AppleElement } from './element.ts'
import { appleTables } from './tables.ts'

const origin = ['sourceName', 'sourceVersion', 'device', 'creationDate', 'startDate', 'endDate']
const length = ['duration', 'durationUnit']

/**
 * The attributes of each element that something reads, or that say again what another one says (DTD of the export, versions 11 to
 * 14). Of elements that are not here nothing is read, or all.
 */
const read: Readonly<Record<string, readonly string[]>> = {
  HealthData: ['locale'],
  Record: ['type', 'unit', 'value', ...origin],
  Correlation: ['type', ...origin],
  Workout: [
    'workoutActivityType',
    'totalDistance',
    'totalDistanceUnit',
    'totalEnergyBurned',
    'totalEnergyBurnedUnit',
    ...length,
    ...origin,
  ],
  WorkoutActivity: ['uuid', 'startDate', 'endDate', ...length],
  WorkoutEvent: ['type', 'date', ...length],
  WorkoutStatistics: ['type', 'startDate', 'endDate', 'average', 'minimum', 'maximum', 'sum', 'unit'],
  WorkoutRoute: origin,
  FileReference: ['path'],
  Audiogram: ['type', ...origin],
  SensitivityPoint: ['frequencyValue', 'frequencyUnit', ...['left', 'right'].flatMap(ofEar)],
  VisionPrescription: ['type', 'dateIssued', 'expirationDate', 'brand'],
  HeartRateVariabilityMetadataList: [],
  InstantaneousBeatsPerMinute: ['bpm', 'time'],
  MetadataEntry: ['key', 'value'],
}

function ofEar(side: string): string[] {
  return ['Value', 'Unit', 'Masked'].map(what => `${side}Ear${what}`)
}

const known = new Map(Object.entries(read).map(([element, names]) => [element, new Set(names)]))

function knownOf(element: string): ReadonlySet<string> | undefined {
  if (element !== 'ActivitySummary') return known.get(element)
  const rings = appleTables().rings.flatMap(({ attribute, unitAttribute }) => [attribute, unitAttribute ?? attribute])
  const names = new Set(['dateComponents', ...rings])
  known.set(element, names)
  return names
}

const date = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}$/

/** Dates that are kept beside what an element says, and are left out where they are none. */
const beside: ReadonlySet<string> = new Set(['creationDate', 'expirationDate'])

/** Tells by name which attributes of an element have a value that nothing reads. */
export function unreadAttributes(
  { name: element, attributes }: Pick<AppleElement, 'name' | 'attributes'>,
  tell: (place: string) => void,
): void {
  const names = knownOf(element)
  if (names === undefined) return
  for (const name of Object.keys(attributes)) {
    const value = attributes[name] ?? ''
    if (value === '' || (names.has(name) && (!beside.has(name) || date.test(value)))) continue
    tell(rowName(`${element}.${name}`))
  }
}

/** Tells what nothing reads of an element and of those within it: attributes, and text, which elements of an export have none of. */
export function unreadOf(element: AppleElement, tell: (place: string) => void): void {
  unreadAttributes(element, tell)
  for (const place of element.unread ?? []) tell(place)
  for (const child of element.children ?? []) unreadOf(child, tell)
}
