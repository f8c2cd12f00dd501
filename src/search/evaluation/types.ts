import type { Criterion } from '../query/types.ts'
import type { Holder, RowIndex } from '../row-index.ts'

/** Of the rows only some: those that a visible row of a patient or a household leads to, and those that the account itself made; and those that name nobody beyond reach. */
interface Limited {
  readonly referencedOnly?: boolean
  readonly madeBy?: string
  /** Tells who is within reach, by id: of a household's rows that name patients only those of whom each is, or was erased. */
  readonly named?: (patient: string) => boolean
}

/** Patients who were erased: nothing is withheld for their sake. */
export interface Erased {
  /** Rises whenever one is added. */
  readonly count: number
  has(patient: string): boolean
}

/** What the caller may see of a type within a holder. */
export type Sight =
  | { readonly kind: 'none' }
  | ({ readonly kind: 'all' } & Limited)
  | ({ readonly kind: 'some'; readonly anyOf: readonly (readonly Criterion[])[] } & Limited)

/** The caller's sight of a type in a holder. The same function object must always give the same answers. */
export interface Vision {
  (type: string, holder: Holder): Sight
  /** Holders of one kind for whom this is the same are seen alike, whatever the type; without it each is looked at by itself. */
  readonly classOf?: (holder: Holder) => number
}

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
  /** By the name of the index, for a compartment's its id: what arrived later does not exist, and what that replaced still does. */
  readonly asOf?: ReadonlyMap<string, number>
  /** By index, and there by the number of a holder, where less was there of it. */
  readonly less?: ReadonlyMap<RowIndex, ReadonlyMap<number, number>> | undefined
  /** The same for what was written later than this, Unix milliseconds; only what keeps when rows were replaced can be asked so. */
  readonly untilMs?: number | undefined
  /** Nobody unless told. */
  readonly erased?: Erased | undefined
}

/** One version found: where it lies. */
export interface Hit {
  readonly compartment: string
  readonly seq: number
  readonly type: string
  /** Where not all of it is the match: what is, `#id` of what lies within it, and the empty text of itself. */
  readonly parts?: readonly string[]
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
