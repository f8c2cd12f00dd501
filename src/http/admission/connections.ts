import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { counter, type Log } from '#kernel'
import type { Addresses } from './addresses.ts'

const cut = counter(
  'kinhold_connections_cut_total',
  'Connections that were cut: silent, too slow, or in the way of others',
)

/** How many connections there may be, and how long they may keep the server waiting. */
export interface ConnectionLimits {
  readonly total: number
  /** Of one network that is no trusted proxy. */
  readonly ofNetwork: number
  /** Until the first byte, in ms. */
  readonly silentMs: number
  /** Until a first request has a whole head, in ms. */
  readonly headMs: number
  /** Requests of one connection that wait for their answers: more than a client has reason to send ahead. */
  readonly pipelined: number
  /** For which an answer may lie untaken, in ms; a large one has longer, at `slowestBytesPerSecond`. */
  readonly untakenMs: number
  readonly slowestBytesPerSecond: number
  /** How often all this is looked at, in ms. */
  readonly sweepMs: number
}

export const connectionLimits: ConnectionLimits = {
  total: 4096,
  ofNetwork: 2048,
  silentMs: 8_000,
  headMs: 9_000,
  pipelined: 64,
  untakenMs: 30_000,
  slowestBytesPerSecond: 32 * 1024,
  sweepMs: 1_000,
}

/** An answer that lies untaken. */
interface Untaken {
  readonly sinceMs: number
  readonly bytes: number
  /** What the other side had taken of the connection by then. */
  readonly taken: number
}

interface Connection {
  readonly socket: Socket
  readonly network: string
  readonly isProxy: boolean
  readonly sinceMs: number
  /** Requests whose answers have not gone out. */
  open: number
  /** The last of these; those before it have come whole. */
  asked: IncomingMessage | undefined
  untaken: Untaken | undefined
  /** It speaks HTTP no longer: whoever has taken it over looks after it. */
  isHandedOver: boolean
  readonly answered: () => void
}

/**
 * The connections there are. Where there are as many as may be, the oldest that has asked for nothing yet goes first, then
 * one that asks for nothing at the moment: a new visitor gets in, however many hold the door open.
 */
export class Connections {
  readonly #addresses: Addresses
  readonly #limits: ConnectionLimits
  readonly #log: Log
  readonly #all = new Map<Socket, Connection>()
  /** Those that have not asked for anything, the oldest first. */
  readonly #fresh = new Set<Connection>()
  readonly #counts = new Map<string, number>()
  #cut = 0
  #sweeping: NodeJS.Timeout | undefined

  constructor(
    rooms: { readonly addresses: Addresses; readonly log: Log },
    limits: ConnectionLimits = connectionLimits,
  ) {
    this.#addresses = rooms.addresses
    this.#log = rooms.log
    this.#limits = limits
  }

  /** How many there are. */
  get count(): number {
    return this.#all.size
  }

  /** Somebody has connected. */
  add(socket: Socket): void {
    const { network, isProxy } = this.#addresses.peerOf(socket)
    const connection: Connection = {
      socket,
      network,
      isProxy,
      sinceMs: performance.now(),
      open: 0,
      asked: undefined,
      untaken: undefined,
      isHandedOver: false,
      answered: () => {
        if (--connection.open === 0) connection.asked = undefined
      },
    }
    this.#makeRoom(connection)
    this.#all.set(socket, connection)
    this.#fresh.add(connection)
    this.#counts.set(network, this.#countOf(network) + 1)
    socket.once('close', () => this.#forget(connection))
    // What has arrived while the event loop was busy is heard first: it was not the other side that was silent.
    this.#sweeping ??= setInterval(() => setImmediate(this.#sweep), this.#limits.sweepMs).unref()
  }

  /** Whether one more request of a connection is answered; if not, the connection is cut. */
  takes(request: IncomingMessage, response: ServerResponse): boolean {
    const connection = this.#all.get(request.socket)
    if (connection === undefined) return true
    if (connection.open === 0) this.#fresh.delete(connection)
    if (++connection.open > this.#limits.pipelined) {
      this.#close(connection)
      return false
    }
    connection.asked = request
    response.on('close', connection.answered)
    return true
  }

  /** Whether it is the server from whom something is due: all that was asked has come, and nothing that was told lies untaken. */
  awaitsAnswer(socket: Socket): boolean {
    return this.#all.get(socket)?.asked?.complete === true && socket.writableLength === 0
  }

  /** A connection becomes something else than HTTP: it is counted as before, and always at work. */
  handOver(socket: Socket): void {
    const connection = this.#all.get(socket)
    if (connection === undefined) return
    this.#fresh.delete(connection)
    connection.open++
    connection.isHandedOver = true
  }

  #countOf(network: string): number {
    return this.#counts.get(network) ?? 0
  }

  #forget(connection: Connection): void {
    const { socket, network } = connection
    if (!this.#all.delete(socket)) return
    this.#fresh.delete(connection)
    const left = this.#countOf(network) - 1
    if (left > 0) this.#counts.set(network, left)
    else this.#counts.delete(network)
  }

  #close(connection: Connection): void {
    this.#cut++
    cut.add()
    this.#forget(connection)
    connection.socket.destroy()
  }

  #makeRoom(newcomer: Connection): void {
    const { total, ofNetwork } = this.#limits
    const { network, isProxy } = newcomer
    if (!isProxy && this.#countOf(network) >= ofNetwork) this.#closeOne(each => each.network === network)
    else if (this.#all.size >= total) this.#closeOne(() => true)
  }

  #closeOne(fits: (connection: Connection) => boolean): void {
    const idle = this.#fresh.values().find(fits) ?? this.#all.values().find(each => each.open === 0 && fits(each))
    const victim = idle ?? this.#oldestOf(this.#largestNetwork())
    if (victim !== undefined) this.#close(victim)
  }

  #oldestOf(network: string | undefined): Connection | undefined {
    return this.#all.values().find(each => each.network === network)
  }

  /** Where all are at work, who has most of them can best do without one. */
  #largestNetwork(): string | undefined {
    return [...this.#counts].toSorted(([, a], [, b]) => b - a)[0]?.[0]
  }

  readonly #sweep = (): void => {
    const nowMs = performance.now()
    for (const connection of this.#all.values()) {
      if (connection.isHandedOver) continue
      if (this.#fresh.has(connection) && nowMs - connection.sinceMs > this.#patienceWith(connection))
        this.#close(connection)
      else if (connection.socket.writableLength > 0) this.#watchUntaken(connection, nowMs)
      else connection.untaken = undefined
    }
    if (this.#cut > 0) this.#log.warn('connections were cut', { room: 'http', count: this.#cut })
    this.#cut = 0
    if (this.#all.size > 0) return
    clearInterval(this.#sweeping)
    this.#sweeping = undefined
  }

  /** How long one may take that has asked for nothing yet. */
  #patienceWith({ socket }: Connection): number {
    return socket.bytesRead === 0 ? this.#limits.silentMs : this.#limits.headMs
  }

  #watchUntaken(connection: Connection, nowMs: number): void {
    const { socket, untaken } = connection
    const { untakenMs, slowestBytesPerSecond } = this.#limits
    const taken = socket.bytesWritten - socket.writableLength
    if (untaken === undefined || untaken.taken !== taken) {
      connection.untaken = { sinceMs: nowMs, bytes: socket.writableLength, taken }
      // Whoever takes nothing at all is cut by this; the rest is for those who take a byte now and then.
      socket.setTimeout(untakenMs)
    } else if (nowMs - untaken.sinceMs > untakenMs + (1000 * untaken.bytes) / slowestBytesPerSecond)
      this.#close(connection)
  }
}
