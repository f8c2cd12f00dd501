/**
 * A load in a process of its own: so many users, each of whom reads, writes and searches as fast as answers come, and waits as
 * long as `Retry-After` says when refused. `node test/bench/load.ts <LoadOptions as JSON>` prints a LoadResult as JSON.
 */
import { Agent, request } from 'node:http'

export interface LoadOptions {
  readonly url: string
  readonly tokens: readonly string[]
  readonly users: number
  readonly seconds: number
  /** After which latencies are counted: what comes before is the time in which a queue learns that it stands. */
  readonly warmUpSeconds: number
  readonly patient: string
  /** Observations that are there to be read. */
  readonly ids: readonly string[]
}

export interface Latencies {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface LoadResult {
  readonly admitted: Latencies
  readonly byKind: Readonly<Record<string, Latencies>>
  readonly refused: Latencies
  readonly health: Latencies
  /** Every id that the server said it had stored. */
  readonly acknowledged: readonly string[]
  /** Answers that are neither: none should be. */
  readonly other: number
}

interface Answer {
  readonly status: number
  readonly retryAfterMs: number
  readonly location: string
}

interface Asking {
  readonly kind: string
  readonly method: string
  readonly path: string
  readonly body?: string
}

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
const delay = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

function send(url: URL, token: string, { method, path, body }: Asking): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' }
  return new Promise((resolve, reject) => {
    const asked = request({ agent, host: url.hostname, port: url.port, method, path, headers }, response => {
      response.resume()
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          retryAfterMs: 1000 * Number(response.headers['retry-after'] ?? 1),
          location: response.headers.location ?? '',
        }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** Of ten requests seven read, two write and one searches. */
function askingOf({ patient, ids }: LoadOptions, n: number): Asking {
  const at = n % 10
  if (at === 4 || at === 8)
    return { kind: 'create', method: 'POST', path: '/fhir/Observation', body: weight(patient, n) }
  if (at === 9)
    return { kind: 'search', method: 'GET', path: `/fhir/Observation?patient=${patient}&_sort=-date&_count=20` }
  return { kind: 'read', method: 'GET', path: `/fhir/Observation/${ids[(n * 7919) % ids.length]}` }
}

function weight(patient: string, n: number): string {
  return JSON.stringify({
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
    subject: { reference: `Patient/${patient}` },
    effectiveDateTime: new Date(1.7e12 + 1000 * n).toISOString(),
    valueQuantity: { value: 50 + (n % 50), unit: 'kg', system: 'http://unitsofmeasure.org', code: 'kg' },
  })
}

function latenciesOf(unsorted: readonly number[]): Latencies {
  const all = unsorted.toSorted((a, b) => a - b)
  const at = (share: number) =>
    Math.round(100 * (all[Math.min(all.length - 1, Math.floor(share * all.length))] ?? 0)) / 100
  return { count: all.length, p50Ms: at(0.5), p99Ms: at(0.99) }
}

async function load(options: LoadOptions): Promise<LoadResult> {
  const url = new URL(options.url)
  const startedMs = performance.now()
  const untilMs = startedMs + 1000 * options.seconds
  const admitted: { readonly kind: string; readonly ms: number }[] = []
  const [refused, health]: [number[], number[]] = [[], []]
  const acknowledged: string[] = []
  let other = 0
  let n = 0

  async function one(token: string): Promise<void> {
    const asking = askingOf(options, n++)
    const sentMs = performance.now()
    const answer = await send(url, token, asking)
    const ms = performance.now() - sentMs
    const counts = sentMs - startedMs > 1000 * options.warmUpSeconds
    if (answer.status === 201) acknowledged.push(answer.location.split('/').at(-3) ?? '')
    if (answer.status === 200 || answer.status === 201) {
      if (counts) admitted.push({ kind: asking.kind, ms })
    } else if (answer.status === 503 || answer.status === 429) {
      if (counts) refused.push(ms)
      await delay(answer.retryAfterMs)
    } else other++
  }

  async function user(token: string): Promise<void> {
    while (performance.now() < untilMs) await one(token)
  }

  async function watch(): Promise<void> {
    while (performance.now() < untilMs) {
      const sentMs = performance.now()
      await send(url, '', { kind: 'health', method: 'GET', path: '/healthz' })
      health.push(performance.now() - sentMs)
      await delay(20)
    }
  }

  const { tokens } = options
  const users = Array.from({ length: options.users }, (_, at) => user(tokens[at % tokens.length] ?? ''))
  await Promise.all([...users, watch()])
  const byKind = Map.groupBy(admitted, ({ kind }) => kind)
  return {
    admitted: latenciesOf(admitted.map(({ ms }) => ms)),
    byKind: Object.fromEntries([...byKind].map(([kind, all]) => [kind, latenciesOf(all.map(({ ms }) => ms))])),
    refused: latenciesOf(refused),
    health: latenciesOf(health),
    acknowledged,
    other,
  }
}

process.stdout.write(JSON.stringify(await load(JSON.parse(process.argv[2] ?? ''))))
