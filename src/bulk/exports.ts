import { type Grant, isAsNoted, noteReach, ownerOf } from '#access'
import type { Resource } from '#fhir'
import { type BudgetLimits, type Clock, isProblem, type Log, newResourceId, Problem, withBudget } from '#kernel'
import type { Record as PatientRecord } from '#record'
import { type Changing, changeInTurn, type Documents } from '#vault'
import { placesIn, type Run } from './found.ts'
import type { BulkLimits } from './limits.ts'
import { type ListedFile, Lists } from './lists.ts'
import { checkPermitted, type Made, makeExport } from './make.ts'
import type { ExportFile, ExportLines, ExportOrder, ExportView } from './order.ts'
import { type Place, Queue, tooManyOfOwner } from './queue.ts'
import { failures, type StoredExport } from './stored-export.ts'

/** What exports are made of. */
export interface ExportRooms {
  readonly record: PatientRecord
  readonly clock: Clock
  readonly log: Log
  readonly limits: BulkLimits
}

const collection = 'bulk-exports'

/** An export that this process works on, or will. */
interface Running extends Changing<StoredExport> {
  readonly order: ExportOrder
  readonly place: Place
  readonly stopping: AbortController
  found: number
  done: Promise<void>
}

/** Nobody waits for it, so it may compute longer than a request; pages and lines are not counted. */
const runBudget: BudgetLimits = {
  work: 100_000_000_000,
  cpu: 600_000,
  parsed: Number.POSITIVE_INFINITY,
  written: Number.POSITIVE_INFINITY,
  answered: Number.POSITIVE_INFINITY,
  audited: Number.POSITIVE_INFINITY,
}

/** The exports of this process, and what is kept of those of all processes. */
export class Exports {
  readonly #rooms: ExportRooms
  readonly #documents: Documents
  readonly #limits: BulkLimits
  readonly #lists: Lists
  readonly #queue: Queue
  readonly #running = new Map<string, Running>()

  constructor(rooms: ExportRooms) {
    this.#rooms = rooms
    this.#documents = rooms.record.documents
    this.#limits = rooms.limits
    this.#lists = new Lists(this.#documents)
    this.#queue = new Queue(rooms.limits)
  }

  async begin(order: ExportOrder): Promise<string> {
    const owner = ownerOf(order.grant)
    const kept = await this.#documents.list(collection, { group: owner })
    if (kept.length >= this.#limits.maxOfOwner) throw tooManyOfOwner(this.#limits.maxOfOwner)
    const place = this.#queue.enter(owner)
    const id = newResourceId()
    const stored = this.#planned(order, owner)
    const running: Running = {
      id,
      order,
      place,
      stopping: new AbortController(),
      stored,
      revision: 0,
      found: 0,
      written: Promise.resolve(),
      done: Promise.resolve(),
    }
    try {
      await this.#write(running, {})
    } catch (error) {
      place.leave()
      throw error
    }
    this.#running.set(id, running)
    this.#audit(order.grant, 'success', 'bulk export begun')
    running.done = this.#run(running).finally(place.leave)
    return id
  }

  #planned(order: ExportOrder, owner: string): StoredExport {
    const { clock } = this.#rooms
    const { longestMs, leaseMs } = this.#limits
    return {
      owner,
      state: 'running',
      request: order.request,
      // Until it is known whether it lists deletions, it counts as one that does.
      isTelling: order.isTelling || order.deletedSince !== undefined,
      ...noteReach(order.grant),
      elements: order.elements,
      expiresAtMs: clock.nowMs() + longestMs + this.#limits.keptMs,
      aliveUntilMs: clock.nowMs() + leaseMs,
      found: 0,
      files: [],
      errors: [],
    }
  }

  /** Never rejects: whoever began it asks for its state. */
  async #run(running: Running): Promise<void> {
    const { place, stopping } = running
    const beats = setInterval(() => void this.#beat(running), this.#limits.leaseMs / 3).unref()
    const late = setTimeout(() => stopping.abort(failures.tooLong()), this.#limits.longestMs).unref()
    try {
      await place.turn(stopping.signal)
      const isWanted = () => !stopping.signal.aborted
      const made = await withBudget(runBudget, () => this.#make(running), isWanted)
      await this.#finish(running, made)
    } catch (error) {
      await this.#fail(running, error)
    } finally {
      clearInterval(beats)
      clearTimeout(late)
      this.#running.delete(running.id)
    }
  }

  #make(running: Running): Promise<Made> {
    const { record, clock } = this.#rooms
    const { id, order, stopping, stored } = running
    const onFound = (found: number) => {
      running.found = found
    }
    const keeping = { id, lists: this.#lists, expiresAtMs: stored.expiresAtMs }
    return makeExport(order, { record, clock, limits: this.#limits, signal: stopping.signal, onFound, keeping })
  }

  async #finish(running: Running, { atMs, files, errors, withheld }: Made): Promise<void> {
    const isTelling = running.order.isTelling || files.some(({ kind }) => kind === 'deleted')
    const expiresAtMs = this.#rooms.clock.nowMs() + this.#limits.keptMs
    const told = withheld === '' ? {} : { withheld }
    const isKept = await this.#write(running, { state: 'done', atMs, files, errors, isTelling, expiresAtMs, ...told })
    if (!isKept) await this.#lists.drop(running.id, files)
    this.#audit(running.order.grant, 'success', isKept ? 'bulk export made' : 'bulk export removed')
  }

  /** What failed leaves its reason, unless somebody removed it. */
  async #fail(running: Running, error: unknown): Promise<void> {
    const why = reasonOf(error, running.stopping.signal)
    const { log, clock } = this.#rooms
    this.#audit(running.order.grant, 'failure', `bulk export: ${why.code}`)
    const told = { room: 'bulk', code: why.code, ...whereOf(error) }
    // That a server ends is no failure of it.
    if (why.code === 'bulk.interrupted') log.info('an export was broken off', told)
    else if (why.kind === 'fault') log.error('export failed', told)
    if (why.code === 'bulk.removed') return
    const { kind, code, text } = why
    const expiresAtMs = clock.nowMs() + this.#limits.keptMs
    await this.#write(running, { state: 'failed', problem: { kind, code, text }, expiresAtMs }).catch(() => undefined)
  }

  #audit(grant: Grant, outcome: 'success' | 'failure', detail: string): void {
    this.#rooms.record.audit({ action: 'export', outcome, actor: grant.actor, detail })
  }

  /** A sign of life, which also shows whether somebody else has removed the export. */
  async #beat(running: Running): Promise<void> {
    const aliveUntilMs = this.#rooms.clock.nowMs() + this.#limits.leaseMs
    // A store that is full or in use for a moment says nothing about the export.
    const isKept = await this.#write(running, { aliveUntilMs, found: running.found }).catch(() => true)
    if (!isKept) running.stopping.abort(failures.removed())
  }

  /** @returns false when the export was removed */
  #write(running: Running, change: Partial<StoredExport>): Promise<boolean> {
    return changeInTurn(this.#documents, collection, running, change)
  }

  async #owned(id: string, grant: Grant): Promise<StoredExport | undefined> {
    const found = await this.#documents.get<StoredExport>(collection, id)
    return found?.value.owner === ownerOf(grant) ? found.value : undefined
  }

  async find(id: string, grant: Grant): Promise<ExportView | undefined> {
    const stored = await this.#owned(id, grant)
    if (stored === undefined) return undefined
    if (stored.problem !== undefined) throw new Problem(stored.problem.kind, stored.problem.code, stored.problem.text)
    if (stored.state === 'running') return this.#underWay(id, stored)
    const { request, atMs = 0, expiresAtMs } = stored
    return { state: 'done', request, atMs, expiresAtMs, files: await this.#filesOf(id, stored, grant) }
  }

  /** @throws Problem `fault` · `bulk.interrupted` when its process has ended */
  #underWay(id: string, stored: StoredExport): ExportView {
    const running = this.#running.get(id)
    if (running === undefined && stored.aliveUntilMs < this.#rooms.clock.nowMs()) throw failures.interrupted()
    return { state: 'running', found: running?.found ?? stored.found, before: running?.place.before() ?? 0 }
  }

  /** What this grant can still fetch: who was erased, or went out of reach, is not counted. */
  async #filesOf(id: string, stored: StoredExport, grant: Grant): Promise<ReadonlyMap<number, ExportFile>> {
    const within = this.#rooms.record.exporter(grant)
    const isAsMade = await this.#isWithheldAsMade(stored, grant)
    const known = new Map<string, boolean>()
    const files = new Map<number, ExportFile>()
    for (const [file, { kind, type, count, pieces }] of stored.files.entries()) {
      let left = kind === 'output' || !isAsMade || !isTold(kind, stored, grant) ? 0 : count
      if (kind === 'output')
        for await (const runs of this.#lists.pieces<readonly Run[]>(id, file, pieces))
          left += await countWithin(runs ?? [], known, compartments => within.within(compartments))
      if (left > 0) files.set(file, { kind, type, ...(isAsMade ? { count: left } : {}) })
    }
    const { errors } = stored
    if (errors.length > 0)
      files.set(stored.files.length, { kind: 'error', type: 'OperationOutcome', count: errors.length })
    return files
  }

  async #isWithheldAsMade({ withheld = '' }: StoredExport, grant: Grant): Promise<boolean> {
    return (await this.#rooms.record.exporter(grant).withheldNote()) === withheld
  }

  /** What a file holds, undefined for one that is not there. */
  async file(
    id: string,
    file: number,
    asking: Pick<ExportOrder, 'grant' | 'renew'>,
  ): Promise<
    | (Pick<ExportFile, 'kind' | 'type'> & {
        readonly elements: readonly string[]
        lines(): AsyncGenerator<ExportLines>
      })
    | undefined
  > {
    const stored = await this.#owned(id, asking.grant)
    if (stored?.state !== 'done') return undefined
    const { elements, errors } = stored
    const listed = stored.files[file]
    if (listed !== undefined && !isTold(listed.kind, stored, asking.grant)) return undefined
    if (listed?.kind === 'deleted' && !(await this.#isWithheldAsMade(stored, asking.grant))) return undefined
    if (listed !== undefined)
      return {
        kind: listed.kind,
        type: listed.type,
        elements,
        lines: () => this.#lines({ id, file, stored, listed }, asking),
      }
    const isErrors = file === stored.files.length && errors.length > 0
    return isErrors
      ? { kind: 'error', type: 'OperationOutcome', elements: [], lines: () => outcomes(errors) }
      : undefined
  }

  /** A file is fetched as slowly as somebody likes: before each portion it is asked again whether it may be. */
  async *#lines(fetched: FetchedFile, asking: Pick<ExportOrder, 'grant' | 'renew'>): AsyncGenerator<ExportLines> {
    const { id, file, stored, listed } = fetched
    const exporter = this.#rooms.record.exporter(asking.grant)
    for await (const piece of this.#lists.pieces<readonly Run[] | readonly string[]>(id, file, listed.pieces)) {
      if (piece === undefined) throw failures.removed()
      if (listed.kind === 'deleted') {
        await checkPermitted(asking, this.#rooms.clock)
        if (!(await this.#isWithheldAsMade(stored, asking.grant))) return
        yield (piece as readonly string[]).map(deleted => ({ deleted }))
      } else
        for await (const versions of exporter.open(listed.type, placesIn(piece as readonly Run[]))) {
          await checkPermitted(asking, this.#rooms.clock)
          yield versions.map(({ json }) => ({ stored: json }))
        }
    }
  }

  /** @returns false when there is nothing to remove */
  async remove(id: string, grant: Grant): Promise<boolean> {
    const stored = await this.#owned(id, grant)
    if (stored === undefined) return false
    await this.#drop(id, stored)
    this.#audit(grant, 'success', 'bulk export removed')
    return true
  }

  async #drop(id: string, { files }: StoredExport): Promise<void> {
    await this.#documents.delete(collection, id)
    const running = this.#running.get(id)
    running?.stopping.abort(failures.removed())
    // Its place is free, and nothing of it is written any more, once this is answered.
    await running?.done
    await this.#lists.drop(id, files)
  }

  /**
   * Removes what may tell of a patient who is erased: exports whose request has criteria, and lists of what was deleted. Of all
   * others nothing needs to be removed: without the patient's key their places lead nowhere.
   */
  async forgetPatient(patient: string): Promise<void> {
    for (const { name, value } of await this.#documents.list<StoredExport>(collection))
      if (value.isTelling && (value.whom === 'all' || value.whom.includes(patient))) await this.#drop(name, value)
  }

  async close(): Promise<void> {
    const running = [...this.#running.values()]
    this.#queue.close()
    for (const { stopping } of running) stopping.abort(failures.interrupted())
    await Promise.all(running.map(({ done }) => done))
  }
}

/** A file of an export that is fetched, by its number. */
interface FetchedFile {
  readonly id: string
  readonly file: number
  readonly stored: StoredExport
  readonly listed: ListedFile
}

/** What is listed by name alone cannot be judged one by one: it is for the reach that it was listed for. */
function isTold(kind: ExportFile['kind'], stored: StoredExport, grant: Grant): boolean {
  return kind !== 'deleted' || isAsNoted(grant, stored)
}

async function* outcomes(errors: readonly Resource[]): AsyncGenerator<ExportLines> {
  yield errors.map(outcome => ({ outcome }))
}

async function countWithin(
  runs: readonly Run[],
  known: Map<string, boolean>,
  within: (compartments: Iterable<string>) => Promise<ReadonlySet<string>>,
): Promise<number> {
  const asked = runs.map(([compartment]) => compartment).filter(compartment => !known.has(compartment))
  const found = await within(asked)
  for (const compartment of asked) known.set(compartment, found.has(compartment))
  return runs.reduce((sum, [compartment, seqs]) => sum + (known.get(compartment) === true ? seqs.length : 0), 0)
}

/** Of what was stopped the reason is that for which it was. */
function reasonOf(error: unknown, { aborted, reason }: AbortSignal): Problem {
  if (aborted && isProblem(reason)) return reason
  return isProblem(error) ? error : failures.failed(error)
}

function whereOf(error: unknown): { readonly errorName?: string } {
  return error instanceof Error && !isProblem(error) ? { errorName: error.name } : {}
}
