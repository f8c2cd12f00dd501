/** A disk that cannot read, write or flush any more under a server that runs, and that does so again later. */
import { type Answer, type Client, openClient } from './server/client.ts'
import { type Failing, type FailingHome, newFailingHome, onFailingDisk } from './server/failing-disk.ts'
import { lastLine, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

interface Scene {
  readonly home: FailingHome
  readonly server: RunningServer
  readonly client: Client
  readonly patient: string
}

async function onScene(place: 'data' | 'keys', work: (scene: Scene) => Promise<void>): Promise<void> {
  const home = await newFailingHome('failing', place)
  const server = await startServer(home)
  const patient = await lastLine(home, 'patient', 'create')
  const client = openClient(
    server.url,
    await lastLine(home, 'token', '--patient', patient, '--scope', 'patient/*.cruds'),
  )
  try {
    await work({ home, server, client, patient })
  } finally {
    home.mend()
    client.close()
    await server.stop()
    await home.remove()
  }
}

const observation = (patient: string, text: string) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text },
  subject: { reference: `Patient/${patient}` },
})
const create = ({ client, patient }: Scene, text: string) =>
  client.send({ method: 'POST', path: '/fhir/Observation', body: observation(patient, text) })

/** Enough for the thread that writes long commits. */
function createMany({ client, patient }: Scene, count: number) {
  const entry = Array.from({ length: count }, (_, at) => ({
    resource: observation(patient, `one of many, ${at}`),
    request: { method: 'POST', url: 'Observation' },
  }))
  return client.send({ method: 'POST', path: '/fhir', body: { resourceType: 'Bundle', type: 'transaction', entry } })
}

const codeOf = ({ json }: Answer) =>
  json<{ issue: { details: { coding: { code: string }[] } }[] }>().issue[0]?.details.coding[0]?.code

const pathOf = ({ headers }: Answer) => `/fhir/${headers.location?.split('/').slice(-4, -2).join('/')}`

const many = 700
const total = async ({ client }: Scene) =>
  (await client.send({ path: '/fhir/Observation?_summary=count' })).json<{ total: number }>().total

describe('a disk that fails under a server that runs', () => {
  it.each<Failing>(['write', 'flush'])(
    'is told when it cannot %s: nothing of it is acknowledged, nothing acknowledged is lost, and it goes on by itself',
    failing =>
      onFailingDisk(() =>
        onScene('data', async scene => {
          const { home, client, server } = scene
          const first = await create(scene, 'before')
          expect(first.status).toBe(201)
          home.fail(failing)
          for (const answer of [await create(scene, 'meanwhile'), await createMany(scene, many)]) {
            expect([answer.status, codeOf(answer)]).toEqual([503, 'storage.failing'])
            expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
          }
          expect((await client.send({ path: '/healthz' })).status).toBe(200)
          expect((await client.send({ path: pathOf(first) })).status).toBe(200)
          home.mend()
          await until(async () => (await create(scene, 'after')).status === 201)
          // That of before, and the one that was acknowledged since.
          expect(await total(scene)).toBe(2)
          expect((await createMany(scene, many)).status).toBe(200)
          expect(await total(scene)).toBe(2 + many)
          expect((await client.send({ path: pathOf(first) })).status).toBe(200)
          await until(async () => (await client.send({ path: '/readyz' })).status === 200)
          expect(server.output()).not.toMatch(/uncaught|unhandled/i)
          expect(await run(home, 'verify')).toMatchObject({ status: 0 })
        }),
      )(),
  )

  it(
    'is told when it cannot read, and is read again later',
    onFailingDisk(() =>
      onScene('data', async scene => {
        const { home, client } = scene
        const paths: string[] = []
        for (let at = 0; at < 20; at++) paths.push(pathOf(await create(scene, `${at}`)))
        home.fail('read')
        for (const path of paths) {
          const answer = await client.send({ path })
          // What SQLite has in memory it need not read.
          if (answer.status !== 200) expect([answer.status, codeOf(answer)]).toEqual([503, 'storage.failing'])
        }
        expect((await client.send({ path: '/healthz' })).status).toBe(200)
        home.mend()
        for (const path of paths) expect((await client.send({ path })).status).toBe(200)
        expect((await create(scene, 'after')).status).toBe(201)
        expect(await run(home, 'verify')).toMatchObject({ status: 0 })
      }),
    ),
  )
})
