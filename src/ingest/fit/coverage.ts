import { type DataPoint, nanosToMs } from './data-point.ts'

const hourMs = 3_600_000
/** Sleep is told by nights: what another stream says of the same night is the same night, whatever its minutes. */
const nightMs = 24 * hourMs
const nightly: ReadonlySet<string> = new Set(['com.google.sleep.segment'])

/** A fact that lasts longer than this is looked at where it begins and ends. */
const maxSpans = 24 * 31

/**
 * In which hours, or nights, a type has been told. The same fact stands in the stream of an app, in that of a device and in a
 * merged one; but a stream that is passed over wholly because another one of its type is better would take with it what that one
 * does not have, other nights for one.
 */
export class Coverage {
  readonly #told = new Set<string>()

  /** Whether something of the type was told for any part of the time of a point. */
  has(point: DataPoint): boolean {
    return this.hasAny(spansOf(point))
  }

  hasAny(spans: readonly string[]): boolean {
    return spans.some(span => this.#told.has(span))
  }

  add(points: Iterable<string>): void {
    for (const span of points) this.#told.add(span)
  }
}

/** The hours or nights of a point, by type. */
export function spansOf({ type, startNanos, endNanos }: DataPoint): readonly string[] {
  const start = nanosToMs(startNanos)
  const end = nanosToMs(endNanos)
  return start === undefined || end === undefined || end < start ? [] : spansBetween(type, start, end)
}

/** The same by Unix milliseconds, of which the end is not before the start. */
export function spansBetween(type: string, start: number, end: number): readonly string[] {
  const [size, shift] = nightly.has(type) ? [nightMs, nightMs / 2] : [hourMs, 0]
  const first = Math.floor((start + shift) / size)
  // An end that is the beginning of the next hour is not within it.
  const last = Math.max(first, Math.floor((end - 1 + shift) / size))
  if (last - first >= maxSpans) return [`${type} ${first}`, `${type} ${last}`]
  return Array.from({ length: last - first + 1 }, (_, i) => `${type} ${first + i}`)
}
