import type { IngestLimits } from '../limits.ts'
import { type Outcome, rowName } from '../outcome.ts'
import type { DeviceContext } from '../told-devices.ts'
import { asActivity } from './activities.ts'
import { Coverage, spansOf } from './coverage.ts'
import { type DailyTable, readDaily } from './daily.ts'
import { type DataPoint, readDataPoint, typeOfSource } from './data-point.ts'
import { type FitContext, mapDataPoint } from './map-point.ts'
import { findSource, readPoints } from './read-points.ts'
import type { RecognisedStream } from './recognise.ts'
import { readSession } from './sessions.ts'
import { FitSources } from './sources.ts'
import type { Takeout, TakeoutFile } from './takeout.ts'
import { readTrack } from './tracks.ts'

/** One file of `All Data`: one stream of one data type. */
export interface FitStream extends RecognisedStream {
  open(): AsyncIterable<Uint8Array>
}

/** Fit's own merge comes first, then what was recorded raw, then whatever else there is. */
const preferences: readonly ((dataSource: string) => boolean)[] = [
  source => /:merge(?:d|_\w+)$/.test(source),
  source => source.startsWith('raw:'),
  () => true,
]

function preferenceOf(dataSource: string): number {
  return preferences.findIndex(isSuch => isSuch(dataSource))
}

/** The streams in the order in which they are believed, those that are equally good together. */
export function rankStreams(streams: readonly FitStream[]): readonly (readonly FitStream[])[] {
  const ranks = Map.groupBy(
    streams.filter(stream => !stream.empty),
    ({ dataSource }) => preferenceOf(dataSource ?? ''),
  )
  return [...ranks].sort(([a], [b]) => a - b).map(([, of]) => of)
}

/** What lies beside the streams. */
export interface BesideStreams {
  readonly sessions: readonly TakeoutFile[]
  readonly tracks: readonly TakeoutFile[]
  readonly tables: readonly DailyTable[]
}

/**
 * Reads the streams, the most believable first, then sessions, tracks and sums. What is of a time of which a better file has told, of its
 * type, is a duplicate; of other times it is another fact.
 */
export async function* readTakeout(
  streams: readonly FitStream[],
  device: DeviceContext,
  limits: IngestLimits,
  beside: BesideStreams = { sessions: [], tracks: [], tables: [] },
): AsyncGenerator<Outcome[], void, void> {
  const context: FitContext = { ...device, sources: new FitSources(device) }
  const takeout: Takeout = { context, limits, coverage: new Coverage(), told: new Set(), begun: new Set() }
  const ranks = rankStreams(await Promise.all(streams.map(stream => withSource(stream, limits))))
  for (const rank of ranks) yield* together(rank, readStream, takeout)
  yield* together(beside.sessions, oneByOne(readSession), takeout)
  yield* together(beside.tracks, oneByOne(readTrack), takeout)
  for (const rows of ['quarters', 'days'] as const)
    yield* together(
      beside.tables.filter(table => table.rows === rows),
      readDaily,
      takeout,
    )
}

/** Files that are believed equally; what they have told counts for those behind them. */
async function* together<T>(
  files: readonly T[],
  read: (file: T, takeout: Takeout) => AsyncIterable<Outcome[]>,
  takeout: Takeout,
): AsyncGenerator<Outcome[], void, void> {
  for (const file of files) yield* read(file, takeout)
  takeout.coverage.add(takeout.told)
  takeout.told.clear()
}

/** Of a file that is read at once. */
function oneByOne(read: (file: TakeoutFile, takeout: Takeout) => Promise<Outcome[]>) {
  return async function* (file: TakeoutFile, takeout: Takeout): AsyncGenerator<Outcome[], void, void> {
    const outcomes = await read(file, takeout)
    yield [...takeout.context.sources.take(), ...outcomes]
  }
}

async function withSource(stream: FitStream, limits: IngestLimits): Promise<FitStream> {
  if (stream.dataSource !== undefined) return stream
  return { ...stream, dataSource: await findSource(stream.open(), limits) }
}

async function* readStream(stream: FitStream, takeout: Takeout): AsyncGenerator<Outcome[], void, void> {
  const { context, limits, coverage, told } = takeout
  const dataSource = stream.dataSource ?? ''
  const row = rowName(typeOfSource(dataSource))
  for await (const loose of readPoints(stream.open(), limits)) {
    const outcomes = loose.map((one): Outcome => {
      const point = readDataPoint(one, dataSource)
      if (point === undefined) return { kind: 'rejected', row, reason: 'structure-unknown', expression: 'Data Points' }
      if (coverage.has(point)) return { kind: 'folded', row: point.type }
      const outcome = mapDataPoint(point, context)
      if (outcome.kind === 'mapped') for (const span of spansTold(point)) told.add(span)
      return outcome
    })
    yield [...context.sources.take(), ...outcomes]
  }
}

/** Of what somebody did it counts what it was, too. */
function spansTold(point: DataPoint): readonly string[] {
  const activity = asActivity(point)
  return activity === undefined ? spansOf(point) : [...spansOf(point), ...spansOf(activity)]
}
