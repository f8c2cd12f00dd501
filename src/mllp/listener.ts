import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { isWithin } from '#web'
import { Connection } from './connection.ts'
import type { Delivery } from './deliver.ts'
import { Holdings } from './holdings.ts'
import { Places } from './places.ts'
import { saying } from './saying.ts'

const mostConnections = 64
/** Connections that may be in the middle of a TLS handshake; they keep no place of those who have shaken hands. */
const mostHandshakes = 512
/** Of the messages of all connections: a message has five of these at most. */
const mostHeldBytes = 96 * 1024 * 1024
/**
 * A message that has begun must end within this, and an answer be taken, in ms; between messages a connection may be silent for as long
 * as it likes.
 */
const messageWithinMs = 60_000
/** How long somebody may take to say who they are, in ms. */
const handshakeMs = 10_000

/** Where to listen, to whom, and what is done with what comes. */
export interface ListenerOptions {
  readonly port: number
  readonly host: string
  readonly networks: readonly string[]
  readonly tls?: TlsOptions
  /** Common names of clients' certificates that may connect. */
  readonly names?: readonly string[]
  readonly delivery: Delivery
  /** Within which a message must end, and an answer be taken, in ms: a minute unless told. */
  readonly messageWithinMs?: number
  /** How many connections there may be, and how many bytes of their messages at once: 64 and 96 MiB unless told. */
  readonly mostConnections?: number
  readonly mostHeldBytes?: number
  nowMs(): number
  /** Told of connections; never of what they send. */
  log(text: string): void
}

/** A port that is open. */
export interface Listener {
  readonly port: number
  /** Nothing more is read; what was handed on is answered. */
  close(): Promise<void>
}

/**
 * Listens for HL7 v2 over MLLP. The messages of a connection are handed on one by one, in their order, and the next is read when the one
 * before has its answer: whoever sends faster waits.
 *
 * @throws Error of `node:net` when the address cannot be had
 */
export async function listenMllp(options: ListenerOptions): Promise<Listener> {
  const open = new Set<Connection>()
  const say = saying(options.log)
  const places = new Places(options.mostConnections ?? mostConnections)
  const port = {
    delivery: options.delivery,
    messageWithinMs: options.messageWithinMs ?? messageWithinMs,
    nowMs: options.nowMs,
    holdings: new Holdings(options.mostHeldBytes ?? mostHeldBytes),
    places,
    say,
  }
  const isRefused = (socket: Socket, refusal: string | undefined) => {
    if (refusal === undefined) return false
    say('refused', socket.remoteAddress, refusal)
    socket.destroy()
    return true
  }
  const take = (socket: Socket) => {
    if (isRefused(socket, addressRefusal(socket, options) ?? nameRefusal(socket, options))) return
    if (isRefused(socket, places.take(socket) ? undefined : 'all places are taken by messages in hand')) return
    const connection = new Connection(socket, port)
    open.add(connection)
    socket.once('close', () => open.delete(connection))
  }
  // Who may not connect keeps no place while nothing is said of a certificate.
  const mayGreet = (socket: Socket) => !isRefused(socket, addressRefusal(socket, options))
  const server = options.tls === undefined ? createServer(take) : secureServer(options.tls, mayGreet, take)
  await listening(server, options)
  return {
    port: (server.address() as { port: number }).port,
    close: async () => {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      await Promise.all([...open].map(connection => connection.close()))
      await closed
    },
  }
}

/** @param take  is told of whoever has shaken hands */
function secureServer(tls: TlsOptions, mayGreet: (socket: Socket) => boolean, take: (socket: Socket) => void): Server {
  const handshakes = new Places(mostHandshakes)
  const server = createTlsServer({ handshakeTimeout: handshakeMs, ...tls }, socket => {
    handshakes.leave(socket)
    take(socket)
  })
  server.on('connection', (socket: Socket) => {
    if (mayGreet(socket) && !handshakes.take(socket)) socket.destroy()
  })
  // Whose TLS fails is no fault of the server.
  server.on('tlsClientError', (_, socket: Socket) => socket.destroy())
  return server
}

async function listening(server: Server, { port, host }: ListenerOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      server.on('error', () => undefined)
      resolve()
    })
  })
}

/** Why nobody may connect from an address; undefined where they may. */
function addressRefusal({ remoteAddress = '' }: Socket, { networks }: ListenerOptions): string | undefined {
  return networks.length === 0 || isWithin(remoteAddress, networks) ? undefined : 'of no network that may send'
}

/** Why somebody may not send under their certificate; undefined where they may. */
function nameRefusal(socket: Socket, { names }: ListenerOptions): string | undefined {
  if (names === undefined) return undefined
  const { subject } = (socket as TLSSocket).getPeerCertificate()
  const name = subject?.CN
  return typeof name === 'string' && names.includes(name) ? undefined : 'a certificate of a name that may not send'
}
