import { Tinypool } from 'tinypool'
import { encodeJsonInSteps, type Resource } from '#fhir'
import { FairQueue, inSlices, ownMemoryOf, Problem, type ProblemIssue } from '#kernel'
import type { Extent } from './invariants.ts'

/** What it has grown to is given back when nothing large has come for so long; to begin anew takes it half a second. */
const idleMs = 5_000
const oldMebibytes = 256
const youngMebibytes = 16
/** The largest that may be sent takes a few seconds; who asks for more holds up the others. */
const longestMs = 30_000

/** Each is the usual one when left out. */
export interface ThreadLimits {
  /** Of one resource, from when the thread has begun. */
  readonly longestMs?: number
  /** What the thread may hold that has lasted for a while: its modules and a resource. */
  readonly heapMebibytes?: number
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
  private readonly heapMebibytes: number

  constructor(limits: ThreadLimits = {}) {
    this.longestMs = limits.longestMs ?? longestMs
    this.heapMebibytes = limits.heapMebibytes ?? oldMebibytes
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
    let beganAtMs = Number.POSITIVE_INFINITY
    try {
      if (closings !== this.closings) throw closed()
      const pool = await this.begun()
      beganAtMs = performance.now()
      resolve(await this.run(pool, sent))
    } catch (error) {
      reject(error)
    } finally {
      this.queue.charge(owner, Math.max(0, performance.now() - beganAtMs))
    }
  }

  async close(): Promise<void> {
    this.closings++
    const { pool } = this
    this.pool = undefined
    await pool?.destroy()
  }

  /**
   * The thread, with its modules loaded: that takes many seconds on a machine with much to do, which is no fault of the resource, and
   * not of whoever happens to be the first.
   */
  private async begun(): Promise<Tinypool> {
    this.pool ??= new Tinypool({
      filename: new URL('./thread.ts', import.meta.url).href,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: idleMs,
      resourceLimits: { maxOldGenerationSizeMb: this.heapMebibytes, maxYoungGenerationSizeMb: youngMebibytes },
    })
    const pool = this.pool
    await pool.run(nothing)
    if (pool !== this.pool) throw closed()
    return pool
  }

  private async run(pool: Tinypool, sent: Sent): Promise<readonly ProblemIssue[]> {
    const signal = AbortSignal.timeout(this.longestMs)
    const own = ownMemoryOf(sent.text)
    try {
      // Handed over, not copied. Tinypool takes the list's type from another overload of `postMessage`.
      return await pool.run(sent, { signal, ...(own === undefined ? {} : { transferList: [own] as never }) })
    } catch (error) {
      if (signal.aborted) throw tooCostly('To validate the resource takes too long.', error)
      if (isOutOfMemory(error)) throw tooCostly('To validate the resource takes too much memory.', error)
      throw error
    }
  }
}

/** The thread is gone then, and the pool begins another one for who is next: https://nodejs.org/api/errors.html#err_worker_out_of_memory */
function isOutOfMemory(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
}

function tooCostly(text: string, cause: unknown): Problem {
  return new Problem('too-costly', 'validation.too-costly', text, { cause })
}

function closed(): Error {
  return new Error('The validating thread was closed.')
}
