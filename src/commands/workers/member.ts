import cluster, { type Worker } from 'node:cluster'
import { endWhatWasNotTaken } from './handed.ts'
import type { ToPrimary, ToWorker } from './topics.ts'
import { Wire } from './wire.ts'

/** A worker as the primary sees it. */
export class Member {
  readonly number: number
  readonly wire: Wire<ToWorker, ToPrimary>
  /** Resolves to how it ended: an exit status, or the name of a signal. */
  readonly gone: Promise<number | string>
  /** When it began to serve, on a clock that nobody sets; undefined while it has not. */
  servesSinceMs: number | undefined
  /** What it finds wrong. */
  alarms: readonly string[] = []
  readonly #worker: Worker

  constructor(number: number) {
    this.number = number
    this.#worker = cluster.fork()
    endWhatWasNotTaken(this.#worker)
    const worker = this.#worker
    this.wire = new Wire<ToWorker, ToPrimary>({
      send: message => void (worker.isConnected() && worker.send(message, () => undefined)),
      listen: listener => worker.on('message', listener),
    })
    this.gone = new Promise(resolve => {
      worker.once('exit', (status: number | null, signal: string | null) => resolve(signal ?? status ?? 1))
      // What cannot be sent any more is followed by its end; only what could not be started has none.
      worker.on('error', () => {
        if (worker.process.pid === undefined) resolve('error')
      })
    })
    void this.gone.then(() => this.wire.close())
  }

  get serves(): boolean {
    return this.servesSinceMs !== undefined
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL')
  }
}
