import { Buffer } from 'node:buffer'
import { GrowBytes } from '../columns/growable.ts'

const longest = 10

/** Bytes under construction: variable-length numbers, texts, and columns of numbers. */
export class SegmentWriter {
  readonly #bytes = new GrowBytes()

  take(): Uint8Array {
    return this.#bytes.array.subarray(0, this.#bytes.length)
  }

  raw(bytes: Uint8Array): void {
    this.#bytes.append(bytes)
  }

  /** A whole number below 2⁵³: seven bits per byte, the lowest first. */
  whole(value: number): void {
    this.#bytes.reserve(longest)
    const { array } = this.#bytes
    let rest = value
    let at = this.#bytes.length
    while (rest > 0x7f) {
      array[at++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    array[at++] = rest
    this.#bytes.length = at
  }

  /** Signed: 0, -1, 1, -2, 2 … become 0, 1, 2, 3, 4 … */
  signed(value: number): void {
    this.whole(value < 0 ? -2 * value - 1 : 2 * value)
  }

  text(text: string): void {
    const bytes = Buffer.from(text, 'utf8')
    this.whole(bytes.length)
    this.raw(bytes)
  }

  wholes(values: ArrayLike<number>): void {
    for (let i = 0; i < values.length; i++) this.whole(values[i] as number)
  }

  /** Numbers as whole multiples of a power of ten where that loses nothing, else as doubles. */
  numbers(values: readonly number[]): void {
    const scale = decimalScale(values)
    if (scale === undefined) this.#doubles(values)
    else
      this.#scaled(
        values.map(value => Math.round(value * 10 ** scale)),
        scale,
      )
  }

  #doubles(values: readonly number[]): void {
    this.whole(form.doubles)
    const doubles = Float64Array.from(values)
    this.raw(new Uint8Array(doubles.buffer))
  }

  #scaled(values: readonly number[], scale: number): void {
    const steps = values.map((value, i) => value - (i === 0 ? 0 : (values[i - 1] as number)))
    const inSteps = magnitude(steps) < magnitude(values)
    const chosen = inSteps ? steps : values
    const unit = commonDivisor(chosen)
    this.whole(inSteps ? form.steps : form.plain)
    this.whole(scale)
    this.whole(unit)
    for (const value of chosen) this.signed(value / unit)
  }
}

/** How a column of numbers is written. */
export const form = { doubles: 0, plain: 1, steps: 2 }

const scales = [0, 1, 2, 3, 4, 5, 6]

function decimalScale(values: readonly number[]): number | undefined {
  return scales.find(scale => {
    const factor = 10 ** scale
    return values.every(value => {
      const whole = Math.round(value * factor)
      return Math.abs(whole) < 2 ** 50 && whole / factor === value && !Object.is(value, -0)
    })
  })
}

function magnitude(values: readonly number[]): number {
  let sum = 0
  for (const value of values) sum += Math.log2(1 + Math.abs(value))
  return sum
}

function commonDivisor(values: readonly number[]): number {
  let divisor = 0
  for (const value of values) {
    let [a, b] = [Math.abs(value), divisor]
    while (b !== 0) [a, b] = [b, a % b]
    divisor = a
    if (divisor === 1) return 1
  }
  return Math.max(divisor, 1)
}
