import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { isWithin } from '#web'
import { acknowledging, answersTo } from './acknowledgement.ts'
import { type Delivery, deliver } from './deliver.ts'
import { FrameReader, framed } from './frames.ts'

/** More than a message may have, so that the one who reads it says why it is too long. */
const mostBytes = 5 * 1024 * 1024
const mostConnections = 64
/** A message that has begun must end within this, in ms; between messages a connection may be silent for as long as it likes. */
const messageWithinMs = 60_000
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
  const take = (socket: Socket) => {
    const { remoteAddress: from = '' } = socket
    const refusal = refusalOf(socket, options)
    if (refusal !== undefined) {
      options.log(`refused ${from}: ${refusal}`)
      socket.destroy()
      return
    }
    const connection = new Connection(socket, options)
    open.add(connection)
    socket.once('close', () => open.delete(connection))
  }
  const server: Server = options.tls === undefined ? createServer(take) : createTlsServer(options.tls, take)
  server.maxConnections = mostConnections
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

/** Why somebody may not connect; undefined where they may. */
function refusalOf(socket: Socket, { networks, names }: ListenerOptions): string | undefined {
  if (networks.length > 0 && !isWithin(socket.remoteAddress ?? '', networks)) return 'of no network that may send'
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
      clearTimeout(this.#deadline)
      this.#ended.abort()
    })
  }

  /** Nothing more is begun; what was handed on is answered. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#waiting.length = 0
    await this.#working
    this.#socket.destroySoon()
  }

  #read(chunk: Buffer): void {
    if (this.#isClosing) return
    for (const one of this.#reader.push(chunk)) {
      if (one.kind === 'message') this.#waiting.push(one.bytes)
      else this.#end(one.of === 'too-long' ? 'a message is too long' : 'what came is no MLLP')
    }
    this.#watch()
    if (this.#waiting.length === 0) return
    this.#socket.pause()
    this.#working ??= this.#work()
  }

  /** Whoever begins a message and does not go on keeps a place for nothing. */
  #watch(): void {
    clearTimeout(this.#deadline)
    if (!this.#reader.isWithin) return
    this.#deadline = setTimeout(() => this.#end('a message did not end'), messageWithinMs)
  }

  #end(why: string): void {
    this.#options.log(`ended a connection of ${this.#socket.remoteAddress ?? ''}: ${why}`)
    this.#isClosing = true
    this.#socket.destroy()
  }

  async #work(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await this.#handOn(next)
    this.#working = undefined
    if (!this.#isClosing) this.#socket.resume()
  }

  async #handOn(message: Buffer): Promise<void> {
    const { delivery, nowMs, log } = this.#options
    const delivered = await deliver(message, delivery, this.#ended.signal)
    if (this.#socket.destroyed) return
    if (delivered.kind === 'unanswered') log(`a message was not handed on: ${delivered.text}`)
    const told = delivered.kind === 'answered' ? delivered.ack : acknowledging(message, 'AR', nowMs(), delivered.text)
    for (const answer of answersTo(message, told, nowMs())) this.#socket.write(framed(answer))
  }
}
