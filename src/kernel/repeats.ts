import type { LogFields, LogLevel } from './log.ts'

export type LineLevel = Exclude<LogLevel, 'silent'>

export type WriteLine = (at: LineLevel, message: string, fields: LogFields) => void

/**
 * Lines of one kind that are written before they are counted, and how many kinds are summed by name each time: of all processes that
 * serve one house together, or nearly, for each writes one at least.
 */
const burst = 20
const kindsSummed = 8
/** A kind that has not been heard of for so many sums is written again. */
const forgottenAfter = 60
const mostKinds = 1000

interface Kind {
  readonly at: LineLevel
  readonly message: string
  readonly fields: LogFields
  written: number
  held: number
  quiet: number
}

/** Those that count at the moment. One listener sums them when the process ends, however many logs it has opened. */
const counting = new Set<Repeats>()
process.once('exit', () => {
  for (const repeats of counting) repeats.sum()
})

/**
 * Counts lines that say the same: whoever makes the server log at full speed should not fill its disk. Of each kind – level,
 * message, code, status – a few are written, then their number now and then.
 *
 * @param processes  how many write the same log, each for itself
 */
export class Repeats {
  readonly #write: WriteLine
  readonly #sumEveryMs: number
  readonly #burst: number
  readonly #kindsSummed: number
  readonly #kinds = new Map<string, Kind>()
  #timer: NodeJS.Timeout | undefined

  constructor(write: WriteLine, sumEveryMs: number, processes = 1) {
    this.#write = write
    this.#sumEveryMs = sumEveryMs
    this.#burst = Math.ceil(burst / processes)
    this.#kindsSummed = Math.ceil(kindsSummed / processes)
  }

  /** Whether a line is to be written; else it has been counted. */
  passes(at: LineLevel, message: string, fields: LogFields): boolean {
    const kind = this.#kindOf(at, message, fields)
    kind.quiet = 0
    if (kind.written < this.#burst) {
      kind.written++
      return true
    }
    kind.held++
    return false
  }

  /** Writes how many lines were held back since the last time. */
  sum(): void {
    const held = [...this.#kinds.values()].filter(kind => kind.held > 0).toSorted((a, b) => b.held - a.held)
    for (const { at, message, fields, held: count } of held.slice(0, this.#kindsSummed))
      this.#write(at, `${message}, and so again`, { ...fields, count })
    const rest = held.slice(this.#kindsSummed).reduce((sum, kind) => sum + kind.held, 0)
    if (rest > 0) this.#write('warn', 'other lines were held back', { count: rest })
    for (const [key, kind] of this.#kinds) {
      kind.held = 0
      if (++kind.quiet > forgottenAfter) this.#kinds.delete(key)
    }
    if (this.#kinds.size > 0) return
    counting.delete(this)
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #kindOf(at: LineLevel, message: string, { room, code, status, errorName }: LogFields): Kind {
    const key = `${at} ${message} ${room} ${code} ${status} ${errorName}`
    const known = this.#kinds.get(key)
    if (known !== undefined) return known
    const fields = Object.fromEntries(
      Object.entries({ room, code, status, errorName }).filter(([, value]) => value !== undefined),
    )
    const kind: Kind = { at, message, fields, written: 0, held: 0, quiet: 0 }
    if (this.#kinds.size < mostKinds) this.#kinds.set(key, kind)
    counting.add(this)
    this.#timer ??= setInterval(() => this.sum(), this.#sumEveryMs).unref()
    return kind
  }
}
