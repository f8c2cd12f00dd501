import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { type Clock, isProblem, type Log, randomId16 } from '#kernel'
import type { Documents } from '#vault'

/** A running or finished import. */
export interface Job {
  readonly id: string
  readonly state: 'running' | 'done' | 'failed'
  readonly progress: { readonly bytesRead: number; readonly rows: number }
  /** Parameters, once the import is over. */
  readonly report?: Resource
  /** Resolves when the import is over, however it ended. */
  readonly done: Promise<void>
}

interface StoredJob {
  readonly grant: string
  readonly state: Job['state']
  readonly progress: Job['progress']
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

/** Work that reports its progress and ends with a report. */
export type Work = (progress: { bytesRead: number; rows: number }) => Promise<{ failed: boolean; report: Resource }>

class RunningJob implements Job {
  readonly id = randomId16().toString('hex')
  state: Job['state'] = 'running'
  readonly progress = { bytesRead: 0, rows: 0 }
  report?: Resource
  done: Promise<void> = Promise.resolve()
}

/**
 * The imports of this process, and what is left of earlier ones. Progress is in memory; how a job began and ended is
 * in sealed documents, for a week. A job exists for the grant that began it and for nobody else.
 */
export class Jobs {
  readonly #documents: Documents
  readonly #clock: Clock
  readonly #log: Log
  readonly #running = new Map<string, { readonly job: RunningJob; readonly grant: string }>()

  constructor(documents: Documents, clock: Clock, log: Log) {
    this.#documents = documents
    this.#clock = clock
    this.#log = log
  }

  async begin(grant: Grant, work: Work): Promise<Job> {
    const job = new RunningJob()
    await this.#keep(job, grant.id)
    this.#running.set(job.id, { job, grant: grant.id })
    job.done = this.#finish(job, grant.id, work)
    return job
  }

  /** Never rejects: whoever waits for a job asks for its state afterwards. */
  async #finish(job: RunningJob, grant: string, work: Work): Promise<void> {
    try {
      const { failed, report } = await work(job.progress)
      job.report = report
      job.state = failed ? 'failed' : 'done'
      await this.#keep(job, grant)
    } catch (error) {
      job.state = 'failed'
      this.#log.error('job lost', { room: 'ingest', code: isProblem(error) ? error.code : 'ingest.failed' })
    } finally {
      this.#running.delete(job.id)
    }
  }

  async #keep(job: RunningJob, grant: string): Promise<void> {
    const { state, progress, report } = job
    const stored: StoredJob = { grant, state, progress, ...(report === undefined ? {} : { report }) }
    await this.#documents.put(collection, job.id, stored, { expiresAtMs: this.#clock.nowMs() + keptMs })
  }

  /** The job, if this grant began it. */
  async find(id: string, grant: Grant): Promise<Job | undefined> {
    const running = this.#running.get(id)
    if (running !== undefined) return running.grant === grant.id ? running.job : undefined
    if (!/^[0-9a-f]{32}$/.test(id)) return undefined
    const found = await this.#documents.get<StoredJob>(collection, id)
    if (found === undefined || found.value.grant !== grant.id) return undefined
    const { state, progress, report } = found.value
    const done = Promise.resolve()
    if (state === 'running') return { id, state: 'failed', progress, report: interrupted, done }
    return { id, state, progress, ...(report === undefined ? {} : { report }), done }
  }

  /** Waits for what is running. */
  async settle(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ job }) => job.done))
  }
}
