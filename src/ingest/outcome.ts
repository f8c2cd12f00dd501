import type { Resource } from '#fhir'

/**
 * How a resource meets one that is already there under its id: it is a duplicate, it takes its place, or what it names
 * takes its place and the rest stays.
 */
export type WriteMode = 'create' | 'upsert' | 'merge'

/** Which rows of the file an outcome stands for, so that each row is counted once. */
interface Counted {
  /** Kind of row, never its content. */
  readonly row: string
  /**
   * How many rows became this: two halves of a blood pressure are 2; a further resource of a row that another outcome
   * stands for is 0. One when it is not said.
   */
  readonly rows?: number
  /** When its source said it, Unix milliseconds: what was changed by hand since, stays; undefined where it does not say when. */
  readonly saidMs?: number | undefined
}

/** What was left out of what is written, in words that name places and never values. */
export interface Left {
  readonly text: string
  /** Where it stands in the source, as the source's sender names places: `OBX^3^5`. */
  readonly location?: string
}

/** What was said and is not in the resource that stands then. Pure. */
export type Untaken = (standing: Resource) => readonly Left[]

/** What was known before and is no more, now that the resource is as it is. Pure. */
type Dropped = (before: Resource, standing: Resource) => readonly Left[]

/** Leads from a resource to another. */
interface Via {
  readonly type: string
  readonly id: string
  /** The id of the other one. Pure. */
  readonly follow: (stored: Resource) => string | undefined
}

/** A list that its sender sends as a whole: what the list before named and this one does not is said to stay. */
export interface Listing {
  /** Whose list it is, and of what: sender, segment, visit. */
  readonly by: readonly string[]
  readonly type: string
  /** Ids of all that it names. */
  readonly ids: readonly string[]
  /** Unix milliseconds. */
  readonly saidMs: number
  /** What is said of so many that it does not name. Pure. */
  readonly said: (count: number) => Left
}

/** What else of a visit, or of a number, a resource may be about; looked for where nothing stands under its own name. */
export interface Namesakes {
  /** Whether it is looked for among what has one of its identifiers, in place of what is of its visit. */
  readonly byNumber?: true
  /**
   * Whether to look at all, by the visit, if it is known, and by what the batch says before of the same type and visit. Pure.
   */
  readonly isLikely: (visit: Resource | undefined, anew: Resource, beside: readonly Resource[]) => boolean
  /** Whether it is about this one. Pure. */
  readonly isIt: (other: Resource, anew: Resource) => boolean
  /** Which of several it is rather. Pure. */
  readonly isRather?: (other: Resource, anew: Resource) => boolean
  /** What is said when it may be several, or none. */
  readonly several?: Left
  readonly none?: Left
}

/** What was said of a resource before it came itself; looked for where nothing stands under its name. */
export interface Foretold {
  /** A search parameter by which others of its type point to it, by its number: `relatesto`. */
  readonly by: string
  readonly number: { readonly system?: string; readonly value?: string }
  /** Whether one of those that point to it says so. Pure. */
  readonly isSaid: (other: Resource) => boolean
  /** What it is then. Pure. */
  readonly becomes: (resource: Resource & { id: string }) => Resource & { id: string }
  readonly left: Left
}

/** Which version of a resource something is, as its own server numbers and dates them. */
export interface SourceVersion {
  /** `meta.lastUpdated`, an instant. */
  readonly at?: string
  readonly version?: string
}

/** What became of a row of a file. */
export type Outcome =
  | (Counted & {
      readonly kind: 'mapped'
      readonly resource: Resource & { id: string }
      readonly mode: WriteMode
      readonly warning?: string
      /**
       * How it meets the version that is there, where the mode does not say enough: what shall stand, undefined when the
       * version that is there stays. Pure.
       */
      readonly over?: (stored: Resource, anew: Resource) => Resource | undefined
      readonly untaken?: Untaken
      readonly dropped?: Dropped
      /** Which version of its source it is: negative when it is older than a deletion there, 0 when that cannot be told. Pure. */
      readonly since?: (deletion: SourceVersion) => number
      readonly namesakes?: Namesakes
      readonly foretold?: Foretold
      /** The list of which it is the first. */
      readonly listing?: Listing
      /** Several senders may say it, whose lists are their own. */
      readonly ofSeveral?: boolean
      /** The mapper has validated it. */
      readonly isValid?: boolean
    })
  /** A change to a resource that must be there already, the Patient for one. Pure: it may be asked more than once. */
  | (Counted & {
      readonly kind: 'amend'
      readonly type: string
      readonly id: string
      /** @param via  `Type/id` of the one that leads to it */
      readonly change: (current: Resource, via?: string) => Resource | undefined
      /** The resource is one to which another leads, the visit of a diagnosis for one; `id` is then without meaning. */
      readonly via?: Via
      readonly untaken?: Untaken
      readonly dropped?: Dropped
    })
  /** The row says that a resource is no more. Pure. */
  | (Counted & {
      readonly kind: 'remove'
      readonly type: string
      readonly id: string
      /** Whether the version that is there is one that is no more. */
      readonly when: (stored: Resource) => boolean
      /** What is remembered of it, so that no older version comes back. */
      readonly deletion?: SourceVersion
    })
  /** All that the row says another row of the file says too: a duplicate. A row of which something is read is none. */
  | { readonly kind: 'folded'; readonly row: string }
  /** `rows` of one kind, where they were counted and not read; one when it is not said. */
  | { readonly kind: 'unmapped'; readonly row: string; readonly location?: string; readonly rows?: number }
  | {
      readonly kind: 'rejected'
      readonly row: string
      readonly reason: Reason
      readonly expression?: string
      /** Where, as an HL7 ERR-2 has it. */
      readonly location?: string
    }
  /** No row, but a part of one that has a value and that nothing read: `PV1-50`, with its place as an HL7 ERR-2 has it. */
  | { readonly kind: 'unread'; readonly place: string; readonly location: string }
  /** No row: something the person should know, once per text. `location` is where, as an HL7 ERR-2 says it. */
  | { readonly kind: 'warning'; readonly text: string; readonly location?: string }

/** Why a row was refused; the words are in `reasons.ts`. */
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
  | 'too-costly'
  | 'not-permitted'
  | 'other-patient'
  | 'doubtful-patient'
  | 'without-effect'
  | 'refused'

/** What a mapper knows beside the row. */
export interface MapContext {
  /** Patient id. */
  readonly patient: string
  /** `{ reference: 'Patient/…' }`, one object for all resources of the run. */
  readonly subject: { readonly reference: string }
  /** Others whom the message is about: what is of all of them is theirs too. */
  readonly beside?: readonly { readonly reference: string }[]
  /** `meta.source` of everything this run writes: the run's Provenance. */
  readonly source: string
  /** An id that the same facts always get and that nobody without the key can compute. */
  fingerprint(...parts: readonly string[]): string
  /** False when the grant may not change the Patient; undefined when it is not known. */
  readonly mayChangePatient?: boolean
  /** Who may not read the Patient is not told what of it differs from what they say. */
  readonly mayReadPatient?: boolean
  /** What of a resource is valid FHIR R4, and the elements that had to be left out; `resource` undefined when nothing is. */
  validPart?(resource: Resource): { readonly resource: Resource | undefined; readonly left: readonly string[] }
}

/** Texts that third parties may have written are named in reports only when they look like an identifier. */
export function rowName(text: string | undefined): string {
  return text !== undefined && /^[A-Za-z][A-Za-z0-9._-]{0,79}$/.test(text) ? text : 'unrecognised'
}
