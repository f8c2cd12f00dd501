import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Grant } from '#access'
import { counter, gauge, isProblem, type Log, Problem, withBudget } from '#kernel'
import type { Addresses } from './admission/addresses.ts'
import type { SocketLimits } from './admission/divided.ts'
import type { Limits } from './admission/limits.ts'
import { parseBearer } from './bearer.ts'
import { checkUpgrade } from './front-door.ts'
import { answerProblem, toProblem } from './problem-response.ts'
import { endWith } from './unreadable.ts'

/** What is told over websockets, and to whom. */
export interface LinesPort {
  /** Where they are taken, absolute. */
  readonly url: string
  connect(line: SocketLine, grant: Grant | undefined): LineListener
}

/** A websocket, as whoever tells over it sees it. */
interface SocketLine {
  send(text: string): void
  readonly untakenBytes: number
  close(code: number, reason: string): void
}

/** What is told of a websocket. */
interface LineListener {
  hear(text: string): Promise<void>
  ended(): void
}

/** What judges who may have a websocket. */
interface SocketRooms {
  readonly addresses: Addresses
  readonly counts: Limits
  readonly limits: SocketLimits
  readonly log: Log
  readonly baseUrl: string
  authenticate(bearer: string): Promise<Grant>
  /** Whether pages of an origin belong to a registered app. */
  allowsOrigin(origin: string): Promise<boolean>
  /** @throws Problem when nobody can be served */
  checkTrusted(): void
  /** Whoever looks after connections is told that this one speaks HTTP no longer. */
  handOver(socket: Socket): void
}

/** A message names a Subscription or a token. */
const mostBytes = 4 * 1024
/** Parts in which such a message comes at most: each costs more than the byte that it may hold. */
const mostParts = 64
/** Messages that wait until those before are done; more than a client has reason to send ahead. */
const mostWaiting = 16
/** How often it is asked whether the other side is still there, in ms; who has not answered until then is not. */
const pulseMs = 30_000
/** Messages within that time. */
const mostHeard = 200
/** Who does not answer a close when the server ends, or does not hang up when refused, has so long, in ms. */
const closeMs = 2_000
/** Answers to pings of whoever reads none of them are not piled up. */
const mostPongBytes = 64 * 1024

const opened = counter('kinhold_websockets_total', 'Websockets that were opened')

/** A websocket that is open. */
interface Open {
  readonly socket: WebSocket
  readonly network: string
  isAlive: boolean
  /** Bytes that it had not taken at the last ping. */
  untaken: number
  heard: number
  waiting: number
}

/**
 * Websockets, by the library `ws`: https://www.rfc-editor.org/rfc/rfc6455. Nothing is compressed, nothing but short texts is taken, and a
 * page may open one only where it belongs to a registered app: no cookie means anything here, but whose page it is is still asked.
 */
export class Sockets {
  readonly #lines: LinesPort | undefined
  readonly #rooms: SocketRooms
  readonly #path: string | undefined
  readonly #open = new Set<Open>()
  /** Those that were let in and are not open yet, by network, with those that are. */
  readonly #counts = new Map<string, number>()
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: mostBytes,
    maxFragments: mostParts,
    autoPong: false,
    handleProtocols: () => false,
  })
  #pulse: NodeJS.Timeout | undefined
  #isClosing = false

  constructor(lines: LinesPort | undefined, rooms: SocketRooms) {
    this.#lines = lines
    this.#rooms = rooms
    this.#path = lines && new URL(lines.url).pathname
    gauge(this, { name: 'kinhold_websockets', help: 'Websockets that are open' }, sockets => sockets.#open.size)
  }

  /** Whether a request is one for a websocket. */
  takes({ method, url = '', headers }: IncomingMessage): boolean {
    const isAsked = method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket'
    return isAsked && this.#path !== undefined && url.split('?', 1)[0] === this.#path
  }

  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { network } = this.#rooms.addresses.of(request)
    socket.on('error', () => socket.destroy())
    void withBudget({}, async () => {
      try {
        const grant = await this.#judge(request, network)
        this.#takeOver(request, { socket, head, network, grant })
      } catch (error) {
        this.#refuse(error, request, socket)
      }
    })
  }

  /** All are told that the server closes. */
  close(): void {
    this.#isClosing = true
    clearInterval(this.#pulse)
    for (const { socket } of this.#open) this.#sayGoodbye(socket)
  }

  #sayGoodbye(socket: WebSocket): void {
    socket.close(1001, 'The server is closing.')
    setTimeout(() => socket.terminate(), closeMs).unref()
  }

  /** @returns who has shown an access token */
  async #judge(request: IncomingMessage, network: string): Promise<Grant | undefined> {
    const { counts, authenticate } = this.#rooms
    checkUpgrade(request)
    this.#rooms.checkTrusted()
    counts.checkNetwork(network)
    if (this.#isClosing) throw closing()
    await this.#checkOrigin(request.headers.origin)
    const bearer = parseBearer(request.headers.authorization)
    if (bearer === undefined) {
      counts.checkStranger(network)
      return undefined
    }
    const grant = await authenticate(bearer).catch(error => {
      counts.checkStranger(network)
      throw error
    })
    counts.checkToken(grant.id)
    return grant
  }

  /** Programs have none; a page without one of its own proves nothing about itself. */
  async #checkOrigin(origin: string | undefined): Promise<void> {
    if (origin === undefined || origin === this.#rooms.baseUrl) return
    if (origin !== 'null' && (await this.#rooms.allowsOrigin(origin))) return
    const text = 'Websockets are opened to pages of registered apps only.'
    throw new Problem('forbidden', 'socket.origin-foreign', text)
  }

  #takeOver(
    request: IncomingMessage,
    { socket, head, network, grant }: { socket: Socket; head: Buffer; network: string; grant: Grant | undefined },
  ): void {
    if (this.#isClosing) throw closing()
    if (socket.destroyed) return
    this.#checkRoom(network)
    this.#rooms.handOver(socket)
    this.#count(network, 1)
    socket.once('close', () => this.#count(network, -1))
    this.#server.handleUpgrade(request, socket, head, opening => this.#serve(opening, network, grant))
  }

  #checkRoom(network: string): void {
    const { total, ofNetwork } = this.#rooms.limits
    const all = this.#counts.values().reduce((sum, count) => sum + count, 0)
    if (all < total && (this.#counts.get(network) ?? 0) < ofNetwork) return
    const text = 'So many websockets are open already.'
    throw new Problem('throttled', 'socket.too-many', text, { retryAfterSeconds: pulseMs / 1000 })
  }

  #count(network: string, more: number): void {
    const count = (this.#counts.get(network) ?? 0) + more
    if (count > 0) this.#counts.set(network, count)
    else this.#counts.delete(network)
  }

  #serve(socket: WebSocket, network: string, grant: Grant | undefined): void {
    const open: Open = { socket, network, isAlive: true, untaken: 0, heard: 0, waiting: 0 }
    this.#open.add(open)
    opened.add()
    this.#pulse ??= setInterval(() => this.#beat(), pulseMs).unref()
    const listener = this.#lines?.connect(lineOver(socket), grant)
    let hearing = Promise.resolve()
    socket.on('message', (data, isBinary) => {
      if (isBinary) return socket.close(1003, 'Only texts are understood.')
      if (++open.heard > mostHeard || ++open.waiting > mostWaiting)
        return socket.close(1008, 'That is too much at once.')
      if (!this.#mayAsk(network, grant)) return socket.close(1013, 'This was asked too often.')
      hearing = hearing
        .then(() => listener?.hear(String(data)))
        .catch(() => socket.terminate())
        .finally(() => open.waiting--)
    })
    socket.on('pong', () => {
      open.isAlive = true
    })
    socket.on('ping', data => {
      if (socket.bufferedAmount < mostPongBytes) socket.pong(data)
    })
    // What is not as the protocol has it closes the socket; there is nothing more to say of it.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#open.delete(open)
      listener?.ended()
    })
    if (this.#isClosing) this.#sayGoodbye(socket)
  }

  /** A message counts as a request of whoever has opened the socket. */
  #mayAsk(network: string, grant: Grant | undefined): boolean {
    const { counts } = this.#rooms
    try {
      counts.checkNetwork(network)
      if (grant === undefined) counts.checkStranger(network)
      else counts.checkToken(grant.id)
      return true
    } catch (error) {
      if (isProblem(error, 'throttled')) return false
      throw error
    }
  }

  #beat(): void {
    for (const open of this.#open) {
      const { bufferedAmount } = open.socket
      // A ping waits behind what is slowly taken.
      if (!open.isAlive && bufferedAmount >= open.untaken) open.socket.terminate()
      open.isAlive = false
      open.untaken = bufferedAmount
      open.heard = 0
      open.socket.ping()
    }
  }

  #refuse(error: unknown, { headers }: IncomingMessage, socket: Socket): void {
    const { baseUrl, log } = this.#rooms
    const tokenPresented = headers.authorization !== undefined
    endWith(socket, answerProblem(toProblem(error, log), { baseUrl, tokenPresented, allowed: ['GET'], page: false }))
    // Node looks after such a connection no longer, not even when the server ends.
    setTimeout(() => socket.destroy(), closeMs).unref()
  }
}

function closing(): Problem {
  return new Problem('busy', 'request.closing', 'The server is closing.', { retryAfterSeconds: 1 })
}

function lineOver(socket: WebSocket): SocketLine {
  return {
    send: text => {
      if (socket.readyState === socket.OPEN) socket.send(text)
    },
    get untakenBytes() {
      return socket.bufferedAmount
    },
    close: (code, reason) => socket.close(code, reason),
  }
}
