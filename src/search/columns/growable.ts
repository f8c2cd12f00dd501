/** Typed arrays that grow by doubling. `array` is the whole room; only the first `length` elements mean anything. */
interface Growable<A> {
  array: A
  length: number
}

const firstRoom = 16

function roomFor(length: number, needed: number): number {
  let room = Math.max(length, firstRoom)
  while (room < needed) room *= 2
  return room
}

export class GrowUint32 implements Growable<Uint32Array> {
  array = new Uint32Array(0)
  length = 0

  push(value: number): void {
    this.reserve(1)
    this.array[this.length++] = value
  }

  /** Makes room for `more` elements behind the present ones. */
  reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.array.length) return
    const grown = new Uint32Array(roomFor(this.array.length, needed))
    grown.set(this.array.subarray(0, this.length))
    this.array = grown
  }

  fillTo(length: number, value: number): void {
    if (length <= this.length) return
    this.reserve(length - this.length)
    this.array.fill(value, this.length, length)
    this.length = length
  }
}

export class GrowFloat64 implements Growable<Float64Array> {
  array = new Float64Array(0)
  length = 0

  push(value: number): void {
    this.reserve(1)
    this.array[this.length++] = value
  }

  /** Makes room for `more` elements behind the present ones. */
  reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.array.length) return
    const grown = new Float64Array(roomFor(this.array.length, needed))
    grown.set(this.array.subarray(0, this.length))
    this.array = grown
  }

  fillTo(length: number, value: number): void {
    if (length <= this.length) return
    this.reserve(length - this.length)
    this.array.fill(value, this.length, length)
    this.length = length
  }
}

export class GrowBytes implements Growable<Uint8Array> {
  array = new Uint8Array(0)
  length = 0

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.array.set(bytes, this.length)
    this.length += bytes.length
  }

  push(value: number): void {
    this.reserve(1)
    this.array[this.length++] = value
  }

  /** Makes room for `more` elements behind the present ones. */
  reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.array.length) return
    const grown = new Uint8Array(roomFor(this.array.length, needed))
    grown.set(this.array.subarray(0, this.length))
    this.array = grown
  }
}
