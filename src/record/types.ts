import type { Actor, Bounds, Grant, Keeping, Reason, Role } from '#access'
import type { Resource } from '#fhir'
import type { Holder, Query, Restricted } from '#search'
import type { CompartmentId, StoredDocument } from '#store'
import type { DocumentDraft, Documents } from '#vault'
import type { Received } from './contents/contents.ts'
import type { PatientNumber } from './transaction/number-sources.ts'

/** One version of one resource, as it was written and as it will be served. */
export interface Stored {
  readonly type: string
  readonly id: string
  /** FHIR versionId, counted 1, 2, 3 … */
  readonly version: number
  /** Unix milliseconds; `meta.lastUpdated` shows the same instant. */
  readonly lastUpdatedMs: number
  readonly deleted: boolean
  /** The verb of the request that made this version. */
  readonly method: 'POST' | 'PUT' | 'DELETE'
  /** Whether this version made the resource: its first one, and one that follows a deletion. */
  readonly created: boolean
  /** UTF-8 of the JSON as served; empty for a deletion. */
  readonly json: Buffer
  readonly holder: Holder
  /** The other compartments in which the same version lies, within reach or not: it belongs to several patients. */
  readonly copies: readonly CompartmentId[]
  /** The account that made it; noted only in the commons, where an account may change what it made itself. */
  readonly creator?: string
  /** Of the numbers of what is no Patient those that stand on the word of an account, as `numberOf` gives them. */
  readonly entered?: readonly string[]
  /** Ids of the Patients whose a household's version is by what it says, or what it removes: whoever does not reach one does not see it. */
  readonly named?: readonly string[]
  /** Of a Binary too large for its JSON: what it holds lies beside it. */
  readonly content?: Content
  /** What of it a search found, where that is not all: `#id` of what lies within it, and the empty text of itself. */
  readonly parts?: readonly string[]
}

/** Bytes that lie beside the version that names them, under the same keys. */
export interface Content {
  /** Their name in the compartment; nobody outside is told. */
  readonly name: string
  readonly sizeBytes: number
  /** In base64. */
  readonly sha256: string
}

/** One page of a search. Cursors are opaque, sealed, and bound to the grant and the query. */
export interface SearchPage {
  readonly matches: readonly Stored[]
  readonly included: readonly Stored[]
  /** Compartments that could not be read, of all that were asked: what lies there is missing. */
  readonly unreadable: number
  readonly total?: number
  /** This page, when the search is too long to be shown in a link. */
  readonly self?: string
  readonly next?: string
  readonly previous?: string
  readonly first?: string
}

/** What a page link stands for: parse `text` again under the same type, restrict it, and search with the cursor. */
export interface OpenedCursor {
  /** The type that was searched; undefined for a system-wide search. */
  readonly type: string | undefined
  /** The canonical query text of the first page. */
  readonly text: string
}

/** Which history is asked for, and which page of it. */
export interface HistoryRequest {
  /** Both `type` and `id`: one resource; `type` alone: all of a type; neither: everything. */
  readonly type?: string
  readonly id?: string
  /** At most this many versions on the page. */
  readonly count: number
  /** Only versions written at or after this instant (Unix milliseconds). */
  readonly sinceMs?: number
  /** Only versions that were the current one at some moment of this time. */
  readonly at?: Period
  readonly cursor?: string
}

/** From one instant to before another, in Unix milliseconds. */
export interface Period {
  readonly fromMs: number
  readonly untilMs: number
}

/** Versions, newest first. */
export interface HistoryPage {
  readonly items: readonly Stored[]
  /** Of one resource whose versions are all on the first page; otherwise they are not counted. */
  readonly total?: number
  readonly next?: string
}

/** Which compartments have moved; whose they are, and what was written there, only a reader tells. */
export interface Moved {
  /** To be asked with next time; holds across processes and restarts. */
  readonly mark: string
  readonly heads: ReadonlyMap<CompartmentId, number>
  /** Whether more can be had at once with the new mark. */
  readonly more: boolean
}

/** How far somebody was told what is written; to be kept, sealed, and brought again. */
export interface FollowedTo {
  readonly mark: string
  /** Unix milliseconds: of compartments that are not noted, all before that was told. */
  readonly sinceMs: number
  /** Compartments in which something was written lately: up to which seq it was told, and when that was written. */
  readonly told: readonly (readonly [compartment: CompartmentId, seq: number, atMs: number])[]
}

/** What somebody who follows is to be told. */
export interface FollowRequest {
  /** Whether versions of a type are wanted at all. */
  tells(type: string): boolean
  /** At most so many versions. */
  readonly limit: number
  /** After so many that were looked at the answer ends, whatever it has found. */
  readonly mostLooked: number
}

/** A version that was written, and of a deletion what was deleted, if that was within reach. */
export interface FollowedVersion {
  readonly stored: Stored
  readonly before?: Stored
}

/** Versions in the order in which each compartment has them, and how far that is. */
export interface Followed {
  readonly versions: readonly FollowedVersion[]
  /** How many were looked at. */
  readonly looked: number
  /** Whether more is there already. */
  readonly more: boolean
  readonly to: FollowedTo
}

/** Reads within what the grant reaches. What it does not reach does not exist for it. */
export interface Reader {
  /**
   * The current version.
   *
   * @throws Problem `forbidden` · `scope.missing`; `not-found` · `record.unknown` (also when not permitted to know);
   *   `gone` · `record.deleted`
   */
  read(type: string, id: string): Promise<Stored>
  /** One version; `version` as it stood in the URL. Throws like `read`. */
  vread(type: string, id: string, version: string): Promise<Stored>
  /** Whether a version, or its deletion, may be read at this moment. Nothing is recorded: nothing that it says is told. */
  shows(type: string, id: string, version: string): Promise<boolean>
  /** What a version holds beside its JSON, from one byte to before another. @throws Problem `fault` · `record.content-damaged` */
  content(stored: Stored, from?: number, until?: number): AsyncIterable<Buffer>
  /** @throws Problem `not-found` · `record.unknown`; `invalid` · `record.cursor-invalid` */
  history(request: HistoryRequest): Promise<HistoryPage>
  /** @throws Problem `invalid` · `record.cursor-invalid` */
  search(query: Restricted<Query>, cursor?: string): Promise<SearchPage>
  /** @throws Problem `invalid` · `record.cursor-invalid` for a cursor that is forged, foreign or expired */
  openCursor(cursor: string): Promise<OpenedCursor>
  /** Where to begin to follow what is written from now on. */
  followFrom(): Promise<FollowedTo>
  /**
   * What was written within reach since, each version once, as a history of the type would show it. Nothing is recorded as shown:
   * whoever shows of it reads it.
   *
   * @param moved  what `Record.moved` said, before the grant was asked for
   */
  follow(from: FollowedTo, moved: Moved, request: FollowRequest): Promise<Followed>
}

/** Where a version lies. It names nobody, and who has no key of that compartment can do nothing with it. */
export interface Place {
  readonly compartment: CompartmentId
  readonly seq: number
  /** What of it is asked for, as of `Stored`. */
  readonly parts?: readonly string[]
}

/** A resource that was deleted, or went out of reach. */
export type Deletion = Pick<Stored, 'type' | 'id' | 'holder'>

/** Everything within what a grant reaches, at one instant. */
export interface Exporter {
  /** Unix milliseconds; nothing that these can find was written later, whatever the clock says. */
  newestMs(queries: readonly Restricted<Query>[]): Promise<number>
  /**
   * Finds where all lies that any of these queries finds, as of an instant that is not long ago; nothing is opened.
   *
   * @param take  told of each, in no order
   * @returns     how many compartments could not be read: what lies there is missing
   */
  locate(
    queries: readonly Restricted<Query>[],
    untilMs: number,
    take: (found: Place & { readonly type: string }) => void,
  ): Promise<{ readonly unreadable: number }>
  /**
   * What Consents withhold at this moment of whom the grant reaches, as a text that is another one whenever that has changed; empty:
   * nothing. What was listed before, by name or number alone, was listed under others.
   */
  withheldNote(): Promise<string>
  /** Which of these compartments lie within reach at this moment. */
  within(compartments: Iterable<CompartmentId>): Promise<ReadonlySet<CompartmentId>>
  /**
   * Opens what was found, a few at a time, as far as it lies within reach at this moment and may be searched still; what does not,
   * and what was erased, is left out. With each patient it is recorded what was given of theirs.
   */
  open(type: string, places: readonly Place[]): AsyncIterable<readonly Stored[]>
  /** What was deleted between two instants (inclusive) and did not come back, as its history tells it. */
  deletions(sinceMs: number, untilMs: number): AsyncIterable<Deletion>
}

/** A version that a transaction will write. `json` and `lastUpdatedMs` are filled in when it commits. */
export type Staged = Stored

/** Which version the caller means to change or delete; nothing: whichever stands. */
export interface Meant {
  /** The version that is to stand; `*` for any. */
  readonly ifMatch?: string
  /** It is not to be younger than this second, or millisecond: as exactly as the caller knows. */
  readonly ifUnmodifiedSince?: Period
}

/** Reads and conditions at one state of the record, and the writes that depend on them. */
export interface Txn {
  /** Matches among what the grant reaches, at most `limit`; the commit fails over to a new run if they change. */
  find(
    query: Restricted<Query>,
    limit: number,
  ): Promise<readonly { readonly type: string; readonly id: string; readonly version: number }[]>
  /** Which of these ids exist (and are not deleted) within reach: one lookup, for imports. */
  existing(type: string, ids: readonly string[]): Promise<ReadonlySet<string>>
  /** The current version if it exists, is not deleted, and the grant may read it. */
  read(type: string, id: string): Promise<Stored | undefined>
  /**
   * Whether the version that stands is the one that is meant. By its time alone that cannot be said of what was written twice in it.
   *
   * @throws Problem `precondition` · `version.stale` (If-Match), `version.modified` (If-Unmodified-Since)
   */
  checkMeant(standing: Stored, meant: Meant): Promise<void>
  /** The versions before one, newest first, as far back as the grant may read them and it was not deleted. Each is opened when it is asked for. */
  before(stored: Pick<Stored, 'type' | 'id' | 'version'>): AsyncIterable<Stored>
  /**
   * Stages a new resource. Without `id` a random one is given. `referrers` are resources of the same request that refer to
   * it: what names nobody itself, such as a Binary, belongs where these belong.
   *
   * @throws Problem `forbidden` · `scope.missing`, `record.owner-foreign`; `unprocessable` · `record.owner-unknown`;
   *   `conflict` · `record.id-taken`; `not-allowed` · `record.client-id-refused`, `record.audit-readonly`
   */
  create(
    resource: Resource,
    options?: { readonly id?: string; readonly referrers?: readonly Resource[]; readonly content?: Arriving },
  ): Promise<Staged>
  /**
   * Stages a new version, or the first one under a client's id.
   *
   * @throws as `create`, and Problem `precondition` · `version.stale` (If-Match), `version.modified` (If-Unmodified-Since),
   *   `version.exists` (If-None-Match: *); `not-found` · `record.unknown`
   */
  update(
    type: string,
    id: string,
    resource: Resource,
    options?: Meant & {
      readonly ifNoneMatchAny?: boolean
      readonly referrers?: readonly Resource[]
      /** Makes no version where nothing but `meta.versionId` and `meta.lastUpdated` would differ: the one that stands is given. */
      readonly unlessSame?: boolean
      /** What a Binary holds beside its JSON. */
      readonly content?: Arriving | undefined
    },
  ): Promise<Staged>
  /** Stages a deletion; undefined when there is nothing to delete. */
  delete(type: string, id: string, options?: Meant): Promise<Staged | undefined>
  /**
   * A document write that is committed together with the resources.
   *
   * @param patient  whose it is: once they are erased the commit is refused with Problem `unprocessable` · `record.owner-unknown`,
   *   or what was erased with them would come back
   */
  document(write: DocumentDraft, patient?: string): void
  /**
   * Says into whom a Patient was merged, or with undefined that the merge is undone. From then on whatever would belong to the
   * merged one is refused, Problem `unprocessable` · `record.patient-merged`.
   */
  merged(patient: string, into: string | undefined): Promise<void>
  /**
   * Says that these numbers are a Patient's: whoever knows has given them. Else a number that was written under other scopes than
   * `system/` counts as entered by an account, which may be mistaken, or mean somebody else's.
   */
  vouch(patient: string, numbers: readonly PatientNumber[]): void
  /** The numbers of a resource that an account has entered and for which nobody vouches, each as `numberOf` gives it. */
  enteredNumbers(type: string, id: string): Promise<ReadonlySet<string>>
  /** What this transaction is, for its AuditEvent; a constant, e.g. `import apple-health`. */
  note(summary: string): void
}

/** What a writer is told beside the grant. */
export interface WriterOptions {
  /** Patient id to whom belongs what names nobody: a file that is imported for one patient. The grant must reach there. */
  readonly home?: string
  /**
   * It brings what a source has said, and notes in `meta` when that was: extensions that all others can neither forge nor drop. What
   * these change of what was imported is noted as edited. Or it only moves what is there, which says nothing anew, and withholds
   * nothing from who does so: what stayed behind would be nobody's.
   */
  readonly imports?: 'source' | 'moves'
}

/** Reads and writes within what the grant reaches. */
export interface Writer extends Reader {
  /**
   * Runs `work` and commits what it staged, wholly or not at all. When somebody else was faster the conditions are
   * evaluated again, so `work` must have no effect but through `txn`.
   *
   * @throws whatever `work` throws; Problem `busy` · `record.contended` after many lost races
   */
  transact<T>(work: (txn: Txn) => Promise<T>): Promise<T>
  /**
   * The same with a content that arrives: a Binary that `work` stages is given it as its `content`. `work` runs once before anything
   * is taken, so that what is refused is refused at once; where it stages nothing, nothing is taken.
   *
   * @throws as `transact`, and whatever `source` throws
   */
  transactWith<T>(source: AsyncIterable<Uint8Array>, work: (txn: Txn, content: Arriving) => Promise<T>): Promise<T>
}

/** A content that arrives with a transaction. */
export type Arriving = Received | 'to-come'

/** Something that happened outside a FHIR interaction and belongs into the audit. */
export interface AuditNote {
  readonly action:
    | 'login'
    | 'logout'
    | 'token'
    | 'revoke'
    | 'claim'
    | 'register'
    | 'approve'
    | 'reset'
    | 'refused'
    | 'import'
    | 'export'
    | 'attach'
    | 'recover'
    | 'rotate'
    | 'erase'
    | 'restore'
    | 'explain'
  readonly outcome: 'success' | 'failure'
  readonly actor?: Actor
  /** Patient id whose ledger gets the record; without it the ledger of the instance. */
  readonly patient?: string
  /** Constant text; never a value of a patient or a secret. */
  readonly detail?: string
}

/** Of whom it is asked what Consents withhold from them; of `account` and `role` one at most. */
export interface NamedRecipient {
  /** Client id of an app. */
  readonly app?: string
  readonly account?: string
  /** Whoever keeps the patient as this; `none`: strangers with a link, and clients that act for nobody. */
  readonly role?: Role | 'none'
}

/** Of what it is asked whether Consents withhold it: a resource, all of a type, or anything. */
export interface NamedSubject {
  readonly type?: string
  readonly id?: string
}

/** That the owner of a patient gives them to another account. */
export interface Giving {
  readonly patient: string
  readonly from: string
  readonly to: string
  /** As what the giver keeps the patient from then on; without it no more. */
  readonly keeps?: Keeping | undefined
  /** Also where the other account keeps as many as it may: else the patient would be nobody's. */
  readonly isBeyondQuota?: boolean
}

/** A fault that `verify` found. Names places, never content. */
export interface Finding {
  readonly kind:
    | 'store-fault'
    | 'keystore-forged'
    | 'keystore-changed'
    | 'key-missing'
    | 'key-broken'
    | 'entry-broken'
    | 'entry-missing'
    | 'chain-broken'
    | 'rolled-back'
    | 'segment-broken'
    | 'segment-missing'
    | 'document-broken'
    | 'document-missing'
    | 'note-broken'
    | 'note-missing'
    | 'content-broken'
    | 'misplaced'
  readonly compartment?: CompartmentId
  readonly seq?: number
  readonly text: string
}

/**
 * What an erasure has come to, once the key is destroyed: nothing is left, or what could not be removed at the moment is removed as
 * soon as it can be.
 */
export type Erasure = 'whole' | 'owed'

/** That an account keeps a patient, or with `ofFormer` somebody of this id who was merged into them. */
export interface Keeper {
  readonly account: string
  readonly keeping: Keeping
  readonly ofFormer?: string
}

/** The record of everybody: the only room that can open a patient's box, and only with a grant. */
export interface Record {
  reader(grant: Grant, options?: Pick<WriterOptions, 'imports'>): Reader
  writer(grant: Grant, options?: WriterOptions): Writer
  exporter(grant: Grant): Exporter
  /** Sealed documents (jobs, checkpoints, links); see `vault`. */
  readonly documents: Documents
  /**
   * What a patient's Consents withhold from anybody at this moment, as a text that is another one whenever that has changed: of copies
   * that were made before, nobody knows whether they would be made so now.
   */
  withheldNote(patient: string): Promise<string>
  /**
   * By which Consents, and which of their elements, something of a patient is withheld from somebody at this moment; none: it is not.
   * Told to who keeps the patient as owner or guardian and sees all of theirs; recorded as read.
   *
   * @throws Problem `forbidden` · `scope.missing`, `record.explain-foreign`; `not-found` · `record.unknown`; and as `Reader.read`
   */
  explain(grant: Grant, patient: string, recipient: NamedRecipient, subject: NamedSubject): Promise<readonly Reason[]>
  /** The Patient ids that an account keeps at this moment. */
  patientsOf(account: string): Promise<readonly string[]>
  /** The same with what its roles leave of its grants, as a grant has it; the same object while nothing changes. */
  keptBy(account: string): Promise<{ readonly patients: readonly string[]; readonly within?: Bounds }>
  /** As what an account keeps a patient at this moment; undefined when it does not. */
  keepingOf(account: string, patient: string): Promise<Keeping | undefined>
  /**
   * Whether the account of a grant keeps a patient in its own right: a guardian, who keeps them by invitation, must not end or lead away
   * what is another's. A grant without an account, and one that reaches everybody, is kept from nothing here.
   */
  ownsPatient(grant: Grant, patient: string): Promise<boolean>
  /**
   * Lets an account keep a patient, in its own right unless told. Several may; who keeps them as more already goes on as that.
   *
   * @throws Problem `unprocessable` · `record.owner-unknown`
   */
  addPatientTo(account: string, patient: string, as?: Keeping): Promise<void>
  /** Makes it more or less of who keeps a patient by invitation; of nobody else. It counts from the next request on. */
  limitKeeping(account: string, patient: string, as: Keeping): Promise<void>
  /**
   * An account keeps a patient in its own right in the place of another one, and that one as was said, or no more: in one commit, with
   * whoever was merged into the patient.
   *
   * @param more  what is to be committed with it; asked anew whenever somebody was faster, and whatever it throws is thrown
   * @returns     whose ids were given; undefined when the other account does not keep the patient in its own right, or they were
   *   merged into another one
   * @throws Problem `unprocessable` · `record.owner-unknown`; `busy` · `record.contended`
   */
  givePatient(
    giving: Giving,
    more: (patients: readonly string[]) => Promise<readonly DocumentDraft[]>,
  ): Promise<readonly string[] | undefined>
  /**
   * The account keeps the patient by invitation no more; from the next request on nothing given for it reaches them. Who keeps them in
   * their own right goes on.
   */
  removePatientFrom(account: string, patient: string): Promise<void>
  /** Every account that keeps a patient, or who was merged into them, at this moment, and as what; looks through all accounts. */
  keepersOf(patient: string): Promise<readonly Keeper[]>
  /** How many patients an account keeps in its own right, and how many it may. */
  patientQuota(account: string): Promise<{ readonly used: number; readonly most: number }>
  /**
   * How many patients an account may keep in its own right; undefined: as many as is said for all. With as many as it may, or more, whatever would
   * bring it another one is refused with Problem `full` · `record.patients-exceeded`; everything else goes on.
   */
  setPatientQuota(account: string, most: number | undefined): Promise<void>
  /**
   * From now on no Patient and no household comes to an account, in whatever process: it is to be deleted. Whatever would, is refused
   * with Problem `forbidden` · `record.account-closed`. With false it is as before.
   *
   * @param more  what is to be committed with it; asked anew whenever somebody was faster. Undefined: nothing is done
   * @returns     whether it was done
   */
  closeAccount(
    account: string,
    isClosed: boolean,
    more?: () => Promise<readonly DocumentDraft[] | undefined>,
  ): Promise<boolean>
  /**
   * Destroys the key of an account's household, with what it sealed; the account keeps nobody any more and stays closed. The audit
   * stays. Throws, and is gone on with, as `shred`.
   */
  vacate(account: string): Promise<Erasure>
  /**
   * Whether a Patient id is that of somebody kept here at this moment: whoever was erased by another process, however short a while ago,
   * is not. One look-up, however many there are.
   */
  keepsPatient(patient: string): Promise<boolean>
  /** Those of some Patient ids that are of somebody kept here at this moment, in their order. */
  keptAmong(patients: Iterable<string>): Promise<readonly string[]>
  /** Whether a Patient was merged into another one who is kept here. */
  isReplaced(patient: string): Promise<boolean>
  /**
   * Every Patient id on this server; for the administrator on the host.
   *
   * @throws Problem `fault` · `record.registration-broken` when somebody might be missing
   */
  allPatients(): Promise<readonly string[]>
  audit(note: AuditNote): void
  /** Which compartments have moved since a mark, by whatever process, a thousand at most; without a mark, all that hold something. */
  moved(mark?: string): Promise<Moved>
  /**
   * Destroys a patient's key and removes what it sealed, and what is kept about the patient elsewhere: links, tokens, keys of
   * imports. The audit ledger stays, and the id is never given again. There is no way back. Once the key is destroyed it is done;
   * what the store does not remove at the moment is removed in the background, or when the record is opened next.
   *
   * @throws Problem `busy` | `full` when the key could not be destroyed: that is gone on with in the same way
   */
  shred(patient: string): Promise<Erasure>
  /**
   * Goes on with an erasure that was not whole when this record was opened; undefined where there was none. Throws like `shred`.
   */
  shredOn(patient: string): Promise<Erasure | undefined>
  /**
   * New keys for a patient's compartments, or for everybody's; the old ones are destroyed. No other process may have the store
   * open. Resolves to how many entries were sealed anew; cut off, it is gone on with the next time.
   */
  renewKeys(patient?: string): Promise<number>
  /** Opens everything and names what is damaged, missing, swapped or rolled back. */
  verify(): AsyncIterable<Finding>
  /**
   * Takes what the store shows for right, although it is less than was there: somebody has put a backup back. Who was erased
   * since stays erased. No other process may have the store open.
   */
  acceptRestore(): Promise<void>
  /** What this process has found wrong with the store, in words that hold no content; none while all is well. */
  faults(): readonly string[]
  /** @throws Problem `fault` · `record.rolled-back` when no document can be believed: nobody's rights are known then */
  checkTrusted(): void
  /** Puts a document that was sealed anew in the place of the same one, for whoever gives the instance key a new epoch. */
  replaceDocument(before: StoredDocument, after: StoredDocument): Promise<void>
  /**
   * Puts where it belongs what an earlier release had put elsewhere, and rebuilds every index segment from the ledger; returns
   * how many entries were indexed.
   */
  reindex(): Promise<number>
  /** Writes gathered audit records and head notes. */
  flush(): Promise<void>
  close(): Promise<void>
}
