/** An object as JSON has it. */
export type Plain = Readonly<Record<string, unknown>>

/** A Decimal prints itself; it is not taken apart. */
export function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
