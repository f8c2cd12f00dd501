import type { ParameterType } from '../parameters.ts'
import type { SoughtWords } from './text-syntax.ts'
import type { CodeTest } from './words.ts'

/** `po` and `co` are those of `_filter`: a period that overlaps, and one that includes. */
export type Prefix = 'eq' | 'ne' | 'gt' | 'lt' | 'ge' | 'le' | 'sa' | 'eb' | 'ap' | 'po' | 'co'

/** One value of a criterion, read according to the kind of its parameter. OR is a list of them. */
export type Operand =
  | TokenOperand
  | { readonly kind: 'string'; readonly text: string; readonly folded: string; readonly isPunctuated: boolean }
  | ReferenceOperand
  | RangeOperand
  | QuantityOperand
  | { readonly kind: 'uri'; readonly text: string }
  | { readonly kind: 'composite'; readonly parts: readonly Operand[] }
  | SoughtWords
  | NearOperand

/** Around a place, in degrees of WGS 84. */
export interface NearOperand {
  readonly kind: 'near'
  readonly latitude: number
  readonly longitude: number
  readonly kilometres: number
}

/** `system|code`; an undefined system is any, an empty one is none; an undefined code is any. */
export interface TokenOperand {
  readonly kind: 'token'
  readonly system: string | undefined
  readonly code: string | undefined
  /** Third part of `:of-type`: the identifier's value. */
  readonly value?: string
  /** For `:text`. */
  readonly folded?: string
  /** For `:in` and `:not-in`: the value set as it was named. */
  readonly valueSet?: string
  /** What decides where meaning counts and not the code as it is written: `:in`, `:below` … */
  readonly means?: CodeTest
}

export interface ReferenceOperand {
  readonly kind: 'reference'
  /** Types that a bare id may mean; undefined for `type`. */
  readonly types: readonly string[]
  readonly id?: string
  readonly version?: string
  /** What is compared as it is: absolute URLs of other servers, urn:…, canonicals; a bare id too. */
  readonly url?: string
}

/** A number, or a moment in Unix milliseconds, as the range that its digits denote, and as it stands. */
export interface RangeOperand {
  readonly kind: 'range'
  readonly prefix: Prefix
  readonly low: number
  readonly high: number
  readonly exact: number
  /** How far from each of these a number may lie and still be it; undefined: not at all. */
  readonly slack?: number
}

export interface QuantityOperand {
  readonly kind: 'quantity'
  readonly range: RangeOperand
  /** undefined: any. Empty: the code may be a code or a printed unit, of any system. */
  readonly system: string | undefined
  readonly code: string | undefined
}

export type Modifier =
  | 'exact'
  | 'contains'
  | 'not'
  | 'identifier'
  | 'text'
  | 'of-type'
  | 'above'
  | 'below'
  | 'in'
  | 'not-in'

/** What `_filter` compares by and no modifier does; `after` … `until` by the order of texts. */
export type Comparison = 'is' | 'is-not' | 'ends' | 'after' | 'before' | 'from' | 'until'

export interface ValueCriterion {
  readonly kind: 'value'
  readonly name: string
  readonly parameter: ParameterType
  readonly modifier: Modifier | Comparison | undefined
  readonly operands: readonly Operand[]
  readonly baseUrl: string
}

export interface MissingCriterion {
  readonly kind: 'missing'
  readonly name: string
  readonly missing: boolean
}

/** `subject:Patient.name=x`: the reference points to a resource that fulfils the criterion, in one of these types. */
export interface ChainCriterion {
  readonly kind: 'chain'
  readonly name: string
  readonly targets: readonly { readonly type: string; readonly criterion: Criterion }[]
  readonly baseUrl: string
}

/** `_has:Observation:patient:code=x`: some Observation whose `patient` is this resource fulfils the criterion. */
export interface HasCriterion {
  readonly kind: 'has'
  readonly type: string
  readonly name: string
  readonly criterion: Criterion
  readonly baseUrl: string
}

/** One of several: each is a list of criteria joined by AND. */
export interface AnyCriterion {
  readonly kind: 'any'
  readonly anyOf: readonly (readonly Criterion[])[]
}

/** What does not fulfil the criterion. */
export interface NotCriterion {
  readonly kind: 'not'
  readonly criterion: Criterion
}

/** `_contained`: within the resource lies one of a type that fulfils all criteria. */
export interface HoldingCriterion {
  readonly kind: 'holding'
  readonly name: '_contained'
  readonly type: string
  readonly criteria: readonly Criterion[]
}

/** With `_containedType=contained`: what of a container is answered, in its place. */
export interface Inner {
  readonly holdings: readonly HoldingCriterion[]
  /** With `both`: by which criteria a resource of a type is answered itself. */
  readonly own: ReadonlyMap<string, readonly Criterion[]>
}

/** One condition that every match fulfils; all criteria of a query are joined by AND. */
export type Criterion =
  | ValueCriterion
  | MissingCriterion
  | ChainCriterion
  | HasCriterion
  | HoldingCriterion
  | AnyCriterion
  | NotCriterion

/** One `_include` or `_revinclude`: https://hl7.org/fhir/R4/search.html#include */
export interface Include {
  /** True for `_revinclude`. */
  readonly reverse: boolean
  readonly iterate: boolean
  /** Type that holds the reference, or `*`. */
  readonly type: string
  /** Parameter, or `*` for all references. */
  readonly name: string
  /** Only references to that type. */
  readonly target: string | undefined
}

/** One key of `_sort`: https://hl7.org/fhir/R4/search.html#sort */
export interface SortKey {
  readonly name: string
  readonly descending: boolean
}

/** A search as it was understood: types and criteria joined by AND, and how the answer is to look. */
export interface Query {
  /** One type, or those of `_type` for a search of the whole system; with `_contained`, those that may hold what is sought. */
  readonly types: readonly string[]
  /** With `_contained`: the types of what is sought. */
  readonly soughtWithin?: readonly string[]
  /** Of the containers that fulfil the criteria only what is sought is answered, each by itself. */
  readonly inner?: Inner
  /** For the first type; the others differ only in what their references may point to. */
  readonly criteria: readonly Criterion[]
  readonly criteriaByType: ReadonlyMap<string, readonly Criterion[]>
  /** `_include` and `_revinclude` in the order given. */
  readonly includes: readonly Include[]
  /** Empty: newest first. */
  readonly sort: readonly SortKey[]
  /** As asked for, at most 1,000; undefined: the default of 50. */
  readonly count?: number
  /** Matches that come before those asked for: `_offset`, for clients that page by themselves. */
  readonly offset?: number
  /** So many of each subject and code, the latest: for Observation/$lastn. */
  readonly latest?: number
  readonly total: 'none' | 'estimate' | 'accurate'
  readonly summary: 'true' | 'text' | 'data' | 'count' | 'false'
  /** Top-level elements of `_elements`; empty for all. */
  readonly elements: readonly string[]
  /** Names of parameters that lenient handling left out. */
  readonly ignored: readonly string[]
  /** Canonical form of what was understood, `name=value&…`, for self links and cursors. */
  readonly text: string
  readonly baseUrl: string
}
