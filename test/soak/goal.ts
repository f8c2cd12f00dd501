/** A goal of reliability: what it says, how it is tried against real processes, and how what came of it is judged. */

/** What was found out, and whether the goal is met by it; undefined where there is nothing to be met. */
export interface Judged {
  readonly what: string
  readonly figure: string
  readonly met?: boolean
}

/** How long and how hard the goals that have no end of their own are tried. */
export interface Extent {
  readonly minutes: number
  readonly perSecond: number
  /** How many times what is drawn at random is drawn, in parts of what the goal asks for. */
  readonly share: number
}

export interface Goal {
  readonly name: string
  readonly says: string
  /** On what it is tried. */
  readonly dataset: string
  run(extent: Extent): Promise<readonly Judged[]>
}

interface Row<Found> {
  readonly name: string
  readonly says: string
  readonly dataset: string
  try(extent: Extent): Promise<Found>
  judge(found: Found, extent: Extent): readonly Judged[]
}

/** A row of the table, whatever it is that is found out. */
export function goal<Found>({ name, says, dataset, try: attempt, judge }: Row<Found>): Goal {
  return { name, says, dataset, run: async extent => judge(await attempt(extent), extent) }
}
