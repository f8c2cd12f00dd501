import type { Steps } from '#kernel'
import type { Moment } from '../evaluation/visibility.ts'
import type { PopulationIndex } from '../population-index.ts'
import type { Query } from '../query/types.ts'

/** What is looked for in a pass: whoever makes it leaves out slices in which none of it can be. */
export interface Asked {
  isOf(type: string): boolean
  /** What it must have left one of. */
  readonly traces?: readonly number[] | undefined
  /** In these alone it lies. */
  readonly compartments?: ReadonlySet<string>
  /** It fulfils this too, or passes through a resource of one of these types within itself. */
  readonly narrower?: { readonly query: Query; readonly contained: ReadonlySet<string> } | undefined
}

/** One look into each slice of a population, in the order of their holders; whatever is found there is kept outside. */
export interface Pass {
  readonly asked: readonly Asked[]
  work(index: PopulationIndex, moment: Moment): Steps<void>
}

/** What is found out pass by pass. */
export type InPasses<T> = Generator<Pass, T, undefined>
