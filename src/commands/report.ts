import type { Report } from '#ingest'

const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? '' : 's'}`

/** What became of an import, for people: first how it ended, then what was left out, and why. */
export function reportLines(report: Report): string[] {
  const { format, rows, unmapped, rejected, warnings, problem, provenance, review } = report
  const ended = report.state === 'done' ? 'Imported' : 'Broke off'
  return [
    `${ended}: ${count(rows, 'row')} of ${format}: ${sharesOf(report)}.`,
    ...(problem === undefined ? [] : [`It broke off because: ${problem.text} (${problem.code})`]),
    ...(review === undefined ? [] : [`It waits until somebody decides: kinhold review accept ${review}, or reject.`]),
    ...rejected.map(
      ({ row, text, expression, count: times }) =>
        `Rejected ${times} × ${row}: ${text}${expression === undefined ? '' : ` (${expression})`}`,
    ),
    ...unmapped.map(({ row, count: times }) => `Not taken in ${times} × ${row}: no mapping for it.`),
    ...warnings.map(text => `Note: ${text}`),
    ...(provenance === undefined ? [] : [`Where it came from is kept as ${provenance}.`]),
  ]
}

/** Each row is in one of the shares. */
function sharesOf({ mapped, created, updated, duplicate, folded, unmapped, rejected }: Report): string {
  const rowsIn = (list: readonly { readonly count: number }[]) => list.reduce((sum, { count: times }) => sum + times, 0)
  const twice = folded > 0 ? ` (${folded} said twice in the file)` : ''
  return [
    `${mapped} taken in (${created} created, ${updated} updated)`,
    `${duplicate} there already${twice}`,
    `${rowsIn(unmapped)} not taken in`,
    `${rowsIn(rejected)} rejected`,
  ].join(', ')
}
