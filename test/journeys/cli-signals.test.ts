import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import { type Home, lastLine, mainFile, newHome, run } from './server/home.ts'
import { startServer } from './server/start-server.ts'

const longest = 600_000

let home: Home
let patient: string
beforeAll(async () => {
  home = await newHome('signals')
  expect(await (await startServer(home)).stop()).toBe(0)
  patient = await lastLine(home, 'patient', 'create')
}, longest)
afterAll(() => home.remove())

/** Runs a command and sends it a signal as soon as it is that far. */
async function interrupt(signal: NodeJS.Signals, isThatFar: () => Promise<boolean> | boolean, ...args: string[]) {
  const child = spawn(process.execPath, [mainFile, ...args], { env: home.env, cwd: home.folder })
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  while (child.exitCode === null && !(await isThatFar())) await new Promise(resolve => setTimeout(resolve, 5))
  child.kill(signal)
  const [stdout, stderr, [status]] = await ended
  return { status: status ?? `killed by ${signal}`, stdout, stderr }
}

/** Tells whether an import has written since now: a house that is opened writes little, and no such number of entries. */
function importsFromNow(): () => boolean {
  const data = new DatabaseSync(join(home.data, 'kinhold.sqlite'), { readOnly: true })
  const entries = () => Number(data.prepare('SELECT count(*) AS n FROM entries').get()?.n)
  const before = entries()
  return () => {
    if (entries() < before + 100) return false
    data.close()
    return true
  }
}

// https://nodejs.org/api/process.html#signal-events: SIGUSR1 would make Node listen for a debugger, to whom everything is open.
describe('SIGUSR1', () => {
  it(
    'opens no debugger to a running server, however that was started',
    async () => {
      const server = await startServer(home)
      process.kill(server.pid, 'SIGUSR1')
      const answer = await fetch(`${server.url}/healthz`)
      expect([answer.status, server.output()]).toEqual([200, expect.not.stringContaining('Debugger')])
      expect(await server.stop()).toBe(0)
    },
    longest,
  )

  it('is switched off from the first moment on where this project starts itself', async () => {
    const root = new URL('../../', import.meta.url)
    const { scripts } = JSON.parse(await readFile(new URL('package.json', root), 'utf8'))
    const starts = [scripts.start, scripts.demo, scripts.kinhold, await readFile(new URL('Dockerfile', root), 'utf8')]
    for (const text of starts) expect(text).toMatch(/--disable-sigusr1"?,? "?src\/main\.ts/)
    const child = spawn(process.execPath, ['--disable-sigusr1', mainFile, '--version'], { env: home.env })
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})

describe('a command that is told to end', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'by %s while it imports says so, ends with %i, and leaves a sound house',
    async (signal, status) => {
      const record = (at: number) => {
        const date = `${new Date(Date.UTC(2024, 0, 1) + at * 60_000).toISOString().slice(0, 19).replace('T', ' ')} +0000`
        return `<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="${signal}" unit="count/min" value="60" startDate="${date}" endDate="${date}"/>`
      }
      const records = Array.from({ length: 100_000 }, (_, at) => record(at)).join('\n')
      const path = join(home.folder, `${signal}.xml`)
      await writeFile(path, `<?xml version="1.0"?>\n<HealthData locale="en">\n${records}\n</HealthData>\n`)
      const ended = await interrupt(signal, importsFromNow(), 'import', path, '--patient', patient)
      expect([ended.status, ended.stdout]).toEqual([status, ''])
      expect(ended.stderr).toContain('stopping')
      expect(ended.stderr).not.toContain('    at ')
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
      expect(await readdir(home.temporary)).toEqual([])
    },
    longest,
  )

  it(
    'while it demonstrates removes what it made',
    async () => {
      const hasMade = async () => (await readdir(home.temporary)).length > 0
      const { status } = await interrupt('SIGINT', hasMade, 'demo')
      expect([0, 130]).toContain(status)
      expect(await readdir(home.temporary)).toEqual([])
    },
    longest,
  )
})
