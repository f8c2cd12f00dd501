/** A measurement: its value in the unit of all, and when it was made. */
export interface Measurement {
  readonly value: number
  /** Undefined where nothing says when. */
  readonly atMs: number | undefined
}

/** What a statistic is given in: the unit of the measurements, a number of them, or something made of it. */
type StatisticUnit = 'same' | 'count' | 'squared' | 'none' | 'per-day'

/** One number of a statistic; undefined where the measurements do not say. */
export interface Outcome {
  readonly unit: StatisticUnit
  readonly text: string
  readonly value: number | undefined
}

const oneOf = (unit: StatisticUnit, text: string, compute: (values: readonly number[]) => number | undefined) => ({
  text,
  outcomes: (measured: readonly Measurement[]): readonly Outcome[] => [
    { unit, text, value: compute(measured.map(({ value }) => value).sort((a, b) => a - b)) },
  ],
})
const quantile = (text: string, part: number) => oneOf('same', text, values => quantileOf(values, part))

interface Statistic {
  readonly text: string
  outcomes(measured: readonly Measurement[]): readonly Outcome[]
}

/**
 * The statistics of a set of measurements, by code; `total-count` is told by whoever chose them.
 *
 * @see https://hl7.org/fhir/R4/valueset-observation-statistics.html
 */
export const statistics: Readonly<Record<string, Statistic>> = {
  average: oneOf('same', 'Average', mean),
  maximum: oneOf('same', 'Maximum', values => values.at(-1)),
  minimum: oneOf('same', 'Minimum', values => values[0]),
  count: oneOf('count', 'Count', values => values.length),
  median: quantile('Median', 0.5),
  'std-dev': oneOf('same', 'Standard Deviation', values => squareRoot(variance(values))),
  sum: oneOf('same', 'Sum', values => (values.length === 0 ? undefined : sum(values))),
  variance: oneOf('squared', 'Variance', variance),
  '20-percent': quantile('20th Percentile', 0.2),
  '80-percent': quantile('80th Percentile', 0.8),
  '4-lower': quantile('Lower Quartile', 0.25),
  '4-upper': quantile('Upper Quartile', 0.75),
  '4-dev': oneOf('same', 'Quartile Deviation', quartileDeviation),
  '5-1': quantile('1st Quintile', 0.2),
  '5-2': quantile('2nd Quintile', 0.4),
  '5-3': quantile('3rd Quintile', 0.6),
  '5-4': quantile('4th Quintile', 0.8),
  skew: oneOf('none', 'Skew', values => moment(values, 3)),
  kurtosis: oneOf('none', 'Kurtosis', values => excess(moment(values, 4))),
  regression: { text: 'Regression', outcomes: regression },
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0)
}

function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : sum(values) / values.length
}

/** Of a sample: by one less than there are. */
function variance(values: readonly number[]): number | undefined {
  const middle = mean(values)
  if (middle === undefined || values.length < 2) return undefined
  return sum(values.map(value => (value - middle) ** 2)) / (values.length - 1)
}

function squareRoot(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.sqrt(value)
}

/** Between the two values that lie next to it, by how near they are. */
function quantileOf(sorted: readonly number[], part: number): number | undefined {
  if (sorted.length === 0) return undefined
  const at = (sorted.length - 1) * part
  const [low, high] = [sorted[Math.floor(at)] as number, sorted[Math.ceil(at)] as number]
  return low + (high - low) * (at - Math.floor(at))
}

/** "Quartile deviation … is one-half the difference between the first and the third quartiles." */
function quartileDeviation(sorted: readonly number[]): number | undefined {
  const [lower, upper] = [quantileOf(sorted, 0.25), quantileOf(sorted, 0.75)]
  return lower === undefined || upper === undefined ? undefined : (upper - lower) / 2
}

/** The standardised moment of a whole: the third says how askew values lie, the fourth how heavy the ends are. */
function moment(values: readonly number[], order: number): number | undefined {
  const middle = mean(values)
  if (middle === undefined) return undefined
  const spread = sum(values.map(value => (value - middle) ** 2)) / values.length
  if (spread === 0) return undefined
  return sum(values.map(value => (value - middle) ** order)) / values.length / spread ** (order / 2)
}

/** Beyond that of a normal distribution. */
function excess(kurtosis: number | undefined): number | undefined {
  return kurtosis === undefined ? undefined : kurtosis - 3
}

const dayMs = 86_400_000

/** "This Statistic code will return both a gradient and an intercept value": by days since the first measurement. */
function regression(measured: readonly Measurement[]): readonly Outcome[] {
  const dated = measured.flatMap(({ value, atMs }) => (atMs === undefined ? [] : [{ value, atMs }]))
  const firstMs = dated.reduce((least, { atMs }) => Math.min(least, atMs), Number.POSITIVE_INFINITY)
  const days = dated.map(({ atMs }) => (atMs - firstMs) / dayMs)
  const [x, y] = [mean(days), mean(dated.map(({ value }) => value))]
  const spread = x === undefined ? 0 : sum(days.map(day => (day - x) ** 2))
  const shared =
    x === undefined || y === undefined ? 0 : sum(days.map((day, at) => (day - x) * ((dated[at]?.value ?? 0) - y)))
  const gradient = spread === 0 ? undefined : shared / spread
  const intercept = gradient === undefined || x === undefined || y === undefined ? undefined : y - gradient * x
  return [
    { unit: 'per-day', text: 'Regression: gradient', value: gradient },
    { unit: 'same', text: 'Regression: intercept', value: intercept },
  ]
}
