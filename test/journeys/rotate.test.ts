import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { openClient } from './server/client.ts'
import { type Home, lastLine, mainFile, newHome, run } from './server/home.ts'
import { rowsOf } from './server/raw-rows.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

const patients = ['greta', 'emil']
const observations = 150

function under(home: Home, env: NodeJS.ProcessEnv): Home {
  return { ...home, env: { ...home.env, ...env } }
}

/** Runs a command whose questions are answered; what it said. */
async function answer(home: Home, lines: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [mainFile, ...args], { env: home.env, cwd: home.folder })
  child.stdin.end(lines)
  return text(child.stderr)
}

/** Everything a house says: every version of everything, as it is served. */
async function contentOf(home: Home): Promise<string[]> {
  const server = await startServer(home)
  const client = openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))
  const said: string[] = []
  for (const id of patients) {
    for (const path of [`/fhir/Patient/${id}`, `/fhir/Observation?patient=${id}&_sort=date&_count=1000`]) {
      const answer = await client.send({ path })
      expect(answer.status).toBe(200)
      const body = answer.json<{ entry?: { resource: unknown }[] }>()
      said.push(...(body.entry?.map(({ resource }) => JSON.stringify(resource)) ?? [JSON.stringify(body)]))
    }
  }
  client.close()
  expect(await server.stop()).toBe(0)
  return said.toSorted()
}

async function fill(server: RunningServer, home: Home): Promise<void> {
  const client = openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))
  for (const id of patients) {
    await client.send({ method: 'PUT', path: `/fhir/Patient/${id}`, body: { resourceType: 'Patient', id } })
    const entry = Array.from({ length: observations }, (_, at) => ({
      request: { method: 'POST', url: 'Observation' },
      resource: {
        resourceType: 'Observation',
        status: 'final',
        code: { text: `${id} ${at}` },
        subject: { reference: `Patient/${id}` },
      },
    }))
    const bundle = { resourceType: 'Bundle', type: 'transaction', entry }
    expect((await client.send({ method: 'POST', path: '/fhir', body: bundle })).status).toBe(200)
  }
  client.close()
}

/** The versions of keys that seal entries, and the epochs that wrap keys. */
async function sealedWith(home: Home): Promise<{ versions: number[]; epochs: number[]; keyVersions: number[] }> {
  const sealed = await rowsOf(home, 'entries')
  const versions = sealed.map(entry => (entry.sealed as Uint8Array)[1] as number)
  const rows = (await rowsOf(home, 'keys')).filter(({ owner }) => owner !== 'instance')
  const epochs = rows.map(({ params }) => Number((JSON.parse(String(params)) as { epoch: number }).epoch))
  const distinct = (numbers: number[]) => [...new Set(numbers)].toSorted()
  return {
    versions: distinct(versions),
    epochs: distinct(epochs),
    keyVersions: distinct(rows.map(({ version }) => Number(version))),
  }
}

/** Each command is a process of its own, and there are many. */
const longest = 600_000

describe('kinhold rotate – ARCHITECTURE, "Rotation rewraps (root, instance) or re-seals (patient)"', () => {
  let home: Home
  let content: string[]
  beforeAll(async () => {
    home = await newHome('rotate')
    const server = await startServer(home)
    await fill(server, home)
    expect(await server.stop()).toBe(0)
    content = await contentOf(home)
    expect(content).toHaveLength(2 * (observations + 1))
  }, longest)
  afterAll(() => home.remove())

  const isAsItWas = async () => {
    expect(await contentOf(home)).toEqual(content)
    expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
  }

  it(
    'root: beside a running server, which goes on and starts again with the new key file',
    async () => {
      const file = join(home.keys, 'root.key')
      const before = await readFile(file)
      const server = await startServer(home)
      const token = await lastLine(home, 'token', '--scope', 'system/*.cruds')
      expect(await run(home, 'rotate', 'root')).toMatchObject({ status: 0 })
      const client = openClient(server.url, token)
      expect((await client.send({ path: '/fhir/Patient/greta' })).status).toBe(200)
      client.close()
      expect(await server.stop()).toBe(0)
      const after = await readFile(file)
      expect(after.equals(before)).toBe(false)
      await writeFile(file, before)
      expect((await run(home, 'verify')).stderr).toContain('vault.root-refused')
      await writeFile(file, after)
      await isAsItWas()
    },
    longest,
  )

  it(
    'root: to a passphrase, to another one, and back to a key file',
    async () => {
      const first = 'a passphrase of many words'
      const second = 'another passphrase of words'
      const withFirst = under(home, { KINHOLD_PASSPHRASE: first })
      expect(
        await run(under(home, { KINHOLD_NEW_PASSPHRASE: first }), 'rotate', 'root', '--to', 'passphrase'),
      ).toMatchObject({ status: 0 })
      expect((await run(home, 'verify')).stderr).toContain('vault.root-missing')
      expect(await run(withFirst, 'verify')).toMatchObject({ status: 0 })
      expect((await run(withFirst, 'rotate', 'root')).stderr).toContain('command.unanswered')
      const differing = await answer(withFirst, `${second}\n${first}\n`, 'rotate', 'root')
      expect(/command\.[a-z-]+/.exec(differing)?.[0]).toBe('command.passphrases-differ')
      expect(await run(under(withFirst, { KINHOLD_NEW_PASSPHRASE: second }), 'rotate', 'root')).toMatchObject({
        status: 0,
      })
      expect((await run(withFirst, 'verify')).stderr).toContain('vault.root-refused')
      const withSecond = under(home, { KINHOLD_PASSPHRASE: second })
      expect(await run(withSecond, 'rotate', 'root', '--to', 'file')).toMatchObject({ status: 0 })
      await isAsItWas()
    },
    longest,
  )

  it(
    'instance and patient: not while a server has the house open, and the server does not notice',
    async () => {
      const server = await startServer(home)
      for (const args of [['instance'], ['patient', 'greta'], ['all']]) {
        const { status, stderr } = await run(home, 'rotate', ...args)
        expect([status, stderr.split(':')[0]]).toEqual([1, 'command.house-in-use'])
      }
      expect(await server.stop()).toBe(0)
      expect(await sealedWith(home)).toEqual({ versions: [1], epochs: [1], keyVersions: [1] })
    },
    longest,
  )

  it(
    'instance: keys and documents move to a new epoch, and the paper opens it without being asked for',
    async () => {
      const code = (await run(home, 'recovery', 'new')).stdout.trim()
      const { status, stderr } = await run(home, 'rotate', 'instance')
      expect([status, stderr]).toEqual([0, expect.stringMatching(/epoch 2: \d+ keys and \d+ documents/)])
      expect(await sealedWith(home)).toEqual({ versions: [1], epochs: [2], keyVersions: [1] })
      expect(await run(under(home, { KINHOLD_RECOVERY_CODE: code }), 'verify')).toMatchObject({ status: 0 })
      await isAsItWas()
    },
    longest,
  )

  it(
    'patient: one is sealed anew with a key of its own, the others stay as they are',
    async () => {
      const absent = await run(home, 'rotate', 'patient', 'nobody')
      expect([absent.status, absent.stderr]).toEqual([1, expect.stringContaining('nobody')])
      const before = await rowsOf(home, 'entries')
      expect(await run(home, 'rotate', 'patient', 'greta')).toMatchObject({ status: 0 })
      expect(await sealedWith(home)).toEqual({ versions: [1, 2], epochs: [2], keyVersions: [1, 2] })
      expect(await rowsOf(home, 'entries')).not.toEqual(before)
      await isAsItWas()
    },
    longest,
  )

  it(
    'all: with kill -9 at any moment, it is gone on with, and nothing is lost',
    async () => {
      for (const afterMs of [500, 900, 1_300, 1_800, 2_600]) {
        const child = spawn(process.execPath, [mainFile, 'rotate', 'all'], {
          env: home.env,
          cwd: home.folder,
          stdio: 'ignore',
        })
        const timer = setTimeout(() => child.kill('SIGKILL'), afterMs)
        await once(child, 'exit')
        clearTimeout(timer)
        expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
      }
      expect(await run(home, 'rotate', 'all')).toMatchObject({ status: 0 })
      const { versions, keyVersions, epochs } = await sealedWith(home)
      expect(epochs).toHaveLength(1)
      expect(versions).not.toContain(1)
      expect(versions).toEqual(keyVersions)
      await isAsItWas()
      expect((await readdir(home.keys)).filter(name => name.endsWith('.next'))).toEqual([])
    },
    longest,
  )
})
