import type { Resource } from '#fhir'
import type { Validator } from '#validation'
import type { Deletions } from '../deletions.ts'
import type { FormerIds } from '../former-ids.ts'
import type { ListedDeps } from '../listed.ts'
import type { LookUp } from '../namesakes.ts'
import type { Left, Outcome, Reason, SourceVersion } from '../outcome.ts'

/** What is to be written: a resource under its fingerprint, or a change to one that is there. */
export type Item = Extract<Outcome, { kind: 'mapped' | 'amend' | 'remove' }>

/** What became of an item: its resource or change was written, said nothing new, or was refused. */
export type Fate = 'mapped' | 'duplicate' | Refusal

interface Refusal {
  readonly reason: Reason
  readonly expression?: string
}

/** What a transaction made of its items. */
export interface Committed {
  /** `Type/id` of what it created. */
  readonly created: readonly string[]
  readonly updated: readonly string[]
  readonly fates: ReadonlyMap<Item, Fate>
  /** What was left out of what was written. */
  readonly warnings: readonly Left[]
}

/** What became of a batch so far. */
export interface Progress {
  readonly created: string[]
  readonly updated: string[]
  readonly fates: Map<Item, Fate>
  readonly warnings: Left[]
  /** What was written under `Type/id`: the transaction shows what stood before. */
  readonly written: Map<string, Resource>
  /** What the sources say of deletions, by name; undefined where a newer version has come since. */
  readonly deletions: Map<string, SourceVersion | undefined>
}

/** How a batch is staged. */
export interface Staging {
  /** What the record refuses is thrown, not counted. */
  readonly strict: boolean
  readonly validator: Validator
  /** On whose behalf what is made of two versions is validated. */
  readonly owner: string
  /** The names under which the patient has what others had who were merged into them. */
  readonly former?: FormerIds | undefined
  /** Looks for what stands under another name. */
  readonly lookUp?: LookUp | undefined
  readonly listed?: ListedDeps
  /** Who answers for what is staged, as its Provenance says: a Reference. */
  readonly sender?: object
  /** What the sources of the patient's files have deleted. */
  readonly deletions?: Deletions | undefined
}

/** How a batch is staged, and what became of it so far. */
export interface Work {
  readonly staging: Staging
  readonly progress: Progress
}

export type Mapped = Extract<Item, { kind: 'mapped' }>
export type Amendment = Extract<Item, { kind: 'amend' }>
export type Removal = Extract<Item, { kind: 'remove' }>

export function isMapped(item: Item): item is Mapped {
  return item.kind === 'mapped'
}

export function isRemoval(item: Item): item is Removal {
  return item.kind === 'remove'
}

export function isAmendment(item: Item): item is Amendment {
  return item.kind === 'amend'
}
