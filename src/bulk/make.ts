import { setTimeout as pause } from 'node:timers/promises'
import { isAsNoted, noteReach } from '#access'
import type { Resource } from '#fhir'
import { type Clock, isProblem } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { Found } from './found.ts'
import type { BulkLimits } from './limits.ts'
import { type ListedFile, type Lists, placesOfPiece } from './lists.ts'
import type { ExportOrder } from './order.ts'
import { failures, type StoredExport } from './stored-export.ts'

/** What came of an export. */
export type Made = Pick<StoredExport, 'files' | 'errors'> & {
  /** What Consents withheld when it was begun. */
  readonly withheld: string
  /** The instant that it shows, Unix milliseconds. */
  readonly atMs: number
}

/** What making one needs. */
interface Making {
  readonly record: PatientRecord
  readonly clock: Clock
  readonly limits: BulkLimits
  readonly signal: AbortSignal
  readonly keeping: { readonly id: string; readonly lists: Lists; readonly expiresAtMs: number }
  onFound(found: number): void
}

/**
 * Finds all that was asked, as of the instant at which this begins, and lists where it lies. Nothing is opened or copied.
 *
 * @throws Problem with which the signal was aborted; `forbidden` · `bulk.withdrawn`; `too-costly` of the budget
 */
export async function makeExport(order: ExportOrder, making: Making): Promise<Made> {
  const { record, clock, limits, signal, keeping } = making
  const exporter = record.exporter(order.grant)
  const isAsking = order.queries.length > 0
  // Asked before: what is withheld meanwhile makes it another text.
  const withheld = await exporter.withheldNote()
  const atMs = Math.max(clock.nowMs(), isAsking ? await exporter.newestMs(order.queries) : 0)
  // What was being written at that instant is durable a moment later, and is part of it.
  await pause(limits.settleMs, undefined, { signal })
  await checkPermitted(order, clock)
  const found = new Found()
  const { unreadable } = isAsking ? await exporter.locate(order.queries, atMs, found.take) : nothingMissing
  making.onFound(found.count)
  const files = new FileWriter(making)
  try {
    for (const type of found.types)
      for (const runs of found.pieces(type, Math.min(placesOfPiece, limits.linesOfFile)))
        await files.add(
          'output',
          type,
          runs,
          runs.reduce((sum, [, seqs]) => sum + seqs.length, 0),
        )
    await addDeletions(order, atMs, making, files)
    await checkPermitted(order, clock)
    return { withheld, atMs, files: files.written, errors: unreadable > 0 ? [incomplete(unreadable)] : [] }
  } catch (error) {
    await keeping.lists.drop(keeping.id, files.written)
    throw error
  }
}

const nothingMissing = { unreadable: 0 }

/**
 * A token that has come to its time has not been taken away: an export, and the fetching of a file, may take longer. Whose account keeps
 * somebody no more, or in another role, begins anew.
 *
 * @throws Problem `forbidden` · `bulk.withdrawn`
 */
export async function checkPermitted(
  { grant, renew }: Pick<ExportOrder, 'grant' | 'renew'>,
  clock: Clock,
): Promise<void> {
  if (renew === undefined || grant.expiresAtMs <= clock.nowMs()) return
  const now = await renew().catch(error => {
    if (isProblem(error, 'unauthenticated') && clock.nowMs() < grant.expiresAtMs) throw failures.withdrawn(error)
  })
  if (now !== undefined && now !== grant && !isAsNoted(now, noteReach(grant))) throw failures.withdrawn(undefined)
}

async function addDeletions(order: ExportOrder, atMs: number, { record }: Making, files: FileWriter): Promise<void> {
  const { grant, deletedSince } = order
  if (deletedSince === undefined) return
  let names: string[] = []
  for await (const deletion of record.exporter(grant).deletions(deletedSince.sinceMs, atMs)) {
    if (deletedSince.isMeant(deletion)) names.push(`${deletion.type}/${deletion.id}`)
    if (names.length < placesOfPiece) continue
    await files.add('deleted', 'Bundle', names, names.length)
    names = []
  }
  if (names.length > 0) await files.add('deleted', 'Bundle', names, names.length)
}

/** Puts pieces into files: each of one kind and type, and of a bounded number of lines. */
class FileWriter {
  readonly #making: Making
  readonly written: (ListedFile & { readonly count: number })[] = []

  constructor(making: Making) {
    this.#making = making
  }

  async add(kind: ListedFile['kind'], type: string, piece: Parameters<Lists['put']>[2], count: number): Promise<void> {
    const { signal, limits, keeping } = this.#making
    signal.throwIfAborted()
    const last = this.written.at(-1)
    const goesOn = last?.kind === kind && last.type === type && last.count + count <= limits.linesOfFile
    const file = goesOn ? last : { kind, type, pieces: 0, count: 0 }
    if (goesOn) this.written.pop()
    // It is known before it is written, so that whoever fails here removes it as well.
    this.written.push({ ...file, pieces: file.pieces + 1, count: file.count + count })
    await keeping.lists.put(keeping.id, [this.written.length - 1, file.pieces], piece, keeping.expiresAtMs)
  }
}

/** @see https://hl7.org/fhir/R4/valueset-issue-type.html incomplete */
function incomplete(count: number): Resource {
  const diagnostics = `${count} of the records that were asked cannot be read: what they hold is missing here. The administrator runs kinhold verify.`
  return { resourceType: 'OperationOutcome', issue: [{ severity: 'warning', code: 'incomplete', diagnostics }] }
}
