/** Reads, creates and searches with one process and with several, in turns: `node test/bench/workers.ts 1 2`. */
import autocannon from 'autocannon'
import { startServer } from './server.ts'

const sides = process.argv.slice(2).map(Number)
const passes = 2
const patients = 40
const perPatient = 50
const secondsPerRound = 3

interface Kind {
  readonly name: string
  readonly connections: number
  readonly requests: readonly autocannon.Request[]
}

const observation = (patient: string, at: number) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference: `Patient/${patient}` },
  effectiveDateTime: new Date(1_700_000_000_000 + at * 60_000).toISOString(),
  valueQuantity: { value: 60 + (at % 40), unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
})

async function fill(post: (body: object) => Promise<Response>): Promise<{ ids: string[]; patients: string[] }> {
  const [ids, taken]: [string[], string[]] = [[], []]
  for (let nth = 0; nth < patients; nth++) {
    const created = await post({ type: 'transaction', entry: [entry('Patient', { resourceType: 'Patient' })] })
    const patient = locations(await created.json())[0] ?? ''
    taken.push(patient)
    const rows = Array.from({ length: perPatient }, (_, at) => entry('Observation', observation(patient, at)))
    ids.push(...locations(await (await post({ type: 'transaction', entry: rows })).json()))
  }
  return { ids, patients: taken }
}

const entry = (url: string, resource: object) => ({ resource, request: { method: 'POST', url } })
const locations = (bundle: unknown): string[] =>
  (bundle as { entry: { response: { location: string } }[] }).entry.map(
    ({ response }) => /(?:Patient|Observation)\/([^/]+)/.exec(response.location)?.[1] ?? '',
  )

function kinds({ ids, patients }: { ids: string[]; patients: string[] }): Kind[] {
  const create = (of: readonly string[]) =>
    of.map((patient, at) => ({
      method: 'POST' as const,
      path: '/fhir/Observation',
      body: JSON.stringify(observation(patient, at)),
    }))
  const search = (patient: string) => ({
    path: `/fhir/Observation?patient=${patient}&code=8867-4&_sort=-date&_count=20`,
  })
  return [
    { name: 'read', connections: 32, requests: ids.map(id => ({ path: `/fhir/Observation/${id}` })) },
    { name: 'search', connections: 8, requests: patients.map(search) },
    { name: 'create, 40 patients', connections: 32, requests: create(patients) },
    { name: 'create, one patient', connections: 32, requests: create(patients.slice(0, 1)) },
  ]
}

async function measure(workers: number): Promise<Map<string, number>> {
  process.env.KINHOLD_WORKERS = String(workers)
  const server = await startServer()
  const token = (await server.command('token', '--scope', 'system/*.cruds')).trim().split('\n').at(-1) ?? ''
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' }
  const post = (body: object) =>
    fetch(`${server.url}/fhir`, { method: 'POST', headers, body: JSON.stringify({ resourceType: 'Bundle', ...body }) })
  const found = new Map<string, number>()
  // The other processes serve a moment after the first.
  await new Promise(resolve => setTimeout(resolve, 1_500))
  for (const { name, connections, requests } of kinds(await fill(post))) {
    const load = (duration: number) =>
      autocannon({ url: server.url, headers, connections, duration, requests: [...requests] })
    await load(1)
    const { requests: rate, non2xx, errors, latency } = await load(secondsPerRound)
    if (errors + non2xx > 0) console.log(`${name}: ${non2xx} refusals, ${errors} errors`)
    found.set(name, Math.round(rate.average))
    found.set(`${name}, p99 ms`, latency.p99)
  }
  await server.stop()
  return found
}

const rows = new Map<string, string[]>()
for (let pass = 0; pass < passes; pass++)
  for (const workers of pass % 2 === 0 ? sides : sides.toReversed())
    for (const [name, value] of await measure(workers)) {
      const row = rows.get(name) ?? []
      rows.set(name, [...row, `${workers}: ${value}`])
    }
for (const [name, values] of rows) console.log(`| ${name} | ${values.join(' | ')} |`)
