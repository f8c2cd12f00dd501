/** R8: an export of Apple Health of two gigabytes, beside a server that is asked meanwhile. */
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import yazl from 'yazl'
import { appleExport } from '../../bench/data.ts'
import { type BenchServer, peakMemoryMiB, startServer } from '../../bench/server.ts'
import { goal } from '../goal.ts'

const goalBytes = 2_000_000_000
const main = new URL('../../../src/main.ts', import.meta.url).pathname

interface Found {
  readonly xmlBytes: number
  readonly records: number
  readonly stored: number
  readonly seconds: number
  readonly firstSeconds: number
  readonly peakMiB: number
  readonly serverPeakMiB: number
}

/** As the app writes it: the text of it in pieces, until it is so long. */
function* textOf(bytes: number, written: { bytes: number; records: number }): Generator<string> {
  // Iterating to the end closes the document; nobody knows beforehand how many records so many bytes are.
  for (const piece of appleExport(Math.ceil(bytes / 365))) {
    written.bytes += piece.length
    if (piece.startsWith(' <Record')) written.records++
    yield piece
  }
}

async function writeExport(path: string, bytes: number): Promise<{ bytes: number; records: number }> {
  const written = { bytes: 0, records: 0 }
  const zip = new yazl.ZipFile()
  zip.addReadStream(Readable.from(textOf(bytes, written)), 'apple_health_export/export.xml')
  zip.end()
  await pipeline(zip.outputStream, createWriteStream(path))
  return written
}

const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

async function countOf(server: BenchServer, token: string, patient: string): Promise<number> {
  const path = `${server.url}/fhir/Observation?patient=${patient}&_summary=count`
  const answer = await fetch(path, { headers: { authorization: `Bearer ${token}` } })
  return answer.ok ? ((await answer.json()) as { readonly total: number }).total : 0
}

/** Seconds until a search finds something of it. */
async function firstFound(count: () => Promise<number>, startedMs: number): Promise<number> {
  while ((await count()) === 0) await wait(100)
  return (performance.now() - startedMs) / 1000
}

async function importing(
  server: BenchServer,
  zip: string,
  patient: string,
): Promise<Omit<Found, 'xmlBytes' | 'records'>> {
  const token = await server.command('token', '--scope', 'system/*.cruds', '--ttl', '12h')
  const startedMs = performance.now()
  const env = { ...process.env, ...server.env }
  const child = spawn(process.execPath, [main, 'import', zip, '--patient', patient, '--json'], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = new Promise<number | null>(resolve => child.once('exit', resolve))
  let peakMiB = 0
  const watch = setInterval(async () => {
    peakMiB = Math.max(peakMiB, await peakMemoryMiB(child.pid ?? 0).catch(() => 0))
  }, 200)
  const firstSeconds = await firstFound(() => countOf(server, token, patient), startedMs)
  const status = await ended
  clearInterval(watch)
  if (status !== 0) throw new Error(`the import ended with ${status}`)
  const seconds = (performance.now() - startedMs) / 1000
  const stored = await countOf(server, token, patient)
  return { seconds, firstSeconds, peakMiB, stored, serverPeakMiB: await peakMemoryMiB(server.pid) }
}

export const largeImport = goal<Found>({
  name: 'R8',
  says: 'an Apple export of 2 GB: < 300 MB of memory, ≥ 8,000 records/s, first data found within 10 s',
  dataset:
    'heart rates and steps, one each five seconds, zipped; one patient, who is searched every 100 ms until something is found',
  async try({ share }) {
    const folder = await mkdtemp(join(tmpdir(), 'kinhold-soak-import-'))
    const server = await startServer()
    try {
      await mkdir(folder, { recursive: true })
      const zip = join(folder, 'export.zip')
      const { bytes, records } = await writeExport(zip, goalBytes * share)
      const patient = await server.command('patient', 'create')
      return { xmlBytes: bytes, records, ...(await importing(server, zip, patient)) }
    } finally {
      await server.stop()
      await rm(folder, { recursive: true })
    }
  },
  judge({ xmlBytes, records, stored, seconds, firstSeconds, peakMiB, serverPeakMiB }) {
    const rate = records / seconds
    const peakMb = (peakMiB * 1024 * 1024) / 1e6
    return [
      {
        what: 'stored',
        figure: `${stored} of ${records} records, ${(xmlBytes / 1e9).toFixed(2)} GB`,
        met: stored === records,
      },
      { what: 'rate', figure: `${Math.round(rate)} records/s, ${Math.round(seconds)} s`, met: rate >= 8_000 },
      { what: 'peak memory of the import', figure: `${Math.round(peakMb)} MB`, met: peakMb < 300 },
      { what: 'peak memory of the server beside it', figure: `${Math.round(serverPeakMiB)} MiB` },
      { what: 'first data found after', figure: `${firstSeconds.toFixed(1)} s`, met: firstSeconds < 10 },
    ]
  },
})
