import type { IngestLimits } from '../limits.ts'
import type { Outcome } from '../outcome.ts'
import type { FhirContext } from '../read-context.ts'
import { Directory } from './directory.ts'
import { mapResource } from './map-resource.ts'
import { type Found, type NotFound, readBundle, readNdjson } from './read-resources.ts'

/** A file, or a file inside an archive: it is opened twice. */
export interface FhirFile {
  readonly form: 'bundle' | 'ndjson'
  open(): AsyncIterable<Uint8Array>
}

const gatherSize = 100

/**
 * The outcomes of FHIR files that belong together. The first pass learns what is in them, so that references find their
 * targets whatever the order; the second maps.
 *
 * @throws Problem as `readBundle`, `readNdjson`, `Directory`
 */
export async function* importFhir(
  files: readonly FhirFile[],
  context: FhirContext,
  limits: IngestLimits,
): AsyncGenerator<Outcome[], void, void> {
  const directory = new Directory(context, limits.maxResources)
  for await (const found of all(files, limits)) if ('resource' in found) directory.add(found)
  const names = directory.ownNames(context.identifiers)
  let outcomes: Outcome[] = []
  for await (const found of all(files, limits)) {
    outcomes.push('resource' in found ? mapResource(found, directory, names, context) : withoutResource(found))
    if (outcomes.length >= gatherSize) {
      yield outcomes
      outcomes = []
    }
  }
  yield outcomes
}

function withoutResource({ row, malformed }: NotFound): Outcome {
  return malformed ? { kind: 'rejected', row, reason: 'structure-unknown' } : { kind: 'unmapped', row }
}

async function* all(files: readonly FhirFile[], limits: IngestLimits): AsyncGenerator<Found | NotFound, void, void> {
  for (const file of files) {
    if (file.form === 'ndjson') yield* readNdjson(file.open(), limits)
    else yield* await readBundle(file.open(), limits)
  }
}
