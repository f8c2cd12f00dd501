import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Grant } from '#access'
import { type Clock, type Log, Problem } from '#kernel'
import type { Record } from '#record'
import type { Validator } from '#validation'
import { type BulkImportLimits, BulkImports } from './bulk/bulk-imports.ts'
import type { FetchFile } from './bulk/files.ts'
import { forgetPeople } from './bulk/whom.ts'
import { forgetDeletions } from './deletions.ts'
import { type ImportsElsewhere, placeElsewhere } from './elsewhere.ts'
import { receiveMessage, takeHeld } from './hl7v2/receive-message.ts'
import { nobody, type Senders } from './hl7v2/senders.ts'
import { openPeople, type People } from './identity/people.ts'
import { forgetHeld } from './identity/review/held.ts'
import { type Job, Jobs } from './jobs.ts'
import { forgetFingerprintKey } from './keys.ts'
import { type Letters, openLetters } from './letters/letters.ts'
import { forgetLetters, forgetLettersFor } from './letters/shelf.ts'
import { defaultLimits, type IngestLimits } from './limits.ts'
import { forgetListed } from './listed.ts'
import { eachWith, openOwnTables } from './mappings/own-tables.ts'
import { checkReach, prepare } from './prepare.ts'
import { ImportQueue } from './queue.ts'
import type { Progress } from './reading-progress.ts'
import { type Report, reportResource } from './report.ts'
import { forgetCheckpoints } from './run.ts'
import { type ByteSource, bufferSource, openFile } from './source/byte-source.ts'
import { openKeptFiles } from './source/kept-files.ts'
import { openSpool } from './source/spool.ts'
import { takeFile } from './take-file.ts'
import { newTurns } from './turns.ts'

/** The rooms that imports need. Limits that are not given are as in `limits.ts`. */
export interface IngestOptions {
  readonly record: Record
  readonly validator: Validator
  readonly clock: Clock
  readonly log: Log
  /** The FHIR base without a slash at its end. */
  readonly baseUrl: string
  readonly limits?: Partial<IngestLimits>
  /** Where bodies lie, sealed, while they are read; a folder of the system's temporary one when it is not said. */
  readonly spoolFolder?: string
  /** Who sends HL7 v2 messages, and how; UTC and nobody when it is not said. */
  readonly senders?: Senders
  /** A folder of mapping tables that take the places of those of the server; none when it is not said. */
  readonly mappings?: string | undefined
  /** Other processes that serve the same house; none when it is not said. */
  readonly elsewhere?: ImportsElsewhere
  /** Gets files for bulk imports from elsewhere; none can be got when it is not said. */
  readonly fetch?: FetchFile
  readonly bulk?: Partial<BulkImportLimits>
}

/** Takes files and messages from outside. */
export interface Ingest {
  /**
   * Takes in a file and begins to import it. Resolves when the file is here and recognised; the job goes on.
   *
   * @param among   the grant that `grant` was narrowed from: others within its reach are looked for whom the file may be about
   * @param source  what the caller says it is; a file that is something else is refused
   * @param force   take it in for this patient although it describes somebody else, or may do so; audited
   * @param renew   the grant as it is at this moment, asked before each batch: throws when it ended. Without it the grant stays
   * @param gone    aborted when whoever sent the file leaves
   * @param isAwaited  the sender waits for the end of the import, which ends when they leave
   * @throws Problem `forbidden` · `scope.missing`; `not-found` · `record.unknown`; `invalid` · `ingest.source-unknown`,
   *   `ingest.source-mismatch`, `ingest.zip-malformed`; `unsupported-media` · `ingest.format-unknown`;
   *   `too-large` · `body.too-large`, `ingest.zip-bomb`, `ingest.spool-quota`; `throttled` · `ingest.too-many-imports`;
   *   `busy` · `ingest.too-many-imports`, `ingest.spool-quota`; `full` or `busy` · `ingest.spool-unwritable`
   */
  start(request: {
    readonly grant: Grant
    readonly among?: Grant
    readonly patient: string
    readonly source?: string
    readonly force?: boolean
    readonly body: AsyncIterable<Uint8Array>
    renew?(): Promise<Grant>
    readonly gone?: AbortSignal
    readonly isAwaited?: boolean
  }): Promise<Job>
  /** A job that this very grant began; undefined for everybody else. */
  job(id: string, grant: Grant): Promise<Job | undefined>
  /** Takes HL7 v2 messages, one or a batch; the answer is an acknowledgement of each, with the HTTP status that goes with it. Never throws a Problem. */
  hl7v2(request: {
    readonly grant: Grant
    readonly message: Buffer
  }): Promise<{ status: number; ack: string; retryAfterSeconds?: number }>
  /** Imports a file of this machine. Throws as `start`; what goes wrong later stands in the report. */
  importFile(options: {
    readonly grant: Grant
    readonly patient: string
    readonly source?: string
    readonly force?: boolean
    readonly path: string
    readonly onProgress?: (progress: Progress) => void
  }): Promise<Report>
  /** Patients who are one person. */
  readonly people: People
  /** What was refused, until it is sent again or dropped. */
  readonly letters: Letters
  /** Imports of files about many people. */
  readonly bulk: Pick<BulkImports, 'begin' | 'find' | 'faults' | 'remove'>
  /** Ends the imports for a patient, and removes what they kept beside the record: the key of their ids, how far files were, reports. */
  forgetPatient(patient: string): Promise<void>
  /** Ends the imports of an account that is deleted, and forgets what was refused and kept for it. */
  forgetAccount(account: string): Promise<void>
  /** Ends running jobs: what they wrote stays, and the same file goes on from there. */
  close(): Promise<void>
}

/** Opens the room. It holds the progress of running jobs and the files that they read. */
export function openIngest(options: IngestOptions): Ingest {
  const limits = { ...defaultLimits, ...options.limits }
  const { record, clock } = options
  const folder = options.spoolFolder ?? join(tmpdir(), 'kinhold-spool')
  const keptFiles = openKeptFiles(folder, clock)
  const { elsewhere } = options
  const spool = openSpool(folder, limits, elsewhere)
  const deps = { ...options, limits, senders: options.senders ?? nobody, admissions: newTurns(), keptFiles, spool }
  const jobs = new Jobs(record.documents, clock, options)
  const queue = new ImportQueue(limits)
  const recognitions = newTurns()
  const bulk = new BulkImports({ deps, queue, elsewhere, fetch: options.fetch ?? fetchesNothing, limits: options.bulk })
  const ways: Ingest = {
    start: async ({ body, gone, isAwaited = false, ...wanted }) => {
      const { grant, patient } = wanted
      await checkReach(record, wanted)
      await using owned = new AsyncDisposableStack()
      if (elsewhere !== undefined) owned.use(await placeElsewhere(elsewhere, grant.id, limits))
      const place = owned.use(queue.enter(grant.id))
      const source = owned.adopt(await spool.take(body, grant.id), closed)
      const run = await recognitions(() => prepare(wanted, source, deps, gone))
      return jobs.begin({
        grant,
        patient,
        owned: owned.move(),
        before: () => place.before,
        isKept: () => options.record.keepsPatient(patient),
        work: async ({ progress, signal }) => {
          const { report, problem } = await run({
            signal: isAwaited && gone !== undefined ? AbortSignal.any([signal, gone]) : signal,
            turn: signal => place.turn(signal),
            onProgress: made => Object.assign(progress, made),
          })
          return { ...(problem && { problem }), report: reportResource(report) }
        },
      })
    },
    job: (id, grant) => jobs.find(id, grant),
    hl7v2: ({ grant, message }) => receiveMessage({ grant, message }, deps),
    importFile: async ({ path, onProgress = () => {}, ...wanted }) => {
      await checkReach(record, wanted)
      await using owned = new AsyncDisposableStack()
      const source = owned.adopt(await openSource(path), closed)
      const run = await prepare(wanted, source, deps)
      return (await run({ onProgress })).report
    },
    people: openPeople(deps, async decided => {
      const { grant, held, choices } = decided
      if (held.file !== undefined) return takeFile(decided, { deps, queue, jobs, elsewhere })
      return takeHeld({ grant, message: Buffer.from(held.bytes ?? '', 'base64'), held: { ...held, choices } }, deps)
    }),
    letters: openLetters(deps, {
      message: async (grant, message) => {
        const { status, ack } = await receiveMessage({ grant, message }, deps)
        return { isTaken: status === 200, ack }
      },
      file: async (grant, patient, content) => {
        const wanted = { grant, patient, source: 'hl7v2' }
        await checkReach(record, wanted)
        const run = await prepare(wanted, bufferSource(content), deps)
        return (await run({ onProgress: () => {} })).report
      },
    }),
    bulk: {
      begin: order => bulk.begin(order),
      find: (id, asking) => bulk.find(id, asking),
      faults: (id, input, grant) => bulk.faults(id, input, grant),
      remove: (id, grant) => bulk.remove(id, grant),
    },
    forgetPatient: async patient => {
      await forgetPeople(record.documents, patient)
      await forgetLetters(patient, deps)
      await jobs.forgetPatient(patient)
      await forgetFingerprintKey(record.documents, patient)
      await forgetCheckpoints(record.documents, patient)
      await forgetDeletions(record.documents, patient)
      await forgetListed(record.documents, patient)
      await forgetHeld(patient, deps)
    },
    forgetAccount: async account => {
      await jobs.endOf(account)
      await forgetLettersFor(account, deps)
    },
    close: async () => {
      await bulk.close()
      await jobs.close()
      await spool.swept()
    },
  }
  return eachWith(ways, openOwnTables(options.mappings, options.log))
}

const fetchesNothing: FetchFile = async () => ({ refusal: 'This server fetches no files.' })

const closed = (source: ByteSource): Promise<void> => source.close()

async function openSource(path: string): Promise<ByteSource> {
  try {
    return await openFile(path)
  } catch (cause) {
    throw new Problem('not-found', 'ingest.file-unreadable', 'The file cannot be opened.', { cause })
  }
}
