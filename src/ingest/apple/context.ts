import type { IngestLimits } from '../limits.ts'
import type { ExportContext } from './export-context.ts'
import type { Sources } from './sources.ts'

/** What lies beside an export. */
export interface Beside {
  /** Base names of the other files of the archive. */
  readonly files: ReadonlySet<string>
  /** Notes from which server the record of a clinic in a file comes. */
  comesFrom(fileName: string, server: string): void
}

export const nothingBeside: Beside = { files: new Set(), comesFrom: () => {} }

/** What the mappers of an export share. */
export interface AppleContext extends ExportContext, Beside {
  readonly limits: IngestLimits
  readonly sources: Sources
  /** Id of the DocumentReference that a file of the archive becomes. */
  documentId(fileName: string): string
}
