import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { type Clock, isProblem, type Log, type Problem, randomId16 } from '#kernel'
import type { Documents } from '#vault'
import type { ImportsElsewhere } from './elsewhere.ts'
import { failureOf, stops } from './stops.ts'

/** How far an import is. `before`: how many others begin before it does. */
interface JobProgress {
  readonly bytesRead: number
  readonly rows: number
  readonly before?: number
}

/** A running or finished import. */
export interface Job {
  readonly id: string
  readonly state: 'running' | 'done' | 'failed'
  readonly progress: JobProgress
  /** Parameters, once the import is over. */
  readonly report?: Resource
  /** What it broke off for, told by the process in which it ran. */
  readonly problem?: Problem
  /** Resolves when the import is over, however it ended. */
  readonly done: Promise<void>
}

interface StoredJob {
  readonly grant: string
  readonly state: Job['state']
  readonly progress: JobProgress
  readonly report?: Resource
}

const collection = 'ingest-jobs'
const keptMs = 7 * 24 * 3600 * 1000

/** What a job says that died with its process. */
const interrupted: Resource = {
  resourceType: 'OperationOutcome',
  issue: [
    {
      severity: 'error',
      code: 'transient',
      diagnostics: 'The server was restarted during the import. What was committed is kept; the same file resumes it.',
    },
  ],
}

interface JobsRooms {
  readonly log: Log
  /** Other processes that serve the same house. */
  readonly elsewhere?: ImportsElsewhere
}

/** What a job is told while it runs, and tells. */
export interface Running {
  readonly progress: { bytesRead: number; rows: number }
  /** Aborted with the Problem that the import ends for. */
  readonly signal: AbortSignal
}

/** An import to be run. */
export interface Order {
  readonly grant: Grant
  /** Patient id. */
  readonly patient: string
  /** What the work needs: the job's from now on, and given back at its end. */
  readonly owned: AsyncDisposable
  /** How many others begin before it does. */
  before(): number
  /** Whether the patient is still kept here: of one who was erased, by whatever process, no report stays. */
  isKept(): Promise<boolean>
  work(running: Running): Promise<{ problem?: Problem; report: Resource }>
}

class RunningJob implements Job {
  readonly id = randomId16().toString('hex')
  readonly order: Order
  readonly stopping = new AbortController()
  readonly counted = { bytesRead: 0, rows: 0 }
  state: Job['state'] = 'running'
  report?: Resource
  problem?: Problem
  done: Promise<void> = Promise.resolve()

  constructor(order: Order) {
    this.order = order
  }

  get progress(): JobProgress {
    const before = this.order.before()
    return before === 0 ? { ...this.counted } : { ...this.counted, before }
  }
}

/** How often others are shown how far the imports of this process are. */
const showEveryMs = 1_000

/**
 * The imports of this process, what others show of theirs, and what is left of earlier ones. Progress is in memory; how a job began and
 * ended is in sealed documents, for a week. A job exists for the grant that began it and for nobody else.
 */
export class Jobs {
  readonly #documents: Documents
  readonly #clock: Clock
  readonly #log: Log
  readonly #elsewhere: ImportsElsewhere | undefined
  readonly #running = new Map<string, RunningJob>()
  #showing: NodeJS.Timeout | undefined
  #isClosing = false

  constructor(documents: Documents, clock: Clock, { log, elsewhere }: JobsRooms) {
    this.#documents = documents
    this.#clock = clock
    this.#log = log
    this.#elsewhere = elsewhere
  }

  /** Takes over what the order owns, also when it throws. */
  async begin(order: Order): Promise<Job> {
    await using owned = new AsyncDisposableStack()
    owned.use(order.owned)
    if (this.#isClosing) throw stops.closing()
    const job = new RunningJob(order)
    await this.#keep(job)
    this.#running.set(job.id, job)
    await this.#show()
    if (this.#isClosing) job.stopping.abort(stops.closing())
    job.done = this.#finish(job, owned.move())
    return job
  }

  /** Never rejects: whoever waits for a job asks for its state afterwards. */
  async #finish(job: RunningJob, owned: AsyncDisposable): Promise<void> {
    const { order, counted, stopping } = job
    try {
      const { problem, report } = await order.work({ progress: counted, signal: stopping.signal })
      job.report = report
      if (problem !== undefined) job.problem = problem
      job.state = problem === undefined ? 'done' : 'failed'
      if (!isErased(stopping.signal)) await this.#keep(job)
      // Asked after it was kept: whoever erases from now on finds it.
      if (!(await order.isKept())) await this.#documents.delete(collection, job.id)
    } catch (error) {
      job.state = 'failed'
      job.problem = isProblem(error) ? error : failureOf(error)
      this.#log.error('job lost', { room: 'ingest', code: job.problem.code })
    } finally {
      this.#running.delete(job.id)
      await this.#giveBack(owned)
      await this.#show()
    }
  }

  /** Whoever is told of a job may ask another process for it. */
  async #show(): Promise<void> {
    if (this.#elsewhere === undefined) return
    clearTimeout(this.#showing)
    if (this.#running.size > 0) this.#showing = setTimeout(() => void this.#show(), showEveryMs).unref()
    const shown = [...this.#running].map(
      ([id, { order, progress }]) => [id, { grant: order.grant.id, progress }] as const,
    )
    // An import goes on although nobody hears of it.
    await this.#elsewhere.show(new Map(shown)).catch(() => undefined)
  }

  async #giveBack(owned: AsyncDisposable): Promise<void> {
    try {
      await owned[Symbol.asyncDispose]()
    } catch {
      this.#log.error('file not closed', { room: 'ingest', code: 'ingest.failed' })
    }
  }

  async #keep({ id, state, counted, report, order }: RunningJob): Promise<void> {
    const progress = { ...counted }
    const stored: StoredJob = { grant: order.grant.id, state, progress, ...(report === undefined ? {} : { report }) }
    const expiresAtMs = this.#clock.nowMs() + keptMs
    await this.#documents.put(collection, id, stored, { expiresAtMs, group: order.patient })
  }

  /** The job, if this grant began it. */
  async find(id: string, grant: Grant): Promise<Job | undefined> {
    const running = this.#running.get(id)
    if (running !== undefined) return running.order.grant.id === grant.id ? running : undefined
    if (!/^[0-9a-f]{32}$/.test(id)) return undefined
    const stored = await this.#stored(id, grant)
    if (stored === undefined) return undefined
    if (stored.state !== 'running') return toldOf(id, stored)
    const shown = await this.#elsewhere?.find(id)
    if (shown !== undefined) return { id, state: 'running', progress: shown.progress, done }
    // It may have ended since.
    const ended = await this.#stored(id, grant)
    if (ended === undefined) return undefined
    return toldOf(id, ended.state === 'running' ? { ...ended, state: 'failed', report: interrupted } : ended)
  }

  async #stored(id: string, grant: Grant): Promise<StoredJob | undefined> {
    const found = await this.#documents.get<StoredJob>(collection, id)
    return found?.value.grant === grant.id ? found.value : undefined
  }

  /** Ends the imports for a patient who is erased, and forgets those that are over. */
  async forgetPatient(patient: string): Promise<void> {
    await this.#end(stops.erased(), job => job.order.patient === patient)
    for (const { name } of await this.#documents.list(collection, { group: patient }))
      await this.#documents.delete(collection, name)
  }

  /** Ends the imports that run for an account, which is deleted. */
  async endOf(account: string): Promise<void> {
    await this.#end(stops.deleted(), job => job.order.grant.account === account)
  }

  /** Ends what is running, and takes nothing new. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#end(stops.closing(), () => true)
  }

  async #end(why: Problem, isMeant: (job: RunningJob) => boolean): Promise<void> {
    const meant = [...this.#running.values()].filter(isMeant)
    for (const { stopping } of meant) stopping.abort(why)
    await Promise.all(meant.map(({ done }) => done))
  }
}

/** Nobody waits here for what ended, or runs elsewhere. */
const done = Promise.resolve()

function toldOf(id: string, { state, progress, report }: StoredJob): Job {
  return { id, state, progress, ...(report === undefined ? {} : { report }), done }
}

function isErased({ reason }: AbortSignal): boolean {
  return isProblem(reason) && reason.code === 'ingest.patient-erased'
}
