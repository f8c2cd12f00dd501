/**
 * What is left open when an import goes wrong, each way by itself: run by `handles.test.ts` in a process of its own, whose files
 * may not become larger than 6 MiB. Prints a line of JSON for each way.
 */
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { IngestLimits } from '#ingest'
import { isProblem } from '#kernel'
import { openFiles } from '../../open-files.ts'
import { everything, openHouse, type TestHouse } from './house.ts'

const mebibyte = 1024 ** 2
const record = (minute: number) =>
  `<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="W" unit="count/min" value="60" startDate="2026-02-03 08:${String(minute % 60).padStart(2, '0')}:${String(Math.floor(minute / 60) % 60).padStart(2, '0')} +0000"/>`
const exportOf = (records: number) =>
  Buffer.from(`<HealthData>${Array.from({ length: records }, (_, at) => record(at)).join('\n')}</HealthData>`)

async function* body(bytes: Uint8Array, atEnd: () => unknown = () => undefined) {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
  await atEnd()
}

interface Way {
  readonly limits?: Partial<IngestLimits>
  readonly folder?: (made: string) => string
  run(house: TestHouse, folder: string): Promise<unknown>
}

const small = { spoolFrom: 100_000 }
const start = (house: TestHouse, bytes: AsyncIterable<Uint8Array>, more = {}) =>
  house.ingest.start({ grant: everything(), patient: house.anna, body: bytes, ...more })
/** Begins an import and waits until something of it was read. */
const begun = async (house: TestHouse, more = {}) => {
  const job = await start(house, body(exportOf(6_000)), more)
  while (job.state === 'running' && job.progress.rows === 0) await sleep(1)
  return job
}
const codeOf = (report: unknown) => /"code","valueCode":"([^"]+)"/.exec(JSON.stringify(report))?.[1]

const ways: Readonly<Record<string, Way>> = {
  'is imported': { limits: small, run: async house => (await begun(house)).done },
  'a disk that takes no more': { run: house => start(house, body(Buffer.alloc(7 * mebibyte, 0x20))) },
  'a folder that cannot be made': {
    folder: made => {
      writeFileSync(join(made, 'file'), '')
      return join(made, 'file', 'spool')
    },
    limits: small,
    run: house => start(house, body(exportOf(5_000))),
  },
  'no room that is kept free': {
    limits: { ...small, keepFree: 2 ** 60 },
    run: house => start(house, body(exportOf(5_000))),
  },
  'more than a grant may have': {
    limits: { ...small, maxSpooledPerGrant: 300_000 },
    run: house => start(house, body(exportOf(5_000))),
  },
  'more than all may have': {
    limits: { ...small, maxSpooled: 300_000 },
    run: house => start(house, body(exportOf(5_000))),
  },
  'a body that is too large': {
    limits: { ...small, maxFile: 300_000 },
    run: house => start(house, body(exportOf(5_000))),
  },
  'a body that breaks off': {
    limits: small,
    run: house =>
      start(
        house,
        body(exportOf(5_000), () => {
          throw new Error('the client went away')
        }),
      ),
  },
  'a file that is nothing': { limits: small, run: house => start(house, body(Buffer.alloc(mebibyte, 0x61))) },
  'an archive that is damaged': {
    limits: small,
    run: house => start(house, body(Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(mebibyte)]))),
  },
  'a packed file that is damaged': {
    limits: small,
    run: async house => {
      const job = await start(house, body(gzipSync(exportOf(20_000), { level: 0 }).subarray(0, 2_000_000)))
      await job.done
      return codeOf(job.report)
    },
  },
  'a job that cannot be noted': {
    limits: small,
    run: house =>
      start(
        house,
        body(exportOf(5_000), () => house.store.close()),
      ),
  },
  'a client who left': {
    limits: small,
    run: async house => {
      const gone = new AbortController()
      return start(
        house,
        body(exportOf(5_000), () => gone.abort()),
        { gone: gone.signal },
      )
    },
  },
  'a client who leaves': {
    limits: small,
    run: async house => {
      const gone = new AbortController()
      const job = await begun(house, { gone: gone.signal, isAwaited: true })
      gone.abort()
      await job.done
      return codeOf(job.report)
    },
  },
  'a server that closes': {
    limits: small,
    run: async house => {
      const job = await begun(house)
      await house.ingest.close()
      return codeOf(job.report)
    },
  },
  'a server that has closed': {
    limits: small,
    run: async house => {
      await house.ingest.close()
      return start(house, body(exportOf(5_000)))
    },
  },
  'a patient who is erased': {
    limits: small,
    run: async house => {
      const job = await begun(house)
      await house.ingest.forgetPatient(house.anna)
      return codeOf(job.report)
    },
  },
  'a grant that ends': {
    limits: small,
    run: async house => {
      const { Problem } = await import('#kernel')
      const renew = async () => {
        throw new Problem('unauthenticated', 'token.unknown', 'The access token is not valid.')
      }
      const job = await start(house, body(exportOf(5_000)), { renew })
      await job.done
      return codeOf(job.report)
    },
  },
  'a file of this machine that is nothing': {
    run: async (house, folder) => {
      const path = join(folder, 'file.txt')
      writeFileSync(path, 'nothing that is known')
      return house.ingest.importFile({ grant: everything(), patient: house.anna, path })
    },
  },
  'a folder in place of a file': {
    run: (house, folder) => house.ingest.importFile({ grant: everything(), patient: house.anna, path: folder }),
  },
}

for (const [name, { limits = {}, folder: place = (made: string) => made, run }] of Object.entries(ways)) {
  const made = mkdtempSync(join(tmpdir(), 'kinhold-handles-'))
  const house = await openHouse(limits, undefined, undefined, place(made))
  const said = await run(house, made).then(
    value => value ?? 'done',
    error => (isProblem(error) ? error.code : String(error.message ?? error)),
  )
  const open = openFiles(made).length
  // What nobody holds any more is gone after this; a handle among it would end the process.
  globalThis.gc?.()
  await sleep(0)
  globalThis.gc?.()
  const left = readdirSync(made).filter(file => file.startsWith('kinhold-spool'))
  process.stdout.write(`${JSON.stringify({ name, said, open, left })}\n`)
}
// What ends by itself may end: the note of a head comes a moment after it moved.
const patienceMs = 120_000
const goesOn = () =>
  process.getActiveResourcesInfo().filter(one => !/^(Immediate|PipeWrap|TTYWrap|TickObject)$/.test(one))
for (const untilMs = performance.now() + patienceMs; goesOn().length > 0 && performance.now() < untilMs; )
  await new Promise(resume => setImmediate(resume))
process.stdout.write(`${JSON.stringify({ name: 'at the end', resources: goesOn() })}\n`)
