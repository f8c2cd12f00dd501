import type { Route } from '#interactions'

/** A kind of work; each has a queue of its own, so that what takes long does not stand before what does not. */
export type Lane = 'reads' | 'searches' | 'files' | 'writes' | 'imports' | 'messages' | 'pages'

/** How much of a kind of work goes on and waits. Work is counted in units; a request is one, and more if its body is long. */
export interface LaneRow {
  /** Units that go on at once, of all callers and of one. */
  readonly atOnce: number
  readonly ofOne: number
  /** Requests that may wait in a burst. */
  readonly waiting: number
  /**
   * Requests that may wait once the queue has not been empty for `burstMs` and moves slowly: then it is no burst but more than can be
   * carried.
   */
  readonly standing: number
  /** Nobody waits longer, in ms. */
  readonly patienceMs: number
  /** Only one unit goes on at once while the event loop is late: more would make it later. */
  readonly heavy: boolean
}

export type LaneTable = Readonly<Record<Lane, LaneRow>>

// biome-ignore format: a table is read by its columns
export const laneTable: LaneTable = {
  reads:    { atOnce: 64, ofOne: 64, waiting: 2048, standing: 32, patienceMs: 10_000, heavy: false },
  searches: { atOnce:  3, ofOne:  2, waiting:  512, standing:  6, patienceMs: 20_000, heavy: true },
  // A place is kept for as long as whoever takes the file wants, so that reads do not stand behind it.
  files:    { atOnce: 32, ofOne:  8, waiting:  128, standing: 32, patienceMs: 20_000, heavy: false },
  writes:   { atOnce: 48, ofOne: 40, waiting: 2048, standing: 16, patienceMs: 20_000, heavy: false },
  imports:  { atOnce:  8, ofOne:  6, waiting:  128, standing: 16, patienceMs: 60_000, heavy: true },
  // A message is answered while its sender waits with the next ones; a file may take minutes.
  messages: { atOnce:  8, ofOne:  6, waiting:  512, standing: 16, patienceMs: 30_000, heavy: true },
  pages:    { atOnce: 32, ofOne: 16, waiting:  512, standing: 32, patienceMs: 10_000, heavy: false },
}

/** After this long with somebody waiting, a queue is no burst any more. */
export const burstMs = 2_000
/** While nobody has waited longer than this, a queue moves: a client with so many connections as are carried keeps one standing, and harms nobody. */
export const movesMs = 250

/** Kinds of work by interaction; what is not named looks through many resources, as a search does. */
const lanes: Readonly<Record<string, Lane>> = {
  capabilities: 'reads',
  'smart-configuration': 'reads',
  read: 'reads',
  vread: 'reads',
  $job: 'reads',
  // An export is made aside.
  $export: 'reads',
  '$export-status': 'reads',
  '$export-file': 'files',
  '$export-removal': 'writes',
  // As an import of many files is.
  $import: 'reads',
  '$import-status': 'reads',
  '$import-file': 'files',
  '$import-removal': 'writes',
  create: 'writes',
  update: 'writes',
  patch: 'writes',
  delete: 'writes',
  'conditional-update': 'writes',
  'conditional-patch': 'writes',
  'conditional-delete': 'writes',
  transaction: 'writes',
  $merge: 'writes',
  $unmerge: 'writes',
  $purge: 'writes',
  $review: 'writes',
  $letters: 'writes',
  $ingest: 'imports',
  hl7v2: 'messages',
}

/** The kind of work that a row of the catalogue is. */
export function laneOf({ interaction }: Route): Lane {
  return lanes[interaction] ?? 'searches'
}

const bytesOfUnit = 4096

/** Some few bytes of a Bundle may ask for an answer of many megabytes. */
const unitsOfBundle = 12

/** What a request counts for at least. */
export function leastUnitsOf({ interaction }: Route): number {
  return interaction === 'transaction' ? unitsOfBundle : 1
}

/** What a request counts for, by the bytes that it sent; at most as much as goes on at once, so that it can go on alone. */
export function unitsOf(bodyBytes: number, { ofOne }: LaneRow, least = 1): number {
  return Math.min(ofOne, Math.max(least, 1 + Math.floor(bodyBytes / bytesOfUnit)))
}
