/** A house that is killed under write load, again and again. */
import { openClient } from '../server/client.ts'
import { type Home, lastLine, run } from '../server/home.ts'
import { killWhileStarting, type RunningServer, startServer } from '../server/start-server.ts'
import { Books } from './books.ts'
import { markSystem, roundSystem, write } from './load.ts'
import { type Faults, takeStock } from './take-stock.ts'

const writers = 8
const none: Faults = { lost: [], halfWritten: [], unexplained: [], unaudited: [], misindexed: [] }

/** A Patient by whom what is written can be found. */
export async function takeIn(server: RunningServer, token: string, books: Books): Promise<string> {
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
export async function untilAcknowledged(books: Books, more: number, load: Promise<unknown>): Promise<void> {
  const enough = books.acknowledged + more
  let ended = false
  void load.then(
    () => (ended = true),
    () => (ended = true),
  )
  while (books.acknowledged < enough && !ended) await new Promise(resolve => setTimeout(resolve, 1))
}

/** The middle one of some values. */
export function middle(values: readonly number[]): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0)
}

/** What the clients of a house were told until its last kill. */
export interface Told {
  readonly acknowledged: number
  readonly versions: number
  readonly kills: number
  readonly bootsMs: readonly number[]
}

/** How a house is killed. */
interface Killing {
  /** What its rounds are called by. */
  readonly name: string
  readonly kills: number
  /** After so many acknowledged writes, or somewhat more, it is killed. */
  readonly acknowledgedPerRound: number
  random(): number
}

/** Kills a house again and again, looks each time whether all is there, and removes it. */
export async function killAgainAndAgain(home: Home, killing: Killing): Promise<Told> {
  const { name, acknowledgedPerRound, random } = killing
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
  while (kills < killing.kills) {
    const round = `${name}-${kills + 1}`
    const span = { since: new Date().toISOString(), factsBefore: books.facts.length, patients, round, reads: 40 }
    const load = Promise.all(
      Array.from({ length: writers }, () => write({ url: server.url, token, books, patients, round, random })),
    )
    await untilAcknowledged(books, acknowledgedPerRound + Math.floor(random() * 20), load)
    await server.kill()
    await load
    kills++
    if (kills === killing.kills) await killWhileStarting(home, random() * middle(bootsMs))
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
