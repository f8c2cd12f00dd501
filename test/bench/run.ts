/**
 * All figures in one run: `npm run bench`, or `npm run bench -- read create` for some; `npm run bench -- population 20000`.
 * The bare Express route is measured in the same run, before and after, since machines are shared and noisy.
 */
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import autocannon from 'autocannon'
import yazl from 'yazl'
import { freePort } from '../free-port.ts'
import { appleExport, heartRate, observationBundle, pairBundle } from './data.ts'
import { type Figure, heading, machine, row } from './figures.ts'
import { overload } from './overload.ts'
import { population } from './population.ts'
import { answering, type BenchServer, peakMemoryMiB, startServer } from './server.ts'

const rounds = 5
const bareRounds = 2
const secondsPerRound = 4
const connections = 32
const json = 'application/fhir+json'

interface Bench {
  readonly name: string
  /** Run only when it is named. */
  readonly long?: true
  run(server: BenchServer, token: string): Promise<readonly Figure[]>
}

const benches: readonly Bench[] = [
  { name: 'read', run: readBench },
  { name: 'create', run: createBench },
  { name: 'transaction', run: transactionBench },
  { name: 'search', run: searchBench },
  { name: 'import', run: importBench },
  { name: 'overload', run: overloadBench },
  { name: 'population', long: true, run: (server, token) => population(server, token, wanted) },
]

async function load(options: autocannon.Options): Promise<number> {
  const result = await autocannon({ connections, duration: secondsPerRound, ...options })
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${result.non2xx} refusals, ${result.errors} errors`)
  return result.requests.average
}

async function repeat(times: number, measure: () => Promise<number>): Promise<number[]> {
  const runs: number[] = []
  await measure()
  for (let run = 0; run < times; run++) runs.push(await measure())
  return runs
}

const headersOf = (token: string) => ({ authorization: `Bearer ${token}`, 'content-type': json, accept: json })

/** What is of use here of the answer to a resource, or to a transaction. */
interface Posted {
  readonly id: string
  readonly entry: readonly { readonly response: { readonly location: string } }[]
}

async function post(server: BenchServer, token: string, path: string, body: object): Promise<Posted> {
  const answer = await fetch(`${server.url}/fhir${path}`, {
    method: 'POST',
    headers: headersOf(token),
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${answer.status} for ${path}: ${await answer.text()}`)
  return (await answer.json()) as Posted
}

async function bareRoute(): Promise<number[]> {
  const port = await freePort()
  const child = spawn(process.execPath, [new URL('./bare.ts', import.meta.url).pathname, String(port)], {
    stdio: 'inherit',
  })
  const url = `http://127.0.0.1:${port}/fhir/Observation/1`
  await answering(url, child)
  const ids = Array.from({ length: connections * 300 }, (_, at) => String(at))
  const runs = await repeat(bareRounds, () => load({ url, ...eachItsOwn(ids) }))
  child.kill('SIGTERM')
  return runs
}

/** Every connection asks for resources of its own, one after the other and then again from the first. */
function eachItsOwn(ids: readonly string[]): Pick<autocannon.Options, 'setupClient'> {
  const share = Math.floor(ids.length / connections)
  let next = 0
  return {
    setupClient: client => {
      const own = ids.slice(next, next + share)
      next = (next + share) % (share * connections)
      client.setRequests(own.map(id => ({ path: `/fhir/Observation/${id}` })))
    },
  }
}

/** So many that the server opens each anew, then so few that it keeps them open. */
const readings = [
  { what: 'read, 32,000 resources in turn: each opened anew', resources: 32_000, goal: '≥ 40 %' },
  { what: 'read, 9,600 resources in turn: kept open', resources: 9_600, goal: '≥ 40 %' },
]

async function readBench(server: BenchServer, token: string): Promise<Figure[]> {
  const patient = await post(server, token, '/Patient', { resourceType: 'Patient' })
  const ids = await manyObservations(server, token, patient.id, 32_000)
  const headers = headersOf(token)
  const figures: Figure[] = []
  const bare = await bareRoute()
  for (const { what, resources, goal } of readings) {
    const before = bare.slice(-bareRounds)
    const own = eachItsOwn(ids.slice(0, resources))
    const runs = await repeat(rounds, () => load({ url: server.url, headers, ...own }))
    bare.push(...(await bareRoute()))
    // The machine is faster at one minute than at another, so a reading is compared with what was measured around it.
    const ceiling = mean([...before, ...bare.slice(-bareRounds)])
    figures.push({ what, unit: 'requests/s', runs })
    figures.push({
      what: '… share of the bare route',
      unit: '%',
      runs: runs.map(value => (100 * value) / ceiling),
      goal,
    })
  }
  return [{ what: 'bare Express route (the ceiling)', unit: 'requests/s', runs: bare }, ...figures]
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}

/** Ids of so many new heart rates. */
async function manyObservations(server: BenchServer, token: string, patient: string, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n += 1000) {
    const { entry } = await post(server, token, '', observationBundle(patient, n, 1000))
    for (const { response } of entry) ids.push(response.location.split('/').at(-3) ?? '')
  }
  return ids
}

async function createBench(server: BenchServer, token: string): Promise<Figure[]> {
  const patient = await post(server, token, '/Patient', { resourceType: 'Patient' })
  let n = 0
  const request = {
    setupRequest: (r: autocannon.Request) => ({ ...r, body: JSON.stringify(heartRate(patient.id, n++)) }),
  }
  const options = {
    method: 'POST' as const,
    url: `${server.url}/fhir/Observation`,
    headers: headersOf(token),
    requests: [request],
  }
  return [
    {
      what: 'create',
      unit: 'requests/s',
      runs: await repeat(rounds, () => load(options)),
      goal: '≥ 1,500 /s',
    },
  ]
}

async function transactionBench(server: BenchServer, token: string): Promise<Figure[]> {
  const patient = await post(server, token, '/Patient', { resourceType: 'Patient' })
  let n = 0
  const options = { method: 'POST' as const, url: `${server.url}/fhir`, headers: headersOf(token) }
  const pair = { setupRequest: (r: autocannon.Request) => ({ ...r, body: JSON.stringify(pairBundle(n++)) }) }
  const hundred = {
    setupRequest: (r: autocannon.Request) => ({
      ...r,
      body: JSON.stringify(observationBundle(patient.id, 100 * n++, 100)),
    }),
  }
  return [
    {
      what: 'transaction of 2 (a new Patient with an Observation)',
      unit: 'transactions/s',
      runs: await repeat(rounds, () => load({ ...options, requests: [pair] })),
    },
    {
      what: 'transaction of 100 Observations',
      unit: 'transactions/s',
      runs: await repeat(rounds, () => load({ ...options, connections: 4, requests: [hundred] })),
    },
  ]
}

async function searchBench(server: BenchServer, token: string): Promise<Figure[]> {
  const patient = await post(server, token, '/Patient', { resourceType: 'Patient' })
  for (let n = 0; n < 20_000; n += 1000) await post(server, token, '', observationBundle(patient.id, n, 1000))
  const query = `patient=${patient.id}&code=http://loinc.org|8867-4&_sort=-date&_count=50`
  const url = `${server.url}/fhir/Observation?${query}`
  const runs = await repeat(rounds, () => load({ url, headers: headersOf(token), connections: 8 }))
  return [{ what: 'search patient + code + _sort=-date, 50 of 20,000', unit: 'requests/s', runs }]
}

async function overloadBench(server: BenchServer, token: string): Promise<Figure[]> {
  const patient = await post(server, token, '/Patient', { resourceType: 'Patient' })
  const ids = await manyObservations(server, token, patient.id, 2_000)
  await overload(server, token, { patient: patient.id, ids })
  return []
}

/** On a server of its own: the patients that other benches have made are kept in the memory of every process. */
async function importBench(): Promise<Figure[]> {
  const server = await startServer()
  try {
    return await importsOn(server)
  } finally {
    await server.stop()
  }
}

async function importsOn(server: BenchServer): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const records of [100_000, 300_000]) {
    const folder = await mkdtemp(join(tmpdir(), 'kinhold-bench-import-'))
    const zip = join(folder, 'export.zip')
    const xmlBytes = await writeExport(zip, records)
    const patient = await server.command('patient', 'create')
    const { seconds, peakMiB, bytes } = await timedImport(server, zip, patient)
    const what = `Apple Health import of ${records.toLocaleString('en')} records`
    figures.push({ what, unit: 'records/s', runs: [records / seconds], goal: '≥ 8,000 /s' })
    figures.push({ what: `${what}, XML read`, unit: 'MB/s', runs: [xmlBytes / 1e6 / seconds] })
    figures.push({ what: `${what}, peak memory`, unit: 'MiB', runs: [peakMiB], goal: '< 300 MB' })
    figures.push({ what: `${what}, on disk`, unit: 'bytes per resource', runs: [bytes / records], goal: '≤ 400' })
    await rm(folder, { recursive: true })
  }
  return figures
}

async function writeExport(path: string, records: number): Promise<number> {
  let bytes = 0
  function* counted() {
    for (const piece of appleExport(records)) {
      bytes += piece.length
      yield piece
    }
  }
  const zip = new yazl.ZipFile()
  zip.addReadStream(Readable.from(counted()), 'apple_health_export/export.xml')
  zip.end()
  await pipeline(zip.outputStream, createWriteStream(path))
  return bytes
}

async function timedImport(server: BenchServer, path: string, patient: string) {
  const before = await folderBytes(server.data)
  const main = new URL('../../src/main.ts', import.meta.url).pathname
  const startedMs = performance.now()
  const child = spawn(process.execPath, [main, 'import', path, '--patient', patient, '--json'], {
    env: { ...process.env, ...server.env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  let peakMiB = 0
  const watch = setInterval(async () => {
    peakMiB = Math.max(peakMiB, await peakMemoryMiB(child.pid ?? 0).catch(() => 0))
  }, 50)
  const status = await new Promise<number | null>(resolve => child.once('exit', resolve))
  clearInterval(watch)
  if (status !== 0) throw new Error(`the import ended with ${status}`)
  const seconds = (performance.now() - startedMs) / 1000
  return { seconds, peakMiB, bytes: (await folderBytes(server.data)) - before }
}

async function folderBytes(folder: string): Promise<number> {
  const sizes = await Promise.all((await readdir(folder)).map(async name => (await stat(join(folder, name))).size))
  return sizes.reduce((a, b) => a + b, 0)
}

const wanted = process.argv.slice(2)
const server = await startServer()
console.log(`machine: ${machine()}`)
console.log(
  `dataset: synthetic heart rates and steps; ${connections} connections, ${rounds} rounds of ${secondsPerRound} s after one to warm up\n`,
)
console.log(heading)
try {
  const token = await server.command('token', '--scope', 'system/*.cruds', '--ttl', '6h')
  for (const bench of benches) {
    if (wanted.length > 0 ? !wanted.includes(bench.name) : bench.long) continue
    for (const figure of await bench.run(server, token)) console.log(row(figure))
  }
} finally {
  await server.stop()
}
