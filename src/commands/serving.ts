import type { Authority, TlsSource } from '#certificates'
import type { Config } from '#config'
import { createApp, listen } from '#http'
import { defaultLimits, type Rooms } from '#interactions'
import { isProblem } from '#kernel'
import { openShelf } from '#terminology'
import software from '../../package.json' with { type: 'json' }
import { erasePatient, type House } from '../compose.ts'
import { prepareFirstWrites } from './first-writes.ts'
import { houseFiles } from './folders.ts'
import { alone, type Colleagues } from './workers/colleagues.ts'

/** A listening server on an open house. */
export interface Serving {
  /** The address it listens on; with port 0 the one that the system chose. */
  readonly url: string
  /** Who has signed its certificate, where it is one of its own. */
  readonly authority?: Authority
  close(): Promise<void>
}

/** Mounts the catalogue and listens. */
export async function serveHouse(house: House, colleagues: Colleagues = alone): Promise<Serving> {
  const { config, validator, clock, ingest, smart, share, subscriptions, bulk, log, space } = house
  const shelf = openShelf(houseFiles(config).terminology)
  const rooms: Rooms = {
    record: subscriptions.record,
    validator,
    clock,
    ingest,
    people: ingest.people,
    bulk,
    imports: ingest.bulk,
    purge: (patient, actor) => erasePatient(house, patient, actor),
    subscriptions,
    smartConfiguration: () => smart.configuration(),
    shelf,
    limits: { ...defaultLimits, binaryBytes: config.binaryBytes },
    software: { name: 'Kinhold', version: software.version },
  }
  const { tls, authority } = await openTls(config)
  const { counts, figures } = colleagues
  const app = createApp({
    rooms,
    smart,
    share,
    lines: { url: subscriptions.websocketUrl, connect: (line, grant) => subscriptions.connect(line, grant) },
    log,
    config: { ...config, processes: colleagues.count },
    storageIsReady: () => space.shortage === undefined && house.isReady(),
    faultsElsewhere: () => colleagues.alarms(),
    ...(counts && { counts }),
    ...(figures && { figures }),
    ...(authority === undefined ? {} : { authority }),
  })
  const { host, port, close } = await listen(app, {
    host: config.host,
    port: config.port,
    ...(tls === undefined ? {} : { tls: { ...tls, log } }),
  })
  subscriptions.begin()
  let isServing = true
  void prepare(house, () => isServing)
  const endings = beginEndings(house, colleagues)
  const scheme = tls === undefined ? 'http' : 'https'
  return {
    url: `${scheme}://${host}:${port}`,
    ...(authority === undefined ? {} : { authority }),
    close: () => {
      isServing = false
      return close()
        .finally(() => endings.stop())
        .finally(() => shelf.close())
    },
  }
}

/** Nobody waits for it; what fails in it fails again, in words, for who needs it. */
async function prepare({ config, validator, log }: House, isWanted: () => boolean): Promise<void> {
  try {
    await validator.prepare()
    await prepareFirstWrites(config.baseUrl, isWanted)
  } catch (error) {
    const code = isProblem(error) ? error.code : 'unexpected'
    log.warn('what the first writes need is made when they come', { room: 'commands', code })
  }
}

/** How often it is looked whether an account's time has come. */
const endEveryMs = 60_000

/** Whoever leads ends accounts whose time has come; what a start finds half done goes on at once. */
function beginEndings({ smart, log }: House, { leads }: Colleagues): { stop(): Promise<void> } {
  let running = Promise.resolve()
  const round = () => {
    if (!leads()) return
    running = running
      .then(() => smart.endDueAccounts())
      .catch(() => log.error('accounts whose time has come could not be looked for', { room: 'smart' }))
  }
  const timer = setInterval(round, endEveryMs).unref()
  round()
  return {
    stop: () => {
      clearInterval(timer)
      return running
    },
  }
}

/**
 * The certificate with which a house is served, if it is served by TLS, and who has signed it, if that is its own authority. What makes
 * certificates is loaded only then.
 */
async function openTls(config: Config): Promise<{ readonly tls?: TlsSource; readonly authority?: Authority }> {
  if (config.tls === undefined) return {}
  const { openFiles, openOwn } = await import('#certificates')
  if (config.tls.kind === 'files') return { tls: await openFiles(config.tls) }
  const { authorityOf } = await import('./authority.ts')
  const authority = await authorityOf(config)
  return { tls: await openOwn(authority, new Date()), authority }
}
