import { SingleBar } from 'cli-progress'
import type { Progress } from '#ingest'
import { output } from './output.ts'

/** Shows how far an import is. */
export interface ProgressView {
  show(progress: Progress): void
  stop(): void
}

const format = '{bar} {percentage}% | {read} of {whole} | {rows} rows | {rate} | {left}'
/** Where nobody looks at a terminal, a log gets a line so often. */
const lineEveryMs = 10_000

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** Seconds as people say them: `40 s`, `3 min`, `2 h 5 min`. */
export function inWords(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  const minutes = Math.round(whole / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** What is said beside the bar. The rate is that of the whole import so far; rows are committed after they were read. */
export function factsOf({ bytesRead, bytesTotal, rows }: Progress, elapsedMs: number) {
  const perSecond = elapsedMs > 0 ? (bytesRead / elapsedMs) * 1000 : 0
  const left = bytesRead < bytesTotal && perSecond > 0 ? `${inWords((bytesTotal - bytesRead) / perSecond)} left` : ''
  return {
    read: megabytes(bytesRead),
    whole: megabytes(bytesTotal),
    rows,
    rate: `${megabytes(perSecond)}/s`,
    left: left || (bytesRead < bytesTotal ? 'beginning' : 'writing what was read'),
  }
}

/** A bar on a terminal, a line now and then elsewhere; nothing for an import that is over at once. */
export function viewProgress(isTerminal: boolean, nowMs: () => number = () => performance.now()): ProgressView {
  const startedMs = nowMs()
  return isTerminal ? bar(() => nowMs() - startedMs) : lines(() => nowMs() - startedMs)
}

function bar(elapsedMs: () => number): ProgressView {
  const shown = new SingleBar({ format, hideCursor: true, clearOnComplete: true })
  return {
    // It appears with the first progress: a file that is refused has none.
    show(progress) {
      const facts = factsOf(progress, elapsedMs())
      if (!shown.isActive) shown.start(progress.bytesTotal, 0, facts)
      shown.update(progress.bytesRead, facts)
    },
    stop: () => shown.stop(),
  }
}

function lines(elapsedMs: () => number): ProgressView {
  let nextMs = lineEveryMs
  return {
    show(progress) {
      if (elapsedMs() < nextMs) return
      nextMs = elapsedMs() + lineEveryMs
      const { read, whole, rows, rate, left } = factsOf(progress, elapsedMs())
      output.say(`${read} of ${whole}, ${rows} rows, ${rate}, ${left}`)
    },
    stop: () => undefined,
  }
}
