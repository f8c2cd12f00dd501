import type { IngestLimits } from '../limits.ts'
import type { Coverage } from './coverage.ts'
import type { FitContext } from './map-point.ts'

/** A file of a Takeout that is no stream. */
export interface TakeoutFile {
  readonly name: string
  open(): AsyncIterable<Uint8Array>
}

/** What is known while the files of a Takeout are read. */
export interface Takeout {
  readonly context: FitContext
  readonly limits: IngestLimits
  readonly coverage: Coverage
  /** Spans of which the files tell that are read now. */
  readonly told: Set<string>
  /** The seconds at which sessions began. */
  readonly begun: Set<number>
}
