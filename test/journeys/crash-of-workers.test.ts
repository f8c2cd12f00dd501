import { randomFrom } from '../random.ts'
import { Books } from './crash/books.ts'
import { takeIn, untilAcknowledged } from './crash/kill-again.ts'
import { write } from './crash/load.ts'
import { takeStock } from './crash/take-stock.ts'
import { openClient } from './server/client.ts'
import { lives, startCrew, until } from './server/crew.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { startServer } from './server/start-server.ts'

const workers = Number(process.env.CRASH_WORKERS ?? 2)
const writers = 6
const seed = Number(process.env.CRASH_SEED ?? 1)
const more = 40
const longest = 600_000

const nothing = { lost: [], halfWritten: [], unexplained: [], unaudited: [], misindexed: [] }

describe('several processes under write load, of which one is killed, and then all', () => {
  let home: Home
  beforeAll(async () => {
    home = await newHome('crash-of-workers', 'info')
  })
  afterAll(() => home.remove())

  it(
    `keep every acknowledged write and no half of any, whichever it is (seed ${seed})`,
    async () => {
      const [books, random] = [new Books(), randomFrom(seed)]
      const since = new Date(Date.now() - 1).toISOString()
      let token = ''
      const patients: string[] = []
      // The one that leads, and the one that does not.
      for (const [round, victim] of [0, workers - 1].entries()) {
        const crew = await startCrew(home, workers)
        token ||= await lastLine(home, 'token', '--scope', 'system/*.cruds', '--ttl', '1h')
        while (patients.length < 3) patients.push(await takeIn(crew, token, books))
        const of = { url: crew.url, token, books, patients, round: `workers-${round}`, random }
        const load = Promise.all(Array.from({ length: writers }, () => write(of)))
        await untilAcknowledged(books, more, load)
        process.kill(crew.workers()[victim] as number, 'SIGKILL')
        const others = Promise.all(Array.from({ length: writers }, () => write(of)))
        await untilAcknowledged(books, more, others)
        await crew.serving(workers + 1)
        const all = crew.workers()
        await crew.kill()
        await Promise.all([load, others])
        await until(() => all.every(pid => !lives(pid)))
      }
      const server = await startServer(home)
      const client = openClient(server.url, token)
      expect(await takeStock(client, books, { since, factsBefore: 0, patients })).toEqual(nothing)
      client.close()
      expect(await server.stop()).toBe(0)
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    },
    longest,
  )
})
