import type { IngestLimits } from '../limits.ts'
import { type MapContext, type Outcome, rowName } from '../outcome.ts'
import { readDataPoint, typeOfSource } from './data-point.ts'
import { mapDataPoint } from './map-point.ts'
import { readPoints } from './read-points.ts'

/** One file of `All Data`: one stream of one data type. */
export interface FitStream {
  readonly dataSource: string
  readonly empty: boolean
  open(): AsyncIterable<Uint8Array>
}

/**
 * What the head of a JSON file says it is: the name in the file decides, since Takeout cuts file names and translates
 * those of folders.
 *
 * @returns the data source and whether the stream has no points; undefined when it is no Fit file
 */
export function recogniseFit(head: string): { readonly dataSource: string; readonly empty: boolean } | undefined {
  const found = /^\uFEFF?\s*\{\s*"(?:Data Source|dataSourceId)"\s*:\s*"((?:[^"\\]|\\.){1,1000})"/.exec(head)
  if (found === null) return undefined
  return { dataSource: unescaped(found[1] ?? ''), empty: /"(?:Data Points|point)"\s*:\s*\[\s*\]/.test(head) }
}

function unescaped(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/**
 * The streams to read. The same fact stands in the stream of the app, that of the device, and a merged one; Fit's own
 * merge is taken where there is one with data, else what was recorded raw, else whatever there is.
 */
export function chooseStreams(streams: readonly FitStream[]): readonly FitStream[] {
  const byType = Map.groupBy(
    streams.filter(stream => !stream.empty),
    stream => typeOfSource(stream.dataSource) ?? '',
  )
  return [...byType.values()].flatMap(choose)
}

function choose(streams: readonly FitStream[]): readonly FitStream[] {
  const merged = streams.filter(stream => /:merge_\w+$/.test(stream.dataSource))
  if (merged.length > 0) return merged
  const raw = streams.filter(stream => stream.dataSource.startsWith('raw:'))
  return raw.length > 0 ? raw : streams
}

/** Reads the chosen streams one after another. */
export async function* readTakeout(
  streams: readonly FitStream[],
  context: MapContext,
  limits: IngestLimits,
): AsyncGenerator<Outcome[], void, void> {
  const chosen = chooseStreams(streams)
  const passedOver = streams.filter(stream => !stream.empty && !chosen.includes(stream))
  if (passedOver.length > 0) yield [{ kind: 'warning', text: otherStreams }]
  for (const stream of chosen) {
    const row = rowName(typeOfSource(stream.dataSource))
    for await (const points of readPoints(stream.open(), limits)) {
      yield points.map(loose => {
        const point = readDataPoint(loose, stream.dataSource)
        if (point === undefined)
          return { kind: 'rejected', row, reason: 'structure-unknown', expression: 'Data Points' }
        return mapDataPoint(point, context)
      })
    }
  }
}

const otherStreams =
  'Streams that hold the same facts again (those of single apps and devices beside a merged one) were passed over.'
