import { once } from 'node:events'
import type { Socket } from 'node:net'
import { acknowledging, answersTo } from './acknowledgement.ts'
import { type Delivery, deliver } from './deliver.ts'
import { type Fault, type FramedMessage, FrameReader, framed } from './frames.ts'
import type { Holder, Holdings } from './holdings.ts'
import type { Places } from './places.ts'
import type { Say } from './saying.ts'

/** More than a message may have, so that the one who reads it says why it is too long. */
const mostBytes = 5 * 1024 * 1024
/** How long somebody may take to take the last answer when the port is closed, in ms. */
const patienceMs = 10_000
const keepAliveMs = 60_000
/** What a message is beside its bytes: whoever sends empty ones sends very many. */
const eachBytes = 128
const takenUp = ({ buffer }: Buffer) => buffer.byteLength + eachBytes

const faults: Readonly<Record<Fault, string>> = {
  'too-long': 'a message is too long',
  'no-frame': 'what came is no MLLP',
}

/** What the connections of a port share. */
export interface Port {
  readonly delivery: Delivery
  readonly messageWithinMs: number
  readonly holdings: Holdings
  readonly places: Places
  readonly say: Say
  nowMs(): number
}

export class Connection implements Holder {
  readonly #socket: Socket
  readonly #port: Port
  readonly #reader = new FrameReader(mostBytes)
  readonly #ended = new AbortController()
  /** Messages that have come and wait for their turn. */
  readonly #waiting: Buffer[] = []
  /** What these take up, and the one that is handed on at the moment. */
  #keptBytes = 0
  #working: Promise<void> | undefined
  #deadline: NodeJS.Timeout | undefined
  #isClosing = false

  constructor(socket: Socket, port: Port) {
    this.#socket = socket
    this.#port = port
    socket.setKeepAlive(true, keepAliveMs)
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      this.#stopWatch()
      this.#waiting.length = 0
      this.#ended.abort()
      this.#count()
    })
  }

  get unfinishedBytes(): number {
    return this.#isClosing ? 0 : this.#reader.heldBytes
  }

  giveUp(): void {
    this.#end('there are too many long messages at once')
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
      if (one.kind === 'message') this.#take(one)
      else this.#end(faults[one.of])
    }
    this.#count()
    if (this.#isClosing) return
    if (this.#waiting.length === 0) {
      this.#watch()
      return
    }
    this.#socket.pause()
    this.#stopWatch()
    this.#port.places.turn(this.#socket, 'working')
    this.#working ??= this.#work()
  }

  #take({ bytes, isRestarted }: FramedMessage): void {
    if (isRestarted) this.#port.say('dropped a message of', this.#socket.remoteAddress, 'another began within it')
    this.#waiting.push(bytes)
    this.#keptBytes += takenUp(bytes)
  }

  /** Tells how many bytes of messages are kept for this connection. */
  #count(): void {
    this.#port.holdings.note(this, this.#socket.destroyed ? 0 : this.#keptBytes + this.#reader.heldBytes)
  }

  /** Whoever begins a message and does not end it keeps a place for nothing, also where a byte comes now and then. */
  #watch(): void {
    if (!this.#reader.isWithin) return
    this.#deadline ??= setTimeout(() => this.#end('a message did not end'), this.#port.messageWithinMs)
  }

  #stopWatch(): void {
    clearTimeout(this.#deadline)
    this.#deadline = undefined
  }

  #end(why: string): void {
    if (this.#socket.destroyed) return
    this.#port.say('ended a connection of', this.#socket.remoteAddress, why)
    this.#isClosing = true
    this.#waiting.length = 0
    this.#socket.destroy()
  }

  async #work(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#handOn(next)
      this.#keptBytes -= takenUp(next)
      this.#count()
    }
    this.#working = undefined
    if (this.#isClosing) return
    this.#port.places.turn(this.#socket, 'silent')
    this.#watch()
    this.#socket.resume()
  }

  async #handOn(message: Buffer): Promise<void> {
    const { delivery, nowMs, say } = this.#port
    const delivered = await deliver(message, delivery, this.#ended.signal)
    if (this.#socket.destroyed) return
    if (delivered.kind === 'unanswered') say('handed no message on of', this.#socket.remoteAddress, delivered.text)
    const told = delivered.kind === 'answered' ? delivered.ack : acknowledging(message, 'AR', nowMs(), delivered.text)
    for (const answer of answersTo(message, told, nowMs())) await this.#say(answer)
  }

  /** Nothing more is handed on of whoever does not take what is said to them: it would pile up here. */
  async #say(answer: Buffer): Promise<void> {
    if (this.#socket.destroyed || this.#socket.write(framed(answer))) return
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(this.#port.messageWithinMs)])
    await once(this.#socket, 'drain', { signal }).catch(() => this.#end('its answers are not taken'))
  }
}
