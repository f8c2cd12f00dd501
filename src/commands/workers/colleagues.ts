import type { CountSheet, FiguresOfAll, SharedCounts } from '#http'
import type { ImportsElsewhere } from '#ingest'
import type { Beginning, Blocked, ToPrimary, ToWorker } from './topics.ts'
import type { Wire } from './wire.ts'

/** The processes that serve one house together, as each of them sees the others. */
export interface Colleagues {
  /** How many there are to be, this one included. What each may have of memory is divided by it. */
  readonly count: number
  /** Which one this is, from 1 on; undefined where there is no other. */
  readonly number?: number
  /** Whether this is the one that looks after what is everybody's. */
  leads(): boolean
  /** What the others find wrong. */
  alarms(): readonly string[]
  readonly counts?: SharedCounts
  readonly imports?: ImportsElsewhere
  readonly figures?: FiguresOfAll
}

/** The only process of its server. */
export const alone: Colleagues = { count: 1, leads: () => true, alarms: () => [] }

/** A wire from a worker to its primary. */
export type WorkerWire = Wire<ToPrimary, ToWorker>

/** The others, over the wire to the primary. */
export function colleaguesOver(wire: WorkerWire, { number, count, ...begun }: Beginning): Colleagues {
  const known = { leads: begun.leads, alarms: begun.alarms }
  wire.on('lead', leads => {
    known.leads = leads
  })
  wire.on('alarms', alarms => {
    known.alarms = alarms
  })
  return {
    number,
    count,
    leads: () => known.leads,
    alarms: () => known.alarms,
    counts: new CountsOverWire(wire, count),
    imports: {
      claim: claim => wire.ask('claim', claim),
      release: held => wire.tell('release', held),
      show: jobs => wire.ask('jobs', jobs),
      find: id => wire.ask('job', id),
    },
    figures: {
      offer: figures => wire.on('figures', figures),
      all: () => wire.ask('figures', undefined),
    },
  }
}

/** What is counted is told this often, and at once when it is this part of what is allowed for each worker. */
const tellEveryMs = 50
const toldParts = 8

/** Counts here and adds up in the primary: a message for each request would cost more than a read. */
class CountsOverWire implements SharedCounts {
  readonly #wire: WorkerWire
  readonly #parts: number
  readonly #sheets: (CountSheet & { readonly counted: Map<string, number> })[] = []
  readonly #blocking = new Map<string, (key: string, forMs: number) => void>()
  #timer: NodeJS.Timeout | undefined

  constructor(wire: WorkerWire, workers: number) {
    this.#wire = wire
    this.#parts = toldParts * workers
    wire.on('blocked', ({ counter, key, forMs }: Blocked) => this.#blocking.get(counter)?.(key, forMs))
  }

  counter(...[name, limit, block]: Parameters<SharedCounts['counter']>): (key: string, many?: number) => void {
    const counted = new Map<string, number>()
    this.#sheets.push({ counter: name, limit, counted })
    this.#blocking.set(name, block)
    const atOnce = Math.ceil(limit.points / this.#parts)
    return (key, many = 1) => {
      const count = (counted.get(key) ?? 0) + many
      counted.set(key, count)
      if (count >= atOnce) this.#tell()
      else this.#timer ??= setTimeout(() => this.#tell(), tellEveryMs).unref()
    }
  }

  #tell(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const sheets = this.#sheets.filter(({ counted }) => counted.size > 0)
    this.#wire.tell('counts', sheets)
    for (const { counted } of sheets) counted.clear()
  }
}
