import type { Socket } from 'node:net'
import { networkOf } from '#web'

/** `new`: nothing whole has come of it; `silent`: between messages; `working`: what it sent is in hand. */
type State = 'new' | 'silent' | 'working'

interface Place {
  readonly socket: Socket
  readonly network: string
  readonly state: State
}

/** Both ends of a connection, by which its socket is known beneath TLS and above: no other that is open has the same. */
const endsOf = ({ localAddress, localPort, remoteAddress, remotePort }: Socket): string =>
  [localAddress, localPort, remoteAddress, remotePort].join(' ')

/**
 * The connections of a port. Where all places are taken, who has most of them gives one up: the oldest of which nothing whole has come,
 * else the one that is silent for longest, else the oldest, where whoever comes has fewer. So nobody keeps others out by sitting there.
 */
export class Places {
  readonly #most: number
  /** Those whose state is the oldest first. */
  readonly #all = new Map<string, Place>()

  constructor(most: number) {
    this.#most = most
  }

  /** Takes a place until the connection ends or leaves; false where there is none. */
  take(socket: Socket): boolean {
    const ends = endsOf(socket)
    const place: Place = { socket, network: networkOf(socket.remoteAddress ?? ''), state: 'new' }
    if (this.#all.size >= this.#most && !this.#makeRoom(place.network)) return false
    this.#all.set(ends, place)
    socket.once('close', () => this.#forget(ends, socket))
    return true
  }

  /** It is something else from now on. */
  turn(socket: Socket, state: State): void {
    const ends = endsOf(socket)
    const place = this.#all.get(ends)
    if (place?.socket !== socket || place.state === state) return
    this.#all.delete(ends)
    this.#all.set(ends, { ...place, state })
  }

  /** It keeps no place here any more; the socket may be another one over the same connection. */
  leave(socket: Socket): void {
    this.#all.delete(endsOf(socket))
  }

  #forget(ends: string, socket: Socket): void {
    if (this.#all.get(ends)?.socket === socket) this.#all.delete(ends)
  }

  #makeRoom(newcomer: string): boolean {
    const counts = new Map<string, number>()
    for (const { network } of this.#all.values()) counts.set(network, (counts.get(network) ?? 0) + 1)
    const largest = Math.max(...counts.values())
    const dispensable = [...this.#all].filter(([, { network }]) => counts.get(network) === largest)
    const mayEndWork = largest > (counts.get(newcomer) ?? 0) + 1
    const order: readonly State[] = mayEndWork ? ['new', 'silent', 'working'] : ['new', 'silent']
    const victim = order
      .map(state => dispensable.find(([, place]) => place.state === state))
      .find(one => one !== undefined)
    if (victim === undefined) return false
    const [ends, { socket }] = victim
    this.#all.delete(ends)
    socket.destroy()
    return true
  }
}
