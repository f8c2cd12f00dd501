import { SingleBar } from 'cli-progress'
import type { Progress } from '#ingest'
import { hostGrant } from '../compose.ts'
import { growHeap } from './heap.ts'
import { output } from './output.ts'
import { withHouse } from './with-house.ts'

interface ImportOptions {
  readonly patient: string
  readonly source?: string
  readonly json?: boolean
}

/** Imports one file into one patient's record; with a terminal a bar shows how far it is. */
export async function importFile(path: string, options: ImportOptions): Promise<void> {
  growHeap('frugal')
  await withHouse(async house => {
    const bar = process.stderr.isTTY && !options.json ? new SingleBar({ format }) : undefined
    const report = await house.ingest.importFile({
      grant: hostGrant(),
      patient: options.patient,
      path,
      ...(options.source === undefined ? {} : { source: options.source }),
      onProgress: progress => show(bar, progress),
    })
    bar?.stop()
    if (options.json) output.result(JSON.stringify(report))
    else for (const line of reportLines(report)) output.result(line)
  })
}

const format = '{bar} {percentage}% | {rows} rows'

/** The bar appears with the first progress: a file that is refused has none. */
function show(bar: SingleBar | undefined, { bytesRead, bytesTotal, rows }: Progress): void {
  if (bar?.isActive === false) bar.start(bytesTotal, 0, { rows: 0 })
  bar?.update(bytesRead, { rows })
}

function reportLines(report: object): string[] {
  return Object.entries(report).flatMap(([name, value]) => {
    if (value === null || typeof value !== 'object') return [`${name}: ${String(value)}`]
    const rows = Object.entries(value)
    return rows.length === 0 ? [] : [`${name}:`, ...rows.map(([key, count]) => `  ${key}: ${JSON.stringify(count)}`)]
  })
}
