/** R1, R12 and R18: a server under a steady load, that is killed, lives one long life, and is asked to end. */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { quantile } from '../../bench/figures.ts'
import { type Client, openClient } from '../../journeys/server/client.ts'
import { type Home, lastLine, newHome, run } from '../../journeys/server/home.ts'
import { type RunningServer, startServer } from '../../journeys/server/start-server.ts'
import { type Extent, goal, type Judged } from '../goal.ts'
import { floors, perHour, type Sample } from '../slope.ts'
import { lostOf, newTally, steady, type Tally } from '../steady.ts'

const sampleEveryMs = 2_000
/** Of the time: one part with kills, then one long life. */
const killShare = 0.3

const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

interface World {
  readonly home: Home
  readonly token: string
  readonly patients: readonly string[]
}

async function build(): Promise<World> {
  const home = await newHome('soak')
  const server = await startServer(home)
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds', '--ttl', '30d')
  const client = openClient(server.url, token)
  const patients = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const answer = await client.send({ method: 'POST', path: '/fhir/Patient', body: { resourceType: 'Patient' } })
      return answer.json<{ id: string }>().id
    }),
  )
  client.close()
  await server.stop()
  return { home, token, patients }
}

async function withClient<T>(server: RunningServer, token: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = openClient(server.url, token)
  try {
    return await work(client)
  } finally {
    client.close()
  }
}

/** R1: killed again and again under load, nothing that was acknowledged is lost, and the house is whole. */
async function killing(world: World, { minutes, perSecond }: Extent, tally: Tally): Promise<Judged[]> {
  const endsMs = performance.now() + minutes * 60_000 * killShare
  let kills = 0
  const bootsMs: number[] = []
  while (performance.now() < endsMs) {
    const server = await startServer(world.home)
    bootsMs.push(server.bootMs)
    const load = steady({ ...world, url: server.url, perSecond: perSecond * 4, tally })
    await wait(1_500 + Math.random() * 3_000)
    await server.kill()
    await load.stop()
    kills++
  }
  tally.wrong.clear()
  const server = await startServer(world.home)
  const lost = await withClient(server, world.token, client => lostOf(client, tally))
  await server.stop()
  const { status, stdout } = await run(world.home, 'verify')
  const what = `${kills} kills, ${tally.acknowledged.size} resources acknowledged, ${lost.length} lost; verify found ${stdout === '' ? 'nothing' : stdout}`
  const boot = `${Math.round(quantile(bootsMs, 0.5))} ms median, ${Math.round(Math.max(...bootsMs))} ms at most`
  return [
    { what: 'R1 kill -9 under load', figure: what, met: lost.length === 0 && status === 0 },
    { what: 'start after a kill', figure: boot },
  ]
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
}

/** Without connections, of which there are as many as answers are waited for. */
async function openFiles(pid: number): Promise<number> {
  const folder = `/proc/${pid}/fd`
  const links = await Promise.all((await readdir(folder)).map(name => readlink(`${folder}/${name}`).catch(() => '')))
  return links.filter(link => link !== '' && !link.startsWith('socket:')).length
}

interface Life {
  readonly memory: Sample[]
  readonly handles: Sample[]
}

async function observe(pid: number, untilMs: number): Promise<Life> {
  const life: Life = { memory: [], handles: [] }
  while (performance.now() < untilMs) {
    await wait(sampleEveryMs)
    const atMs = performance.now()
    life.memory.push({ atMs, value: await residentBytes(pid) })
    life.handles.push({ atMs, value: await openFiles(pid) })
  }
  return life
}

const mebibyte = 1024 * 1024

/** R18: one long life. Memory is looked at from a third of it on, when caches are as full as they get at this rate. */
function lifeGoals({ memory, handles }: Life, output: string): Judged[] {
  const later = <T>(all: readonly T[]) => all.slice(Math.floor(all.length / 3))
  const slope = perHour(floors(later(memory), 10)) / mebibyte
  const [least, most] = [Math.min, Math.max].map(of => of(...later(handles).map(({ value }) => value)))
  const first = memory[0]?.value ?? 0
  const peak = Math.max(...memory.map(({ value }) => value))
  const faults = output.split('\n').filter(line => /unexpected error|unhandled|uncaught/i.test(line)).length
  return [
    {
      what: 'R18 memory',
      figure: `${(first / mebibyte).toFixed(0)} MiB at first, ${(peak / mebibyte).toFixed(0)} at most, ${slope.toFixed(1)} MiB/h by the floors`,
    },
    { what: 'R18 open files', figure: `${least} – ${most}`, met: (most ?? 0) - (least ?? 0) < 32 },
    { what: 'R18 unforeseen errors', figure: String(faults), met: faults === 0 },
  ]
}

function latencyGoals({ latenciesMs, refused, wrong }: Tally): Judged[] {
  const rows = Object.entries(latenciesMs).map(([kind, all]) => {
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map(q => quantile(all, q).toFixed(1))
    return { what: `${kind}: p50, p95, p99 of ${all.length}`, figure: `${p50}, ${p95}, ${p99} ms` }
  })
  const what = [...wrong].map(([name, n]) => `${n} × ${name}`).join(', ') || 'none'
  return [
    ...rows,
    { what: 'refused for want of time', figure: String(refused) },
    { what: 'wrong answers', figure: what, met: wrong.size === 0 },
  ]
}

/** R12: asked to end under load, it answers what it was asked, ends with 0, and nothing is lost. */
async function ending(world: World, server: RunningServer, perSecond: number, tally: Tally): Promise<Judged[]> {
  const load = steady({ ...world, url: server.url, perSecond: perSecond * 2, tally })
  await wait(1_000)
  const startedMs = performance.now()
  const status = await server.stop()
  const tookMs = performance.now() - startedMs
  await load.stop()
  const again = await startServer(world.home)
  const lost = await withClient(again, world.token, client => lostOf(client, tally))
  await again.stop()
  const figure = `status ${status} after ${Math.round(tookMs)} ms, ${lost.length} of ${tally.acknowledged.size} lost`
  return [{ what: 'R12 SIGTERM under load', figure, met: status === 0 && tookMs < 25_000 && lost.length === 0 }]
}

async function living(
  world: World,
  { minutes, perSecond }: Extent,
  acknowledged: Tally['acknowledged'],
): Promise<Judged[]> {
  const server = await startServer(world.home)
  const tally: Tally = { ...newTally(), acknowledged }
  const load = steady({ ...world, url: server.url, perSecond, tally })
  const life = await observe(server.pid, performance.now() + minutes * 60_000 * (1 - killShare))
  await load.stop()
  const goals = [...latencyGoals(tally), ...lifeGoals(life, server.output())]
  return [...goals, ...(await ending(world, server, perSecond, tally))]
}

export const steadyLife = goal<readonly Judged[]>({
  name: 'R1, R12, R18',
  says: 'killed under load nothing is lost; asked to end it ends; memory, files and errors of a long life stay flat',
  dataset: 'five patients, of whom 12 of 20 requests read, 4 search, 3 create and 1 updates',
  async try(extent) {
    const world = await build()
    try {
      const tally = newTally()
      return [...(await killing(world, extent, tally)), ...(await living(world, extent, tally.acknowledged))]
    } finally {
      await world.home.remove()
    }
  },
  judge: (found, { minutes, perSecond }) => [{ what: 'load', figure: `${minutes} minutes, ${perSecond}/s` }, ...found],
})
