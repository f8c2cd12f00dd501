const everyMs = 50
/** The event loop is late when a timer comes so much after its time. */
const lateMs = 150

/** Watches how late the event loop is: what takes long in one turn keeps everybody waiting, those included who are not counted. */
export class LoopWatch {
  #lagMs = 0
  #dueMs = performance.now() + everyMs

  constructor() {
    setInterval(() => this.#look(performance.now()), everyMs).unref()
  }

  get isLate(): boolean {
    return this.#lagMs > lateMs
  }

  /** The last great delay is forgotten by halves. */
  #look(nowMs: number): void {
    this.#lagMs = Math.max(nowMs - this.#dueMs, this.#lagMs / 2)
    this.#dueMs = nowMs + everyMs
  }
}
