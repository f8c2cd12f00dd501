import { isProblem } from './problem.ts'

/** How something came out. All of it is patterns, statuses and codes of ours, never what somebody sent. */
export interface Outcome {
  /** Of an answer over HTTP. */
  readonly status?: number
  readonly method?: string
  /** The pattern of its route. */
  readonly route?: string
  /** Of a Problem. */
  readonly code?: string
}

/** What goes on for a while, as whoever traces it is told. */
export interface Span {
  end(outcome?: Outcome): void
}

/** Records what goes on. */
export interface Tracer {
  /** Runs work within a span; what begins a span meanwhile is part of it. */
  within<T>(name: SpanName, work: (span: Span) => T): T
}

/** A room and what it does. */
export type SpanName = `${string}.${string}`

let tracer: Tracer | undefined

/** From now on everything that goes on in this process is traced; undefined ends that. */
export function traceWith(chosen: Tracer | undefined): void {
  tracer = chosen
}

const untold: Span = { end: () => undefined }

/** Runs work as a span whose end is the work's to tell; where nobody traces it is only run. */
export function spanned<T>(name: SpanName, work: (span: Span) => T): T {
  return tracer === undefined ? work(untold) : tracer.within(name, work)
}

/** Runs work as a span that ends with its promise; what it fails with is told by its code alone. */
export function traced<T>(name: SpanName, work: () => Promise<T>): Promise<T> {
  return tracer === undefined ? work() : tracer.within(name, span => endWith(span, work()))
}

async function endWith<T>(span: Span, running: Promise<T>): Promise<T> {
  try {
    const result = await running
    span.end()
    return result
  } catch (error) {
    span.end({ code: isProblem(error) ? error.code : 'unforeseen' })
    throw error
  }
}
