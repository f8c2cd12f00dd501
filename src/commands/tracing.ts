import { type Log, type Outcome, type Span, type Tracer, traceWith } from '#kernel'
import software from '../../package.json' with { type: 'json' }

/** What is traced, until it is ended: what has not been sent yet is sent then. */
export interface Tracing {
  end(): Promise<void>
}

/** Where spans are sent to, as OpenTelemetry names it: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
const endpoints = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'] as const

/**
 * Traces what goes on where the environment names a receiver; its packages are loaded only then. How much is traced, how it is
 * batched and what is sent beside is read from OpenTelemetry's own variables.
 */
export async function startTracing(env: NodeJS.ProcessEnv, log: Log): Promise<Tracing | undefined> {
  if (endpoints.every(name => !env[name]) || env.OTEL_SDK_DISABLED === 'true') return undefined
  const [api, sdk, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ])
  const exporter = new OTLPTraceExporter()
  const provider = new sdk.NodeTracerProvider({ spanProcessors: [new sdk.BatchSpanProcessor(exporter)] })
  provider.register()
  const inner = provider.getTracer('kinhold', software.version)
  const tracer: Tracer = {
    within: (name, work) => inner.startActiveSpan(name, span => work(telling(span, api.SpanStatusCode.ERROR))),
  }
  traceWith(tracer)
  return {
    async end() {
      traceWith(undefined)
      await provider.shutdown().catch(() => log.warn('traces could not be sent', { room: 'main' }))
    },
  }
}

interface Told {
  setAttribute(name: string, value: string | number): unknown
  setStatus(status: { readonly code: number }): unknown
  end(): void
}

/** @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/ */
const attributes: readonly (readonly [keyof Outcome, string])[] = [
  ['status', 'http.response.status_code'],
  ['method', 'http.request.method'],
  ['route', 'http.route'],
  ['code', 'error.type'],
]

/** A failure is told by status and code: an error's own message may quote what was sent. */
function telling(span: Told, failed: number): Span {
  return {
    end(outcome = {}) {
      for (const [name, attribute] of attributes) {
        const value = outcome[name]
        if (value !== undefined) span.setAttribute(attribute, value)
      }
      const { status, code } = outcome
      if (status === undefined ? code !== undefined : status >= 500) span.setStatus({ code: failed })
      span.end()
    },
  }
}
