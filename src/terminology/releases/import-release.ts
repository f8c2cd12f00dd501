import { Problem } from '#kernel'
import type { ImportedHead } from '../imported/layout.ts'
import { openDraft } from '../imported/writing.ts'
import { claml } from './claml.ts'
import { icd10cm } from './icd-10-cm.ts'
import { loinc } from './loinc.ts'
import type { ReleaseFile, ReleaseReader } from './release.ts'
import { rxnorm } from './rxnorm.ts'
import { snomed } from './snomed.ts'

const readers: readonly ReleaseReader[] = [snomed, loinc, rxnorm, icd10cm, claml]

/** How far an import is. */
export interface ReleaseProgress {
  readonly bytesRead: number
  readonly bytesTotal: number
  readonly rows: number
}

/**
 * Reads a release of a code system onto the shelf of a folder. It is there as a whole or not at all, and takes the place of the same
 * version that was there.
 *
 * @param files  all files of the archive or folder
 * @param version  where the files do not say it
 * @throws Problem `unsupported` · `terminology.release-unknown`; `invalid` · `terminology.release-malformed`,
 *   `terminology.version-unnamed`, `terminology.release-empty`
 */
export async function importRelease(
  files: readonly ReleaseFile[],
  {
    folder,
    version,
    onProgress,
  }: { folder: string; version?: string | undefined; onProgress(progress: ReleaseProgress): void },
): Promise<ImportedHead> {
  const { reader, own } = readerOf(files)
  const bytesTotal = own.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  let bytesRead = 0
  const draft = openDraft(folder)
  const onBytes = (count: number) => {
    bytesRead += count
    onProgress({ bytesRead, bytesTotal, rows: draft.concepts })
  }
  try {
    const head = await reader.read(own, draft, { onBytes, version })
    if (draft.concepts === 0)
      throw new Problem('invalid', 'terminology.release-empty', 'There is no concept in the files.')
    return draft.finish(head)
  } finally {
    draft.close()
  }
}

function readerOf(files: readonly ReleaseFile[]) {
  for (const reader of readers) {
    const own = reader.find(files)
    if (own !== undefined) return { reader, own }
  }
  const known = readers.map(({ name }) => name).join(', ')
  throw new Problem(
    'unsupported',
    'terminology.release-unknown',
    `No release of a code system that is known here. Known are ${known}.`,
  )
}
