import type { Grant, restrict } from '#access'
import type { Resource } from '#fhir'
import type { Deletion } from '#record'

/** An export to be made. */
export interface ExportOrder {
  /** On whose behalf: whoever began it alone can ask for it. */
  readonly grant: Grant
  /** What is asked, as this grant or a narrower one may ask it; what any of them finds is exported. */
  readonly queries: readonly ReturnType<typeof restrict>[]
  /** The whole URL of the request, as the manifest shows it. */
  readonly request: string
  /** Whether the request says something that may be a patient's: an id, a criterion. */
  readonly isTelling: boolean
  readonly elements: readonly string[]
  /** What was deleted since, Unix milliseconds, is told as well, if it is one of these. */
  readonly deletedSince?: { readonly sinceMs: number; isMeant(deletion: Deletion): boolean }
  /** The grant at this moment. @throws Problem when it has ended */
  renew?(): Promise<Grant>
}

/** A file that can be fetched. */
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
      /** By number, as they are fetched. */
      readonly files: ReadonlyMap<number, ExportFile>
    }

/** What stands in a file: versions, names of what was deleted (`Observation/1`), or outcomes. */
export type ExportLines = readonly (
  | { readonly stored: Buffer }
  | { readonly deleted: string }
  | { readonly outcome: Resource }
)[]
