import type { IngestLimits } from '../limits.ts'
import type { ExportContext } from './export-context.ts'
import type { Sources } from './sources.ts'

/** What the mappers of an export share. */
export interface AppleContext extends ExportContext {
  readonly limits: IngestLimits
  readonly sources: Sources
  /** Base names of the other files of the archive. */
  readonly files: ReadonlySet<string>
  /** Id of the DocumentReference that a file of the archive becomes. */
  documentId(fileName: string): string
}
