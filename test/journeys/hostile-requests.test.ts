import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { type Drawn, hostile, type Scene } from './hostile/draws.ts'
import { type Client, openClient } from './server/client.ts'
import { type Home, lastLine, newHome } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

const observations = 15_000
const requests = 60
const atOnce = 6
const seed = Number(process.env.HOSTILE_SEED ?? Math.floor(Math.random() * 2 ** 31))

let home: Home
let server: RunningServer
let clients: Record<Drawn['as'], Client>
let other: Client
let scene: Scene
let read: string

beforeAll(async () => {
  home = await newHome('hostile')
  server = await startServer(home)
  const patient = await lastLine(home, 'patient', 'create')
  const foreign = await lastLine(home, 'patient', 'create')
  const tokenFor = (who: string, scope: string) => lastLine(home, 'token', '--patient', who, '--scope', scope)
  clients = {
    reader: openClient(server.url, await tokenFor(patient, 'patient/*.rs')),
    writer: openClient(server.url, await tokenFor(patient, 'patient/*.cruds')),
    nobody: openClient(server.url),
  }
  other = openClient(server.url, await tokenFor(foreign, 'patient/*.cruds'))
  scene = { patient, binary: await fill(patient) }
  const made = await other.send({ method: 'POST', path: '/fhir/Observation', body: observation(foreign, 0) })
  read = new URL(made.headers.location ?? '').pathname.replace(/\/_history.*/, '')
}, 180_000)

afterAll(async () => {
  for (const client of [...Object.values(clients), other]) client.close()
  await server.stop()
  await home.remove()
})

function observation(who: string, at: number): object {
  return {
    resourceType: 'Observation',
    status: 'final',
    code: { text: `Reading no ${at % 7000} of a row` },
    subject: { reference: `Patient/${who}` },
    effectiveDateTime: `20${10 + (at % 15)}-0${1 + (at % 9)}-11`,
    valueString: `Nothing of note was heard at place ${at} on the round`,
  }
}

/** A long record: many texts of which no two are the same, and an attachment. @returns the attachment's id */
async function fill(patient: string): Promise<string> {
  const lines = Array.from({ length: observations }, (_, at) => JSON.stringify(observation(patient, at)))
  const headers = { 'content-type': 'application/octet-stream' }
  const imported = await clients.writer.send({
    method: 'POST',
    path: `/fhir/Patient/${patient}/$ingest`,
    headers,
    body: `${lines.join('\n')}\n`,
  })
  expect(imported.status).toBe(200)
  const made = await clients.writer.send({
    method: 'POST',
    path: '/fhir/Binary',
    body: {
      resourceType: 'Binary',
      contentType: 'image/png',
      securityContext: { reference: `Patient/${patient}` },
      data: Buffer.alloc(4_000_000, 'kinhold').toString('base64'),
    },
  })
  expect(made.status).toBe(201)
  return /Binary\/([^/]+)/.exec(made.headers.location ?? '')?.[1] ?? ''
}

async function residentMb(): Promise<number> {
  const status = await readFile(`/proc/${server.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
}

interface Watched {
  readonly p99: number
  readonly longest: number
  readonly mostMb: number
}

/** Reads, as another client, until told to stop. */
async function watch(until: Promise<unknown>): Promise<Watched> {
  let over = false
  void until.finally(() => {
    over = true
  })
  const waits: number[] = []
  let mostMb = 0
  while (!over) {
    const startedMs = performance.now()
    expect((await other.send({ path: read })).status).toBe(200)
    waits.push(performance.now() - startedMs)
    mostMb = Math.max(mostMb, await residentMb())
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  const sorted = waits.toSorted((a, b) => a - b)
  return { p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, longest: sorted.at(-1) ?? 0, mostMb }
}

const answered: ReadonlySet<number> = new Set([200, 400, 401, 403, 404, 405, 406, 413, 415, 422, 429, 503])

async function attack(drawn: readonly Drawn[]): Promise<readonly string[]> {
  const surprises: string[] = []
  const waiting = [...drawn]
  const one = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { name, as, ...sent } = next
      const startedMs = performance.now()
      const answer = await clients[as].send(sent).catch(() => undefined)
      const ms = performance.now() - startedMs
      if (process.env.HOSTILE_TRACE !== undefined)
        console.error(name, answer?.status, Math.round(ms), answer?.body.length, answer?.body.toString('utf8', 0, 0))
      if (answer !== undefined && !answered.has(answer.status)) surprises.push(`${name}: ${answer.status}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  return surprises
}

describe('whatever is asked in 64 kB', () => {
  it('others are answered meanwhile, and memory stays bounded', async () => {
    const idle = await watch(new Promise(resolve => setTimeout(resolve, 1500)))
    const drawn = fc.sample(hostile(scene), { seed, numRuns: requests })
    const attacking = attack(drawn)
    const found = await watch(attacking)
    console.info(`seed ${seed}: alone p99 ${idle.p99.toFixed(1)} ms; beside ${JSON.stringify(found)}`)
    expect(await attacking).toEqual([])
    // The bar is 100 ms on two idle cores; the bench holds it. Here the machine may be busy.
    expect(found.p99).toBeLessThan(Math.max(500, 20 * idle.p99))
    expect(found.mostMb).toBeLessThan(600)
    expect((await other.send({ path: '/healthz' })).status).toBe(200)
  }, 240_000)
})
