/** A family at work: so many requests a second, each begun at its time whether or not those before it have been answered. */
import { type Client, openClient } from '../journeys/server/client.ts'

type Kind = 'read' | 'search' | 'create' | 'update'

/** Of each twenty requests. */
const mix: readonly Kind[] = [
  ...Array.from({ length: 12 }, () => 'read' as const),
  ...Array.from({ length: 4 }, () => 'search' as const),
  ...Array.from({ length: 3 }, () => 'create' as const),
  'update',
]

interface Resource {
  readonly id: string
  readonly meta: { readonly versionId: string }
}

/** What came of the requests. */
export interface Tally {
  /** From the time at which a request was due until its answer, in ms. */
  readonly latenciesMs: Readonly<Record<Kind, number[]>>
  /** Ids of resources with the newest version that was acknowledged. */
  readonly acknowledged: Map<string, number>
  refused: number
  /** Answers that are neither success nor a refusal for want of time, by kind and status. */
  readonly wrong: Map<string, number>
}

export function newTally(): Tally {
  const latenciesMs = { read: [], search: [], create: [], update: [] }
  return { latenciesMs, acknowledged: new Map(), refused: 0, wrong: new Map() }
}

const observation = (patient: string, n: number, id?: string) => ({
  resourceType: 'Observation',
  ...(id === undefined ? {} : { id }),
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference: `Patient/${patient}` },
  effectiveDateTime: new Date(1_700_000_000_000 + n * 60_000).toISOString(),
  valueQuantity: { value: 60 + (n % 40), unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
})

export interface SteadyOptions {
  readonly url: string
  readonly token: string
  readonly patients: readonly string[]
  readonly perSecond: number
  readonly tally: Tally
}

/** Asks until it is stopped; `stop` resolves when all answers are there. */
export function steady({ url, token, patients, perSecond, tally }: SteadyOptions): { stop(): Promise<void> } {
  const client = openClient(url, token)
  const known: string[] = [...tally.acknowledged.keys()]
  const open = new Set<Promise<void>>()
  const startedMs = performance.now()
  let sent = 0

  const begin = (dueMs: number) => {
    const n = sent++
    const asked = ask(client, { kind: mix[(n * 7) % mix.length] ?? 'read', n, patients, known, tally, dueMs })
    open.add(asked)
    asked.finally(() => open.delete(asked))
  }
  const ticking = setInterval(() => {
    for (let due = dueOf(sent); due <= performance.now(); due = dueOf(sent)) begin(due)
  }, 5)
  const dueOf = (n: number) => startedMs + (n * 1000) / perSecond

  return {
    async stop() {
      clearInterval(ticking)
      await Promise.allSettled(open)
      client.close()
    },
  }
}

interface Asking {
  readonly kind: Kind
  readonly n: number
  readonly patients: readonly string[]
  readonly known: string[]
  readonly tally: Tally
  readonly dueMs: number
}

async function ask(client: Client, asking: Asking): Promise<void> {
  const { n, known, tally, dueMs } = asking
  const kind = known.length === 0 ? 'create' : asking.kind
  const id = known[(n * 7919) % Math.max(1, known.length)] ?? ''
  const patient = asking.patients[n % asking.patients.length] ?? ''
  try {
    const answer = await client.send(requestOf(kind, { n, id, patient }))
    if (answer.status === 503 || answer.status === 429) tally.refused++
    else if (answer.status >= 300) count(tally.wrong, `${kind} ${answer.status}`)
    else {
      tally.latenciesMs[kind].push(performance.now() - dueMs)
      if (kind === 'create' || kind === 'update') acknowledge(answer.json<Resource>(), known, tally)
    }
  } catch {
    count(tally.wrong, `${kind} without an answer`)
  }
}

function requestOf(
  kind: Kind,
  { n, id, patient }: { readonly n: number; readonly id: string; readonly patient: string },
) {
  if (kind === 'read') return { path: `/fhir/Observation/${id}` }
  if (kind === 'search') return { path: `/fhir/Observation?patient=${patient}&code=8867-4&_sort=-date&_count=20` }
  if (kind === 'create') return { method: 'POST', path: '/fhir/Observation', body: observation(patient, n) }
  return { method: 'PUT', path: `/fhir/Observation/${id}`, body: observation(patient, n, id) }
}

function acknowledge({ id, meta }: Resource, known: string[], { acknowledged }: Tally): void {
  if (!acknowledged.has(id)) known.push(id)
  acknowledged.set(id, Math.max(acknowledged.get(id) ?? 0, Number(meta.versionId)))
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1)
}

/** What was acknowledged and is not there, or is older than that. */
export async function lostOf(client: Client, { acknowledged }: Tally): Promise<string[]> {
  const lost: string[] = []
  for (const [id, version] of acknowledged) {
    const answer = await client.send({ path: `/fhir/Observation/${id}` })
    const found = answer.status === 200 ? Number(answer.json<Resource>().meta.versionId) : 0
    if (found < version) lost.push(id)
  }
  return lost
}
