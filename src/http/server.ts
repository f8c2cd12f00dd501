import { once } from 'node:events'
import { createServer as createNodeServer, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { App } from './app.ts'
import { boundHandshakes, followRenewals, handshakeMs, type Tls } from './tls.ts'
import { refuseUnreadable } from './unreadable.ts'

/** A server that listens. */
export interface Listening {
  readonly host: string
  /** The port that is really used; of interest where 0 was asked for. */
  readonly port: number
  /**
   * Answers what it has begun to do, refuses what waits, takes nothing new, and closes.
   *
   * @param drainMs  after which connections are cut; at most 25 seconds, so that a process manager need not kill
   */
  close(drainMs?: number): Promise<void>
}

const longestDrainMs = 25_000

const options: ServerOptions = {
  headersTimeout: 10_000,
  // Bodies have deadlines of their own; an import may take as long as it likes while bytes arrive.
  requestTimeout: 0,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16 * 1024,
  insecureHTTPParser: false,
  joinDuplicateHeaders: false,
  // The door refuses what has none or two, in the one way in which this server refuses.
  requireHostHeader: false,
}

/** A server that does not wait for those who send nothing: slow headers, huge headers and idle connections are cut; see `admission/connections.ts`. */
export function createServer(app: App, tls?: Tls): Server {
  const server = tls === undefined ? createNodeServer(upgrading(app), app) : secureServer(app, tls)
  server.on('clientError', refuseUnreadable)
  server.on('upgrade', (request, socket, head) => app.upgrade(request, socket as Socket, head))
  server.on(tls === undefined ? 'connection' : 'secureConnection', socket => app.connect(socket))
  // Beyond a count the parser would leave headers out in silence; the door refuses such requests whole.
  server.maxHeadersCount = 0
  server.setTimeout(120_000)
  // Whoever waits for an answer has nothing to say, and hears nothing before it is there.
  server.on('timeout', (socket: Socket) => void (app.awaitsAnswer(socket) || socket.destroy()))
  return server
}

/** What asks to become something that nobody speaks here – HTTP/2 in clear text – is answered as if it had not asked. */
function upgrading(app: App): ServerOptions {
  return { ...options, shouldUpgradeCallback: request => app.upgrades(request) }
}

function secureServer(app: App, tls: Tls): Server {
  const server = createTlsServer({ ...upgrading(app), ...tls.current, handshakeTimeout: handshakeMs }, app)
  boundHandshakes(server)
  followRenewals(server, tls)
  return server
}

/** Listens on an address. @throws the system's error when the address cannot be had, e.g. `EADDRINUSE` */
export async function listen(
  app: App,
  at: { readonly host: string; readonly port: number; readonly tls?: Tls },
): Promise<Listening> {
  const server = createServer(app, at.tls)
  server.listen(at.port, at.host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    host: at.host,
    port,
    close: drainMs => drain(server, app, Math.min(drainMs ?? longestDrainMs, longestDrainMs)),
  }
}

/** Whoever has connected by now is told that the server closes: it goes on to listen until nobody has come for so long. */
const settleMs = 100
const longestSettleMs = 2_000
/** Connections that are kept alive fall idle one by one as their answers end; they are looked for this often. */
const idleCheckMs = 50

async function drain(server: Server, app: App, drainMs: number): Promise<void> {
  app.drain()
  if (!server.listening) return
  await settle(server, Math.min(drainMs, longestSettleMs))
  // Somebody else may have closed it meanwhile.
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs)
  const cut = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearInterval(idle)
  clearTimeout(cut)
}

/** Ends when for a while no request has come, or after `longestMs`. */
async function settle(server: Server, longestMs: number): Promise<void> {
  let came = 0
  const count = () => {
    came++
  }
  server.on('request', count).on('connection', count)
  for (let before = -1, left = longestMs; before < came && left > 0; left -= settleMs) {
    before = came
    await delay(settleMs)
    // What has arrived while the event loop was busy is heard first.
    await new Promise(resolve => setImmediate(resolve))
  }
  server.off('request', count).off('connection', count)
}
