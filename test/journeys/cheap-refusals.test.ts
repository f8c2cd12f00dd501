import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Client, everyEntry, openClient, type Sent } from './server/client.ts'
import { type Home, lastLine, newHome } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

/** The most that refusals may add to the disk in a day, log and all. */
const bytesOfDay = 10_000_000
const minutesOfDay = 24 * 60
const seconds = 2
/** At least so many refusals are a flood, however long they take the machine. */
const flooding = 50

let home: Home
let server: RunningServer
let token: string
beforeAll(async () => {
  home = await newHome('refusals', 'info')
  // The limits would end each run early; what is measured is what goes by them.
  Object.assign(home.env, { KINHOLD_LIMIT_STRANGERS: 'off', KINHOLD_LIMIT_MISSES: 'off' })
  server = await startServer(home)
  token = await lastLine(home, 'token', '--scope', 'system/Patient.rs system/AuditEvent.rs')
})
afterAll(async () => {
  await server.stop()
  await home.remove()
})

async function bytesOf(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true })
  const sizes = await Promise.all(names.map(async name => (await stat(join(folder, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Asks as fast as it can for some seconds, and until that is a flood. */
async function flood(client: Client, sent: Sent): Promise<void> {
  const untilMs = performance.now() + seconds * 1000
  let times = 0
  const one = async () => {
    while (performance.now() < untilMs || times < flooding) {
      await client.send(sent)
      times++
    }
  }
  await Promise.all(Array.from({ length: 16 }, one))
}

const form = { 'content-type': 'application/x-www-form-urlencoded' }
const attempts: readonly (readonly [string, Sent])[] = [
  ['no token', { path: '/fhir/Patient/x', headers: { authorization: '' } }],
  ['a token that is none', { path: '/fhir/Patient/x', headers: { authorization: 'Bearer abcdef' } }],
  ['an id that is none', { path: '/fhir/Patient/none' }],
  ['a type that is not allowed', { path: '/fhir/Observation/x' }],
  ['a broken body', { method: 'POST', path: '/fhir/Patient', body: '{' }],
  ['an unknown path', { path: '/wp-login.php' }],
  ['no token of a client', { method: 'POST', path: '/auth/token', headers: form, body: 'grant_type=x' }],
  ['a login that is none', { method: 'POST', path: '/auth/login', headers: form, body: 'name=a&password=b' }],
  ['a link that is none', { path: `/share/${'A'.repeat(43)}` }],
]

describe('a refusal at full speed', () => {
  it.each(attempts)('costs the disk next to nothing: %s', async (_what, sent) => {
    const client = openClient(server.url, token)
    await client.send(sent)
    const before = { records: (await records()).length, bytes: await bytesOf(home.data), log: server.output().length }
    await flood(client, sent)
    client.close()
    const records1 = (await records()).length - before.records
    const log = server.output().length - before.log
    const bytes = (await bytesOf(home.data)) - before.bytes
    // Ten thousand refusals or one: a window of a minute has one record of them, and a few lines.
    expect(records1).toBeLessThanOrEqual(2)
    expect(log).toBeLessThan(20 * 400)
    // The write-ahead log grows in pages and is used again, so a database of this size shows what a record costs at most.
    expect(bytes).toBeLessThan(300_000)
  })

  it('adds less than ten megabytes in a day, whatever one client tries all at once', async () => {
    const all = await records()
    // Strangers and the token, each with a few kinds of refusal; each kind was written at once, and will be each minute.
    expect(all.length).toBeLessThanOrEqual(10)
    const sizes = all.map(resource => JSON.stringify(resource).length)
    // Deflated and sealed a record is smaller than its JSON; its row, its place and its share of a segment are not free.
    const bytesOfRecords = sizes.reduce((sum, size) => sum + size + 128, 0)
    const bytesOfLog = 9 * 200
    expect((bytesOfRecords + bytesOfLog) * minutesOfDay).toBeLessThan(bytesOfDay)
  })
})

/** The AuditEvents of what was refused. */
async function records() {
  const reader = openClient(server.url, token)
  try {
    const entries = await everyEntry(reader, '/fhir/AuditEvent?outcome=8&_count=500')
    return entries.flatMap(({ resource }) => resource ?? [])
  } finally {
    reader.close()
  }
}
