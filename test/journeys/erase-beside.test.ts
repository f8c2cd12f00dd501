import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Client, openClient } from './server/client.ts'
import { commandIn, type Home, lastLine, mainFile, newHome, run } from './server/home.ts'
import { type Watching, watching } from './server/raw-rows.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { type StartedHome, startHome } from './server/started-home.ts'
import { until } from './server/waiting.ts'

const longest = 600_000

const observation = (patient: string, text = 'pulse') => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text },
  subject: { reference: `Patient/${patient}` },
})

async function takeIn(client: Client, id: string, count: number): Promise<void> {
  await client.send({ method: 'PUT', path: `/fhir/Patient/${id}`, body: { resourceType: 'Patient', id } })
  const entry = Array.from({ length: count }, (_, at) => ({
    resource: observation(id, `${id} ${at}`),
    request: { method: 'POST', url: 'Observation' },
  }))
  const body = { resourceType: 'Bundle', type: 'transaction', entry }
  expect((await client.send({ method: 'POST', path: '/fhir', body })).status).toBe(200)
}

const totalOf = async (client: Client, id: string) =>
  (await client.send({ path: `/fhir/Observation?patient=${id}&_summary=count` })).json<{ total: number }>().total

describe('a patient is erased by one process while others read and write', () => {
  let home: Home
  let server: RunningServer
  let client: Client
  let end: StartedHome['end']
  beforeAll(async () => {
    ;({ home, server, client, end } = await startHome('erase-beside'))
  }, longest)
  afterAll(async () => {
    expect(await end()).toBe(0)
  }, longest)

  it(
    'nothing is acknowledged once the erasure is, and at once nothing is found, read, opened or authenticated',
    async () => {
      await takeIn(client, 'greta', 30)
      const created = await client.send({ method: 'POST', path: '/fhir/Observation', body: observation('greta') })
      const path = /\/fhir\/Observation\/[^/]+/.exec(created.headers.location ?? '')?.[0] ?? ''
      const own = openClient(
        server.url,
        await lastLine(home, 'token', '--scope', 'patient/*.cruds', '--patient', 'greta'),
      )
      const sharing = {
        method: 'POST',
        path: '/share',
        body: { patient: 'greta', scopes: 'patient/*.rs', label: 'Dr' },
      }
      const json = { 'content-type': 'application/json' }
      const link = (await client.send({ ...sharing, headers: json })).json<{ url: string }>()
      const open = { method: 'POST', path: new URL(link.url).pathname, headers: json, body: { recipient: 'Dr' } }
      expect((await client.send(open)).status).toBe(200)

      let going = true
      const acknowledged: { sentMs: number; toldMs: number }[] = []
      const write = async (by: Client) => {
        while (going) {
          const sentMs = performance.now()
          const { status } = await by.send({ method: 'POST', path: '/fhir/Observation', body: observation('greta') })
          if (status === 201) acknowledged.push({ sentMs, toldMs: performance.now() })
        }
      }
      // What is asked for again and again is what a process keeps at hand.
      const read = async () => {
        while (going)
          for (const asked of [{ path }, { path: '/fhir/Observation?patient=greta&_summary=count' }, open])
            await client.send(asked)
      }
      const everybody = Promise.all([write(client), write(own), write(own), read()])
      await until(() => acknowledged.length >= 20)
      expect(await run(home, 'erase', '--patient', 'greta', '--yes')).toMatchObject({ status: 0 })
      const erasedMs = performance.now()

      const statusOf = async (by: Client, asked: Parameters<Client['send']>[0]) => (await by.send(asked)).status
      const answers = await Promise.all([
        totalOf(client, 'greta'),
        statusOf(client, { path: '/fhir/Patient/greta' }),
        statusOf(client, { path }),
        statusOf(client, { path: `${path}/_history` }),
        statusOf(client, { path: '/fhir/Patient/greta/$everything' }),
        statusOf(client, open),
        statusOf(own, { path: '/fhir/Observation' }),
      ])
      going = false
      await everybody
      own.close()
      expect(answers).toEqual([0, 410, 404, 404, expect.any(Number), 404, 401])
      expect(answers[4]).toBeGreaterThanOrEqual(404)
      expect(acknowledged.filter(({ sentMs, toldMs }) => sentMs > erasedMs || toldMs > erasedMs)).toEqual([])
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    },
    longest,
  )

  it(
    'also when the server erases and a command imports: the import ends, and leaves nothing',
    async () => {
      await takeIn(client, 'hugo', 1)
      const lines = Array.from({ length: 20_000 }, (_, at) =>
        JSON.stringify({ ...observation('hugo', `line ${at}`), id: `h${at}` }),
      )
      const file = join(home.folder, 'long.ndjson')
      await writeFile(file, `${lines.join('\n')}\n`)
      const importing = run(home, 'import', file, '--patient', 'hugo')
      await until(async () => (await totalOf(client, 'hugo')) >= 100)
      const purge = { method: 'POST', path: '/fhir/Patient/hugo/$purge?confirm=hugo' }
      expect((await client.send(purge)).status).toBe(200)
      expect(await totalOf(client, 'hugo')).toBe(0)
      const ended = await importing
      expect([ended.status, ended.stderr]).toEqual([1, expect.not.stringContaining('    at ')])
      expect(await totalOf(client, 'hugo')).toBe(0)
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    },
    longest,
  )
})

describe('an erasure that is killed', () => {
  /** How far it has come, as the databases show it. */
  const stages: Readonly<Record<string, keyof Watching>> = {
    'when it has begun to write': 'commits',
    'when the key is destroyed': 'tombstones',
    'when the data begin to go': 'entries',
  }

  it.each(Object.entries(stages))(
    '%s: the patient is there wholly, or wholly gone after the next start',
    async (stage, measured) => {
      const home = await newHome('erase-killed')
      let server = await startServer(home)
      const token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
      let client = openClient(server.url, token)
      await takeIn(client, 'greta', 200)
      await takeIn(client, 'emil', 3)
      client.close()
      await server.stop()

      await watching(home, async look => {
        const before = await look[measured]()
        const [command, ...words] = commandIn(home, mainFile, 'erase', '--patient', 'greta', '--yes')
        const child = spawn(command, words, { env: home.env, cwd: home.folder, stdio: 'ignore' })
        const gone = once(child, 'exit')
        while (child.exitCode === null && (await look[measured]()) === before)
          await new Promise(resolve => setImmediate(resolve))
        child.kill('SIGKILL')
        await gone
      })

      server = await startServer(home)
      client = openClient(server.url, token)
      const state = [(await client.send({ path: '/fhir/Patient/greta' })).status, await totalOf(client, 'greta')]
      expect([
        [200, 200],
        [410, 0],
      ]).toContainEqual(state)
      if (stage !== 'when it has begun to write') expect(state).toEqual([410, 0])
      expect(await totalOf(client, 'emil')).toBe(3)
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
      client.close()
      expect(await server.stop()).toBe(0)
      await home.remove()
    },
    longest,
  )
})
