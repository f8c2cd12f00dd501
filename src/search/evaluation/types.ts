import type { Holder } from '../compartment-index.ts'
import type { Criterion } from '../query/types.ts'

/** Only rows that a visible row of a patient or a household leads to, and those that the account itself made. */
interface Limited {
  readonly referencedOnly?: boolean
  readonly madeBy?: string
}

/** What the caller may see of a type within a holder. */
export type Sight =
  | { readonly kind: 'none' }
  | ({ readonly kind: 'all' } & Limited)
  | ({ readonly kind: 'some'; readonly anyOf: readonly (readonly Criterion[])[] } & Limited)

/** The caller's sight of a type in a holder. The same function object must always give the same answers. */
export type Vision = (type: string, holder: Holder) => Sight

declare const restricted: unique symbol

/** A query bound to what its caller may see. Only `restrict` of the room access may make one. */
export type Restricted<Q> = Q & {
  readonly [restricted]: true
  /** For matches, and for all rows that chains and `_has` pass through. */
  readonly vision: Vision
  /** For included rows. */
  readonly includeVision: Vision
}

/** Which page of the matches, and of which state of each compartment. */
export interface Page {
  readonly offset: number
  /** compartment → seq: versions beyond it do not exist, and what they replaced still does. */
  readonly asOf?: ReadonlyMap<string, number>
}

/** One version found: where it lies. */
export interface Hit {
  readonly compartment: string
  readonly seq: number
  readonly type: string
}

/** One page of an answer; rows that the caller may not see have no part in any of it. */
export interface SearchResult {
  /** This page, sorted. */
  readonly matches: readonly Hit[]
  readonly included: readonly Hit[]
  /** All matches that the caller may see; given when asked for, or when the page holds them all. */
  readonly total?: number
  /** Whether matches follow beyond this page. */
  readonly more: boolean
}
