import type { Actor, Grant, restrict, Verb } from '#access'
import type { Resource } from '#fhir'
import type { Clock, Problem } from '#kernel'
import type { Deletion, Erasure, Record } from '#record'
import type { Shelf } from '#terminology'
import type { Validator } from '#validation'

/** A request as FHIR sees it, whatever carried it: HTTP, an entry of a bundle, a test. */
export interface FhirRequest {
  /** Upper case. */
  readonly method: string
  /** Below the FHIR base, still encoded, without query: `/Observation/1`. */
  readonly path: string
  readonly query: URLSearchParams
  /** The header's value; `name` in lower case. */
  header(name: string): string | undefined
  /** The whole body, at most as much as the server takes. @throws Problem `too-large` · `body.too-large` */
  body(): Promise<Buffer>
  /**
   * The body as it arrives, for bodies that are never held in memory.
   *
   * @param maxBytes  of what comes first and is worked on later; as much as the server takes of any file unless told
   */
  stream(maxBytes?: number): AsyncIterable<Uint8Array>
  /** Undefined only where the route is public. */
  readonly grant: Grant | undefined
  /** What who asks may do at this moment, for work that takes long. @throws Problem `unauthenticated` when that ended */
  renew?(): Promise<Grant>
  /** Aborted when who asks leaves before the answer. */
  gone?(): AbortSignal
  /** `…/fhir`, from the configuration and never from a header. */
  readonly baseUrl: string
  /** The body already parsed: an entry of a bundle. */
  readonly resource?: Resource
}

/** What to answer. Header names in lower case. A Resource is printed by whoever sends it. */
export interface FhirResponse {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  readonly body?: Buffer | string | Resource
  /** A body too long to be held, instead of `body`; read once, as fast as it is taken. */
  readonly stream?: AsyncIterable<Uint8Array>
  /** When the version was written of which the answer tells: to the millisecond, where `Last-Modified` has whole seconds. */
  readonly lastUpdatedMs?: number
  /** To be printed in lines for people, because a form asked for it; what the URL asks is seen to anyway. */
  readonly pretty?: boolean
  /** The format that a form asked for; what the URL or Accept asks is seen to anyway. */
  readonly format?: 'json' | 'xml'
}

/** What a path's variables stood for: `type`, `id`, `vid`, `job`. */
export type PathParams = { readonly [name: string]: string }

/** A request whose route is not public: somebody stands behind it. */
export type GrantedRequest = FhirRequest & { readonly grant: Grant }

/** One row of the catalogue. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `/:type/:id/_history/:vid`; `:type` is a resource type, `:id` anything that cannot be a keyword. */
  readonly path: string
  /** A code of https://hl7.org/fhir/R4/valueset-restful-interaction.html or the name of an operation. */
  readonly interaction: string
  /** What a scope must allow on the path's `:type` before anything else is looked at. */
  readonly verb: Verb | 'none'
  readonly public?: true
  /** The path is below the server's origin, not below `/fhir`. */
  readonly root?: true
  readonly summary: string
  /** Query parameters it knows; `search` hands them to the search parser. Others are refused. */
  readonly query?: readonly string[] | 'search'
  /** Media type of the body it takes, where that is not FHIR JSON. */
  readonly consumes?: string
  /** A Binary comes, or goes, as what it holds: https://hl7.org/fhir/R4/binary.html#rest */
  readonly content?: true
  /** An operation that can be asked without a body. */
  readonly bodyOptional?: true
  /** Media type of its answer, where that is not FHIR JSON and hence not the caller's choice. */
  readonly produces?: string
  handler(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse>
}

/** Bounds on what one request may ask for. */
export interface Limits {
  /** Entries of one batch or transaction. */
  readonly bundleEntries: number
  /** Versions on one page of history when `_count` does not say. */
  readonly historyPage: number
  /** The most that `_count` can ask of history. */
  readonly historyPageMax: number
  /** The most bytes that a Binary may hold. */
  readonly binaryBytes: number
  /** More bytes of a Binary than these lie beside its resource. */
  readonly binaryHeldBytes: number
}

/** What a server allows when nothing else is said. */
export const defaultLimits: Limits = {
  bundleEntries: 10_000,
  historyPage: 50,
  historyPageMax: 1000,
  binaryBytes: 500 * 1024 * 1024,
  binaryHeldBytes: 8 * 1024 * 1024,
}

/** The rooms that the interactions need, and what they say about themselves. */
export interface Rooms {
  readonly record: Record
  readonly validator: Validator
  readonly clock: Clock
  readonly ingest: IngestPort
  /** Code systems that were imported on the host. */
  readonly shelf: Pick<Shelf, 'codeSystem' | 'heads'>
  readonly people: PeoplePort
  readonly bulk: ExportPort
  readonly imports: ImportPort
  /**
   * Erases a patient: the key, what it sealed, and what other rooms kept beside it. There is no way back.
   *
   * @throws Problem `not-found` · `record.unknown`
   */
  purge(patient: string, actor: Actor): Promise<Erasure>
  smartConfiguration(): object
  readonly subscriptions: SubscriptionsPort
  readonly limits: Limits
  readonly software: { readonly name: string; readonly version: string }
}

/** What knows how Subscriptions stand. Each throws Problem `not-found` · `record.unknown`, `forbidden` · `scope.missing`, `subscription.foreign`. */
export interface SubscriptionsPort {
  /** Canonical URLs of the topics that there are. */
  readonly topics: readonly string[]
  /** The topic of a name, such as `Observation`; undefined when there is none. */
  topic(name: string): Resource | undefined
  status(grant: Grant, id: string): Promise<Resource>
  /** How those stand that whoever asks has made: of these ids, and in one of these statuses, where there are any. */
  statuses(
    grant: Grant,
    asked: { readonly ids: readonly string[]; readonly statuses: readonly string[] },
  ): Promise<Resource>
  /** Events from one number to another, both inclusive, with as much as is asked for. */
  events(
    grant: Grant,
    id: string,
    asked: {
      readonly since?: number
      readonly until?: number
      readonly content?: 'empty' | 'id-only' | 'full-resource'
    },
  ): Promise<Resource>
  signingKey(grant: Grant, id: string): Promise<Resource>
  /** A token with which a websocket is bound to these Subscriptions, or to all that whoever asks has made for one. */
  bindingToken(grant: Grant, ids: readonly string[] | undefined): Promise<Resource>
  /** Where websockets are taken, absolute. */
  readonly websocketUrl: string
}

/** What takes files and messages from outside. */
export interface IngestPort {
  /**
   * Takes in a file and begins to import it. Resolves once the whole file is here: some HTTP clients stop sending when
   * the answer comes before.
   *
   * @throws Problem when the patient is not within reach, or the file is of no known kind
   */
  start(request: {
    readonly grant: Grant
    /** The grant from which it was narrowed to the patient: within its reach others are looked for whom the file may be about. */
    readonly among?: Grant
    readonly patient: string
    readonly source?: string
    readonly force?: boolean
    readonly body: AsyncIterable<Uint8Array>
    /** The grant at this moment, asked before each batch. @throws Problem when the import may not go on */
    renew?(): Promise<Grant>
    /** Aborted when whoever sends the file leaves; the import ends with it when they wait for its end. */
    readonly gone?: AbortSignal
    readonly isAwaited?: boolean
  }): Promise<Job>
  /** An import that this grant may know of. */
  job(id: string, grant: Grant): Promise<Job | undefined>
  /** Takes HL7 v2 messages in their vertical-bar form, one or a batch; `ack` is the answer, positive or negative. */
  hl7v2(request: {
    readonly grant: Grant
    readonly message: Buffer
  }): Promise<{ status: number; ack: string; retryAfterSeconds?: number }>
  readonly letters: LettersPort
}

/** What was refused and is kept. */
export interface KeptLetter {
  readonly id: string
  readonly refusal: { readonly code: string; readonly text: string; readonly expression?: readonly string[] }
  /** Unix milliseconds. */
  readonly refusedAtMs: number
  readonly lastAtMs: number
  /** How often the same came. */
  readonly times: number
  readonly type: string
  readonly sender: string
  /** Ids of those whom it is about, as far as it is known. */
  readonly patients: readonly string[]
  readonly patient?: string
}

/** What was refused, until it is sent again or dropped. */
export interface LettersPort {
  /** What is kept for whom the grant acts, oldest first. @throws Problem `forbidden` · `scope.missing` */
  list(grant: Grant): Promise<readonly KeptLetter[]>
  /** @throws Problem `not-found` · `ingest.letter-unknown` */
  show(id: string, grant: Grant): Promise<{ readonly letter: KeptLetter; readonly content: Buffer }>
  /** Throws as `show`. */
  resend(
    id: string,
    grant: Grant,
  ): Promise<{ readonly state: string; readonly ack?: string; readonly told?: { readonly resource: Resource } }>
  /** Throws as `show`. */
  drop(id: string, grant: Grant): Promise<void>
}

/** What tells people apart: whom a description is about, and merges of Patients who are one person. */
export interface PeoplePort {
  /**
   * Whom a description may be about among the patients within reach, the likeliest first.
   *
   * @param patient  elements of a Patient; it need not be whole
   * @throws Problem `forbidden` · `scope.missing`; `too-costly` · `ingest.match-too-much`
   */
  match(request: { readonly grant: Grant; readonly patient: Resource }): Promise<
    readonly {
      readonly id: string
      readonly grade: 'certain' | 'probable' | 'possible'
      /** Above 0 and up to 1, the most certain. */
      readonly score: number
    }[]
  >
  /**
   * Merges one Patient into another; asked again it changes nothing.
   *
   * @param source   id of the Patient that loses
   * @param target   id of the Patient that stays
   * @param preview  only says what would be
   * @throws Problem `forbidden` · `scope.missing`; `not-found` · `record.unknown`; `unprocessable` · `ingest.merge-same`;
   *   `conflict` · `ingest.merge-replaced`
   */
  merge(request: {
    readonly grant: Grant
    readonly source: string
    readonly target: string
    readonly preview?: boolean
  }): Promise<{
    readonly state: 'preview' | 'merged'
    readonly result: Resource
    readonly moved: number
    /** Elements by which the two differ, e.g. `birthDate`. */
    readonly differing: readonly string[]
  }>
  /**
   * Undoes the merge in which a Patient lost. References are relative, `Observation/1`.
   *
   * @throws Problem as `merge`, and `not-found` · `ingest.merge-unknown`
   */
  unmerge(request: { readonly grant: Grant; readonly source: string }): Promise<{
    readonly result: Resource
    readonly restored: number
    readonly edited: readonly string[]
    readonly deleted: readonly string[]
    readonly remaining: readonly string[]
    /** More remains than is named. */
    readonly remainsMore: boolean
  }>
  readonly review: ReviewPort
}

/** Something from outside that waits until a person says whom it is about. */
export interface HeldImport {
  readonly id: string
  readonly state: string
  readonly format: string
  /** Unix milliseconds. */
  readonly heldAtMs: number
  readonly doubt: {
    /** Ids of those whom it may be about. */
    readonly patients: readonly string[]
    /** Elements that differ, e.g. `birthDate`. */
    readonly elements: readonly string[]
    /** What it says of the person: elements of a Patient. */
    readonly incoming: { readonly [element: string]: unknown }
  }
}

/** A part of what waits: so many, behind one of them. */
export interface ReviewPage {
  readonly count: number
  readonly after?: Pick<HeldImport, 'heldAtMs' | 'id'>
}

/** What waits for a person to decide. */
export interface ReviewPort {
  /** Of what concerns none but patients within reach a part, oldest first. @throws Problem `forbidden` · `scope.missing` */
  page(grant: Grant, asked: ReviewPage): Promise<{ readonly held: readonly HeldImport[]; readonly next?: ReviewPage }>
  /** @throws Problem `not-found` · `ingest.review-unknown` */
  show(id: string, grant: Grant): Promise<HeldImport>
  /** @throws Problem as `show`, `conflict` · `ingest.review-decided`, `ingest.review-begun`, and whatever refuses what was held */
  decide(decision: {
    readonly grant: Grant
    readonly id: string
    readonly decision: 'accept' | 'new' | 'reject'
    readonly patient?: string
    /** Told what became of the rows of a file. */
    onReport?(told: { readonly resource: Resource }): void
    renew?(): Promise<Grant>
  }): Promise<string>
}

/** A running or finished import. */
export interface Job {
  readonly id: string
  readonly state: 'running' | 'done' | 'failed'
  /** `before`: how many imports begin before this one does. */
  readonly progress: { readonly bytesRead: number; readonly rows: number; readonly before?: number }
  /** OperationOutcome or Parameters, once the import is over. */
  readonly report?: Resource
  /** What it broke off for, where that is known. */
  readonly problem?: Problem
  readonly done: Promise<void>
}

/** A file of an export. */
export interface ExportFile {
  readonly kind: 'output' | 'deleted' | 'error'
  /** What each of its lines is. */
  readonly type: string
  /** Unknown where more or less is withheld than when it was made. */
  readonly count?: number
}

/** An export as its owner sees it. */
export type ExportView =
  | { readonly state: 'running'; readonly found: number; readonly before: number }
  | {
      readonly state: 'done'
      readonly request: string
      /** Unix milliseconds: the instant that the export shows. */
      readonly atMs: number
      readonly expiresAtMs: number
      readonly files: ReadonlyMap<number, ExportFile>
    }

/** What stands in a file: versions as they are stored, names of what was deleted (`Observation/1`), or outcomes. */
export type ExportLines = readonly (
  | { readonly stored: Buffer }
  | { readonly deleted: string }
  | { readonly outcome: Resource }
)[]

/** What makes exports aside, and keeps them for who began them. */
export interface ExportPort {
  /**
   * Begins an export; resolves to its id.
   *
   * @throws Problem `throttled` · `bulk.too-many-of-owner`; `busy` · `bulk.too-many`
   */
  begin(order: {
    readonly grant: Grant
    /** What is asked, as the grant may ask it: what any of them finds is exported. */
    readonly queries: readonly ReturnType<typeof restrict>[]
    /** URL of the request, as the manifest shows it. */
    readonly request: string
    /** Whether the request says something that may be a patient's. */
    readonly isTelling: boolean
    /** Names of elements, where not whole resources are wanted. */
    readonly elements: readonly string[]
    /** What was deleted since, Unix milliseconds, is told as well, if it is one of these. */
    readonly deletedSince?: { readonly sinceMs: number; isMeant(deletion: Deletion): boolean }
    /** The grant at this moment. @throws Problem when it has ended */
    renew?(): Promise<Grant>
  }): Promise<string>
  /** An export of whoever holds this grant; undefined for all others. @throws Problem for which it failed */
  find(id: string, grant: Grant): Promise<ExportView | undefined>
  /** A file of it; what is not within reach at this moment is left out. @throws Problem while its lines are told: `forbidden` · `bulk.withdrawn` */
  file(
    id: string,
    file: number,
    /** As in `begin`. */
    asking: { readonly grant: Grant; renew?(): Promise<Grant> },
  ): Promise<
    | (Pick<ExportFile, 'kind' | 'type'> & {
        readonly elements: readonly string[]
        lines(): AsyncIterable<ExportLines>
      })
    | undefined
  >
  /** @returns false where this grant has no such export */
  remove(id: string, grant: Grant): Promise<boolean>
}

/** A file of a bulk import. */
export interface ImportInput {
  readonly type?: string
  /** An address, or `Binary/1` of this server. */
  readonly url: string
}

/** A bulk import as its owner sees it. */
export type ImportView =
  | {
      readonly state: 'running'
      readonly progress: {
        readonly files: number
        readonly people: number
        readonly peopleTaken: number
        readonly rows: number
        readonly rowsTaken: number
      }
      readonly before: number
    }
  | {
      readonly state: 'done'
      readonly request: string
      /** Unix milliseconds at which it was begun. */
      readonly atMs: number
      readonly expiresAtMs: number
      readonly inputs: readonly (ImportInput & {
        /** How many rows are in, say what was in before, are of types that are not taken in, wait for a person, were refused. */
        readonly counts: { readonly [fate in 'taken' | 'known' | 'passed' | 'waiting' | 'refused']: number }
        /** How many of the last two are told of by name. */
        readonly faults: number
      })[]
    }

/** Rows that are not in, by their places; `line` 0 is the whole file. */
export interface ImportFaults {
  readonly faults: readonly {
    readonly line: number
    readonly isWaiting: boolean
    readonly text: string
    readonly expression?: string
  }[]
  /** How many more there are of all files. */
  readonly unnamed: number
}

/** What takes in files about many people aside, and keeps what became of them for who began it. */
export interface ImportPort {
  /**
   * Begins a bulk import; resolves to its id.
   *
   * @throws Problem `throttled` · `ingest.bulk-too-many`, `ingest.too-many-imports`; `busy` · `ingest.too-many-imports`
   */
  begin(order: {
    readonly grant: Grant
    readonly inputs: readonly ImportInput[]
    /** Whose names the files have. */
    readonly source?: string
    readonly authorization?: string
    /** URL of the request, as the result shows it. */
    readonly request: string
    /** The grant at this moment. @throws Problem when it has ended */
    renew?(): Promise<Grant>
  }): Promise<string>
  /** An import of whoever holds this grant, which goes on if its process has ended. @throws Problem for which it failed */
  find(id: string, asking: { readonly grant: Grant; renew?(): Promise<Grant> }): Promise<ImportView | undefined>
  /** Why rows of one input are not in; undefined where there is no such import, or it is not over. */
  faults(id: string, input: number, grant: Grant): Promise<AsyncIterable<ImportFaults> | undefined>
  /** @returns false where this grant has no such import */
  remove(id: string, grant: Grant): Promise<boolean>
}
