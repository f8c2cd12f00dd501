import { type Grant, requirePermission } from '#access'
import { Problem } from '#kernel'
import type { Txn } from '#record'
import { type ImportsElsewhere, placeElsewhere } from './elsewhere.ts'
import { claimsOf } from './identity/claims.ts'
import { comparable } from './identity/guard.ts'
import type { Doubt, Held } from './identity/review/held.ts'
import { rememberAs } from './identity/review/known-as.ts'
import type { Told } from './identity/review/review.ts'
import type { Jobs } from './jobs.ts'
import { type PrepareDeps, prepare } from './prepare.ts'
import type { ImportQueue } from './queue.ts'
import { reportResource } from './report.ts'
import type { Ended } from './run.ts'

/** Whom a person says that a file is about. */
interface Decided {
  readonly grant: Grant
  readonly held: Held
  readonly choices: Held['choices']
  onReport(told: Told): void
  onPart(): void
  renew?(): Promise<Grant>
}

interface TakingRooms {
  readonly deps: PrepareDeps
  readonly queue: ImportQueue
  readonly jobs: Jobs
  readonly elsewhere: ImportsElsewhere | undefined
}

/**
 * Imports a file that waited, for whom a person has said that it is about: as every import, and as if it had been forced. What it
 * says of the person is remembered, so that the next file that says the same is not asked about again.
 *
 * @throws Problem what the import broke off for: then it waits again
 */
export async function takeFile(decided: Decided, rooms: TakingRooms): Promise<Doubt | undefined> {
  const { grant, held, choices, onReport, onPart, renew } = decided
  const { record } = rooms.deps
  const isNew = choices[held.doubt.nth] === 'new'
  const patient = (isNew ? held.newPatient : choices[held.doubt.nth]) ?? ''
  const whom = isNew ? { grant: reaching(grant, patient), ...admitting(held) } : { grant }
  const reach = (now: Grant) => (now === grant ? whom.grant : isNew ? reaching(now, patient) : now)
  const renewed = (now: Grant) => {
    checkMayTakeIn(now)
    return reach(now)
  }
  const renewing = renew === undefined ? {} : { renew: async () => renewed(await renew()) }
  checkMayTakeIn(grant)
  const { report, problem } = await importHeld(held, { patient, force: true, ...whom, ...renewing }, rooms)
  if (problem !== undefined) {
    if (report.created + report.updated > 0) onPart()
    throw problem
  }
  onReport({ report, resource: reportResource(report) })
  const said = comparable(claimsOf(held.doubt.incoming))
  await record.writer(whom.grant).transact(async txn => rememberAs(txn, record.documents, patient, said))
  return undefined
}

/** Rows that may not be written would be gone with the file. @throws Problem `forbidden` · `scope.missing` */
function checkMayTakeIn(grant: Grant): void {
  for (const type of ['Provenance', 'Observation']) requirePermission(grant, 'c', type)
}

/** Whom an account takes in is among its patients, from the first batch on. */
function reaching(grant: Grant, patient: string): Grant {
  return grant.patients === 'all' ? grant : { ...grant, patients: [...grant.patients, patient] }
}

/** Takes in somebody new with what the file says of them; a decision that is made again finds them. */
function admitting({ newPatient: id = '', doubt }: Held): { admit(txn: Txn): Promise<void> } {
  return {
    admit: async txn => {
      if ((await txn.existing('Patient', [id])).size === 0)
        await txn.create({ ...doubt.incoming, resourceType: 'Patient' }, { id })
    },
  }
}

async function importHeld(
  { file }: Held,
  wanted: Parameters<typeof prepare>[0],
  { deps, queue, jobs, elsewhere }: TakingRooms,
): Promise<Ended> {
  if (file === undefined) throw new Problem('conflict', 'ingest.review-decided', 'This was decided before.')
  await using owned = new AsyncDisposableStack()
  if (elsewhere !== undefined) owned.use(await placeElsewhere(elsewhere, wanted.grant.id, deps.limits))
  const place = owned.use(queue.enter(wanted.grant.id))
  const source = owned.adopt(await deps.keptFiles.open(file), source => source.close())
  const run = await prepare(wanted, source, deps)
  let ended: Ended | undefined
  const job = await jobs.begin({
    grant: wanted.grant,
    patient: wanted.patient,
    owned: owned.move(),
    before: () => place.before,
    isKept: () => deps.record.keepsPatient(wanted.patient),
    work: async ({ progress, signal }) => {
      const turn = (signal: AbortSignal) => place.turn(signal)
      ended = await run({ signal, turn, onProgress: known => Object.assign(progress, known) })
      return { ...(ended.problem && { problem: ended.problem }), report: reportResource(ended.report) }
    },
  })
  await job.done
  if (ended === undefined) throw new Problem('fault', 'ingest.failed', 'The import failed inside the server.')
  return ended
}
