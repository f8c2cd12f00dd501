import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Home, lastLine, mainFile, newHome, run } from './server/home.ts'
import { startServer } from './server/start-server.ts'

const longest = 120_000

let home: Home
let patient: string
beforeAll(async () => {
  home = await newHome('signals')
  expect(await (await startServer(home)).stop()).toBe(0)
  patient = await lastLine(home, 'patient', 'create')
}, longest)
afterAll(() => home.remove())

/** Runs a command and sends it a signal when it has said or written something, or after a while. */
async function interrupt(signal: NodeJS.Signals, afterMs: number, ...args: string[]) {
  const child = spawn(process.execPath, [mainFile, ...args], { env: home.env, cwd: home.folder })
  const timer = setTimeout(() => child.kill(signal), afterMs)
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  clearTimeout(timer)
  return { status: Number(status), stdout, stderr }
}

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
      const records = Array.from({ length: 200_000 }, (_, at) => record(at)).join('\n')
      const path = join(home.folder, `${signal}.xml`)
      await writeFile(path, `<?xml version="1.0"?>\n<HealthData locale="en">\n${records}\n</HealthData>\n`)
      const ended = await interrupt(signal, 6_000, 'import', path, '--patient', patient)
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
      const { status } = await interrupt('SIGINT', 1_500, 'demo')
      expect([0, 130]).toContain(status)
      expect(await readdir(home.temporary)).toEqual([])
    },
    longest,
  )
})
