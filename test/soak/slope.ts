/** A value at an instant. */
export interface Sample {
  readonly atMs: number
  readonly value: number
}

/** How much a value rises in an hour, by least squares; NaN for fewer than two instants. */
export function perHour(samples: readonly Sample[]): number {
  const n = samples.length
  const meanAt = samples.reduce((sum, { atMs }) => sum + atMs, 0) / n
  const meanValue = samples.reduce((sum, { value }) => sum + value, 0) / n
  let [above, below] = [0, 0]
  for (const { atMs, value } of samples) {
    above += (atMs - meanAt) * (value - meanValue)
    below += (atMs - meanAt) ** 2
  }
  return (above / below) * 3_600_000
}

/** The least value of each stretch of so many samples: what memory falls back to, without what is only waiting to be collected. */
export function floors(samples: readonly Sample[], stretch: number): readonly Sample[] {
  const least: Sample[] = []
  for (let at = 0; at + stretch <= samples.length; at += stretch)
    least.push(samples.slice(at, at + stretch).reduce((a, b) => (b.value < a.value ? b : a)))
  return least
}
