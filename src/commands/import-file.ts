import { resolve } from 'node:path'
import type { Report } from '#ingest'
import { hostGrant } from '../compose.ts'
import { growHeap } from './heap.ts'
import { viewProgress } from './import-progress.ts'
import { naming } from './naming.ts'
import { output } from './output.ts'
import { places } from './places.ts'
import { reportLines } from './report.ts'
import { withHouse } from './with-house.ts'

interface ImportOptions {
  readonly patient: string
  readonly source?: string
  readonly force?: boolean
  readonly json?: boolean
}

/** Refusals that a file is the reason of. */
const ofFile = /^(ingest|body)\./

/**
 * Imports one file into one patient's record, and shows how far it is. Exit status 1 when it broke off, or when anything in the
 * file was rejected: a script sees nothing else.
 */
export async function importFile(
  typed: string,
  { patient, source, force = false, json }: ImportOptions,
): Promise<void> {
  growHeap('frugal')
  const path = resolve(places().cwd, typed)
  const view = viewProgress(process.stderr.isTTY && json !== true)
  const report = await withHouse(({ ingest }) =>
    naming(patient, /^record\.unknown$/, () =>
      naming(path, ofFile, () =>
        ingest.importFile({
          grant: hostGrant(),
          patient,
          path,
          ...(source === undefined ? {} : { source }),
          force,
          onProgress: progress => view.show(progress),
        }),
      ),
    ).finally(() => view.stop()),
  )
  if (json === true) output.result(JSON.stringify(report))
  else for (const line of reportLines(report)) output.result(line)
  if (!isWhole(report)) process.exitCode = 1
}

/** Whether everything that the file says went in, or is known not to be taken in. */
function isWhole({ state, rejected }: Report): boolean {
  return state === 'done' && rejected.length === 0
}
