/**
 * Many patients: what a question over all of them takes, `npm run bench -- population [patients]`, 5,000 unless told.
 * Twenty resources each, from a seed; the server is started anew before it is asked.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Figure } from './figures.ts'
import { type BenchServer, peakMemoryMiB } from './server.ts'

const defaultPatients = 5_000
const perPatient = 20
/** Patients of one transaction, and transactions under way. */
const atOnce = { patients: 5, transactions: 8 }
const timesAsked = 100
const users = { count: 8, seconds: 4 }
/** Of each kind at most so many, or for so long, by so many users. */
const conditional = { writes: 4_000, seconds: 15, users: 8 }

const codes = ['8867-4', '29463-7', '2823-3', '2345-7', '718-7', '4548-4', '2160-0', '8310-5']
const family = (n: number) => `Family${(n * 7919) % 2_000}`
const identifierOf = (n: number) => `urn:mrn|M${n}`

function resourcesOf(n: number): object[] {
  const id = `p${n}`
  const subject = { reference: `Patient/${id}` }
  const observation = (k: number) => ({
    resourceType: 'Observation',
    id: `o${n}-${k}`,
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: codes[(n + k) % codes.length] }] },
    subject,
    effectiveDateTime: new Date(1.5e12 + (((n * 31 + k) * 2_654_435_761) % 2e11)).toISOString(),
    valueQuantity: {
      value: (n * 13 + k * 7) % 200,
      system: 'http://unitsofmeasure.org',
      code: 'mmol/L',
      unit: 'mmol/L',
    },
  })
  return [
    {
      resourceType: 'Patient',
      id,
      identifier: [{ system: 'urn:mrn', value: `M${n}` }],
      name: [{ family: family(n), given: [`Given${n % 500}`] }],
      gender: n % 2 ? 'male' : 'female',
      birthDate: `19${10 + (n % 89)}-0${1 + (n % 9)}-1${n % 9}`,
    },
    ...Array.from({ length: perPatient - 3 }, (_, k) => observation(k)),
    { resourceType: 'Condition', id: `c${n}`, code: { coding: [{ code: `c${n % 300}` }] }, subject },
    {
      resourceType: 'Immunization',
      id: `i${n}`,
      status: 'completed',
      vaccineCode: { coding: [{ code: `v${n % 30}` }] },
      patient: subject,
      occurrenceDateTime: '2019-05-05',
    },
  ]
}

interface Asking {
  readonly what: string
  readonly goal: string
  path(n: number): string
}

const askings: readonly Asking[] = [
  { what: 'Patient?identifier=', goal: 'p95 ≤ 5 ms', path: n => `/Patient?identifier=${identifierOf(n)}` },
  { what: 'Patient?family=', goal: 'p95 ≤ 15 ms', path: n => `/Patient?family=${family(n)}` },
  {
    what: 'Observation?code=&_sort=-date&_count=20',
    goal: 'p95 ≤ 40 ms',
    path: n => `/Observation?code=http://loinc.org|${codes[n % codes.length]}&_sort=-date&_count=20`,
  },
  {
    what: '… with _include=Observation:subject',
    goal: 'p95 ≤ 15 ms more',
    path: n =>
      `/Observation?code=http://loinc.org|${codes[n % codes.length]}&_sort=-date&_count=20&_include=Observation:subject`,
  },
  {
    what: 'Observation?patient.identifier=',
    goal: 'p95 ≤ 10 ms',
    path: n => `/Observation?patient.identifier=${identifierOf(n)}`,
  },
]

class Client {
  readonly #server: BenchServer
  readonly #headers: Readonly<Record<string, string>>

  constructor(server: BenchServer, token: string) {
    this.#server = server
    this.#headers = { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' }
  }

  async send(path: string, body?: object, more: Readonly<Record<string, string>> = {}): Promise<void> {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    const answer = await fetch(`${this.#server.url}/fhir${path}`, { ...init, headers: { ...this.#headers, ...more } })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${answer.status} for ${path}: ${text.slice(0, 300)}`)
  }

  /** False when the server has more to do than it can. */
  async isAnswered(path: string): Promise<boolean> {
    const answer = await fetch(`${this.#server.url}/fhir${path}`, { headers: this.#headers })
    await answer.text()
    if (!answer.ok && answer.status !== 503) throw new Error(`${answer.status} for ${path}`)
    if (!answer.ok) await delay(100)
    return answer.ok
  }

  /** Milliseconds. */
  async timed(...of: Parameters<Client['send']>): Promise<number> {
    const startedMs = performance.now()
    await this.send(...of)
    return performance.now() - startedMs
  }
}

async function load(client: Client, patients: number): Promise<number> {
  const startedMs = performance.now()
  let next = 0
  const one = async () => {
    for (let from = next; from < patients; from = next) {
      next = from + atOnce.patients
      const entry = Array.from({ length: Math.min(atOnce.patients, patients - from) }, (_, at) =>
        resourcesOf(from + at),
      )
        .flat()
        .map(resource => {
          const { resourceType, id } = resource as { readonly resourceType: string; readonly id: string }
          return { resource, request: { method: 'PUT', url: `${resourceType}/${id}` } }
        })
      await client.send('', { resourceType: 'Bundle', type: 'transaction', entry })
    }
  }
  await Promise.all(Array.from({ length: atOnce.transactions }, one))
  return (patients * perPatient) / ((performance.now() - startedMs) / 1000)
}

async function writtenBytes(pid: number): Promise<number> {
  return Number(/write_bytes: (\d+)/.exec(await readFile(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0)
}

async function residentMiB(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}

/** Each with a token of its own; whoever is refused because the server has enough to do asks again. */
async function askedTogether(clients: readonly Client[], patients: number): Promise<number> {
  const endsMs = performance.now() + users.seconds * 1000
  let answered = 0
  const one = async (client: Client, user: number) => {
    for (let n = user; performance.now() < endsMs; n += 101, answered++) {
      const asking = askings[n % askings.length] as Asking
      if (!(await client.isAnswered(asking.path((n * 7_919) % patients)))) answered--
    }
  }
  await Promise.all(clients.map(one))
  return answered / users.seconds
}

/** Writes a second, by users at once. */
async function conditionally(
  clients: readonly Client[],
  write: (client: Client, n: number) => Promise<void>,
): Promise<number> {
  const startedMs = performance.now()
  let begun = 0
  const isOver = () => begun >= conditional.writes || performance.now() - startedMs > conditional.seconds * 1000
  const one = async (client: Client) => {
    while (!isOver()) await write(client, begun++)
  }
  await Promise.all(clients.map(one))
  return begun / ((performance.now() - startedMs) / 1000)
}

/** A new Patient, unless one with this number is there. */
function createUnlessThere(client: Client, value: string): Promise<void> {
  const patient = { resourceType: 'Patient', identifier: [{ system: 'urn:mrn', value }] }
  return client.send('/Patient', patient, { 'if-none-exist': `identifier=urn:mrn|${value}` })
}

/** A result for a Patient of whom only the number is said. */
function storeForNumber(client: Client, at: number): Promise<void> {
  const [, observation] = resourcesOf(at)
  const resource = { ...observation, id: undefined, subject: { reference: `Patient?identifier=urn:mrn|M${at}` } }
  const entry = [{ resource, request: { method: 'POST', url: 'Observation' } }]
  return client.send('', { resourceType: 'Bundle', type: 'transaction', entry })
}

/** @param asked  arguments of the command: a number is that of the patients */
export async function population(server: BenchServer, token: string, asked: readonly string[]): Promise<Figure[]> {
  const patients = Number(asked.find(each => /^\d+$/.test(each)) ?? defaultPatients)
  const client = new Client(server, token)
  const clients: Client[] = []
  for (let user = 0; user < users.count; user++)
    clients.push(new Client(server, await server.command('token', '--scope', 'system/*.rs', '--ttl', '6h')))
  const figures: Figure[] = []
  const figure = (what: string, unit: string, runs: readonly number[], goal?: string) =>
    figures.push({ what, unit, runs, ...(goal === undefined ? {} : { goal }) })
  figure(`${patients} patients of ${perPatient} resources, written`, 'resources/s', [await load(client, patients)])
  const startedMs = performance.now()
  await server.restart()
  figure('ready after a restart', 's', [(performance.now() - startedMs) / 1000])
  figure('… first read and search of one patient', 'ms', [
    await client.timed(`/Patient/p${patients >> 1}`),
    await client.timed(`/Observation?patient=p${patients >> 1}&_count=20`),
  ])
  figure('… first question over all', 's', [(await client.timed(askings[0]?.path(1) ?? '')) / 1000], '≤ 15 s')
  for (const { path } of askings) for (let n = 0; n < 5; n++) await client.send(path(n))
  const before = await writtenBytes(server.pid)
  for (const { what, goal, path } of askings) {
    const runs: number[] = []
    for (let n = 0; n < timesAsked; n++) runs.push(await client.timed(path((n * 7_919 + 3) % patients)))
    const sorted = runs.toSorted((a, b) => a - b)
    figure(what, 'ms', runs)
    figure('… 95 of 100 within', 'ms', [sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN], goal)
  }
  const written = (await writtenBytes(server.pid)) - before
  figure('written to disk by one of them', 'KiB', [written / 1024 / (askings.length * timesAsked)])
  figure(`${users.count} users who ask such questions`, 'requests/s', [await askedTogether(clients, patients)])
  figure('search of one patient beside', 'ms', [
    ...(await Promise.all([
      client.timed('/Observation?patient=p7&_sort=-date&_count=20'),
      askedTogether(clients, patients),
    ]).then(([ms]) => [ms])),
  ])
  figure('resident memory', 'MiB', [await residentMiB(server.pid)], '≤ 700 MB')
  figure('… at most', 'MiB', [await peakMemoryMiB(server.pid)])
  const writers: Client[] = []
  for (let user = 0; user < conditional.users; user++)
    writers.push(new Client(server, await server.command('token', '--scope', 'system/*.cruds', '--ttl', '6h')))
  const make = (client: Client, n: number) => createUnlessThere(client, `new-${patients}-${n}`)
  const store = (client: Client, n: number) => storeForNumber(client, (n * 7_919) % patients)
  figure(
    `conditional creates by ${conditional.users} users`,
    'requests/s',
    [await conditionally(writers, make)],
    '≥ 1,500',
  )
  figure('… of what is there', 'requests/s', [await conditionally(writers, make)])
  figure('result stored for a number', 'requests/s', [await conditionally(writers, store)], '≥ 1,500')
  return figures
}
