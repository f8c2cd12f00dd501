/**
 * How much of a bare Express route's speed a read keeps, with everything on: token, scope, decryption, headers.
 * Not a test: `node test/rooms/http/read-against-bare.ts [seconds]`. Server and load run in processes of their own.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import autocannon from 'autocannon'
import express from 'express'
import { createApp, listen } from '#http'

const resource = {
  resourceType: 'Observation',
  id: 'w',
  status: 'final',
  category: [
    { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
  ],
  code: { coding: [{ system: 'http://loinc.org', code: '29463-7', display: 'Body weight' }] },
  subject: { reference: 'Patient/a' },
  effectiveDateTime: '2026-02-01T08:00:00Z',
  valueQuantity: { value: 71.5, unit: 'kg', system: 'http://unitsofmeasure.org', code: 'kg' },
}

/** The serving process: a bare route that sends the same bytes, and the whole server. */
async function serve(): Promise<void> {
  const { openWebHouse } = await import('./web-house.ts')
  const { silentLog } = await import('#kernel')
  const house = await openWebHouse({ baseUrl: 'http://127.0.0.1' })
  const server = await listen(createApp({ ...house, log: silentLog, config: { baseUrl: 'http://127.0.0.1' } }), {
    host: '127.0.0.1',
    port: 0,
  })
  const admin = await house.token('system/*.cruds')
  const put = async (body: { resourceType: string; id: string }): Promise<void> => {
    await fetch(`http://127.0.0.1:${server.port}/fhir/${body.resourceType}/${body.id}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/fhir+json' },
      body: JSON.stringify(body),
    })
  }
  await put({ resourceType: 'Patient', id: 'a' })
  await put(resource)
  const bare = express()
  bare.disable('x-powered-by').disable('etag')
  const bytes = Buffer.from(JSON.stringify(resource))
  bare.get('/fhir/:type/:id', (_request, response) => {
    response.setHeader('content-type', 'application/fhir+json')
    response.end(bytes)
  })
  const bareServer = await listen(bare, { host: '127.0.0.1', port: 0 })
  process.on('message', () => process.send?.(process.cpuUsage()))
  process.send?.({ port: server.port, barePort: bareServer.port, token: await house.token('patient/*.rs', 'a') })
}

interface Speed {
  readonly perSecond: number
  /** Of the serving process alone: what it took for one answer, however busy the machine is otherwise. */
  readonly cpuMicroseconds: number
}

async function speedOf(child: ChildProcess, port: number, token: string, seconds: number): Promise<Speed> {
  const before = await cpuOf(child)
  const result = await autocannon({
    url: `http://127.0.0.1:${port}/fhir/Observation/w`,
    connections: 32,
    duration: seconds,
    headers: { authorization: `Bearer ${token}` },
  })
  if (result.non2xx > 0) throw new Error(`${result.non2xx} answers were refused`)
  const cpu = (await cpuOf(child)) - before
  return { perSecond: result.requests.average, cpuMicroseconds: cpu / result.requests.total }
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send('cpu')
  const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage]
  return user + system
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function describeSpeed(name: string, { perSecond, cpuMicroseconds }: Speed): string {
  return `${name} ${Math.round(perSecond)}/s, ${cpuMicroseconds.toFixed(1)} µs of CPU`
}

async function measure(seconds: number): Promise<void> {
  const child = fork(new URL(import.meta.url), ['serve'])
  const [{ port, barePort, token }] = (await once(child, 'message')) as [
    { port: number; barePort: number; token: string },
  ]
  for (const warm of [port, barePort]) await speedOf(child, warm, token, 2)
  const shares: number[] = []
  for (let run = 1; run <= 3; run++) {
    const bare = await speedOf(child, barePort, token, seconds)
    const read = await speedOf(child, port, token, seconds)
    shares.push((100 * bare.cpuMicroseconds) / read.cpuMicroseconds)
    print(
      `run ${run}: ${describeSpeed('bare', bare)}; ${describeSpeed('read', read)}; by CPU ${shares.at(-1)?.toFixed(1)} %`,
    )
  }
  const spread = `${Math.min(...shares).toFixed(1)}–${Math.max(...shares).toFixed(1)}`
  print(`median ${median(shares).toFixed(1)} % (${spread}) on ${cpus()[0]?.model}, Node ${process.version}`)
  child.kill()
}

if (process.argv[2] === 'serve') await serve()
else await measure(Number(process.argv[2] ?? 3))
