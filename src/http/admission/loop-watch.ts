const everyMs = 50
/** The event loop is late when a timer comes so much after its time. */
const lateMs = 150
/** Of its time, from which on the event loop has nothing left. */
const busyShare = 0.85
/** How much the last moment weighs: a burst of two seconds is none that leaves no time. */
const weight = 0.05

/** Watches the event loop: how late it is, and whether it has had any time left of late. */
export class LoopWatch {
  #lagMs = 0
  #dueMs = performance.now() + everyMs
  #used = performance.eventLoopUtilization()
  #share = 0

  constructor() {
    setInterval(() => this.#look(performance.now()), everyMs).unref()
  }

  get isLate(): boolean {
    return this.#lagMs > lateMs
  }

  /** Whether it has been at work for some seconds with hardly a pause. */
  get isBusy(): boolean {
    return this.#share > busyShare
  }

  /** The last great delay is forgotten by halves. */
  #look(nowMs: number): void {
    this.#lagMs = Math.max(nowMs - this.#dueMs, this.#lagMs / 2)
    this.#dueMs = nowMs + everyMs
    const used = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(used, this.#used)
    this.#used = used
    this.#share += weight * (utilization - this.#share)
  }
}
