const start = 0x0b
const end = 0x1c
const carriageReturn = 0x0d

/** What may stand between two frames: some senders end a line there. */
const mostBetween = 1024

/** A message that has come whole. */
export interface FramedMessage {
  readonly kind: 'message'
  readonly bytes: Buffer
  /** Another one began before it in the same frame, and never ended. */
  readonly isRestarted: boolean
}

/** What came in of a connection. */
export type Framed = FramedMessage | { readonly kind: 'fault'; readonly of: Fault }

/** `too-long`: a message has more bytes than may be; `no-frame`: what comes is in no frame. */
export type Fault = 'too-long' | 'no-frame'

/**
 * The frames of one connection, in whatever pieces they come: `0B message 1C 0D`. Each byte is looked at once. The last carriage return
 * may be missing, since no message holds `1C`.
 *
 * @see HL7 Version 3 Transport Specification: MLLP, Release 1
 */
export class FrameReader {
  readonly #mostBytes: number
  /** The message so far, with room for more: whoever sends single bytes must not keep an object for each. */
  #held: Buffer | undefined
  #length = 0
  #between = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** Whether a message has begun and not ended. */
  get isWithin(): boolean {
    return this.#held !== undefined
  }

  /** Bytes of memory that it takes up. */
  get heldBytes(): number {
    return this.#held?.length ?? 0
  }

  /** What these bytes complete. After a fault nothing more is read. */
  *push(chunk: Buffer): Generator<Framed, void, void> {
    for (let at = 0; at < chunk.length; ) {
      const next = this.#held === undefined ? this.#skip(chunk, at) : this.#take(chunk, at)
      if (next.framed !== undefined) yield next.framed
      if (next.framed?.kind === 'fault') return
      at = next.at
    }
  }

  #skip(chunk: Buffer, from: number): Step {
    const at = chunk.indexOf(start, from)
    const skipped = (at < 0 ? chunk.length : at) - from
    // The return behind the last frame is its own.
    this.#between += chunk[from] === carriageReturn && this.#between === 0 ? skipped - 1 : skipped
    if (this.#between > mostBetween) return { at, framed: { kind: 'fault', of: 'no-frame' } }
    if (at < 0) return { at: chunk.length }
    this.#held = Buffer.alloc(0)
    this.#length = 0
    this.#between = 0
    return { at: at + 1 }
  }

  #take(chunk: Buffer, from: number): Step {
    const at = chunk.indexOf(end, from)
    const piece = chunk.subarray(from, at < 0 ? undefined : at)
    if (this.#length + piece.length > this.#mostBytes) return { at, framed: { kind: 'fault', of: 'too-long' } }
    const held = this.#append(piece)
    if (at < 0) return { at: chunk.length }
    this.#held = undefined
    return { at: at + 1, framed: messageIn(held.subarray(0, this.#length)) }
  }

  #append(piece: Buffer): Buffer {
    const { length } = piece
    let held = this.#held ?? Buffer.alloc(0)
    if (this.#length + length > held.length) {
      const room = Buffer.allocUnsafeSlow(Math.max(this.#length + length, 2 * held.length))
      held.copy(room, 0, 0, this.#length)
      held = room
    }
    piece.copy(held, this.#length)
    this.#length += length
    this.#held = held
    return held
  }
}

/** What begins a message or a batch of them. */
const heads = ['MSH', 'BHS', 'FHS'].map(name => Buffer.of(start, ...Buffer.from(name)))

/**
 * Whoever begins anew within a frame has lost their place, and sends the message again that did not end: half of it must not be taken
 * for all of it. A mere `0B`, which word processors write for a line break, is text.
 */
function messageIn(frame: Buffer): FramedMessage {
  const at = Math.max(...heads.map(head => lastHead(frame, head)))
  return { kind: 'message', bytes: frame.subarray(at + 1), isRestarted: at > 0 }
}

/** What follows the name of a segment is its separator, and no word goes on. */
const separator = /[^A-Za-z0-9\s]/

function lastHead(frame: Buffer, head: Buffer): number {
  let at = frame.lastIndexOf(head)
  while (at >= 0 && !separator.test(frame.toString('latin1', at + head.length, at + head.length + 1)))
    at = at === 0 ? -1 : frame.lastIndexOf(head, at - 1)
  return at
}

interface Step {
  readonly at: number
  readonly framed?: Framed
}

/** A message in its frame. */
export function framed(message: Buffer): Buffer {
  return Buffer.concat([Buffer.of(start), message, Buffer.of(end, carriageReturn)])
}
