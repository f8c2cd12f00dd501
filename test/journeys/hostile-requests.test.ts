import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { type Drawn, hostile } from './hostile/draws.ts'
import { heavy } from './hostile/heavy.ts'
import { type Stage, setStage } from './hostile/scene.ts'

const requests = 40
const atOnce = 6
const seed = Number(process.env.HOSTILE_SEED ?? Math.floor(Math.random() * 2 ** 31))

let stage: Stage
beforeAll(async () => {
  stage = await setStage(15_000)
})
afterAll(() => stage.close())

const answers: ReadonlySet<number | undefined> = new Set([
  undefined,
  ...[200, 202, 400, 401, 403, 404, 405, 406, 413, 415, 422, 429, 503],
])

/** @returns what was answered as nobody should be answered */
async function attackAll(drawn: readonly Drawn[]): Promise<readonly string[]> {
  const surprises: string[] = []
  const waiting = [...drawn]
  const attacker = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const status = await stage.attack(next)
      if (!answers.has(status)) surprises.push(`${next.name}: ${status}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, attacker))
  return surprises
}

/** A request that is worked off in one turn lets one read in before it, and one that waited for it is answered at its end. */
const readsOfOneTurn = 3
const tries = 5

/** The most reads that another client was answered while this one request was. */
async function readsBeside(drawn: Drawn): Promise<number> {
  let most = 0
  for (let run = 0; run < tries && most <= readsOfOneTurn; run++) {
    const answering = stage.attack(drawn)
    most = Math.max(most, (await stage.watch(answering)).reads)
  }
  return most
}

describe('whatever is asked in 64 kB', () => {
  // How long a read waits, `npm run bench -- hostile` shows. Here each request is long enough for dozens of reads.
  it('others are answered while one request of each heavy kind is worked off', async () => {
    const kept: string[] = []
    for (const drawn of heavy(stage.scene)) {
      const reads = await readsBeside(drawn)
      if (reads <= readsOfOneTurn) kept.push(`${drawn.name}: ${reads} reads`)
    }
    expect(kept).toEqual([])
  }, 720_000)

  it('it is answered as it may be, and memory stays bounded', async () => {
    process.stderr.write(`hostile requests of HOSTILE_SEED=${seed}\n`)
    const drawn = fc.sample(hostile(stage.scene), { seed, numRuns: requests })
    // That may have taken so long that idle connections were ended: in the second turn at the latest that has been heard.
    await turn()
    await turn()
    const attacking = attackAll(drawn)
    const beside = await stage.watch(attacking)
    process.stderr.write(`${JSON.stringify(beside)}\n`)
    expect(await attacking).toEqual([])
    expect(beside.mostMb).toBeLessThan(600)
  }, 720_000)
})
