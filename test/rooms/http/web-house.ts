import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBulk } from '#bulk'
import { type App, type AppRooms, createApp, type HttpConfig } from '#http'
import { openIngest } from '#ingest'
import { defaultLimits, type Rooms } from '#interactions'
import { createLog, type Log, systemClock } from '#kernel'
import { openRecord } from '#record'
import { openShare } from '#share'
import { openSmart, type Smart } from '#smart'
import { openMemoryKeys, openMemoryStore, type Store } from '#store'
import { openSubscriptions, type Subscriptions } from '#subscriptions'
import { openShelf } from '#terminology'
import { createValidator } from '#validation'
import { fileRoot, openVault } from '#vault'

/** The whole server on the memory store. */
export interface WebHouse {
  readonly app: App
  readonly smart: Smart
  readonly rooms: Rooms
  readonly subscriptions: Subscriptions
  readonly log: Log
  /** Every line that was logged. */
  readonly lines: string[]
  /** An access token of the host's administrator. */
  token(scope: string, patient?: string): Promise<string>
  close(): Promise<void>
}

export async function openWebHouse(
  config: HttpConfig,
  store: Store = openMemoryStore(),
  authority?: AppRooms['authority'],
): Promise<WebHouse> {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-http-'))
  const lines: string[] = []
  const log = createLog('debug', { write: line => lines.push(line) })
  const clock = systemClock
  const keys = openMemoryKeys()
  const vault = await openVault({ keys, root: fileRoot(join(folder, 'root.key')), clock })
  const record = await openRecord({ store, vault, clock, log, baseUrl: `${config.baseUrl}/fhir` })
  const smart = await openSmart({ record, documents: record.documents, vault, clock, log, baseUrl: config.baseUrl })
  const validator = createValidator()
  const ingest = openIngest({ record, validator, clock, log, baseUrl: `${config.baseUrl}/fhir` })
  const authenticate = (bearer: string) => smart.authenticate(bearer)
  const share = openShare({
    record,
    documents: record.documents,
    vault,
    clock,
    log,
    baseUrl: config.baseUrl,
    authenticate,
  })
  const bulk = openBulk({ record, clock, log, limits: { settleMs: 0 } })
  const subscriptions = openSubscriptions({
    record,
    documents: record.documents,
    vault,
    clock,
    log,
    baseUrl: `${config.baseUrl}/fhir`,
    standing: given => smart.standing(given),
    networks: [],
  })
  const rooms: Rooms = {
    record: subscriptions.record,
    subscriptions,
    validator,
    clock,
    ingest,
    people: ingest.people,
    bulk,
    imports: ingest.bulk,
    purge: patient => record.shred(patient),
    smartConfiguration: () => smart.configuration(),
    shelf: openShelf('no such folder'),
    limits: defaultLimits,
    software: { name: 'Kinhold', version: '0.0.0' },
  }
  return {
    subscriptions,
    app: createApp({
      rooms,
      smart,
      share,
      lines: { url: subscriptions.websocketUrl, connect: (line, grant) => subscriptions.connect(line, grant) },
      log,
      config,
      ...(authority === undefined ? {} : { authority }),
    }),
    smart,
    rooms,
    log,
    lines,
    token: (scope, patient) => smart.mint({ scope, ttlMs: 600_000, ...(patient === undefined ? {} : { patient }) }),
    close: async () => {
      await subscriptions.close()
      await bulk.close()
      await ingest.close()
      await record.close()
      vault.close()
      rmSync(folder, { recursive: true })
    },
  }
}
