/** Names, codes and values that exist nowhere else in the world, so that finding one on a disk proves a leak. */
import { randomBytes, randomInt } from 'node:crypto'

const letters = 'bcdfghjklmnpqrstvwxz'

export class Flock {
  readonly marks: string[] = []

  /** `Qzbtrwkdmfhcgvx`: no word of any language. */
  name(): string {
    return this.#keep(`Q${this.#letters(14)}`)
  }

  /** A name as it may also be spelled. */
  foreignName(): string {
    return this.#keep(`Zü${this.#letters(7)} d’${this.#letters(7)}`)
  }

  code(): string {
    return this.#keep(`KC-${randomBytes(7).toString('hex').toUpperCase()}`)
  }

  /** Twelve digits, as a number would be written. */
  value(): string {
    return this.#keep(String(randomInt(100_000_000_000, 999_999_999_999)))
  }

  #letters(count: number): string {
    return Array.from({ length: count }, () => letters[randomInt(letters.length)]).join('')
  }

  #keep(mark: string): string {
    this.marks.push(mark)
    return mark
  }
}
