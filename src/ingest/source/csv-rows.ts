import { Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import { decoded } from './text.ts'

/** A row by the names of its columns; cells that are empty, or `NaN`, are not there. */
export type CsvRow = ReadonlyMap<string, string>

/**
 * The rows of a CSV, as they stream by. A row with other than so many cells is none: `undefined`.
 *
 * @throws Problem `too-large` · `ingest.token-too-long`
 */
export async function* readCsvRows(
  chunks: AsyncIterable<Uint8Array>,
  limits: IngestLimits,
): AsyncGenerator<readonly (CsvRow | undefined)[], void, void> {
  let columns: readonly string[] | undefined
  let rest = ''
  const rowsOf = (lines: readonly string[]) =>
    lines.flatMap((line): (CsvRow | undefined)[] => {
      if (line.trim() === '') return []
      const cells = cellsOf(line)
      if (columns === undefined) {
        columns = cells
        return []
      }
      return [cells.length === columns.length ? toRow(columns, cells) : undefined]
    })
  for await (const text of decoded(chunks, () => {})) {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > limits.maxToken)
      throw new Problem(
        'too-large',
        'ingest.token-too-long',
        `One line of the file is longer than ${limits.maxToken} characters.`,
      )
    yield rowsOf(lines)
  }
  yield rowsOf([rest])
}

function toRow(columns: readonly string[], cells: readonly string[]): CsvRow {
  const told = columns.map((column, at) => [column, cells[at] ?? ''] as const)
  return new Map(told.filter(([, cell]) => cell !== '' && cell !== 'NaN'))
}

/** https://www.rfc-editor.org/rfc/rfc4180 2: quotes around a cell, two for one within. */
function cellsOf(line: string): readonly string[] {
  const cells: string[] = []
  let cell = ''
  let isQuoted = false
  for (const letter of line.trimEnd()) {
    if (letter === '"') isQuoted = !isQuoted
    if (letter === ',' && !isQuoted) {
      cells.push(unquoted(cell))
      cell = ''
    } else cell += letter
  }
  return [...cells, unquoted(cell)]
}

function unquoted(cell: string): string {
  const [, quoted] = /^\s*"([\s\S]*)"\s*$/.exec(cell) ?? []
  return (quoted?.replaceAll('""', '"') ?? cell).trim()
}
