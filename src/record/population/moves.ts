import { randomId16 } from '#kernel'
import type { CompartmentId } from '#store'

/** So many moves are remembered beside one of each compartment: what is asked about then is not an hour old. */
const fewMoves = 1_000_000

/** What is called so is not there. */
const nobodys: CompartmentId = ''

/**
 * How far each compartment had come at every moment: sixteen bytes for each time that one moved. By it what was there at a moment can be
 * told of rows that were read again since.
 */
export class Moves {
  /** Tells these moments from those of whoever counted otherwise: another process, or this one before a restart. */
  readonly name = randomId16().toString('hex')
  readonly #numbers = new Map<CompartmentId, number>()
  /** By number: the last move, plus one. */
  #last: Uint32Array = new Uint32Array(64)
  #count = 0
  /** By move: whose it is by number, to which head, and the one before it of the same plus one. */
  #moves: Uint32Array = new Uint32Array(3 * 64)
  #now = 0
  /** The last moment that somebody has asked as of: what moved until then stays as it is. */
  #asked = 0
  readonly #compartments: CompartmentId[] = []

  /** How many moves it remembers. */
  get count(): number {
    return this.#now
  }

  /** The present moment, as of which somebody is going to ask. */
  moment(): number {
    this.#asked = this.#now
    return this.#now
  }

  /** Whether it remembers more than anybody will ask for. */
  get isLong(): boolean {
    return this.#now > fewMoves + 4 * this.#numbers.size
  }

  get sizeBytes(): number {
    return this.#last.byteLength + this.#moves.byteLength
  }

  /** Seq of the last version that is known; undefined when the compartment is not. */
  headOf(compartment: CompartmentId): number | undefined {
    const number = this.#numbers.get(compartment)
    return number === undefined ? undefined : this.#headOf(this.#last[number] as number)
  }

  /** The same as of a moment; 0 when it was not known then. */
  headAt(compartment: CompartmentId, moment: number): number {
    const number = this.#numbers.get(compartment)
    let move = number === undefined ? 0 : (this.#last[number] as number)
    while (move > moment) move = this.#moves[3 * (move - 1) + 2] as number
    return this.#headOf(move)
  }

  /** A compartment has come as far as this. */
  note(compartment: CompartmentId, head: number): void {
    const number = this.#numberOf(compartment)
    if (this.#last[number] === this.#now && this.#now > this.#asked) {
      // It goes on where nobody has looked in between.
      this.#moves[3 * (this.#now - 1) + 1] = head
      return
    }
    if (3 * this.#now >= this.#moves.length) this.#moves = grown(this.#moves)
    this.#moves.set([number, head, this.#last[number] as number], 3 * this.#now)
    this.#last[number] = ++this.#now
  }

  /** It is as if it had never been there: of its moves only numbers are left. */
  forget(compartment: CompartmentId): void {
    const number = this.#numbers.get(compartment)
    if (number === undefined) return
    this.#numbers.delete(compartment)
    this.#compartments[number] = nobodys
  }

  /** Compartments that have moved since a moment, and are still there. */
  movedSince(moment: number): ReadonlySet<CompartmentId> {
    const moved = new Set<CompartmentId>()
    for (let move = this.#now; move > moment; move--) {
      const number = this.#moves[3 * (move - 1)] as number
      const compartment = this.#compartments[number] as CompartmentId
      if (this.#numbers.get(compartment) === number) moved.add(compartment)
    }
    return moved
  }

  #headOf(move: number): number {
    return move === 0 ? 0 : (this.#moves[3 * (move - 1) + 1] as number)
  }

  #numberOf(compartment: CompartmentId): number {
    const known = this.#numbers.get(compartment)
    if (known !== undefined) return known
    const number = this.#count++
    if (number >= this.#last.length) this.#last = grown(this.#last)
    this.#last[number] = 0
    this.#numbers.set(compartment, number)
    this.#compartments.push(compartment)
    return number
  }
}

/** How far those had come at a moment who have moved since: only what moved since it was asked the last time is looked for. */
export class Then {
  readonly #moves: Moves
  readonly #at: number
  #until: number
  readonly #heads = new Map<CompartmentId, number>()

  constructor(moves: Moves, at: number) {
    this.#moves = moves
    this.#at = at
    this.#until = at
  }

  /** By compartment; those who have left may be among them. */
  heads(): ReadonlyMap<CompartmentId, number> {
    for (const compartment of this.#moves.movedSince(this.#until))
      this.#heads.set(compartment, this.#moves.headAt(compartment, this.#at))
    this.#until = this.#moves.count
    return this.#heads
  }
}

function grown(array: Uint32Array): Uint32Array {
  const room = new Uint32Array(array.length * 2)
  room.set(array)
  return room
}
