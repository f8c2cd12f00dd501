/** Houses that earlier versions left: each is opened by this one, wherever its first start is cut off. */
import { chmod, cp, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bundle } from '@medplum/fhirtypes'
import { randomFrom } from '../random.ts'
import { openClient } from './server/client.ts'
import { type Home, lastLine, newFolderHome, run } from './server/home.ts'
import { killWhileStarting, startServer } from './server/start-server.ts'

const cases = new URL('../cases/stores/', import.meta.url).pathname
/** How often the first start is killed; `UPGRADE_KILLS=20` for the goal that is tried by the soak. */
const kills = Number(process.env.UPGRADE_KILLS ?? 2)
const longestStartMs = 1_500

const houses = (await readdir(cases, { withFileTypes: true })).filter(entry => entry.isDirectory())

async function homeOf(name: string): Promise<Home> {
  const home = await newFolderHome('older')
  for (const [file, to] of [
    ['kinhold.sqlite', home.data],
    ['keystore.sqlite', home.keys],
    ['root.key', home.keys],
  ] as const) {
    await mkdir(to, { recursive: true, mode: 0o700 })
    await cp(join(cases, name, file), join(to, file))
  }
  // Git keeps no modes but whether a file is run.
  await chmod(join(home.keys, 'root.key'), 0o600)
  return home
}

/** Every resource by its id, as everybody who may see all finds it. */
async function held(home: Home): Promise<readonly string[]> {
  const server = await startServer(home)
  const client = openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds', '--ttl', '1h'))
  const found: string[] = []
  for (const path of ['Patient', 'Observation?code=8867-4', 'Observation?patient.family=Muster', 'Organization']) {
    const answer = await client.send({ path: `/fhir/${path}` })
    expect([path, answer.status]).toEqual([path, 200])
    found.push(...(answer.json<Bundle>().entry ?? []).map(({ resource }) => `${path}: ${resource?.id}`))
  }
  const [patient = ''] = found.filter(text => text.startsWith('Patient: ')).map(text => text.slice(9))
  const written = await client.send({
    method: 'PUT',
    path: `/fhir/Patient/${patient}`,
    body: { resourceType: 'Patient', id: patient, name: [{ family: 'Muster' }] },
  })
  expect(written.status).toBe(200)
  expect((await client.send({ path: '/readyz' })).status).toBe(200)
  client.close()
  expect(await server.stop()).toBe(0)
  return found
}

describe.each(houses.map(({ name }) => [name]))('a house of %s', name => {
  const seed = Number(process.env.UPGRADE_SEED ?? Date.now() % 1_000_000)

  it(`opens whole, and is written to, also when its first start is killed ${kills} times (seed ${seed})`, async () => {
    const home = await homeOf(name)
    const random = randomFrom(seed)
    for (let kill = 0; kill < kills; kill++) await killWhileStarting(home, random() * longestStartMs)
    const found = await held(home)
    const counts = Map.groupBy(found, text => text.slice(0, text.lastIndexOf(': ')))
    expect([...counts].map(([path, all]) => [path, all.length])).toEqual([
      ['Patient', 1],
      ['Observation?code=8867-4', 5],
      ['Observation?patient.family=Muster', 5],
      ['Organization', 1],
    ])
    expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    expect((await run(home, 'reindex')).status).toBe(0)
    expect(await held(home)).toEqual(found)
    expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    await home.remove()
  })
})
