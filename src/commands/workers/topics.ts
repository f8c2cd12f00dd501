import type { Config } from '#config'
import type { CountSheet } from '#http'
import type { ShareClaim, ShareVerdict, ShownJob } from '#ingest'

/** What a worker is given to begin with. */
export interface Beginning {
  readonly config: Config
  /** Which worker it is, from 1 on; one that takes the place of another has its number. */
  readonly number: number
  /** How many there are to be. */
  readonly count: number
  readonly leads: boolean
  /** What the others find wrong. */
  readonly alarms: readonly string[]
}

/** Somebody has reached what all workers together allow. */
export interface Blocked {
  readonly counter: string
  readonly key: string
  readonly forMs: number
}

/** Figures of one process, as prom-client writes them in JSON. */
export type Figures = readonly object[]

type Told<T> = readonly [T, undefined]

/** What workers say to the primary. */
export type ToPrimary = {
  readonly begin: readonly [undefined, Beginning]
  /** It listens; the lines are for a person. */
  readonly serving: Told<string>
  /** What it finds wrong, in place of what it said before. */
  readonly alarms: Told<readonly string[]>
  readonly counts: Told<readonly CountSheet[]>
  readonly claim: readonly [ShareClaim, ShareVerdict]
  readonly release: Told<Pick<ShareClaim, 'kind' | 'owner' | 'amount'>>
  /** All imports of the worker, by id. */
  readonly jobs: Told<ReadonlyMap<string, ShownJob>>
  readonly job: readonly [string, ShownJob | undefined]
  readonly figures: readonly [undefined, readonly Figures[]]
}

/** What the primary says to workers. */
export type ToWorker = {
  readonly lead: Told<boolean>
  /** What the other workers find wrong. */
  readonly alarms: Told<readonly string[]>
  readonly blocked: Told<Blocked>
  readonly figures: readonly [undefined, Figures]
  /** A sign of life. */
  readonly beat: readonly [undefined, true]
  readonly end: Told<undefined>
}
