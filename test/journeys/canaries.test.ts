import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { askThroughFhir, expectStatus, markedObservation, writeThroughFhir } from './canaries/fhir-paths.ts'
import { appleHealthZip, fhirBundle, googleFitZip, hl7v2Messages } from './canaries/files.ts'
import { Flock } from './canaries/flock.ts'
import { beRefused } from './canaries/refused-paths.ts'
import { filesOf, openFilesOf, type Residue } from './canaries/residue.ts'
import { Scanner, type Sighting } from './canaries/scanner.ts'
import { spellingsOf } from './canaries/spellings.ts'
import { writeThroughPages } from './canaries/web-paths.ts'
import { type Client, everyEntry, openClient } from './server/client.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { everyValueOf } from './server/raw-rows.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

const flock = new Flock()
const gathered: Residue[] = []
let home: Home
let server: RunningServer
let client: Client
let patient: string

/** What lies on the disk now, and what the server holds open. */
async function gather(): Promise<void> {
  // Both at once: what is held open for a moment is not there any more when all files have been read.
  const [open, files] = await Promise.all([openFilesOf(server.pid), filesOf(home)])
  gathered.push(...files, ...open)
}

function sightings(residues: readonly Residue[], scanner: Scanner): Sighting[] {
  return residues.flatMap(({ where, bytes }) => scanner.scan(where, bytes))
}

const octets = { 'content-type': 'application/octet-stream' }

function ingest(body: Buffer | string, headers = {}) {
  return client.send({
    method: 'POST',
    path: `/fhir/Patient/${patient}/$ingest`,
    body,
    headers: { ...octets, ...headers },
  })
}

beforeAll(async () => {
  home = await newHome('canaries', 'debug')
  server = await startServer(home)
  client = openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))
  patient = await writeThroughFhir(client, flock)
})

afterAll(async () => {
  client.close()
  await server.stop()
  await home.remove()
})

describe('marks written through every path – nothing readable rests anywhere', () => {
  it('takes what is asked for', async () => {
    await askThroughFhir(client, flock, patient)
  })

  it('takes pages, accounts and apps', async () => {
    const claim = /http\S+\/claim\?code=\S+/.exec(server.output())?.[0] ?? ''
    await writeThroughPages(client, flock, new URL(claim).pathname + new URL(claim).search)
    const accounts = await client.send({ path: '/auth/login' })
    expect(accounts.status).toBe(200)
  })

  it('takes messages and files', async () => {
    const { admission, result } = hl7v2Messages(flock)
    const er7 = { 'content-type': 'x-application/hl7-v2+er7' }
    for (const body of [admission, result]) {
      const ack = await client.send({ method: 'POST', path: '/hl7v2', headers: er7, body })
      expect(ack.body.toString()).toContain('MSA|AA')
    }
    const more = hl7v2Messages(flock)
    await expectStatus(200, ingest(more.result), 422)
    for (const file of [await appleHealthZip(flock), await googleFitZip(flock), fhirBundle(flock, patient)])
      await expectStatus(200, ingest(file))
  })

  it('takes a large file, and leaves nothing readable while it is imported', async () => {
    const started = await expectStatus(202, ingest(fhirBundle(flock, patient, 6_000_000), { prefer: 'respond-async' }))
    const job = new URL(started.headers['content-location'] ?? '').pathname
    let polls = 0
    await until(async () => {
      if (polls++ < 3) await gather()
      return (await client.send({ path: job })).status !== 202
    })
    // The file itself, sealed and without a name, was among what was looked at.
    expect(gathered.some(({ where, bytes }) => where.startsWith('/proc/') && bytes.length > 6_000_000)).toBe(true)
  })

  it('takes commands beside the server', async () => {
    const path = join(home.folder, '..', `kinhold-canaries-${process.pid}.json`)
    await writeFile(path, fhirBundle(flock, patient))
    const imported = await run(home, 'import', path, '--patient', patient, '--json')
    expect(imported.status).toBe(0)
    const made = await run(home, 'patient', 'create', '--given', flock.name(), '--family', flock.name())
    expect(made.status).toBe(0)
    const output = Buffer.from(`${imported.stdout}${imported.stderr}${made.stdout}${made.stderr}`)
    gathered.push({ where: 'what commands printed', bytes: output })
    await rm(path)
  })

  it('refuses what it must', async () => {
    const statuses = await beRefused(client, flock, patient)
    expect(statuses.filter(status => status < 400)).toEqual([])
    expect(statuses.filter(status => status >= 500)).toEqual([])
    await expectStatus(200, client.send({ path: '/healthz' }))
  })

  it('shows most of them to whoever may read', async () => {
    const versions = await everyEntry(client, '/fhir/_history?_count=1000')
    const audit = await everyEntry(client, '/fhir/AuditEvent/_history?_count=1000')
    const shown = JSON.stringify(versions) + JSON.stringify(audit)
    expect(flock.marks.filter(mark => shown.includes(mark)).length).toBeGreaterThanOrEqual(200)
  })

  it('shows none of them: not in databases, logs, keys, temporary files or output, in any spelling', async () => {
    expect(flock.marks.length).toBeGreaterThanOrEqual(200)
    await gather()
    gathered.push(...(await everyValueOf(home)))
    await server.kill()
    gathered.push(...(await filesOf(home)), { where: 'output of the server', bytes: Buffer.from(server.output()) })
    // What was looked through is what the server had just written.
    const fresh = process.env.KINHOLD_TEST_STORE === 'mongodb' ? 'rows of data' : '-wal'
    expect(gathered.some(({ where, bytes }) => where.endsWith(fresh) && bytes.length > 0)).toBe(true)
    expect(server.output()).toContain('request refused')
    expect(sightings(gathered, new Scanner(flock.marks))).toEqual([])
    const megabytes = gathered.reduce((sum, { bytes }) => sum + bytes.length, 0) / 1e6
    process.stderr.write(
      `canaries: ${flock.marks.length} marks, 0 found in ${gathered.length} files, ${megabytes.toFixed(1)} MB\n`,
    )
  })
})

describe('the scanner – it finds what lies open', () => {
  const planted = new Flock()
  const marks = [planted.name(), planted.foreignName(), planted.code(), planted.value()]
  const scanner = new Scanner(marks)
  const noise = Buffer.from(Array.from({ length: 5_000 }, (_, at) => (at * 7919 + (at >> 3)) % 251))

  it.each(spellingsOf(marks).map(({ encoding, mark, bytes }) => [encoding, mark, bytes] as const))(
    'finds %s of %s',
    (_encoding, mark, bytes) => {
      for (const before of [0, 1, 2, 3]) {
        const file = Buffer.concat([noise.subarray(0, 1_000 + before), bytes, noise])
        expect(sightings([{ where: 'planted', bytes: file }], scanner).map(found => found.mark)).toContain(mark)
      }
    },
  )

  const text = Buffer.from(JSON.stringify(markedObservation(planted, '1')).repeat(2) + marks.join(' '))
  const compressions = {
    'raw deflate': deflateRawSync(text),
    'raw deflate behind a dictionary': deflateRawSync(text, {
      dictionary: Buffer.from('resourceType Observation status final'),
    }),
    'raw deflate of a short text': deflateRawSync(Buffer.from(marks[0] ?? ''), { level: 9 }),
    zlib: deflateSync(text),
    gzip: gzipSync(text),
    zstd: zstdCompressSync(text),
  }

  it.each(Object.entries(compressions))('finds what %s hides, at any offset', (_name, compressed) => {
    for (const before of [0, 7, 4_000]) {
      const file = Buffer.concat([noise.subarray(0, before), compressed, noise])
      expect(sightings([{ where: 'planted', bytes: file }], scanner).map(found => found.mark)).toContain(marks[0])
    }
  })

  it('finds what lies in a database, and in what was deleted there without care', async () => {
    const path = join(home.temporary, 'careless.sqlite')
    const database = new DatabaseSync(path)
    database.exec('PRAGMA secure_delete = OFF; CREATE TABLE notes (text BLOB)')
    database.prepare('INSERT INTO notes VALUES (?)').run(deflateRawSync(text))
    database.prepare('INSERT INTO notes VALUES (?)').run(marks[1] ?? '')
    database.exec('DELETE FROM notes')
    database.close()
    const found = sightings(await filesOf(home), scanner).map(sighting => sighting.mark)
    expect(new Set(found)).toEqual(new Set(marks))
  })
})
