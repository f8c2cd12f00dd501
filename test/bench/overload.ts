/** What becomes of answers when five times as much is asked as can be carried, and whether what was acknowledged is there. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Latencies, LoadOptions, LoadResult } from './load.ts'
import type { BenchServer } from './server.ts'

/** So many users keep the server busy without a pause. */
const carried = 32
const families = 8
const seconds = 14
const warmUpSeconds = 6
/** The machine is faster at one minute than at another, so the loads take turns, and of each the median counts. */
const rounds = 3

const loadFile = new URL('./load.ts', import.meta.url).pathname

async function run(options: LoadOptions): Promise<LoadResult> {
  const { stdout } = await promisify(execFile)(process.execPath, [loadFile, JSON.stringify(options)], {
    maxBuffer: 256 * 1024 * 1024,
  })
  return JSON.parse(stdout)
}

const print = ({ count, p50Ms, p99Ms }: Latencies) => `${count} answers, p50 ${p50Ms} ms, p99 ${p99Ms} ms`

function report(what: string, result: LoadResult): void {
  console.log(`| ${what}: admitted | ${print(result.admitted)} |`)
  for (const [kind, latencies] of Object.entries(result.byKind)) console.log(`| … ${kind} | ${print(latencies)} |`)
  console.log(`| … refused | ${print(result.refused)} |`)
  console.log(`| … /healthz meanwhile | ${print(result.health)} |`)
}

/** Which of these ids the server does not have. */
async function missing(server: BenchServer, token: string, ids: readonly string[]): Promise<string[]> {
  const gone: string[] = []
  for (let at = 0; at < ids.length; at += 100) {
    const entry = ids.slice(at, at + 100).map(id => ({ request: { method: 'GET', url: `Observation/${id}` } }))
    const answer = await fetch(`${server.url}/fhir`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' },
      body: JSON.stringify({ resourceType: 'Bundle', type: 'batch', entry }),
    })
    const bundle = (await answer.json()) as {
      readonly entry: readonly { readonly response: { readonly status: string } }[]
    }
    bundle.entry.forEach(({ response }, n) => {
      if (!response.status.startsWith('200')) gone.push(ids[at + n] ?? '')
    })
  }
  return gone
}

/** Prints both loads and how they compare; throws when something acknowledged is not there. */
export async function overload(
  server: BenchServer,
  token: string,
  about: Pick<LoadOptions, 'patient' | 'ids'>,
): Promise<void> {
  const tokens: string[] = []
  for (let n = 0; n < families; n++)
    tokens.push(await server.command('token', '--scope', 'system/*.cruds', '--ttl', '1h'))
  const common = { url: server.url, tokens, seconds, warmUpSeconds, ...about }
  const [once, five]: [LoadResult[], LoadResult[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    once.push(await run({ ...common, users: carried }))
    five.push(await run({ ...common, users: 5 * carried }))
  }
  report(`1 ×: ${carried} users of ${families} tokens`, middle(once))
  report(`5 ×: ${5 * carried} users`, middle(five))
  const ratio = middle(five).admitted.p99Ms / middle(once).admitted.p99Ms
  console.log(`| p99 at 5 × over p99 at 1 × | ${ratio.toFixed(2)} (goal: < 2) |`)
  const all = [...once, ...five]
  const acknowledged = all.flatMap(result => result.acknowledged)
  const other = all.reduce((sum, result) => sum + result.other, 0)
  const gone = await missing(server, token, acknowledged)
  console.log(`| acknowledged writes that are not there | ${gone.length} of ${acknowledged.length} |`)
  if (gone.length > 0 || other > 0)
    throw new Error(`${gone.length} acknowledged writes are missing, ${other} answers were neither`)
}

/** The round whose p99 is the middle one. */
function middle(results: readonly LoadResult[]): LoadResult {
  const sorted = results.toSorted((a, b) => a.admitted.p99Ms - b.admitted.p99Ms)
  return sorted[Math.floor(sorted.length / 2)] as LoadResult
}
