import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { isWithin } from '#web'
import { acknowledging, answersTo } from './acknowledgement.ts'
import { type Delivery, deliver } from './deliver.ts'
import { FrameReader, framed } from './frames.ts'

/** More than a message may have, so that the one who reads it says why it is too long. */
const mostBytes = 5 * 1024 * 1024
const mostConnections = 64
/**
 * A message that has begun must end within this, and an answer be taken, in ms; between messages a connection may be silent for as long
 * as it likes.
 */
const messageWithinMs = 60_000
/** How long somebody may take to say who they are, and to take the last answer when the port is closed. */
const patienceMs = 10_000
const keepAliveMs = 60_000

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
  const isRefused = (socket: Socket, refusal: string | undefined) => {
    if (refusal === undefined) return false
    options.log(`refused ${socket.remoteAddress ?? ''}: ${refusal}`)
    socket.destroy()
    return true
  }
  const take = (socket: Socket) => {
    if (isRefused(socket, addressRefusal(socket, options) ?? nameRefusal(socket, options))) return
    const connection = new Connection(socket, options)
    open.add(connection)
    socket.once('close', () => open.delete(connection))
  }
  const { tls } = options
  const server: Server =
    tls === undefined ? createServer(take) : createTlsServer({ handshakeTimeout: patienceMs, ...tls }, take)
  // Who may not connect keeps no place while nothing is said of a certificate.
  if (tls !== undefined) server.on('connection', (socket: Socket) => isRefused(socket, addressRefusal(socket, options)))
  server.maxConnections = mostConnections
  server.on('drop', () => options.log(`refused a connection: ${mostConnections} are open`))
  // Whose TLS fails is no fault of the server.
  server.on('tlsClientError', (_, socket: Socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => {
      server.off('error', reject)
      server.on('error', () => undefined)
      resolve()
    })
  })
  const { port } = server.address() as { port: number }
  return {
    port,
    close: async () => {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      await Promise.all([...open].map(connection => connection.close()))
      await closed
    },
  }
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

class Connection {
  readonly #socket: Socket
  readonly #options: ListenerOptions
  readonly #reader = new FrameReader(mostBytes)
  readonly #ended = new AbortController()
  /** Messages that have come and wait for their turn. */
  readonly #waiting: Buffer[] = []
  #working: Promise<void> | undefined
  #deadline: NodeJS.Timeout | undefined
  #isClosing = false

  constructor(socket: Socket, options: ListenerOptions) {
    this.#socket = socket
    this.#options = options
    socket.setKeepAlive(true, keepAliveMs)
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      this.#stopWatch()
      this.#waiting.length = 0
      this.#ended.abort()
    })
  }

  /** Nothing more is begun; what was handed on is answered. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#waiting.length = 0
    await this.#working
    this.#stopWatch()
    if (!this.#socket.destroyed) this.#deadline = setTimeout(() => this.#socket.destroy(), patienceMs)
    this.#socket.destroySoon()
  }

  #read(chunk: Buffer): void {
    if (this.#isClosing) return
    for (const one of this.#reader.push(chunk)) {
      if (one.kind === 'message') this.#waiting.push(one.bytes)
      else this.#end(one.of === 'too-long' ? 'a message is too long' : 'what came is no MLLP')
    }
    if (this.#isClosing) return
    if (this.#waiting.length === 0) {
      this.#watch()
      return
    }
    this.#socket.pause()
    this.#stopWatch()
    this.#working ??= this.#work()
  }

  /** Whoever begins a message and does not end it keeps a place for nothing, also where a byte comes now and then. */
  #watch(): void {
    if (!this.#reader.isWithin) return
    this.#deadline ??= setTimeout(() => this.#end('a message did not end'), this.#withinMs)
  }

  #stopWatch(): void {
    clearTimeout(this.#deadline)
    this.#deadline = undefined
  }

  get #withinMs(): number {
    return this.#options.messageWithinMs ?? messageWithinMs
  }

  #end(why: string): void {
    if (this.#socket.destroyed) return
    this.#options.log(`ended a connection of ${this.#socket.remoteAddress ?? ''}: ${why}`)
    this.#isClosing = true
    this.#waiting.length = 0
    this.#socket.destroy()
  }

  async #work(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await this.#handOn(next)
    this.#working = undefined
    if (this.#isClosing) return
    this.#watch()
    this.#socket.resume()
  }

  async #handOn(message: Buffer): Promise<void> {
    const { delivery, nowMs, log } = this.#options
    const delivered = await deliver(message, delivery, this.#ended.signal)
    if (this.#socket.destroyed) return
    if (delivered.kind === 'unanswered') log(`a message was not handed on: ${delivered.text}`)
    const told = delivered.kind === 'answered' ? delivered.ack : acknowledging(message, 'AR', nowMs(), delivered.text)
    for (const answer of answersTo(message, told, nowMs())) await this.#say(answer)
  }

  /** Nothing more is handed on of whoever does not take what is said to them: it would pile up here. */
  async #say(answer: Buffer): Promise<void> {
    if (this.#socket.destroyed || this.#socket.write(framed(answer))) return
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(this.#withinMs)])
    await once(this.#socket, 'drain', { signal }).catch(() => this.#end('its answers are not taken'))
  }
}
