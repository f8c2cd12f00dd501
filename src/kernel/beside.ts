import { parentPort, Worker } from 'node:worker_threads'
import { budgetLeft, spend, unwanted, wanted } from './budget.ts'
import { FairQueue } from './fair-queue.ts'
import { Problem } from './problem.ts'

/** A thread beside the event loop, for work that may go wrong in ways that only an end stops. */
export interface ThreadPlan {
  /** A module that calls `serveBeside`. */
  readonly file: URL
  /** What it may hold, in MiB; whoever needs more ends it. */
  readonly heapMebibytes: number
  /** It is given back when nothing came for so long. */
  readonly idleMs: number
}

/** What the thread says. `ready`: its modules are loaded, from now on time counts. */
type Said =
  | { readonly ready: true }
  | { readonly result: unknown; readonly tookMs: number }
  | { readonly failed: string }

/** How long modules may take to load, on whatever machine. */
const loadingMs = 60_000

/** How often it is asked whether somebody still waits for what is being computed. */
const askedEachMs = 100

/** A task that nobody waits for any more is ended from here on: before, a new thread would cost more than is saved. */
const worthEndingMs = 500

/** Of the budget, for a millisecond in a thread: ten seconds are all that one request may have. */
const workOfMs = 20_000

/** A task, and whoever waits for it. */
interface Waiting<Task, Result> {
  readonly task: Task
  readonly longestMs: number
  readonly owner: string
  readonly isWanted: () => boolean
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
  tookMs: number
}

/**
 * One task after another in a thread of its own, which begins with the first. A task that takes too long, or more memory than the
 * thread has, or that nobody waits for any more, ends the thread and nothing else; the next task begins another one. It keeps no
 * process alive.
 */
export class Beside<Task, Result> {
  private readonly plan: ThreadPlan
  private readonly queue = new FairQueue<Waiting<Task, Result>>()
  private worker: Promise<Worker> | undefined
  private isWorking = false
  private idle: NodeJS.Timeout | undefined

  constructor(plan: ThreadPlan) {
    this.plan = plan
  }

  /**
   * What the thread makes of a task. Its time is charged as work, whatever comes of it; where that is more than was left, all is used up.
   *
   * @param longestMs  of the task alone: neither its wait nor the beginning of a thread counts
   * @param owner      on whose behalf: owners have the thread by turns, whoever has used least of it first
   * @throws Problem `too-costly` · `budget.thread-exceeded`, `budget.work-exceeded`; `timeout` · `budget.unwanted`; an Error when the
   *   thread failed otherwise
   */
  async run(task: Task, longestMs: number, owner: string): Promise<Result> {
    spend('work', 1)
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    const waiting = { task, longestMs, owner, isWanted: wanted(), resolve, reject, tookMs: 0 }
    this.queue.add(waiting)
    if (!this.isWorking) void this.work()
    try {
      return await promise
    } finally {
      spend('work', Math.min(Math.ceil(waiting.tookMs * workOfMs), budgetLeft('work')))
    }
  }

  private async work(): Promise<void> {
    this.isWorking = true
    clearTimeout(this.idle)
    for (let next = this.queue.take(); next !== undefined; next = this.queue.take())
      if (next.isWanted()) await this.settle(next)
      else next.reject(unwanted())
    this.isWorking = false
    this.idle = setTimeout(() => this.end(), this.plan.idleMs)
    this.idle.unref()
  }

  private async settle(waiting: Waiting<Task, Result>): Promise<void> {
    this.worker ??= begun(this.plan)
    try {
      waiting.resolve(await resultOf(waiting, await this.worker))
    } catch (error) {
      this.end()
      waiting.reject(error)
    } finally {
      this.queue.charge(waiting.owner, waiting.tookMs)
    }
  }

  private end(): void {
    const { worker } = this
    this.worker = undefined
    worker?.then(
      one => one.terminate(),
      () => undefined,
    )
  }
}

async function begun({ file, heapMebibytes }: ThreadPlan): Promise<Worker> {
  const worker = new Worker(file, {
    resourceLimits: { maxOldGenerationSizeMb: heapMebibytes, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
    execArgv: [],
    stdout: true,
    stderr: true,
  })
  worker.on('error', () => undefined)
  await heard(worker, loadingMs)
  return worker
}

async function resultOf<Task, Result>(waiting: Waiting<Task, Result>, worker: Worker): Promise<Result> {
  const beganAtMs = performance.now()
  try {
    worker.ref()
    worker.postMessage(waiting.task)
    const hearing = heard(worker, waiting.longestMs, waiting.isWanted)
    const said = (await hearing) as Exclude<Said, { readonly ready: true }>
    worker.unref()
    if ('failed' in said) throw new Error(`a thread failed: ${said.failed}`)
    waiting.tookMs = said.tookMs
    return said.result as Result
  } catch (error) {
    waiting.tookMs = performance.now() - beganAtMs
    throw error
  }
}

/** The next thing that a thread says, or why it will say nothing more. */
function heard(worker: Worker, longestMs: number, isWanted = () => true): Promise<Said> {
  const beganAtMs = performance.now()
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(() => reject(tooCostly())), longestMs)
    const asking = setInterval(() => {
      if (performance.now() - beganAtMs >= worthEndingMs && !isWanted()) settle(() => reject(unwanted()))
    }, askedEachMs)
    const onMessage = (said: Said) => settle(() => resolve(said))
    const onError = (error: Error & { readonly code?: unknown }) =>
      settle(() => reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooCostly(error) : error))
    const onExit = () => settle(() => reject(new Error('a thread ended')))
    const settle = (say: () => void) => {
      clearTimeout(timer)
      clearInterval(asking)
      worker.off('message', onMessage).off('error', onError).off('exit', onExit)
      say()
    }
    worker.once('message', onMessage).once('error', onError).once('exit', onExit)
  })
}

function tooCostly(cause?: unknown): Problem {
  return new Problem(
    'too-costly',
    'budget.thread-exceeded',
    'To compute this takes more time or memory than one request may have.',
    { cause },
  )
}

/**
 * Answers tasks, in the thread that a `ThreadPlan` names.
 *
 * @param work  whatever it throws is told as a failure, by the name of its class alone
 */
export function serveBeside<Task, Result>(work: (task: Task) => Result): void {
  parentPort?.on('message', (task: Task) => {
    parentPort?.postMessage(answered(() => work(task)))
  })
  parentPort?.postMessage({ ready: true } satisfies Said)
}

function answered(work: () => unknown): Said {
  const beganAtMs = performance.now()
  try {
    return { result: work(), tookMs: performance.now() - beganAtMs }
  } catch (error) {
    return { failed: error instanceof Error ? error.constructor.name : 'Error' }
  }
}
