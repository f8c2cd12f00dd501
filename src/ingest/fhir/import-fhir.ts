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
  for await (const { found, place } of all(files, limits)) if ('resource' in found) directory.add(found, place)
  const names = directory.ownNames()
  let outcomes: Outcome[] = []
  for await (const { found, place } of all(files, limits)) {
    const outcome = 'resource' in found ? mapResource(found, directory, names, context) : withoutResource(found)
    outcomes.push(isOfSomebodyElse(outcome) ? { ...outcome, expression: place } : outcome)
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

/** What is another person's is refused by its place. */
function isOfSomebodyElse(outcome: Outcome): outcome is Extract<Outcome, { kind: 'rejected' }> {
  return outcome.kind === 'rejected' && outcome.reason === 'other-patient'
}

interface Placed {
  readonly found: Found | NotFound
  /** `Bundle.entry[3]`, or the line of NDJSON; lines without text are not counted. */
  readonly place: string
}

async function* all(files: readonly FhirFile[], limits: IngestLimits): AsyncGenerator<Placed, void, void> {
  for (const file of files) {
    const rows = file.form === 'ndjson' ? readNdjson(file.open(), limits) : await readBundle(file.open(), limits)
    let at = 0
    for await (const found of rows) {
      yield { found, place: file.form === 'ndjson' ? `line[${at + 1}]` : `Bundle.entry[${at}]` }
      at += 1
    }
  }
}
