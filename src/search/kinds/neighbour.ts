/** The next double above or below: what is less than five is at most the one before five. */
export function neighbour(value: number, direction: 1 | -1): number {
  if (!Number.isFinite(value)) return value
  if (value === 0) return direction * Number.MIN_VALUE
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  const outward = value > 0 === direction > 0
  view.setBigInt64(0, view.getBigInt64(0) + (outward ? 1n : -1n))
  return view.getFloat64(0)
}
