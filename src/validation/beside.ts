import { Tinypool } from 'tinypool'
import { encodeJsonInSteps, type Resource } from '#fhir'
import { FairQueue, inSlices, ownMemoryOf, Problem, type ProblemIssue } from '#kernel'
import type { Extent } from './invariants.ts'

/** What it has grown to is given back when nothing large has come for so long; to begin anew takes it half a second. */
const idleMs = 5_000
const heapMebibytes = { old: 256, young: 16 }
/** The largest that may be sent takes a few seconds; who asks for more holds up the others. */
const longestMs = 30_000

export interface ThreadLimits {
  /** Of one resource, from when the thread has begun; the usual when left out. */
  readonly longestMs?: number
}

/** What the thread is given. */
export interface Sent {
  /** A resource as JSON, in UTF-8. */
  readonly text: Uint8Array
  readonly extent: Extent
}

/** What a thread is asked first: it answers once its modules are loaded. */
const nothing: Sent = { text: new TextEncoder().encode('{"resourceType":"Basic"}'), extent: 'errors' }

/** A resource that waits, and whoever waits for it. */
interface Waiting {
  readonly owner: string
  readonly sent: Sent
  /** How often the thread had been closed when it came. */
  readonly closings: number
  readonly resolve: (found: readonly ProblemIssue[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * A thread beside the event loop that validates one resource after another; it begins with the first. Of those who wait the owner goes
 * first who has used least of it: what is large keeps nobody waiting but its owner.
 */
export class ValidatingThread {
  private pool: Tinypool | undefined
  private readonly queue = new FairQueue<Waiting>()
  private isWorking = false
  private closings = 0
  private readonly longestMs: number

  constructor(limits: ThreadLimits = {}) {
    this.longestMs = limits.longestMs ?? longestMs
  }

  /** What `Validator.validate` says of the resource. @throws Problem `too-costly` · `validation.too-costly` */
  async validate(resource: Resource, extent: Extent, owner: string): Promise<readonly ProblemIssue[]> {
    const { closings } = this
    const sent: Sent = { text: await inSlices(encodeJsonInSteps(resource)), extent }
    const { promise, resolve, reject } = Promise.withResolvers<readonly ProblemIssue[]>()
    this.queue.add({ owner, sent, closings, resolve, reject })
    if (!this.isWorking) void this.work()
    return promise
  }

  /** Each has its time for itself: none waits in the pool. */
  private async work(): Promise<void> {
    this.isWorking = true
    for (let next = this.queue.take(); next !== undefined; next = this.queue.take()) await this.settle(next)
    this.isWorking = false
  }

  private async settle({ owner, sent, closings, resolve, reject }: Waiting): Promise<void> {
    const beganAtMs = performance.now()
    try {
      if (closings !== this.closings) throw closed()
      resolve(await this.run(sent))
    } catch (error) {
      reject(error)
    } finally {
      this.queue.charge(owner, performance.now() - beganAtMs)
    }
  }

  async close(): Promise<void> {
    this.closings++
    const { pool } = this
    this.pool = undefined
    await pool?.destroy()
  }

  private async run(sent: Sent): Promise<readonly ProblemIssue[]> {
    this.pool ??= new Tinypool({
      filename: new URL('./thread.ts', import.meta.url).href,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: idleMs,
      resourceLimits: { maxOldGenerationSizeMb: heapMebibytes.old, maxYoungGenerationSizeMb: heapMebibytes.young },
    })
    const pool = this.pool
    // To load its modules takes a thread that begins many seconds on a machine with much to do, which is no fault of the resource.
    await pool.run(nothing)
    if (pool !== this.pool) throw closed()
    const signal = AbortSignal.timeout(this.longestMs)
    const own = ownMemoryOf(sent.text)
    try {
      // Handed over, not copied. Tinypool takes the list's type from another overload of `postMessage`.
      return await pool.run(sent, { signal, ...(own === undefined ? {} : { transferList: [own] as never }) })
    } catch (error) {
      if (!signal.aborted) throw error
      throw new Problem('too-costly', 'validation.too-costly', 'To validate the resource takes too long.', {
        cause: error,
      })
    }
  }
}

function closed(): Error {
  return new Error('The validating thread was closed.')
}
