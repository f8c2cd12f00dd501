import { randomFrom } from '../random.ts'
import { Books } from './crash/books.ts'
import { markSystem, roundSystem, write } from './crash/load.ts'
import { type Faults, takeStock } from './crash/take-stock.ts'
import { openClient } from './server/client.ts'
import { lastLine, newHome, run } from './server/home.ts'
import { killWhileStarting, type RunningServer, startServer } from './server/start-server.ts'

/** Several houses, each killed ten times: what is checked after a kill takes the longer, the more a house holds. */
const houses = 5
const killsPerHouse = 10
const sideBySide = 2
const acknowledgedPerRound = 205
const writers = 8
const none: Faults = { lost: [], halfWritten: [], unexplained: [], unaudited: [], misindexed: [] }

async function takeIn(server: RunningServer, token: string, books: Books): Promise<string> {
  const client = openClient(server.url, token)
  const mark = books.nextMark()
  const tag = [{ system: roundSystem, code: 'start' }]
  const patient = { resourceType: 'Patient', meta: { tag }, identifier: [{ system: markSystem, value: mark }] }
  const answer = await client.send({ method: 'POST', path: '/fhir/Patient', body: patient })
  client.close()
  const { id } = answer.json<{ id: string }>()
  books.acknowledge([{ reference: `Patient/${id}`, version: 1, mark }])
  return id
}

/** Resolves when this much more has been acknowledged, or when nobody writes any more. */
async function untilAcknowledged(books: Books, more: number, load: Promise<unknown>): Promise<void> {
  const enough = books.acknowledged + more
  let ended = false
  void load.then(
    () => (ended = true),
    () => (ended = true),
  )
  while (books.acknowledged < enough && !ended) await new Promise(resolve => setTimeout(resolve, 1))
}

function middle(values: readonly number[]): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0)
}

/** What the clients of a house were told until its last kill. */
interface Told {
  readonly acknowledged: number
  readonly versions: number
  readonly kills: number
  readonly bootsMs: readonly number[]
}

/** Kills a house again and again, and looks each time whether all is there. */
async function killAgainAndAgain(name: string, random: () => number): Promise<Told> {
  const home = await newHome('crash')
  const books = new Books()
  const bootsMs: number[] = []
  const since = new Date(Date.now() - 1).toISOString()
  let server = await startServer(home)
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds', '--ttl', '1h')
  const patients = [
    await takeIn(server, token, books),
    await takeIn(server, token, books),
    await takeIn(server, token, books),
  ]
  const begun = { since, factsBefore: 0, patients }
  let kills = 0
  while (kills < killsPerHouse) {
    const round = `${name}-${kills + 1}`
    const span = { since: new Date().toISOString(), factsBefore: books.facts.length, patients, round, reads: 40 }
    const load = Promise.all(
      Array.from({ length: writers }, () => write({ url: server.url, token, books, patients, round, random })),
    )
    await untilAcknowledged(books, acknowledgedPerRound + Math.floor(random() * 20), load)
    await server.kill()
    await load
    kills++
    if (kills === killsPerHouse) await killWhileStarting(home, random() * middle(bootsMs))
    server = await startServer(home)
    bootsMs.push(server.bootMs)
    const client = openClient(server.url, token)
    expect({ round, faults: await takeStock(client, books, span) }).toEqual({ round, faults: none })
    client.close()
  }
  const client = openClient(server.url, token)
  expect(await takeStock(client, books, begun)).toEqual(none)
  client.close()
  expect(await server.stop()).toBe(0)
  const { status, stdout } = await run(home, 'verify')
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  await home.remove()
  return { acknowledged: books.acknowledged, versions: books.facts.length, kills, bootsMs }
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

describe('killed under write load – durability as promised by 201 and 200, https://hl7.org/fhir/R4/http.html#create', () => {
  const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000)

  it(`keeps every acknowledged write and no half of any, ${houses * killsPerHouse} times (seed ${seed})`, async () => {
    const waiting = Array.from({ length: houses }, (_, at) => at + 1)
    const told: Told[] = []
    const killNext = async () => {
      for (let house = waiting.shift(); house !== undefined; house = waiting.shift())
        told.push(await killAgainAndAgain(`house-${house}`, randomFrom(seed + house)))
    }
    await Promise.all(Array.from({ length: sideBySide }, killNext))
    const acknowledged = sum(told.map(each => each.acknowledged))
    const kills = sum(told.map(each => each.kills))
    const bootsMs = told.flatMap(each => each.bootsMs)
    expect(kills).toBe(50)
    expect(acknowledged).toBeGreaterThanOrEqual(10_000)
    process.stderr.write(
      `crash: ${acknowledged} acknowledged writes (${sum(told.map(each => each.versions))} versions), ${kills} kills, ` +
        `boot ${middle(bootsMs)} ms median, ${Math.round(Math.max(...bootsMs))} ms at most\n`,
    )
  }, 1_200_000)
})
