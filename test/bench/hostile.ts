/**
 * What one hostile request of at most 64 kB costs others: `node test/bench/hostile.ts [observations] [draws] [seed]`. For each kind
 * the longest that another client's read had to wait while it was answered, and the most memory the server had.
 */
import fc from 'fast-check'
import { hostile } from '../journeys/hostile/draws.ts'
import { setStage } from '../journeys/hostile/scene.ts'

const [observations = 50_000, draws = 60, seed = 20261125] = process.argv.slice(2).map(Number)
const stage = await setStage(observations)
const rows = new Map<string, { asked: number; status: Set<string>; longest: number; ms: number; mb: number }>()
for (const drawn of fc.sample(hostile(stage.scene), { seed, numRuns: draws })) {
  const startedMs = performance.now()
  const answering = stage.attack(drawn)
  const { longest, mostMb } = await stage.watch(answering)
  const row = rows.get(drawn.name) ?? { asked: 0, status: new Set(), longest: 0, ms: 0, mb: 0 }
  row.asked++
  row.status.add(String(await answering))
  row.longest = Math.max(row.longest, longest)
  row.ms = Math.max(row.ms, performance.now() - startedMs)
  row.mb = Math.max(row.mb, mostMb)
  rows.set(drawn.name, row)
}
process.stdout.write(`${observations} Observations of one patient, seed ${seed}\n`)
for (const [name, { asked, status, longest, ms, mb }] of [...rows].sort((a, b) => b[1].longest - a[1].longest))
  process.stdout.write(
    `${name.padEnd(36)} ${String(asked).padStart(3)} asked  answered ${[...status].join(' ').padEnd(12)} in ${ms.toFixed(0).padStart(6)} ms` +
      `   another read waits ${longest.toFixed(0).padStart(5)} ms   ${mb.toFixed(0).padStart(4)} MB\n`,
  )
await stage.close()
