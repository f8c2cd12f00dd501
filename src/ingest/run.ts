import { type Grant, ownerOf } from '#access'
import { bytesOf } from '#fhir'
import { type Clock, giveWay, inSlices, isProblem, type Log, type Problem } from '#kernel'
import type { Record, Txn, Writer } from '#record'
import type { Validator } from '#validation'
import type { Documents } from '#vault'
import type { Committed, Fate, Item } from './committing/items.ts'
import { stage } from './committing/stage.ts'
import type { Deletions } from './deletions.ts'
import type { Format } from './format.ts'
import type { FormerIds } from './former-ids.ts'
import { claimsOf } from './identity/claims.ts'
import { checkSamePerson, type Whom } from './identity/guard.ts'
import { checkOnes } from './identity/merging/meanwhile.ts'
import type { IngestLimits } from './limits.ts'
import type { LookUp } from './namesakes.ts'
import type { Outcome } from './outcome.ts'
import { provenanceOf } from './provenance.ts'
import { type Report, type ReportFacts, reportOf } from './report.ts'
import { type SentFaults, sentFaults } from './sent-faults.ts'
import { checkStopped, failureOf, stopOf, stops } from './stops.ts'
import { type Settled, Tally } from './tally.ts'

export interface RunDeps {
  readonly record: Record
  readonly validator: Validator
  readonly clock: Clock
  readonly log: Log
  readonly limits: IngestLimits
}

export interface RunFacts {
  readonly grant: Grant
  readonly patient: string
  readonly format: Format
  readonly digest: string
  /** Id of the run's Provenance; the same for the same file and patient. */
  readonly provenanceId: string
  /** Whom it is for: a change that describes somebody else stops the run. Absent where that was settled. */
  readonly whom?: Whom
  /** Somebody has said that the file is this patient's. */
  readonly forced?: boolean
  /** Takes in the patient first, in the transaction of the first batch. */
  readonly admit?: ((txn: Txn) => Promise<void>) | undefined
  /** Aborted with the Problem that the run ends for. */
  readonly signal?: AbortSignal
  /** The grant as it is at this moment. @throws Problem when the run may not go on */
  permitted?(): Promise<Grant>
  /** The names under which the patient has what others had who were merged into them. */
  readonly former?: FormerIds | undefined
  /** Ids of those. */
  readonly merged?: readonly string[]
  readonly lookUp?: LookUp
  /** What the sources of the patient's files have deleted. */
  readonly deletions?: Deletions | undefined
  /** Told what became of each item, once that is committed; an import that is told looks at all of them again when it goes on. */
  onFate?(item: Item, fate: Fate): void
}

/** How far an import of this file came. Written in the transaction of each batch. */
interface Checkpoint {
  readonly state: 'running' | 'done'
  /** Changes when the mappings do: what was skipped under other mappings must not be skipped now. */
  readonly mappings: number
  readonly items: number
  /** What became of those items. */
  readonly settled: Settled
}

export const checkpointCollection = 'ingest-runs'
const mappingsVersion = 3

/** The Provenance of a run that wrote at most this many resources lists them. */
const listedTargets = 200

/**
 * Takes outcomes, and commits what they map to in batches: while one batch is being committed the next is read, and no
 * more than that is held. Before each batch it is asked whether the grant still stands. Gives a report in any case; what broke it off
 * stands in it.
 *
 * @param open  looks through the file before anything is written, and gives its outcomes
 */
export async function runImport(
  open: () => Promise<AsyncIterable<readonly Outcome[]>>,
  facts: RunFacts,
  deps: RunDeps,
  onRows: (rows: number) => void,
): Promise<Ended> {
  const run = new Run(facts, deps)
  let problem: Problem | undefined
  try {
    await run.resume()
    for await (const some of await open()) {
      for (const outcome of some) {
        if (outcome.kind === 'amend') await run.checkPerson(outcome)
        if (await run.take(outcome)) await run.flush()
      }
      onRows(run.rowsRead)
      checkStopped(facts.signal)
    }
    await run.finish()
    run.sayWhenEmpty()
  } catch (error) {
    await run.settle()
    problem = toldProblem(error, facts.signal, deps)
  }
  run.auditForce(problem)
  const { format, digest } = facts
  const provenance = run.provenanceWritten ? { provenance: `Provenance/${facts.provenanceId}` } : {}
  return endedWith(run.tallied(), { format, digest, ...provenance }, problem)
}

/** An import that is over, and the Problem that it broke off for. */
export interface Ended {
  readonly report: Report
  readonly problem?: Problem
}

function endedWith(tally: Tally, facts: ReportFacts, problem: Problem | undefined): Ended {
  if (problem === undefined) return { report: reportOf(tally, facts) }
  return { report: reportOf(tally, { ...facts, problem }), problem }
}

/** The report of an import that ended before it began. */
export function brokenOff(format: Format, error: unknown, deps: Pick<RunDeps, 'log'>): Ended {
  return endedWith(new Tally(), { format }, toldProblem(error, undefined, deps))
}

/** What is told of an error: that somebody stopped the import, where that is behind it. */
function toldProblem(error: unknown, signal: AbortSignal | undefined, { log }: Pick<RunDeps, 'log'>): Problem {
  const problem = stopOf(signal) ?? (isProblem(error) ? error : failureOf(error))
  log.warn('import broke off', { room: 'ingest', code: problem.code, ...detailOf(problem) })
  return problem
}

function detailOf({ detail }: Problem): { detail?: string } {
  return detail === undefined ? {} : { detail }
}

class Run {
  rowsRead = 0
  provenanceWritten = false
  readonly #facts: RunFacts
  readonly #deps: RunDeps
  #grant: Grant
  #writer: Writer
  /** Rows that come to nothing that could be committed, and the fates of those that did. */
  readonly #read = new Tally()
  #settled = new Tally()
  #items: Item[] = []
  /** What they take in memory. */
  #bytes = 0
  #committed = 0
  /** Whether this run, and not one that it resumes, has changed something. */
  #wrote = false
  #skip = 0
  #inFlight: Promise<void> = Promise.resolve()
  #failure: unknown

  constructor(facts: RunFacts, deps: RunDeps) {
    this.#facts = facts
    this.#deps = deps
    this.#grant = facts.grant
    this.#writer = this.#newWriter()
  }

  #newWriter(): Writer {
    return this.#deps.record.writer(this.#grant, { home: this.#facts.patient, imports: 'source' })
  }

  /** Who writes the next batch: what was permitted when the import began may have been taken back since. */
  async #permittedWriter(): Promise<Writer> {
    checkStopped(this.#facts.signal)
    const grant = (await this.#facts.permitted?.()) ?? this.#grant
    if (grant !== this.#grant) {
      this.#grant = grant
      this.#writer = this.#newWriter()
    }
    return this.#writer
  }

  /** Takes up a run of the same file that was cut off: what it committed is counted and not looked at again. */
  async resume(): Promise<void> {
    if (this.#facts.onFate !== undefined) return
    const found = await this.#deps.record.documents.get<Checkpoint>(checkpointCollection, this.#name())
    const last = found?.value
    if (last === undefined || last.state === 'done' || last.mappings !== mappingsVersion) return
    this.#skip = last.items
    this.#committed = last.items
    this.#settled.add(last.settled)
    this.provenanceWritten = last.settled.created + last.settled.updated > 0
  }

  /** @returns true when enough is gathered for a batch */
  async take(outcome: Outcome): Promise<boolean> {
    this.rowsRead += rowsOf(outcome)
    if (outcome.kind !== 'mapped' && outcome.kind !== 'amend' && outcome.kind !== 'remove') {
      this.#read.count(outcome)
      return false
    }
    if (this.#skip > 0) {
      this.#skip -= 1
      return false
    }
    const { batchSize, batchBytes } = this.#deps.limits
    this.#items.push(outcome)
    if (outcome.kind === 'mapped') this.#bytes += await inSlices(bytesOf(outcome.resource, batchBytes))
    return this.#items.length >= batchSize || this.#bytes >= batchBytes
  }

  /** @throws Problem as `checkSamePerson` */
  async checkPerson({ type, change }: Extract<Item, { kind: 'amend' }>): Promise<void> {
    const { whom } = this.#facts
    const said = whom === undefined || type !== 'Patient' ? undefined : change({ resourceType: type })
    if (whom !== undefined && said !== undefined) await checkSamePerson(claimsOf(said), whom)
  }

  /** Starts to commit what is gathered, once the batch before is in. */
  async flush(last = false): Promise<void> {
    const items = this.#items
    this.#items = []
    this.#bytes = 0
    await this.settle()
    if (this.#failure !== undefined) throw this.#failure
    this.#inFlight = this.#commit(items, last).catch(error => {
      this.#failure = error
    })
  }

  async finish(): Promise<void> {
    await this.flush(true)
    await this.settle()
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Waits for the batch that is being committed. */
  settle(): Promise<void> {
    return this.#inFlight
  }

  #name(): string {
    return checkpointOf(this.#facts.patient, this.#facts.digest)
  }

  /** A file in which nothing was found is no success that nobody need look at. */
  sayWhenEmpty(): void {
    if (this.tallied().rows === 0) this.#read.warn('Nothing was found in the file that could be taken in.')
  }

  /** What writes has its AuditEvent of the commit; that identity was passed over stays known where there was nothing to write, too. */
  auditForce(problem: Problem | undefined): void {
    const { forced, patient } = this.#facts
    if (forced !== true || this.#wrote) return
    const outcome = problem === undefined ? 'success' : 'failure'
    const detail = `${this.#summary()}; nothing was changed`
    this.#deps.record.audit({ action: 'import', outcome, actor: this.#grant.actor, patient, detail })
  }

  #summary(): string {
    const { format, forced } = this.#facts
    return `import ${format}${forced === true ? ', forced whatever differs in identity' : ''}`
  }

  /** All that is counted so far. */
  tallied(): Tally {
    return sumOf(this.#read, this.#settled)
  }

  async #commit(items: readonly Item[], last: boolean): Promise<void> {
    const { valid, refused } = await this.#checked(items)
    const writer = await this.#permittedWriter()
    let changed = 0
    let fates: Committed['fates'] = new Map()
    const settled = await writer.transact(async txn => {
      await this.#checkKept(txn)
      const committed = await this.#stageBatch(txn, valid)
      fates = committed.fates
      const after = afterBatch(sumOf(this.#settled, refused), valid, committed)
      const written = [...committed.created, ...committed.updated]
      changed = written.length
      if (written.length > 0 && !this.provenanceWritten) await this.#writeProvenance(txn, written, last)
      txn.document(this.#checkpoint(after, this.#committed + items.length, last), this.#facts.patient)
      return after
    })
    this.#wrote ||= changed > 0
    for (const item of valid) this.#facts.onFate?.(item, fates.get(item) ?? 'duplicate')
    this.#committed += items.length
    this.#settled = settled
    if (settled.created + settled.updated > 0) this.provenanceWritten = true
  }

  /**
   * Whoever was erased or merged meanwhile, by any process, gets nothing more.
   *
   * @throws Problem `gone` · `ingest.patient-erased`; `conflict` · `ingest.patient-merged`
   */
  async #checkKept(txn: Txn): Promise<void> {
    const { patient, admit, merged = [] } = this.#facts
    if (admit !== undefined && this.#committed === 0) return
    if (!(await txn.existing('Patient', [patient])).has(patient)) throw stops.erased()
    await checkOnes(this.#deps.record.documents, patient, merged)
  }

  async #stageBatch(txn: Txn, items: readonly Item[]): Promise<Committed> {
    if (this.#committed === 0) await this.#facts.admit?.(txn)
    txn.note(this.#summary())
    const { former, deletions, lookUp, patient, merged = [] } = this.#facts
    const { validator, record, clock } = this.#deps
    const listed = { documents: record.documents, patient, merged, nowMs: clock.nowMs() }
    return stage(txn, items, {
      strict: false,
      validator,
      owner: ownerOf(this.#grant),
      former,
      deletions,
      lookUp,
      listed,
    })
  }

  async #writeProvenance(txn: Txn, written: readonly string[], last: boolean): Promise<void> {
    const { provenanceId, patient, format, digest, grant } = this.#facts
    // It is there when the same file brought something before, e.g. under older mappings.
    if ((await txn.existing('Provenance', [provenanceId])).size > 0) return
    const own = `Patient/${patient}`
    const targets = last && written.length <= listedTargets ? written.filter(reference => reference !== own) : []
    const facts = { id: provenanceId, patient, actor: grant.actor, format, digest, targets }
    await txn.create(provenanceOf({ ...facts, atMs: this.#deps.clock.nowMs() }), { id: provenanceId })
  }

  #checkpoint(settled: Tally, items: number, last: boolean): ReturnType<Documents['write']> {
    const checkpoint: Checkpoint = {
      state: last ? 'done' : 'running',
      mappings: mappingsVersion,
      items,
      settled: settled.settled(),
    }
    return this.#deps.record.documents.write(checkpointCollection, this.#name(), checkpoint, {
      group: this.#facts.patient,
    })
  }

  /** What may be written, and the count of what may not. What changes a Patient is looked at when the change is known. */
  async #checked(items: readonly Item[]): Promise<{ valid: readonly Item[]; refused: Tally }> {
    const refused = new Tally()
    const valid: Item[] = []
    for (const item of items) {
      const isNew = item.kind === 'mapped' && item.isValid !== true
      const { fate, more } = isNew
        ? await sentFaults(this.#deps.validator, item.resource, ownerOf(this.#grant))
        : faultless
      if (fate === undefined) valid.push(item)
      else {
        refused.settle(item, fate)
        this.#facts.onFate?.(item, fate)
      }
      for (const { expression = item.row } of more)
        refused.warn(`${item.row}: ${expression} would not be valid FHIR R4, too.`)
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
    return { valid, refused }
  }
}

/** No Patient id has a slash. */
const checkpointOf = (patient: string, digest: string): string => `${patient}/${digest}`

/** Forgets how far any file was, for a patient who is erased. */
export async function forgetCheckpoints(documents: Documents, patient: string): Promise<void> {
  for (const { name } of await documents.list(checkpointCollection))
    if (name.startsWith(checkpointOf(patient, ''))) await documents.delete(checkpointCollection, name)
}

const faultless: SentFaults = { more: [] }

function rowsOf(outcome: Outcome): number {
  if (outcome.kind === 'warning' || outcome.kind === 'unread') return 0
  return 'rows' in outcome ? (outcome.rows ?? 1) : 1
}

function sumOf(...tallies: readonly Tally[]): Tally {
  const sum = new Tally()
  for (const tally of tallies) sum.add(tally)
  return sum
}

function afterBatch(tally: Tally, items: readonly Item[], committed: Committed): Tally {
  tally.created += committed.created.length
  tally.updated += committed.updated.length
  for (const item of items) tally.settle(item, committed.fates.get(item) ?? 'duplicate')
  for (const { text } of committed.warnings) tally.warn(text)
  return tally
}
