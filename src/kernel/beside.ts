import { parentPort, Worker } from 'node:worker_threads'
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
type Said = { readonly ready: true } | { readonly result: unknown } | { readonly failed: string }

/** How long modules may take to load, on whatever machine. */
const loadingMs = 60_000

/**
 * One task after another in a thread of its own, which begins with the first. A task that takes too long, or more memory than the
 * thread has, ends the thread and nothing else; the next task begins another one. It keeps no process alive.
 */
export class Beside<Task, Result> {
  private readonly plan: ThreadPlan
  private worker: Promise<Worker> | undefined
  private last: Promise<unknown> = Promise.resolve()
  private idle: NodeJS.Timeout | undefined

  constructor(plan: ThreadPlan) {
    this.plan = plan
  }

  /**
   * What the thread makes of a task.
   *
   * @param longestMs  of the task alone: neither its wait nor the beginning of a thread counts
   * @throws Problem `too-costly` · `budget.thread-exceeded`; an Error when the thread failed otherwise
   */
  run(task: Task, longestMs: number): Promise<Result> {
    const outcome = this.last.then(() => this.next(task, longestMs))
    this.last = outcome.catch(() => undefined)
    return outcome
  }

  private async next(task: Task, longestMs: number): Promise<Result> {
    clearTimeout(this.idle)
    this.worker ??= begun(this.plan)
    try {
      const worker = await this.worker
      worker.ref()
      worker.postMessage(task)
      const said = await heard(worker, longestMs)
      worker.unref()
      if ('failed' in said) throw new Error(`a thread failed: ${said.failed}`)
      return (said as { readonly result: Result }).result
    } catch (error) {
      this.end()
      throw error
    } finally {
      this.idle = setTimeout(() => this.end(), this.plan.idleMs)
      this.idle.unref()
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

/** The next thing that a thread says, or why it will say nothing more. */
function heard(worker: Worker, longestMs: number): Promise<Said> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(() => reject(tooCostly())), longestMs)
    const onMessage = (said: Said) => settle(() => resolve(said))
    const onError = (error: Error & { readonly code?: unknown }) =>
      settle(() => reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooCostly(error) : error))
    const onExit = () => settle(() => reject(new Error('a thread ended')))
    const settle = (say: () => void) => {
      clearTimeout(timer)
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
  try {
    return { result: work() }
  } catch (error) {
    return { failed: error instanceof Error ? error.constructor.name : 'Error' }
  }
}
