/** What a Consent says about who may see what, as it is kept and counted: plain data, readable again by any process. */

/** Kinds of names by which a Consent says whom it is about. */
export type RecipientKind = 'app' | 'account' | 'role'

/** Whom a rule is about. */
export interface Recipient {
  readonly kind: RecipientKind
  /** An app's client id, the id of an account, or the name of a role. */
  readonly value: string
}

/** Which of a patient's resources are meant: each list is OR-ed, the lists are AND-ed; without any, all. */
export interface Selection {
  /** Resource types. */
  readonly types?: readonly string[]
  /** `system|code`, escaped as search values. */
  readonly codes?: readonly string[]
  /** The same, of `meta.security`. */
  readonly labels?: readonly string[]
  /** `Type/id` of single resources. */
  readonly instances?: readonly string[]
  /** When it was for which it is relevant, from one instant to before another; the types are named then, and each has a date of care. */
  readonly dated?: {
    readonly fromMs?: number
    readonly untilMs?: number
    /** Those of the two that were said as dates, which begin at another instant in each zone. */
    readonly unzoned?: readonly ('from' | 'until')[]
  }
}

/** Under which circumstances something counts: all lists of recipients name whoever asks, and the time has come and is not over. */
export interface Circumstances {
  /** Each list is OR-ed, the lists are AND-ed; none: everybody but the owners. */
  readonly recipients: readonly (readonly Recipient[])[]
  /** Unix milliseconds, inclusive. */
  readonly fromMs?: number
  /** Unix milliseconds, exclusive. */
  readonly untilMs?: number
}

/** What is withheld, and what of it is not. */
export interface ConsentRule extends Circumstances {
  /** FHIRPath of the element that withholds it. */
  readonly place: string
  /** All of these are fulfilled by what is withheld. */
  readonly withheld: readonly Selection[]
  readonly unless: readonly (Circumstances & { readonly permitted: Selection })[]
}

/** The rules of one Consent of a patient. */
export interface ConsentRules {
  /** Id of the Consent. */
  readonly consent: string
  readonly rules: readonly ConsentRule[]
}
