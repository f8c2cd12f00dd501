import { Buffer } from 'node:buffer'
import type { Steps } from '#kernel'
import { GrowUint32 } from './growable.ts'
import { HashIndex, PackedTexts } from './packed-texts.ts'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const hex = /^(?:[0-9a-f]{2}){8,32}$/
/** Ids that are taken into the way back in one go. */
const atATime = 4_096
const form = { uuid: 0, hex: 1, text: 2 }

/** A logical id in few bytes: a UUID takes 17, hexadecimal digits half their number and one. */
export function packId(id: string): Uint8Array {
  if (uuid.test(id)) return packed(form.uuid, id.replaceAll('-', ''), 'hex')
  return hex.test(id) ? packed(form.hex, id, 'hex') : packed(form.text, id, 'utf8')
}

function packed(tag: number, text: string, encoding: 'hex' | 'utf8'): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(text, encoding))
  bytes[0] = tag
  bytes.write(text, 1, encoding)
  return bytes
}

export function unpackId(bytes: Uint8Array): string {
  const rest = Buffer.from(bytes.buffer, bytes.byteOffset + 1, bytes.length - 1)
  if (bytes[0] === form.text) return rest.toString('utf8')
  const digits = rest.toString('hex')
  if (bytes[0] === form.hex) return digits
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join(
    '-',
  )
}

/** The logical ids of a type's rows, and the way back from an id to its rows. */
export class IdColumn {
  readonly #ids = new PackedTexts()
  // @NOTE most compartments are searched without ever asking for an id, so the way back is built at the first question.
  #index: HashIndex | undefined
  #indexed = 0
  /** Row → the previous row of the same id, plus one. */
  readonly #previous = new GrowUint32()

  get sizeBytes(): number {
    return this.#ids.sizeBytes + this.#previous.array.byteLength + (this.#index?.sizeBytes ?? 0)
  }

  push(packedId: Uint8Array): void {
    this.#ids.push(packedId)
  }

  bytes(row: number): Uint8Array {
    return this.#ids.bytes(row)
  }

  id(row: number): string {
    return unpackId(this.#ids.bytes(row))
  }

  /** Builds the way back, which `rowsOf` would else do in one go. */
  *ready(): Steps<void> {
    while (this.#indexed < this.#ids.count) {
      this.#upTo(Math.min(this.#ids.count, this.#indexed + atATime))
      yield
    }
  }

  /** Rows of an id, the newest first. */
  rowsOf(id: string): readonly number[] {
    const index = this.#upTo(this.#ids.count)
    const rows: number[] = []
    let row = index.find(packId(id))
    while (row >= 0) {
      rows.push(row)
      row = (this.#previous.array[row] as number) - 1
    }
    return rows
  }

  #upTo(count: number): HashIndex {
    this.#index ??= new HashIndex(this.#ids)
    for (; this.#indexed < count; this.#indexed++) {
      const before = this.#index.put(this.#ids.bytes(this.#indexed), this.#indexed)
      this.#previous.push(before + 1)
    }
    return this.#index
  }
}
