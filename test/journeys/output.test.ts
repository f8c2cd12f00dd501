import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { freePort } from '../free-port.ts'
import { commandIn, type Home, mainFile, newHome, run } from './server/home.ts'
import { startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

let home: Home
beforeAll(async () => {
  home = await newHome('output')
  expect(await (await startServer(home)).stop()).toBe(0)
})
const started: ChildProcess[] = []
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await home.remove()
})

const full = '/dev/full'
/** Where the system has no file that is always full, the test says so: https://man7.org/linux/man-pages/man4/full.4.html */
function onFull(work: () => Promise<void>): () => Promise<void> {
  return async () => {
    if (existsSync(full)) return work()
    process.stderr.write(`\n!!! NOT TRIED WITHOUT ${full}: ${expect.getState().currentTestName}\n\n`)
  }
}

function start(out: number | 'pipe', error: number | 'pipe', env: NodeJS.ProcessEnv, ...args: string[]) {
  const [command, ...words] = commandIn(home, mainFile, ...args)
  const child = spawn(command, words, {
    env: { ...home.env, ...env },
    cwd: home.folder,
    stdio: ['ignore', out, error],
  })
  started.push(child)
  return child
}

/** How it ended, and what it said on standard error. */
async function endOf(child: ReturnType<typeof start>) {
  const said = child.stderr === null ? '' : text(child.stderr)
  const [[status], all] = await Promise.all([once(child, 'exit'), said])
  return [status, all]
}

describe('a command whose reader has gone', () => {
  it.each([[['--help']], [['patient', 'create', '--given', 'Greta']]])('%j ends as if it had not', async args => {
    const child = start('pipe', 'pipe', {}, ...args)
    child.stdout?.destroy()
    expect(await endOf(child)).toEqual([0, ''])
  })
})

describe('a command whose results find no room', () => {
  it(
    'does what it was to do, says so and ends with 1',
    onFull(async () => {
      const before = (await run(home, 'patient', 'list')).stdout.split('\n')
      const file = openSync(full, 'w')
      const child = start(file, 'pipe', {}, 'patient', 'create', '--given', 'Emil')
      closeSync(file)
      expect(await endOf(child)).toEqual([1, expect.stringMatching(/could not be written: ENOSPC[^\n]*\n$/)])
      expect((await run(home, 'patient', 'list')).stdout.split('\n')).toHaveLength(before.length + 1)
    }),
  )
})

describe('a server whose log', () => {
  async function expectServing(child: ReturnType<typeof start>, url: string): Promise<void> {
    const isHealthy = () =>
      fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      )
    await until(async () => child.exitCode !== null || (await isHealthy()))
    // Each of them is told of in the log.
    for (let asked = 0; asked < 5; asked++) expect((await fetch(`${url}/fhir/Patient`)).status).toBe(401)
    child.kill('SIGTERM')
    await once(child, 'exit')
  }

  const serving = async () => {
    const port = await freePort()
    const env = { KINHOLD_PORT: String(port), KINHOLD_LOG_LEVEL: 'debug' }
    return { env, url: `http://127.0.0.1:${port}` }
  }

  it(
    'finds no room serves on',
    onFull(async () => {
      const { env, url } = await serving()
      const file = openSync(full, 'w')
      const child = start(file, file, env, 'serve')
      closeSync(file)
      await expectServing(child, url)
      expect(child.signalCode).toBeNull()
    }),
  )

  it('is read by nobody any more serves on', async () => {
    const { env, url } = await serving()
    const child = start('pipe', 'pipe', env, 'serve')
    for (const stream of [child.stdout, child.stderr]) stream?.destroy()
    await expectServing(child, url)
    expect([child.signalCode, child.exitCode]).toEqual([null, 0])
  })
})
