import { type Grant, patientsInReach, permits, requirePermission } from '#access'
import { isProblem, Problem, withBudget } from '#kernel'
import type { Record, Txn } from '#record'
import { Deletions } from './deletions.ts'
import { sources } from './format.ts'
import { identify, type Recognised } from './identify.ts'
import type { Doubt, ReviewDeps } from './identity/review/held.ts'
import { type DoubtfulFile, holdFile } from './identity/review/hold-file.ts'
import { checkMayAdd } from './may-add.ts'
import { type ContextDeps, openContext } from './open-context.ts'
import { type Progress, ReadingProgress } from './reading-progress.ts'
import { brokenOff, type Ended, type RunFacts, runImport } from './run.ts'
import { type ByteSource, counted, digestOf } from './source/byte-source.ts'
import { checkStopped, stops } from './stops.ts'

/** Who wants a file imported, for whom, and how. */
export interface Wanted {
  readonly grant: Grant
  /** Within whose reach others are looked for whom the file may be about; that of `grant` unless it says so. */
  readonly among?: Grant
  readonly patient: string
  readonly source?: string
  readonly force?: boolean
  /** Takes in the patient first, who is not here yet. */
  readonly admit?: (txn: Txn) => Promise<void>
  /** The grant as it is at this moment. @throws Problem when it ended */
  renew?(): Promise<Grant>
  /** As `RunFacts.onFate`. */
  onFate?: RunFacts['onFate']
}

/**
 * Refuses before a byte is read what could not be written.
 *
 * @throws Problem `invalid` · `ingest.source-unknown`; `forbidden` · `scope.missing`; `not-found` · `record.unknown`;
 *   `forbidden` · `record.owner-foreign` for a patient whom the account keeps in a role that adds nothing
 */
export async function checkReach(record: Record, { grant, patient, source }: Wanted): Promise<void> {
  if (source !== undefined && !Object.hasOwn(sources, source))
    throw new Problem('invalid', 'ingest.source-unknown', 'The source is none that is known.', { expression: 'source' })
  requirePermission(grant, 'c', 'Provenance')
  const reach = patientsInReach(grant)
  if (reach !== 'all' && !reach.includes(patient))
    throw new Problem('not-found', 'record.unknown', 'No such resource is known.')
  checkMayAdd(grant, patient)
  // Without the right to read the Patient the first write tells whether it exists.
  if (permits(grant, 'r', 'Patient')) await record.reader(grant).read('Patient', patient)
}

/** What an import is told while it runs, and tells. */
export interface Course {
  /** Aborted with the Problem that it ends for. */
  readonly signal?: AbortSignal
  /** Resolves when it may begin. */
  turn?(signal: AbortSignal): Promise<void>
  onProgress(progress: Progress): void
}

/** Imports a file that was recognised. Gives a report in any case. */
export type PreparedRun = (course: Course) => Promise<Ended>

/** What preparing an import needs of the room. */
export type PrepareDeps = ContextDeps & ReviewDeps

/**
 * Recognises a file. The source stays the caller's, who closes it when the run is over.
 *
 * @param gone  aborted when nobody waits for the answer any more
 * @throws Problem `invalid` · `ingest.source-mismatch`; `timeout` · `ingest.stopped`; and as `identify`
 */
export async function prepare(
  wanted: Wanted,
  source: ByteSource,
  deps: PrepareDeps,
  gone?: AbortSignal,
): Promise<PreparedRun> {
  return prepareAs(wanted, source, watched => identify(watched, deps.limits), deps, gone)
}

/**
 * As `prepare`, of a file of which it is known what it is.
 *
 * @param recognise  how what is read of the source is taken
 */
export async function prepareAs(
  wanted: Wanted,
  source: ByteSource,
  recognise: (watched: ByteSource) => Promise<Recognised>,
  deps: PrepareDeps,
  gone?: AbortSignal,
): Promise<PreparedRun> {
  const watch: { signal: AbortSignal | undefined; read(bytes: number): void } = { signal: gone, read: () => {} }
  // Every way of reading leads through here, so nothing goes on for long once it is to end.
  const watched = counted(source, bytes => {
    checkStopped(watch.signal)
    watch.read(bytes)
  })
  const recognised = await recognise(watched)
  checkSource(wanted.source, recognised)
  return course => {
    const { signal = new AbortController().signal } = course
    watch.signal = signal
    const progress = new ReadingProgress(source.sizeBytes)
    const begin = async () => {
      await course.turn?.(signal)
      const digest = await digestOf(watched)
      watch.read = bytes => {
        progress.add(bytes)
        course.onProgress(progress.told)
      }
      return digest
    }
    const onRows = (rows: number) => {
      progress.rows = rows
      course.onProgress(progress.told)
    }
    // An import takes as long as it takes; it gives way, and ends when nobody wants it any more.
    return withBudget(
      'unbounded',
      () =>
        run(wanted, recognised, { source: watched, begin, signal, onRows, onLooked: () => progress.looked() }, deps),
      () => !signal.aborted,
    )
  }
}

function checkSource(source: string | undefined, { format }: Recognised): void {
  if (source !== undefined && !sources[source]?.includes(format))
    throw new Problem('invalid', 'ingest.source-mismatch', 'The file is not what the source says.', {
      expression: 'source',
    })
}

interface Steps {
  readonly source: ByteSource
  readonly signal: AbortSignal
  /** Waits for the turn of this import. Resolves to the digest of the file. */
  begin(): Promise<string>
  onRows(rows: number): void
  /** The file was looked through; what is read from now on is taken in. */
  onLooked(): void
}

async function run(wanted: Wanted, recognised: Recognised, steps: Steps, deps: PrepareDeps): Promise<Ended> {
  const { format } = recognised
  const { grant, among = grant, patient, force: forced = false, admit } = wanted
  const { source, signal, onRows, onLooked } = steps
  try {
    const digest = await steps.begin()
    const { context, provenanceId, merged, former, lookUp } = await openContext(grant, patient, digest, deps, {
      among,
      forced,
    })
    const deletions = new Deletions(deps.record.documents, patient, merged)
    const guard = forced ? { forced } : { whom: context }
    const permitted = () => grantNow(wanted, deps)
    const facts = {
      grant,
      patient,
      format,
      digest,
      provenanceId,
      former,
      merged,
      lookUp,
      deletions,
      ...guard,
      signal,
      permitted,
      admit,
      ...(wanted.onFate === undefined ? {} : { onFate: wanted.onFate }),
    }
    const open = async () => {
      const outcomes = await recognised.open(context)
      onLooked()
      return outcomes
    }
    const ended = await runImport(open, facts, deps, onRows)
    return held(ended, { source, format, digest }, deps)
  } catch (error) {
    return brokenOff(format, error, deps)
  }
}

/** A file that may be about somebody else waits until a person decides; where it cannot wait, it is only refused. */
async function held(ended: Ended, file: Omit<DoubtfulFile, 'doubt'>, deps: PrepareDeps): Promise<Ended> {
  const { problem, report } = ended
  if (problem?.code !== 'ingest.patient-doubtful' || report.created + report.updated > 0) return ended
  const review = await holdFile({ ...file, doubt: problem.cause as Doubt }, deps)
  return review === undefined ? ended : { ...ended, report: { ...report, review } }
}

/** What the import may still do. @throws Problem `forbidden` · `ingest.withdrawn` */
async function grantNow(wanted: Wanted, { record }: ContextDeps): Promise<Grant> {
  if (wanted.renew === undefined) return wanted.grant
  try {
    const grant = await wanted.renew()
    if (grant !== wanted.grant) await checkReach(record, { ...wanted, grant })
    return grant
  } catch (error) {
    throw isProblem(error) && ends.has(error.kind) ? stops.withdrawn(error) : error
  }
}

/** What says that a grant is no more, or reaches the patient no more; a store that is busy says nothing of the kind. */
const ends: ReadonlySet<Problem['kind']> = new Set(['unauthenticated', 'forbidden', 'not-found', 'gone'])
