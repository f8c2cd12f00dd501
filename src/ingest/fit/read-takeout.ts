import type { IngestLimits } from '../limits.ts'
import { type Outcome, rowName } from '../outcome.ts'
import type { DeviceContext } from '../told-devices.ts'
import { Coverage, spansOf } from './coverage.ts'
import { readDataPoint, typeOfSource } from './data-point.ts'
import { type FitContext, mapDataPoint } from './map-point.ts'
import { findSource, readPoints } from './read-points.ts'
import { FitSources } from './sources.ts'

/** One file of `All Data`: one stream of one data type. */
export interface FitStream {
  /** Undefined when the head of the file does not tell. */
  readonly dataSource: string | undefined
  readonly empty: boolean
  open(): AsyncIterable<Uint8Array>
}

/** What the head of a JSON file says it is. */
type Recognised = Pick<FitStream, 'dataSource' | 'empty'>

const named = /"(?:Data Source|dataSourceId)"\s*:\s*"((?:[^"\\]|\\.){1,1000})"/
const points = /"(?:Data Points|point)"\s*:\s*\[\s*(\]|\{)/

/**
 * Recognises a stream by what is inside, since Takeout cuts file names and translates those of folders; keys may stand in any
 * order. Undefined when it is no Fit file.
 */
export function recogniseFit(head: string): Recognised | undefined {
  const text = head.replace(/^\uFEFF/, '')
  if (!/^\s*[{[]/.test(text) || /"resourceType"\s*:/.test(text)) return undefined
  const name = named.exec(text)?.[1]
  const list = points.exec(text)
  // A list of points alone says what it is by what a point has; a session of All Sessions has none.
  if (name === undefined && (list === null || !/"(?:start|end)Time(?:Nanos|Millis)"\s*:/.test(text))) return undefined
  const dataSource = name === undefined ? undefined : unescaped(name)
  const isOnly = /^\s*\{/.test(text) && !/"(?:bucket|dataset)"\s*:/.test(text)
  return { dataSource, empty: isOnly && list?.[1] === ']' }
}

/** Whether a file is a session, which says of an activity what the streams say point by point. */
export function isFitSession(head: string): boolean {
  return /^\uFEFF?\s*\{/.test(head) && /"fitnessActivity"\s*:/.test(head) && /"(?:startTime|duration)"\s*:/.test(head)
}

function unescaped(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
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

/**
 * Reads the streams, the most believable first. A point of a time of which a better stream of its type has told is a duplicate;
 * points of other times are other facts.
 */
export async function* readTakeout(
  streams: readonly FitStream[],
  takeout: DeviceContext,
  limits: IngestLimits,
): AsyncGenerator<Outcome[], void, void> {
  const context: FitContext = { ...takeout, sources: new FitSources(takeout) }
  const coverage = new Coverage()
  for (const rank of rankStreams(await Promise.all(streams.map(stream => withSource(stream, limits))))) {
    const told = new Set<string>()
    for (const stream of rank) yield* readStream(stream, { context, limits, coverage, told })
    coverage.add(told)
  }
}

async function withSource(stream: FitStream, limits: IngestLimits): Promise<FitStream> {
  if (stream.dataSource !== undefined) return stream
  return { ...stream, dataSource: await findSource(stream.open(), limits) }
}

interface Reading {
  readonly context: FitContext
  readonly limits: IngestLimits
  readonly coverage: Coverage
  /** Spans of which the streams of this rank tell. */
  readonly told: Set<string>
}

async function* readStream(stream: FitStream, reading: Reading): AsyncGenerator<Outcome[], void, void> {
  const { context, limits, coverage, told } = reading
  const dataSource = stream.dataSource ?? ''
  const row = rowName(typeOfSource(dataSource))
  for await (const loose of readPoints(stream.open(), limits)) {
    const outcomes = loose.map((one): Outcome => {
      const point = readDataPoint(one, dataSource)
      if (point === undefined) return { kind: 'rejected', row, reason: 'structure-unknown', expression: 'Data Points' }
      if (coverage.has(point)) return { kind: 'folded', row: point.type }
      const outcome = mapDataPoint(point, context)
      if (outcome.kind === 'mapped') for (const span of spansOf(point)) told.add(span)
      return outcome
    })
    yield [...context.sources.take(), ...outcomes]
  }
}
