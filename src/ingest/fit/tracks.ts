import { SaxesParser } from 'saxes'
import { isInstant } from '#fhir'
import { attached, bytesWithin, keepsFiles } from '../attached.ts'
import { systems } from '../codes.ts'
import { exactly, toFhirNumber } from '../numbers.ts'
import type { Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import { activityCategory, activityType, codeOf, conceptOfActivity, durationCode } from './activities.ts'
import { spansBetween } from './coverage.ts'
import { effectiveOf, fitObservation, quantity, rejected } from './map-point.ts'
import { secondOf } from './sessions.ts'
import { type Activity, fitTables } from './tables.ts'
import type { Takeout, TakeoutFile } from './takeout.ts'

/** A track of a day on a bicycle has a few megabytes. */
const longest = 16 * 1024 ** 2

const row = 'file.tcx'

/** An activity of a Training Center file: https://www8.garmin.com/xmlschemas/TrainingCenterDatabasev2.xsd */
interface Track {
  sport: string
  /** Unix milliseconds of the first and the last time that it tells. */
  startMs?: number
  endMs?: number
  readonly sums: Map<Sum, number>
}

/** What laps add up to, by the element that has it. */
const sums = {
  TotalTimeSeconds: 'com.google.activity.summary',
  DistanceMeters: 'com.google.distance.delta',
  Calories: 'com.google.calories.expended',
} as const
type Sum = keyof typeof sums

/**
 * A track of `Activities`: the file itself is kept, and what it says of an activity is an Observation that refers to it, unless a session or
 * the streams have told of that.
 */
export async function readTrack({ name, open }: TakeoutFile, takeout: Takeout): Promise<Outcome[]> {
  const data = await bytesWithin(open(), longest)
  if (data === undefined) return [{ kind: 'unmapped', row }]
  const tracks = tracksIn(data.toString('utf8'))
  if (tracks === undefined || tracks.length === 0) return [rejected(row, 'structure-unknown', 'TrainingCenterDatabase')]
  const { context } = takeout
  const ids = { document: context.fingerprint('fit', 'file', name), bytes: context.fingerprint('fit', 'bytes', name) }
  const isKept = keepsFiles(context)
  const contentType = 'application/vnd.garmin.tcx+xml'
  const document = isKept ? attached({ data, name, contentType, type: documentType, ids }, row, context) : []
  const derivedFrom = isKept ? { derivedFrom: [{ reference: `DocumentReference/${ids.document}` }] } : {}
  return [...document, ...tracks.map(track => mapTrack(track, { name, derivedFrom }, takeout))]
}

const documentType = frozen({
  coding: [{ system: systems.googleFit, code: 'com.google.location.sample' }],
  text: 'Route of an activity',
})

/** @returns undefined when it is no Training Center file, or breaks off */
function tracksIn(text: string): readonly Track[] | undefined {
  const tracks: Track[] = []
  const path: string[] = []
  let value = ''
  let isBroken = false
  const parser = new SaxesParser()
  parser.on('error', () => {
    isBroken = true
  })
  parser.on('opentag', ({ name, attributes }) => {
    path.push(localOf(name))
    value = ''
    if (path.join('/') === activityPath) tracks.push({ sport: attributes.Sport ?? '', sums: new Map() })
    const track = tracks.at(-1)
    if (track !== undefined && path.at(-1) === 'Lap') tell(track, attributes.StartTime)
  })
  parser.on('text', more => {
    value += more
  })
  parser.on('closetag', () => {
    const track = tracks.at(-1)
    if (track !== undefined) take(track, path, value.trim())
    path.pop()
    value = ''
  })
  parser.write(text).close()
  return isBroken ? undefined : tracks
}

const activityPath = 'TrainingCenterDatabase/Activities/Activity'

function localOf(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

function take(track: Track, path: readonly string[], value: string): void {
  const [name = '', within] = [path.at(-1), path.at(-2)]
  if (name === 'Time' || (name === 'Id' && within === 'Activity')) tell(track, value)
  if (within === 'Lap' && isSum(name)) {
    const number = Number(value)
    if (value !== '' && number > 0 && Number.isFinite(number))
      track.sums.set(name, exactly((track.sums.get(name) ?? 0) + number))
  }
}

function isSum(name: string): name is Sum {
  return Object.hasOwn(sums, name)
}

function tell(track: Track, time = ''): void {
  const ms = isInstant(time) ? Date.parse(time) : undefined
  if (ms === undefined) return
  track.startMs = Math.min(track.startMs ?? ms, ms)
  track.endMs = Math.max(track.endMs ?? ms, ms)
}

/** Sports that the format knows; all others are `Other`, and Fit says in the name of the file what it was. */
const sports: Readonly<Record<string, string>> = { Running: 'running', Biking: 'biking' }

function activityOf(sport: string, file: string): Activity | undefined {
  const [, word = ''] = /_([A-Za-z -]{2,60})(?:\(\d+\))?\.tcx$/i.exec(file) ?? []
  const { named, headed } = fitTables()
  return headed.get(word.toLowerCase()) ?? named.get((Object.hasOwn(sports, sport) && sports[sport]) || 'other')
}

interface Source {
  readonly name: string
  readonly derivedFrom: object
}

function mapTrack(track: Track, { name, derivedFrom }: Source, takeout: Takeout): Outcome {
  const { context, coverage, begun } = takeout
  const { sport, startMs, endMs } = track
  const activity = activityOf(sport, name)
  if (startMs === undefined || endMs === undefined) return rejected(row, 'date-malformed', 'Activity.Id')
  if (activity === undefined) return rejected(row, 'value-unknown', 'Activity.Sport')
  const isTold = begun.has(secondOf(startMs)) || coverage.hasAny(spansBetween(activityType(activity), startMs, endMs))
  if (isTold) return { kind: 'folded', row: 'fit.track' }
  const component = [...track.sums].flatMap(([sum, value]) => figureOf(sum, value))
  const element = {
    valueCodeableConcept: conceptOfActivity(activity),
    ...(component.length === 0 ? {} : { component }),
    ...derivedFrom,
  }
  const id = context.fingerprint('fit', 'track', sport, String(startMs))
  const effective = effectiveOf(startMs, endMs)
  const facts = { id, code: codeOf(activity), category: activityCategory, effective, origin: 'fit:track', element }
  return { kind: 'mapped', row: 'fit.track', mode: 'create', resource: fitObservation(facts, context) }
}

function figureOf(sum: Sum, value: number): object[] {
  const number = toFhirNumber(String(value))
  if (number === undefined) return []
  if (sum === 'TotalTimeSeconds') return [{ code: durationCode, valueQuantity: quantity(number, 's') }]
  const type = fitTables().types.get(sums[sum])
  return type?.value === undefined ? [] : [{ code: type.code, valueQuantity: quantity(number, type.value.ucum) }]
}
