import { type Grant, patientsInReach, permits, requirePermission } from '#access'
import { type Clock, type Log, Problem } from '#kernel'
import type { Record } from '#record'
import type { Validator } from '#validation'
import { sources } from './format.ts'
import { receiveMessage, takeHeld } from './hl7v2/receive-message.ts'
import { nobody, type Senders } from './hl7v2/senders.ts'
import { identify, type Recognised } from './identify.ts'
import { openPeople, type People } from './identity/people.ts'
import { type Job, Jobs } from './jobs.ts'
import { forgetFingerprintKey } from './keys.ts'
import { defaultLimits, type IngestLimits } from './limits.ts'
import { type ContextDeps, openContext } from './open-context.ts'
import { type Report, reportResource } from './report.ts'
import { forgetCheckpoints, runImport } from './run.ts'
import { type ByteSource, counted, digestOf, openFile } from './source/byte-source.ts'
import { spool } from './source/spool.ts'
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
  /** Who sends HL7 v2 messages, and how; UTC and nobody when it is not said. */
  readonly senders?: Senders
}

/** How far an import is. */
export interface Progress {
  readonly bytesRead: number
  readonly bytesTotal: number
  readonly rows: number
}

/** Takes files and messages from outside. */
export interface Ingest {
  /**
   * Takes in a file and begins to import it. Resolves when the file is here and recognised; the job goes on.
   *
   * @param source  what the caller says it is; a file that is something else is refused
   * @param force   take it in for this patient although it describes somebody else, or may do so; audited
   * @throws Problem `forbidden` · `scope.missing`; `not-found` · `record.unknown`; `invalid` · `ingest.source-unknown`,
   *   `ingest.source-mismatch`, `ingest.zip-malformed`; `unsupported-media` · `ingest.format-unknown`;
   *   `too-large` · `body.too-large`, `ingest.zip-bomb`
   */
  start(request: {
    readonly grant: Grant
    readonly patient: string
    readonly source?: string
    readonly force?: boolean
    readonly body: AsyncIterable<Uint8Array>
  }): Promise<Job>
  /** A job that this very grant began; undefined for everybody else. */
  job(id: string, grant: Grant): Promise<Job | undefined>
  /** Takes one HL7 v2 message; the answer is its acknowledgement, with the HTTP status that goes with it. Never throws a Problem. */
  hl7v2(request: { readonly grant: Grant; readonly message: Buffer }): Promise<{ status: number; ack: string }>
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
  /** Removes what imports kept of a patient beside the record: the key of their ids, and how far files were. */
  forgetPatient(patient: string): Promise<void>
  /** Waits for running jobs. */
  close(): Promise<void>
}

/** Opens the room. It holds nothing but the progress of running jobs. */
export function openIngest(options: IngestOptions): Ingest {
  const limits = { ...defaultLimits, ...options.limits }
  const deps = { ...options, limits, senders: options.senders ?? nobody, admissions: newTurns() }
  const jobs = new Jobs(options.record.documents, options.clock, options.log)
  return {
    start: async ({ grant, patient, source, force, body }) => {
      await checkReach(options.record, grant, patient, source)
      const spooled = await spool(body, limits)
      const prepared = await prepare({ grant, patient, source, force }, spooled, deps)
      return jobs.begin(grant, async progress => {
        const report = await prepared(made => Object.assign(progress, made))
        return { failed: report.state === 'failed', report: reportResource(report) }
      })
    },
    job: (id, grant) => jobs.find(id, grant),
    hl7v2: ({ grant, message }) => receiveMessage({ grant, message }, deps),
    importFile: async ({ grant, patient, source, force, path, onProgress }) => {
      await checkReach(options.record, grant, patient, source)
      const run = await prepare({ grant, patient, source, force }, await openSource(path), deps)
      return run(onProgress ?? (() => {}))
    },
    people: openPeople(deps, ({ grant, bytes, choices }) => takeHeld({ grant, message: bytes, choices }, deps)),
    forgetPatient: async patient => {
      await forgetFingerprintKey(options.record.documents, patient)
      await forgetCheckpoints(options.record.documents, patient)
    },
    close: () => jobs.settle(),
  }
}

async function openSource(path: string): Promise<ByteSource> {
  try {
    return await openFile(path)
  } catch (cause) {
    throw new Problem('not-found', 'ingest.file-unreadable', 'The file cannot be opened.', { cause })
  }
}

interface Wanted {
  readonly grant: Grant
  readonly patient: string
  readonly source: string | undefined
  readonly force: boolean | undefined
}

/** Refuses before a byte is read what could not be written. */
async function checkReach(record: Record, grant: Grant, patient: string, source: string | undefined): Promise<void> {
  if (source !== undefined && !Object.hasOwn(sources, source))
    throw new Problem('invalid', 'ingest.source-unknown', 'The source is none that is known.', { expression: 'source' })
  requirePermission(grant, 'c', 'Provenance')
  const reach = patientsInReach(grant)
  if (reach !== 'all' && !reach.includes(patient))
    throw new Problem('not-found', 'record.unknown', 'No such resource is known.')
  // Without the right to read the Patient the first write tells whether it exists.
  if (permits(grant, 'r', 'Patient')) await record.reader(grant).read('Patient', patient)
}

type PreparedRun = (onProgress: (progress: Progress) => void) => Promise<Report>

/** Recognises the file; what is returned imports it and closes it. */
async function prepare(wanted: Wanted, source: ByteSource, deps: ContextDeps): Promise<PreparedRun> {
  const progress = { bytesRead: 0, bytesTotal: source.sizeBytes, rows: 0 }
  let reading = false
  let report: (progress: Progress) => void = () => {}
  const watched = counted(source, bytes => {
    if (!reading) return
    progress.bytesRead = Math.min(progress.bytesRead + bytes, progress.bytesTotal)
    report(progress)
  })
  try {
    const recognised = await identify(watched, deps.limits)
    checkSource(wanted.source, recognised)
    return async onProgress => {
      try {
        const digest = await digestOf(source)
        reading = true
        report = onProgress
        return await run(wanted, recognised, digest, deps, rows => {
          progress.rows = rows
          onProgress(progress)
        })
      } finally {
        await source.close()
      }
    }
  } catch (error) {
    await source.close()
    throw error
  }
}

function checkSource(source: string | undefined, { format }: Recognised): void {
  if (source !== undefined && !sources[source]?.includes(format))
    throw new Problem('invalid', 'ingest.source-mismatch', 'The file is not what the source says.', {
      expression: 'source',
    })
}

async function run(
  wanted: Wanted,
  recognised: Recognised,
  digest: string,
  deps: ContextDeps,
  onRows: (rows: number) => void,
): Promise<Report> {
  const { grant, patient, force: forced = false } = wanted
  const { context, provenanceId } = await openContext(grant, patient, digest, deps, forced)
  const guard = forced ? { forced } : { person: context.person }
  const facts = { grant, patient, format: recognised.format, digest, provenanceId, ...guard }
  return runImport(recognised.outcomes(context), facts, deps, onRows)
}
