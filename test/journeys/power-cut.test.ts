/** The power fails under a server of two processes that is written to and read from: what was flushed is all there is. */
import { randomFrom } from '../random.ts'
import { type Client, openClient } from './server/client.ts'
import { lives, type RunningCrew, startCrew, until } from './server/crew.ts'
import { lastLine, run } from './server/home.ts'
import { type CutHome, newCutHome, whenPowerFails } from './server/power-cut.ts'
import { startServer } from './server/start-server.ts'

const rounds = 3
const writers = 3
const readers = 3
/** More than are asked one by one: a question finds some of each. */
const patients = Array.from({ length: 12 }, (_, at) => `p${at}`)
const seed = 20_261_127

interface Round {
  readonly client: Client
  readonly random: () => number
  readonly acknowledged: string[]
}

async function takeIn(client: Client): Promise<void> {
  const entry = patients.map(id => ({
    resource: { resourceType: 'Patient', id, name: [{ family: 'Berg' }] },
    request: { method: 'PUT', url: `Patient/${id}` },
  }))
  const body = { resourceType: 'Bundle', type: 'transaction', entry }
  expect((await client.send({ method: 'POST', path: '/fhir', body })).status).toBe(200)
}

const anybody = ({ random }: Round) => patients[Math.floor(random() * patients.length)]

/** @returns false once the power is gone */
async function writeOnce(round: Round): Promise<boolean> {
  const subject = { reference: `Patient/${anybody(round)}` }
  const body = { resourceType: 'Observation', status: 'final', code: { text: 'pulse' }, subject }
  const answer = await round.client.send({ method: 'POST', path: '/fhir/Observation', body }).catch(() => undefined)
  if (answer?.status === 201) round.acknowledged.push(answer.headers.location?.split('/').at(-3) ?? '')
  return answer !== undefined
}

const questions = ['Patient?family=Berg', 'Observation?code:text=pulse&_count=5', 'AuditEvent?_count=2']

async function readOnce({ client, random }: Round): Promise<boolean> {
  const path = `/fhir/${questions[Math.floor(random() * questions.length)]}`
  return (await client.send({ path }).catch(() => undefined)) !== undefined
}

async function cutPower(server: RunningCrew, home: CutHome): Promise<readonly string[]> {
  const all = [server.pid, ...server.workers()]
  for (const pid of all) process.kill(pid, 'SIGKILL')
  await server.kill()
  await until(() => !all.some(lives))
  return home.cut()
}

/** While anybody reads heads move, and are noted beside the keys. */
async function noted(home: CutHome): Promise<void> {
  const before = home.keysFlushed()
  await until(() => home.keysFlushed() !== before)
}

async function workUntilCut(home: CutHome, token: string, round: Round, nth: number): Promise<void> {
  home.begin()
  const server = await startCrew(home, 2)
  const clients = Array.from({ length: writers + readers }, () => openClient(server.url, token))
  const before = round.acknowledged.length
  let isWriting = true
  const working = clients.map(async (client, at) => {
    while (await (at < writers && isWriting ? writeOnce : readOnce)({ ...round, client }));
  })
  await until(() => round.acknowledged.length > before + 40 + round.random() * 40)
  if (nth % 2 === 1) {
    // Whoever writes flushes what nobody waits for as well: the heads that move are those of what only readers leave.
    isWriting = false
    for (let notes = 0; notes < 3; notes++) await noted(home)
  }
  expect((await cutPower(server, home)).length).toBeGreaterThanOrEqual(2)
  await Promise.all(working)
  for (const client of clients) client.close()
}

describe('a power cut – durability as promised by 201, https://hl7.org/fhir/R4/http.html#create', () => {
  it(
    'loses nothing that was acknowledged, and does not look as if somebody had set anything back',
    whenPowerFails(async () => {
      const home = await newCutHome('power-cut')
      home.begin()
      const first = await startServer(home)
      const token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
      const round: Round = { client: openClient(first.url, token), random: randomFrom(seed), acknowledged: [] }
      await takeIn(round.client)
      round.client.close()
      await first.stop()
      for (let at = 0; at < rounds; at++) {
        await workUntilCut(home, token, round, at)
        expect(await run(home, 'verify')).toMatchObject({ status: 0 })
      }
      const last = await startServer(home)
      const client = openClient(last.url, token)
      for (const id of round.acknowledged)
        expect((await client.send({ path: `/fhir/Observation/${id}` })).status).toBe(200)
      await until(async () => (await client.send({ path: '/readyz' })).status === 200)
      client.close()
      await last.stop()
      await home.remove()
    }),
    600_000,
  )
})
