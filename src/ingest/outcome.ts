import type { Resource } from '#fhir'

/**
 * How a resource meets one that is already there under its id: it is a duplicate, it takes its place, or what it names
 * takes its place and the rest stays.
 */
export type WriteMode = 'create' | 'upsert' | 'merge'

/** What became of one row of a file. `row` names the kind of row, never its content. */
export type Outcome =
  | {
      readonly kind: 'mapped'
      readonly row: string
      readonly resource: Resource & { id: string }
      readonly mode: WriteMode
      readonly warning?: string
      /** Of a row that another of its resources has counted already. */
      readonly also?: true
    }
  /** A change to a resource that must be there already, the Patient for one. Pure: it may be asked more than once. */
  | {
      readonly kind: 'amend'
      readonly row: string
      readonly type: string
      readonly id: string
      readonly change: (current: Resource) => Resource | undefined
    }
  /** The row says what another row says too, and went into the same resource. */
  | { readonly kind: 'folded'; readonly row: string }
  /** The row went into the resource of another row, and says what that one does not. */
  | { readonly kind: 'joined'; readonly row: string }
  | { readonly kind: 'unmapped'; readonly row: string }
  | { readonly kind: 'rejected'; readonly row: string; readonly reason: Reason; readonly expression?: string }
  /** No row: something the person should know, once per text. `location` is where, as an HL7 ERR-2 says it. */
  | { readonly kind: 'warning'; readonly text: string; readonly location?: string }

/** Why a row was refused; the words are in `report.ts`. */
export type Reason =
  | 'date-malformed'
  | 'value-missing'
  | 'value-malformed'
  | 'value-unknown'
  | 'value-out-of-range'
  | 'unit-missing'
  | 'unit-unknown'
  | 'element-missing'
  | 'structure-unknown'
  | 'not-supported'
  | 'not-valid'
  | 'not-permitted'
  | 'other-patient'
  | 'refused'

/** What a mapper knows beside the row. */
export interface MapContext {
  /** Patient id. */
  readonly patient: string
  /** `{ reference: 'Patient/…' }`, one object for all resources of the run. */
  readonly subject: { readonly reference: string }
  /** `meta.source` of everything this run writes: the run's Provenance. */
  readonly source: string
  /** An id that the same facts always get and that nobody without the key can compute. */
  fingerprint(...parts: readonly string[]): string
}

/** Texts that third parties may have written are named in reports only when they look like an identifier. */
export function rowName(text: string | undefined): string {
  return text !== undefined && /^[A-Za-z][A-Za-z0-9._-]{0,79}$/.test(text) ? text : 'unrecognised'
}
