/** Bounds on exports. */
export interface BulkLimits {
  /** That are under way or can be fetched, of one owner; who wants more removes one. */
  readonly maxOfOwner: number
  /** That are worked on at once in this process, and that may wait beside them. */
  readonly maxRunning: number
  readonly maxWaiting: number
  /** Lines of one file. */
  readonly linesOfFile: number
  /** How long files can be fetched once they are there, in ms. */
  readonly keptMs: number
  /** An export that takes longer is given up, in ms. */
  readonly longestMs: number
  /**
   * Between the instant of an export and its look at what there was, in ms: what was being written at that instant, by whatever
   * process, is durable by then.
   */
  readonly settleMs: number
  /** Whose process gives no sign of life for so long counts as interrupted, in ms. */
  readonly leaseMs: number
}

const secondMs = 1_000
const hourMs = 3_600 * secondMs

export const defaultLimits: BulkLimits = {
  maxOfOwner: 8,
  maxRunning: 2,
  maxWaiting: 64,
  linesOfFile: 100_000,
  keptMs: 24 * hourMs,
  longestMs: hourMs,
  settleMs: secondMs,
  leaseMs: 30 * secondMs,
}
