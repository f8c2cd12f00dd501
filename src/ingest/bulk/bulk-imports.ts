import { type Grant, ownerOf } from '#access'
import { type Clock, isProblem, newResourceId, Problem, type ProblemKind, withBudget } from '#kernel'
import { type Changing, changeInTurn, type Documents } from '#vault'
import { type ImportsElsewhere, placeElsewhere } from '../elsewhere.ts'
import type { ImportQueue, Place } from '../queue.ts'
import { failureOf, stops } from '../stops.ts'
import type { BulkDeps, FetchFile, Input } from './files.ts'
import type { RowCounts, RowFault } from './rows.ts'
import { type BulkProgress, type Taken, takeAll } from './take-all.ts'

/** What is to be taken in. */
export interface BulkOrder {
  readonly grant: Grant
  readonly inputs: readonly Input[]
  /** Whose names the files have; those of whoever asks, where it is not said. */
  readonly source?: string
  /** Value of the header with which files are fetched; forgotten once they are. */
  readonly authorization?: string | undefined
  /** The whole URL of the request, as its result shows it. */
  readonly request: string
  /** The grant at this moment. @throws Problem when it has ended */
  renew?(): Promise<Grant>
}

/** A bulk import as its owner sees it. */
export type BulkView =
  | { readonly state: 'running'; readonly progress: BulkProgress; readonly before: number }
  | {
      readonly state: 'done'
      readonly request: string
      /** Unix milliseconds at which it was begun. */
      readonly atMs: number
      readonly expiresAtMs: number
      readonly inputs: readonly (Input & { readonly counts: RowCounts; readonly faults: number })[]
    }

interface StoredImport extends Omit<BulkOrder, 'grant' | 'renew' | 'source'> {
  readonly owner: string
  readonly source: string
  readonly state: 'running' | 'done' | 'failed'
  readonly atMs: number
  readonly expiresAtMs: number
  /** While it runs: when its process will have given another sign of life, Unix milliseconds. */
  readonly aliveUntilMs: number
  /** How often it was begun: what ends its process again and again is given up. */
  readonly tries: number
  readonly progress: BulkProgress
  readonly counts: readonly RowCounts[]
  /** Of each input. */
  readonly faults: readonly number[]
  readonly pieces: number
  readonly problem?: { readonly kind: ProblemKind; readonly code: string; readonly text: string }
}

/** Bounds on bulk imports. */
export interface BulkImportLimits {
  /** Of one owner, under way or told of; who wants more removes one. */
  readonly maxOfOwner: number
  readonly keptMs: number
  /** Whose process gives no sign of life for so long has ended, in ms. */
  readonly leaseMs: number
  readonly maxTries: number
  /** All files of one import may take so long to come, in ms. */
  readonly fetchMs: number
}

const hourMs = 3_600_000

export const bulkImportLimits: BulkImportLimits = {
  maxOfOwner: 8,
  keptMs: 7 * 24 * hourMs,
  leaseMs: 30_000,
  maxTries: 5,
  fetchMs: 6 * hourMs,
}

const collection = 'ingest-bulk'
const faultCollection = 'ingest-bulk-faults'
const faultsOfPiece = 500

/** As much of what was refused as one document holds. */
interface FaultPiece {
  readonly faults: readonly RowFault[]
  /** How many more there are than are told. */
  readonly unnamed: number
}

const nothingYet: BulkProgress = { files: 0, people: 0, peopleTaken: 0, rows: 0, rowsTaken: 0 }

interface Rooms {
  readonly deps: BulkDeps
  readonly queue: ImportQueue
  readonly fetch: FetchFile
  readonly elsewhere?: ImportsElsewhere | undefined
  readonly limits?: Partial<BulkImportLimits> | undefined
}

interface Running extends Changing<StoredImport> {
  readonly order: Pick<BulkOrder, 'grant' | 'renew'>
  readonly stopping: AbortController
  readonly place: Place
  progress: BulkProgress
  done: Promise<void>
}

/**
 * Imports of files about many people. What was asked is in sealed documents, and nothing of what was fetched: whoever asks for one whose
 * process has ended makes this process begin it again, with what their token permits. What is there by then is found.
 */
export class BulkImports {
  readonly #rooms: Rooms
  readonly #documents: Documents
  readonly #clock: Clock
  readonly #limits: BulkImportLimits
  readonly #running = new Map<string, Running>()
  #isClosing = false

  constructor(rooms: Rooms) {
    this.#rooms = rooms
    this.#documents = rooms.deps.record.documents
    this.#clock = rooms.deps.clock
    this.#limits = { ...bulkImportLimits, ...rooms.limits }
  }

  async begin({ grant, renew, source, ...asked }: BulkOrder): Promise<string> {
    const owner = ownerOf(grant)
    const kept = await this.#documents.list<StoredImport>(collection, { group: owner })
    if (kept.length >= this.#limits.maxOfOwner) throw tooManyOfOwner(this.#limits.maxOfOwner)
    const nowMs = this.#clock.nowMs()
    const stored: StoredImport = {
      ...asked,
      owner,
      source: source ?? owner,
      state: 'running',
      atMs: nowMs,
      expiresAtMs: nowMs + this.#limits.keptMs,
      aliveUntilMs: nowMs + this.#limits.leaseMs,
      tries: 1,
      progress: nothingYet,
      counts: [],
      faults: [],
      pieces: 0,
    }
    const id = newResourceId()
    await this.#start(id, { grant, ...(renew && { renew }) }, stored, 0)
    this.#audit(grant, 'success', 'bulk import begun')
    return id
  }

  /** @returns false when another process has begun it */
  async #start(id: string, order: Running['order'], stored: StoredImport, revision: number): Promise<boolean> {
    if (this.#isClosing) throw stops.closing()
    const { queue, elsewhere, deps } = this.#rooms
    await using owned = new AsyncDisposableStack()
    if (elsewhere !== undefined) owned.use(await placeElsewhere(elsewhere, order.grant.id, deps.limits))
    const place = owned.use(queue.enter(order.grant.id))
    const progress = nothingYet
    const stopping = new AbortController()
    const idle = Promise.resolve()
    const running: Running = { id, order, place, stopping, stored, revision, progress, written: idle, done: idle }
    if (!(await this.#write(running, {}))) return false
    this.#running.set(id, running)
    if (this.#isClosing) stopping.abort(stops.closing())
    const held = owned.move()
    running.done = this.#run(running).finally(() => held.disposeAsync())
    return true
  }

  /** Never rejects: whoever began it asks for its state. */
  async #run(running: Running): Promise<void> {
    const { stopping, stored, order, place } = running
    const beats = setInterval(() => void this.#beat(running), this.#limits.leaseMs / 3).unref()
    try {
      const { signal } = stopping
      const { fetchMs } = this.#limits
      const turn = () => place.turn(signal)
      const { deps, fetch } = this.#rooms
      const onProgress = (progress: BulkProgress) => {
        running.progress = progress
      }
      const wanted = { ...stored, grant: order.grant, ...this.#renewing(order) }
      const work = () => takeAll(wanted, { deps, fetch, signal, fetchMs, turn, onProgress })
      await this.#finish(running, await withBudget('unbounded', work, () => !stopping.signal.aborted))
    } catch (error) {
      await this.#fail(running, error)
    } finally {
      clearInterval(beats)
      this.#running.delete(running.id)
    }
  }

  /** A token that has come to its time has not been taken away: an import may take longer. */
  #renewing({ grant, renew }: Running['order']): { renew?(): Promise<Grant> } {
    if (renew === undefined) return {}
    const isOver = () => grant.expiresAtMs <= this.#clock.nowMs()
    return {
      renew: async () => {
        if (isOver()) return grant
        try {
          return await renew()
        } catch (error) {
          if (isProblem(error, 'unauthenticated')) {
            if (isOver()) return grant
            throw stops.withdrawn(error)
          }
          throw error
        }
      },
    }
  }

  async #finish(running: Running, { counts, faults, unnamed }: Taken): Promise<void> {
    const { id, stored } = running
    const ofEach = stored.inputs.map(() => 0)
    for (const { input } of faults) ofEach[input] = (ofEach[input] ?? 0) + 1
    const { expiresAtMs } = stored
    let pieces = 0
    for (const piece of piecesOf(faults, unnamed))
      await this.#documents.put(faultCollection, pieceOf(id, pieces++), piece, { group: stored.owner, expiresAtMs })
    const isKept = await this.#write(running, { state: 'done', counts, faults: ofEach, pieces, ...forgotten })
    if (!isKept) await this.#dropFaults(id, pieces)
    this.#audit(running.order.grant, 'success', isKept ? 'bulk import made' : 'bulk import removed')
  }

  async #fail(running: Running, error: unknown): Promise<void> {
    const { stored, stopping } = running
    const { signal } = stopping
    const why = signal.aborted && isProblem(signal.reason) ? signal.reason : isProblem(error) ? error : failureOf(error)
    const { log } = this.#rooms.deps
    log.warn('bulk import broke off', { room: 'ingest', code: why.code })
    this.#audit(running.order.grant, 'failure', `bulk import: ${why.code}`)
    if (why.code === 'ingest.bulk-removed') return
    const { kind, code, text } = why
    // What passes leaves it as if its process had ended: whoever asks later lets it go on, however often.
    const change: Partial<StoredImport> = passing.has(kind)
      ? { aliveUntilMs: this.#isClosing ? 0 : this.#clock.nowMs() + this.#limits.leaseMs, tries: stored.tries - 1 }
      : { state: 'failed', problem: { kind, code, text }, ...forgotten }
    await this.#write(running, change).catch(() => undefined)
  }

  #audit(grant: Grant, outcome: 'success' | 'failure', detail: string): void {
    this.#rooms.deps.record.audit({ action: 'import', outcome, actor: grant.actor, detail })
  }

  /** A sign of life, which also shows whether somebody else has removed the import. */
  async #beat(running: Running): Promise<void> {
    const aliveUntilMs = this.#clock.nowMs() + this.#limits.leaseMs
    // A store that is full or in use for a moment says nothing about the import.
    const isKept = await this.#write(running, { aliveUntilMs, progress: running.progress }).catch(() => true)
    if (!isKept) running.stopping.abort(removed())
  }

  /** @returns false when it was removed, or somebody else goes on with it */
  #write(running: Running, change: Partial<StoredImport>): Promise<boolean> {
    return changeInTurn(this.#documents, collection, running, change)
  }

  /** The import, if it is of whoever asks. @throws Problem for which it failed */
  async find(id: string, asking: Running['order']): Promise<BulkView | undefined> {
    const found = await this.#documents.get<StoredImport>(collection, id)
    if (found?.value.owner !== ownerOf(asking.grant)) return undefined
    const { value: stored, revision } = found
    if (stored.problem !== undefined) throw new Problem(stored.problem.kind, stored.problem.code, stored.problem.text)
    if (stored.state === 'running') return this.#underWay(id, stored, revision, asking)
    const { request, atMs, expiresAtMs, inputs, counts, faults } = stored
    const told = inputs.map((input, at) => ({ ...input, counts: counts[at] ?? noRows, faults: faults[at] ?? 0 }))
    return { state: 'done', request, atMs, expiresAtMs, inputs: told }
  }

  async #underWay(id: string, stored: StoredImport, revision: number, asking: Running['order']): Promise<BulkView> {
    const running = this.#running.get(id)
    const nowMs = this.#clock.nowMs()
    if (running === undefined && stored.aliveUntilMs < nowMs && !this.#isClosing) {
      if (stored.tries >= this.#limits.maxTries) throw await this.#givenUp(id, stored, revision)
      const again = { ...stored, tries: stored.tries + 1, aliveUntilMs: nowMs + this.#limits.leaseMs }
      await this.#start(id, asking, again, revision)
    }
    return { state: 'running', progress: running?.progress ?? stored.progress, before: running?.place.before ?? 0 }
  }

  /** Nobody needs the credential of what is not begun again. */
  async #givenUp(id: string, stored: StoredImport, revision: number): Promise<Problem> {
    const problem = triedTooOften(this.#limits.maxTries)
    const { kind, code, text } = problem
    const { owner: group, expiresAtMs } = stored
    const failed: StoredImport = { ...stored, state: 'failed', problem: { kind, code, text }, ...forgotten }
    await this.#documents.put(collection, id, failed, { ifRevision: revision, group, expiresAtMs })
    return problem
  }

  /** Why rows of one input are not in; undefined where whoever asks has no such import, or it is not over. */
  async faults(id: string, input: number, grant: Grant): Promise<AsyncGenerator<FaultPiece> | undefined> {
    const stored = (await this.#documents.get<StoredImport>(collection, id))?.value
    if (stored?.owner !== ownerOf(grant) || stored.state !== 'done' || stored.inputs[input] === undefined)
      return undefined
    return this.#faultsOf(id, input, stored.pieces)
  }

  async *#faultsOf(id: string, input: number, pieces: number): AsyncGenerator<FaultPiece> {
    for (let piece = 0; piece < pieces; piece++) {
      const found = await this.#documents.get<FaultPiece>(faultCollection, pieceOf(id, piece))
      const { faults = [], unnamed = 0 } = found?.value ?? {}
      yield { faults: faults.filter(fault => fault.input === input), unnamed }
    }
  }

  /** Ends it if it is under way; what was taken in stays. @returns false when there is nothing to remove */
  async remove(id: string, grant: Grant): Promise<boolean> {
    const stored = (await this.#documents.get<StoredImport>(collection, id))?.value
    if (stored?.owner !== ownerOf(grant)) return false
    await this.#documents.delete(collection, id)
    const running = this.#running.get(id)
    running?.stopping.abort(removed())
    await running?.done
    await this.#dropFaults(id, stored.pieces)
    this.#audit(grant, 'success', 'bulk import removed')
    return true
  }

  async #dropFaults(id: string, pieces: number): Promise<void> {
    for (let piece = 0; piece < pieces; piece++) await this.#documents.delete(faultCollection, pieceOf(id, piece))
  }

  /** Ends what is under way: whoever asks for it after a start lets it go on. */
  async close(): Promise<void> {
    this.#isClosing = true
    const running = [...this.#running.values()]
    for (const { stopping } of running) stopping.abort(stops.closing())
    await Promise.all(running.map(({ done }) => done))
  }
}

const noRows: RowCounts = { taken: 0, known: 0, passed: 0, waiting: 0, refused: 0 }

const forgotten = { authorization: undefined }

const passing: ReadonlySet<ProblemKind> = new Set(['busy', 'full'])

function* piecesOf(faults: readonly RowFault[], unnamed: number): Generator<FaultPiece> {
  for (let at = 0; at < faults.length; at += faultsOfPiece)
    yield { faults: faults.slice(at, at + faultsOfPiece), unnamed: 0 }
  if (unnamed > 0) yield { faults: [], unnamed }
}

function pieceOf(id: string, piece: number): string {
  return `${id}/${piece}`
}

function removed(): Problem {
  return new Problem('gone', 'ingest.bulk-removed', 'The import was removed.')
}

function triedTooOften(most: number): Problem {
  const text = `The server ended ${most} times while it was importing this. What was taken in stays; remove the import, and ask for less at once.`
  return new Problem('fault', 'ingest.bulk-interrupted', text)
}

function tooManyOfOwner(most: number): Problem {
  const text = `There are ${most} bulk imports of yours. Remove one, by DELETE of its status, before you begin another.`
  return new Problem('throttled', 'ingest.bulk-too-many', text, { retryAfterSeconds: 60 })
}
