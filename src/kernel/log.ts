import { pino } from 'pino'
import { type LineLevel, Repeats, type WriteLine } from './repeats.ts'

/**
 * Everything a log line may hold. An allow-list, not a redaction list: what is not named here is not written,
 * so a patient's value cannot reach a log by being in an object that somebody passed.
 */
export interface LogFields {
  readonly requestId?: string
  /** Route template, e.g. `/fhir/:type/:id`; never the path that was asked for. */
  readonly route?: string
  readonly method?: string
  readonly status?: number
  readonly durationMs?: number
  readonly sizeBytes?: number
  readonly count?: number
  /** A Problem's code. */
  readonly code?: string
  /** A Problem's detail, which never quotes a patient's values. */
  readonly detail?: string
  readonly room?: string
  /** Keyed hash of the caller; not an account name. */
  readonly subject?: string
  readonly address?: string
  readonly errorName?: string
  /** Which process of several that serve one house. */
  readonly worker?: number
}

const allowed: readonly (keyof LogFields)[] = [
  'requestId',
  'route',
  'method',
  'status',
  'durationMs',
  'sizeBytes',
  'count',
  'code',
  'detail',
  'room',
  'subject',
  'address',
  'errorName',
  'worker',
]

/** How much is written; `silent` writes nothing. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Where a room says what happened. Messages are constants; anything variable goes into LogFields. */
export interface Log {
  /** Whether `debug` writes at all: what is said of each request need not be gathered when it does not. */
  readonly writesDebug: boolean
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** One of several processes that write the same log. */
interface Among {
  readonly worker: number
  /** How many there are to be, this one included. */
  readonly processes: number
}

/**
 * A JSON-lines log on `destination` (standard error by default). Messages are constants; values go into LogFields. Lines that say
 * the same again and again are counted once they have been written a few times, unless everything is to be written.
 *
 * @param sumEveryMs  how often the counts are written
 * @param among       which of the processes that serve one house it is: stands in each line, and what they may write is divided
 */
export function createLog(
  level: LogLevel,
  destination: { write(line: string): void } = process.stderr,
  sumEveryMs = 60_000,
  among?: Among,
): Log {
  const base = among === undefined ? null : { worker: among.worker }
  const logger = pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime }, destination)
  const put: WriteLine = (at, message, fields) => {
    const kept: Record<string, unknown> = {}
    for (const name of allowed) if (fields[name] !== undefined) kept[name] = fields[name]
    logger[at](kept, message)
  }
  const writesDebug = logger.isLevelEnabled('debug')
  const repeats = new Repeats(put, sumEveryMs, among?.processes)
  const write =
    (at: LineLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (!logger.isLevelEnabled(at)) return
      if (writesDebug || repeats.passes(at, message, fields)) put(at, message, fields)
    }
  return { writesDebug, debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** A log that keeps nothing. */
export const silentLog: Log = { writesDebug: false, debug() {}, info() {}, warn() {}, error() {} }
