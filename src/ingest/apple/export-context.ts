import type { MapContext } from '../outcome.ts'
import type { FhirContext } from '../read-context.ts'

/** What reading an export needs to know of the run. */
export type ExportContext = MapContext & Pick<FhirContext, 'canWrite'>
