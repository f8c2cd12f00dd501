import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bundle } from '@medplum/fhirtypes'
import { documentsOf, putDocumentsBack } from './rollback/rows.ts'
import { tokenOfAccount } from './server/account-token.ts'
import { type Answer, type Client, everyEntry, openClient, type Sent } from './server/client.ts'
import { lives, type RunningCrew, startCrew, until } from './server/crew.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { startServer } from './server/start-server.ts'

const longest = 120_000
const isOnMongo = process.env.KINHOLD_TEST_STORE === 'mongodb'
const workers = 2
/** Connections are dealt out in turn: of so many each process has some. */
const connections = 8

let home: Home
let crew: RunningCrew
let token: string
let clients: Client[]
const first = () => clients[0] as Client

const clientsOf = (count: number, bearer?: string) => Array.from({ length: count }, () => openClient(crew.url, bearer))
const everyOne = (sent: Sent, by = clients): Promise<Answer[]> => Promise.all(by.map(client => client.send(sent)))
const statuses = async (sent: Sent, by = clients) => [
  ...new Set((await everyOne(sent, by)).map(({ status }) => status)),
]
const close = (some: readonly Client[]) => {
  for (const client of some) client.close()
}

const observation = (text: string, patient = 'anna') => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text },
  subject: { reference: `Patient/${patient}` },
})

const takeIn = (id: string) =>
  first().send({ method: 'PUT', path: `/fhir/Patient/${id}`, body: { resourceType: 'Patient', id } })

beforeAll(async () => {
  home = await newHome('workers', 'info')
  crew = await startCrew(home, workers, { KINHOLD_METRICS: 'loopback', KINHOLD_LIMIT_MISSES: '40/3600' })
  token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
  clients = clientsOf(connections, token)
  expect((await takeIn('anna')).status).toBe(201)
}, longest)
afterAll(async () => {
  close(clients)
  await crew.kill()
  await home.remove()
}, longest)

describe('several processes that serve one house', () => {
  it('answer as one: figures are of all of them, and each line of the log says whose it is', async () => {
    expect(crew.workers()).toHaveLength(workers)
    for (const { status, body } of await everyOne({ path: '/metrics', headers: { authorization: '' } })) {
      expect(status).toBe(200)
      expect(body.toString()).toContain(`\nkinhold_processes ${workers}\n`)
    }
    expect(await statuses({ path: '/readyz' })).toEqual([200])
    for (let number = 1; number <= workers; number++) expect(crew.output()).toContain(`"worker":${number}`)
  })

  it('make exactly one resource of equal conditional creates, however they arrive', async () => {
    for (let round = 0; round < 8; round++) {
      const value = randomUUID()
      const body = { ...observation('once'), identifier: [{ system: 'urn:test', value }] }
      const headers = { 'if-none-exist': `identifier=urn:test|${value}` }
      const answers = await everyOne({ method: 'POST', path: '/fhir/Observation', headers, body })
      expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array(connections - 1).fill(200), 201])
      const found = await first().send({ path: `/fhir/Observation?identifier=urn:test|${value}` })
      expect(found.json<Bundle>().total).toBe(1)
    }
  })

  it('let exactly one of many writers win each version, without a gap', async () => {
    const rounds = 8
    const created = await first().send({ method: 'POST', path: '/fhir/Observation', body: observation('raced') })
    const { id } = created.json<{ id: string }>()
    for (let version = 1; version <= rounds; version++) {
      const body = { ...observation(`raced ${version}`), id }
      const headers = { 'if-match': `W/"${version}"` }
      const answers = await everyOne({ method: 'PUT', path: `/fhir/Observation/${id}`, headers, body })
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(connections - 1).fill(412)])
    }
    const history = await everyEntry(first(), `/fhir/Observation/${id}/_history`)
    const versions = history.map(({ resource }) => Number(resource?.meta?.versionId))
    expect(versions).toEqual(Array.from({ length: rounds + 1 }, (_, at) => rounds + 1 - at))
  })

  it('refuse a token at once that was revoked through one of them', async () => {
    const short = await lastLine(home, 'token', '--scope', 'patient/*.rs', '--patient', 'anna')
    const own = clientsOf(connections, short)
    expect(await statuses({ path: '/fhir/Patient/anna' }, own)).toEqual([200])
    const revoke = {
      method: 'POST',
      path: '/auth/revoke',
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: '' },
      body: `token=${short}`,
    }
    expect((await first().send(revoke)).status).toBe(200)
    expect(await statuses({ path: '/fhir/Patient/anna' }, own)).toEqual([401])
    close(own)
  })

  it('keep nothing of an account that is deleted beside them, and take nothing in for it', async () => {
    await lastLine(home, 'account', 'create', 'cleo')
    await takeIn('hers')
    await run(home, 'patient', 'attach', 'hers', '--account', 'cleo')
    const own = clientsOf(connections, await tokenOfAccount(home, 'cleo'))
    const list = { resourceType: 'List', status: 'current', mode: 'working', title: 'of cleo' }
    const made = await own[0]?.send({ method: 'POST', path: '/fhir/List', body: list })
    const path = `/fhir/List/${made?.json<{ id: string }>().id}`
    expect([await statuses({ path }), await statuses({ path: '/fhir/Patient/hers' }, own)]).toEqual([[200], [200]])
    // What is under way meanwhile is done before it, or refused.
    const late = everyOne({ method: 'POST', path: '/fhir/List', body: list }, own)
    expect(await run(home, 'account', 'delete', 'cleo', '--now', '--yes')).toMatchObject({ status: 0 })
    await late
    expect(await statuses({ path: '/fhir/Patient/hers' }, own)).toEqual([401])
    expect([await statuses({ path }), await statuses({ path: '/fhir/Patient/hers' })]).toEqual([[404], [410]])
    for (const answer of await everyOne({ path: '/fhir/List?title=of%20cleo' }))
      expect(answer.json<Bundle>().total ?? 0).toBe(0)
    expect((await run(home, 'account', 'deletions')).stdout).toBe('')
    close(own)
  })

  it('keep nothing of a patient who was erased through one of them', async () => {
    await takeIn('berta')
    await first().send({ method: 'POST', path: '/fhir/Observation', body: observation('hers', 'berta') })
    expect(await statuses({ path: '/fhir/Patient/berta' })).toEqual([200])
    const purge = { method: 'POST', path: '/fhir/Patient/berta/$purge?confirm=berta' }
    expect((await first().send(purge)).status).toBe(200)
    expect(await statuses({ path: '/fhir/Patient/berta' })).toEqual([410])
    for (const answer of await everyOne({ path: '/fhir/Observation?patient=berta' }))
      expect(answer.json<Bundle>().total ?? 0).toBe(0)
    expect(
      await statuses({ method: 'POST', path: '/fhir/Observation', body: observation('late', 'berta') }),
    ).not.toContain(201)
  })

  it('tell of an import that one of them runs, whichever is asked', async () => {
    const rows = Array.from({ length: 2_000 }, (_, at) => JSON.stringify({ ...observation(`row ${at}`), id: `i${at}` }))
    const begun = await first().send({
      method: 'POST',
      path: '/fhir/Patient/anna/$ingest',
      headers: { 'content-type': 'application/fhir+ndjson', prefer: 'respond-async' },
      body: rows.join('\n'),
    })
    expect(begun.status).toBe(202)
    const { pathname } = new URL(begun.headers['content-location'] ?? '')
    const told: Answer[] = []
    await until(async () => {
      const answers = await everyOne({ path: pathname })
      told.push(...answers)
      return answers.every(({ status }) => status !== 202)
    })
    const reports = told.filter(({ status }) => status !== 202)
    for (const report of reports) {
      expect(report.status).toBe(200)
      expect(report.json<{ parameter: object[] }>().parameter).toContainEqual({ name: 'created', valueInteger: 2_000 })
    }
  })

  it('take in somebody new once, of whom several messages tell at the same time', async () => {
    for (const number of ['7001', '7002', '7003']) {
      const message = (nth: number) =>
        [
          `MSH|^~\\&|REG|HOSP|K|H|2024031008000${nth}+0000||ADT^A01|${number}-${nth}|P|2.5.1`,
          `PID|1||${number}^^^HOSP^MR||Sample^Ann${number}||19800203|F`,
          'PV1|1|I|WARD1||||||||||||||||V1',
          '',
        ].join('\r')
      const headers = { 'content-type': 'x-application/hl7-v2+er7' }
      const answers = await Promise.all(
        clients.map((client, nth) => client.send({ method: 'POST', path: '/hl7v2', headers, body: message(nth) })),
      )
      expect(answers.map(({ body }) => /\rMSA\|(\w+)/.exec(body.toString())?.[1])).toEqual(answers.map(() => 'AA'))
      const found = await first().send({ path: `/fhir/Patient?identifier=${number}` })
      expect(found.json<Bundle>().total).toBe(1)
    }
  })

  it('count together how often somebody asks for what is not there', async () => {
    const guesser = await lastLine(home, 'token', '--scope', 'system/*.rs')
    const own = clientsOf(connections, guesser)
    const answered: number[] = []
    // Each process alone would let 40 pass. One hears of what another has counted a moment later.
    const refused = () => answered.filter(status => status === 429).length
    for (let turn = 0; refused() < connections; turn++) {
      const answer = await own[turn % connections]?.send({ path: `/fhir/Observation/${randomUUID()}` })
      answered.push(answer?.status ?? 0)
      await sleep(20)
    }
    expect(await statuses({ path: '/fhir/Patient/anna' }, own)).toEqual([429])
    expect(answered.filter(status => status === 404).length).toBeLessThan(2 * 40)
    expect(await statuses({ path: '/fhir/Patient/anna' })).toEqual([200])
    close(own)
  })
})

describe('of several processes one may be killed at any time', () => {
  /** Creates until told, over connections that are opened again when they break. @returns what was acknowledged */
  function load(): { acknowledged: Set<string>; end(): Promise<void> } {
    const acknowledged = new Set<string>()
    let going = true
    const write = async () => {
      let client = openClient(crew.url, token)
      while (going) {
        const body = observation('under load')
        const answer = await client.send({ method: 'POST', path: '/fhir/Observation', body }).catch(() => undefined)
        if (answer?.status === 201) acknowledged.add(answer.json<{ id: string }>().id)
        await sleep(5)
        if (answer !== undefined) continue
        client.close()
        client = openClient(crew.url, token)
      }
      client.close()
    }
    const writing = Promise.all(Array.from({ length: 4 }, write))
    return {
      acknowledged,
      end: async () => {
        going = false
        await writing
      },
    }
  }

  async function kept(client: Client): Promise<Set<string>> {
    const entries = await everyEntry(client, '/fhir/Observation?patient=anna&_count=500&_elements=id')
    return new Set(entries.map(({ resource }) => resource?.id ?? ''))
  }

  it(
    'nothing that was acknowledged is lost, work goes on, and another takes its place',
    async () => {
      const { acknowledged, end } = load()
      const more = async () => {
        const before = acknowledged.size
        await until(() => acknowledged.size >= before + 10)
      }
      await more()
      // The last one first, then the one that leads.
      for (const [starts, victim] of [workers - 1, 0].entries()) {
        process.kill(crew.workers()[victim] as number, 'SIGKILL')
        await more()
        await crew.serving(workers + starts + 1)
      }
      await end()
      expect(crew.workers()).toHaveLength(workers)
      const anew = clientsOf(connections)
      expect(await statuses({ path: '/readyz' }, anew)).toEqual([200])
      close(anew)
      const client = openClient(crew.url, token)
      expect(acknowledged.isSubsetOf(await kept(client))).toBe(true)
      client.close()
    },
    longest,
  )

  it(
    'a connection that was on its way to it is ended, not left open with nobody to answer',
    async () => {
      const own = clientsOf(connections)
      const victim = crew.workers().at(-1) as number
      // Whoever stands still is dealt one connection and takes none: the others are answered by the other process.
      process.kill(victim, 'SIGSTOP')
      const answered: number[] = []
      const asked = own.map(client =>
        client.send({ path: '/healthz' }).then(({ status }) => {
          answered.push(status)
          return 'answered'
        }),
      )
      const ends = Promise.allSettled(asked)
      await until(() => answered.length === connections - 1)
      process.kill(victim, 'SIGKILL')
      expect((await ends).map(({ status }) => status).toSorted()).toEqual([
        ...Array(connections - 1).fill('fulfilled'),
        'rejected',
      ])
      await crew.serving(workers + 3)
      close(own)
      const anew = clientsOf(connections)
      expect(await statuses({ path: '/readyz' }, anew)).toEqual([200])
      close(anew)
    },
    longest,
  )

  it(
    'whoever leads now sees what is put into the database, and all refuse to say that they are well',
    async () => {
      close(clients)
      clients = clientsOf(connections, token)
      // By the file of a database: on a MongoDB its own journeys do it.
      if (isOnMongo) return
      const [file, tokens] = [join(home.data, 'kinhold.sqlite'), 'smart.tokens']
      const before = documentsOf(file, tokens)
      await lastLine(home, 'token', '--scope', 'system/*.rs')
      putDocumentsBack(file, tokens, before)
      await until(async () => (await statuses({ path: '/readyz' })).every(status => status === 503))
      expect((await run(home, 'verify')).status).toBe(1)
    },
    longest,
  )

  it(
    'when the one that looks after them is killed, none stays behind',
    async () => {
      const orphans = crew.workers()
      await crew.kill()
      await until(() => orphans.every(pid => !lives(pid)))
    },
    longest,
  )

  it(
    'asked to end, all end in good order and lose nothing',
    async () => {
      // What was put there is taken as it is; a MongoDB keeps a house for whom was killed for a while.
      if (!isOnMongo) expect((await run(home, 'verify', '--accept-restore')).status).toBe(0)
      crew = await startCrew(home, 2)
      const { acknowledged, end } = load()
      await until(() => acknowledged.size >= 20)
      expect(await crew.stop()).toBe(0)
      await end()
      const server = await startServer(home)
      const client = openClient(server.url, token)
      expect(acknowledged.isSubsetOf(await kept(client))).toBe(true)
      client.close()
      expect(await server.stop()).toBe(0)
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    },
    longest,
  )

  it('a start that cannot be says once what is wrong, and ends', async () => {
    const locked = { ...home, env: { ...home.env, KINHOLD_WORKERS: '2', KINHOLD_PASSPHRASE: 'not that of this house' } }
    const { status, stderr } = await run(locked, 'serve')
    expect([status, stderr.match(/^vault\.\S+: /gm)?.length]).toEqual([1, 1])
    expect(stderr).toContain('command.workers-failed')
    expect(await run(home, 'worker')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('command.worker-alone'),
    })
  })
})
