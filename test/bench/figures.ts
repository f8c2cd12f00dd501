/** Medians and spreads, and how a table of them is printed. */
import { cpus, totalmem } from 'node:os'

export interface Figure {
  readonly what: string
  readonly unit: string
  readonly runs: readonly number[]
  /** What the figure should be at least (or at most), for the eye of the reader. */
  readonly goal?: string
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
}

const shown = (value: number) =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)

/** A Markdown row: figure, median, spread over the runs, goal. */
export function row({ what, unit, runs, goal }: Figure): string {
  const spread = runs.length > 1 ? `${shown(Math.min(...runs))} – ${shown(Math.max(...runs))}` : 'one run'
  return `| ${what} | ${shown(median(runs))} ${unit} | ${spread} | ${goal ?? ''} |`
}

export const heading = '| what | median | spread | goal |\n|---|---|---|---|'

export function machine(): string {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${memory} GiB, ${process.platform}, Node ${process.versions.node}`
}
