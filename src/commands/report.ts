import type { Report } from '#ingest'

const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? '' : 's'}`

/** What became of an import, for people: first how it ended, then what was left out, and why. */
export function reportLines(report: Report): string[] {
  const { format, rows, created, updated, duplicate, folded, unmapped, rejected, warnings, problem, provenance } =
    report
  const ended = report.state === 'done' ? 'Imported' : 'Broke off'
  return [
    `${ended}: ${count(rows, 'row')} of ${format}; ${created} created, ${updated} updated, ${duplicate} there already${folded > 0 ? `, ${folded} say what others say too` : ''}.`,
    ...(problem === undefined ? [] : [`It broke off because: ${problem.text} (${problem.code})`]),
    ...rejected.map(
      ({ row, text, expression, count: times }) =>
        `Rejected ${times} × ${row}: ${text}${expression === undefined ? '' : ` (${expression})`}`,
    ),
    ...unmapped.map(({ row, count: times }) => `Not taken in ${times} × ${row}: no mapping for it.`),
    ...warnings.map(text => `Note: ${text}`),
    ...(provenance === undefined ? [] : [`Where it came from is kept as ${provenance}.`]),
  ]
}
