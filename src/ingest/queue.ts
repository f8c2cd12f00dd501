import { gauge, Problem } from '#kernel'

/** How many imports a process has at once: taken in, and worked on. */
export interface QueueLimits {
  /** Files that arrive, wait or are read. */
  readonly maxImports: number
  readonly maxImportsPerGrant: number
  /** Imports that are worked on; the others wait for their turn. */
  readonly maxRunning: number
}

/** A place among the imports of this process; whoever has it gives it back. */
export interface Place extends Disposable {
  /** How many wait before it; 0 once it is worked on. */
  readonly before: number
  /** Resolves when it is this one's turn. Rejects with what the signal was aborted with. */
  turn(signal: AbortSignal): Promise<void>
}

/** `arriving`: the file is not here yet. */
const states = ['arriving', 'waiting', 'working'] as const

/** A queue is short: whoever is refused may come back soon. */
const retryAfterSeconds = 30

/**
 * Who imports in this process. A few are worked on at once, in the order in which they came, but of those who wait the one whose
 * grant has the fewest at work goes first: one app with many files keeps nobody else waiting.
 */
export class ImportQueue {
  readonly #limits: QueueLimits
  readonly #places = new Set<QueuedPlace>()

  constructor(limits: QueueLimits) {
    this.#limits = limits
    const help = 'Imports of this process by what they do'
    for (const state of states)
      gauge(this, { name: 'kinhold_imports', help, labels: { state } }, queue => queue.#count(state))
  }

  /**
   * @param owner  pseudonymous id of the grant
   * @throws Problem `throttled` · `ingest.too-many-imports` for a grant with enough of its own; `busy` ·
   *   `ingest.too-many-imports` when there are enough in all
   */
  enter(owner: string): Place {
    const { maxImports, maxImportsPerGrant } = this.#limits
    if (this.#of(owner).length >= maxImportsPerGrant) throw tooManyOfGrant(maxImportsPerGrant)
    if (this.#places.size >= maxImports) throw tooMany(maxImports)
    const place = new QueuedPlace(owner, this)
    this.#places.add(place)
    return place
  }

  /** Lets the next ones begin, as many as may. */
  next(): void {
    for (let first = this.#order()[0]; first !== undefined && this.#isFree(); first = this.#order()[0]) first.begin()
  }

  leave(place: QueuedPlace): void {
    this.#places.delete(place)
    this.next()
  }

  /** How many begin before this one does. */
  before(place: QueuedPlace): number {
    return Math.max(0, this.#order().indexOf(place))
  }

  #of(owner: string): readonly QueuedPlace[] {
    return [...this.#places].filter(place => place.owner === owner)
  }

  #isFree(): boolean {
    return this.#count('working') < this.#limits.maxRunning
  }

  #count(wanted: QueuedPlace['state']): number {
    return [...this.#places].filter(({ state }) => state === wanted).length
  }

  #order(): readonly QueuedPlace[] {
    const atWork = (owner: string) => this.#of(owner).filter(({ state }) => state === 'working').length
    const waiting = [...this.#places].filter(({ state }) => state === 'waiting')
    return waiting.toSorted((one, other) => atWork(one.owner) - atWork(other.owner))
  }
}

class QueuedPlace implements Place {
  readonly owner: string
  readonly #queue: ImportQueue
  readonly #turn = Promise.withResolvers<void>()
  state: (typeof states)[number] = 'arriving'

  constructor(owner: string, queue: ImportQueue) {
    this.owner = owner
    this.#queue = queue
  }

  get before(): number {
    return this.#queue.before(this)
  }

  async turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const stop = () => this.#turn.reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    try {
      this.state = 'waiting'
      this.#queue.next()
      await this.#turn.promise
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  begin(): void {
    this.state = 'working'
    this.#turn.resolve()
  }

  [Symbol.dispose](): void {
    this.#queue.leave(this)
  }
}

/** A grant has enough files here. */
export function tooManyOfGrant(most: number): Problem {
  const text = `This access token has ${most} files here already that are not imported yet. Wait until one of them is.`
  return new Problem('throttled', 'ingest.too-many-imports', text, { retryAfterSeconds })
}

/** There are enough files here. */
export function tooMany(most: number): Problem {
  const text = `This server has ${most} files already that are not imported yet. Try again later.`
  return new Problem('busy', 'ingest.too-many-imports', text, { retryAfterSeconds })
}
