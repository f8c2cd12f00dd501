/**
 * What one hostile request of at most 64 kB costs others: `node test/bench/hostile.ts [observations] [draws] [seed]`. For each kind
 * the longest turn of the server's event loop and the longest that another client's read had to wait while it was answered, and
 * the most memory the server had.
 */
import { get } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import fc from 'fast-check'
import { hostile } from '../journeys/hostile/draws.ts'
import { heavy } from '../journeys/hostile/heavy.ts'
import { repeated } from '../journeys/hostile/repeated.ts'
import { setStage } from '../journeys/hostile/scene.ts'
import { newHome } from '../journeys/server/home.ts'

const [observations = 50_000, draws = 60, seed = 20261125] = process.argv.slice(2).map(Number)
const home = await newHome('hostile')
const socketPath = join(home.folder, 'turns')
const turns = new URL('./turns.ts', import.meta.url).href
Object.assign(home.env, { BENCH_TURNS: socketPath, NODE_OPTIONS: `--import ${turns}` })
const stage = await setStage(observations, home)

/** The turns of the server since it was last asked, in ms. */
async function turnsSince(): Promise<{ readonly longest: number }> {
  const response = await new Promise<NodeJS.ReadableStream>((resolve, reject) =>
    get({ socketPath, path: '/' }, resolve).on('error', reject),
  )
  return (await json(response)) as { longest: number }
}

interface Row {
  asked: number
  readonly status: Set<string>
  turn: number
  longest: number
  ms: number
  mb: number
}

const rows = new Map<string, Row>()
for (const drawn of [
  ...heavy(stage.scene),
  ...repeated(stage.scene),
  ...fc.sample(hostile(stage.scene), { seed, numRuns: draws }),
]) {
  await turnsSince()
  const startedMs = performance.now()
  const answering = stage.attack(drawn)
  const { longest, mostMb } = await stage.watch(answering)
  const row = rows.get(drawn.name) ?? { asked: 0, status: new Set(), turn: 0, longest: 0, ms: 0, mb: 0 }
  row.asked++
  row.status.add(String(await answering))
  row.ms = Math.max(row.ms, performance.now() - startedMs)
  row.turn = Math.max(row.turn, (await turnsSince()).longest)
  row.longest = Math.max(row.longest, longest)
  row.mb = Math.max(row.mb, mostMb)
  rows.set(drawn.name, row)
}
process.stdout.write(`${observations} Observations of one patient, seed ${seed}\n`)
for (const [name, { asked, status, turn, longest, ms, mb }] of [...rows].sort((a, b) => b[1].turn - a[1].turn))
  process.stdout.write(
    `${name.padEnd(36)} ${String(asked).padStart(3)} asked  answered ${[...status].join(' ').padEnd(12)} in ${ms.toFixed(0).padStart(6)} ms` +
      `   longest turn ${turn.toFixed(0).padStart(4)} ms   another read waits ${longest.toFixed(0).padStart(5)} ms   ${mb.toFixed(0).padStart(4)} MB\n`,
  )
await stage.close()
