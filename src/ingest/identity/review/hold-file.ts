import { createHash } from 'node:crypto'
import { newResourceId } from '#kernel'
import type { Format } from '../../format.ts'
import type { IngestLimits } from '../../limits.ts'
import type { ByteSource } from '../../source/byte-source.ts'
import { type Doubt, holdContent, knownState, namesOfFiles, type ReviewDeps, waitingFor } from './held.ts'

/** A file about whose patient there is a doubt. */
export interface DoubtfulFile {
  readonly source: ByteSource
  readonly format: Format
  /** SHA-256 of the file, hex. */
  readonly digest: string
  readonly doubt: Doubt
}

/**
 * Keeps a file until a person decides. Of the same file for the same patient one waits.
 *
 * @returns the name that it waits under; undefined when it is too large, too much waits for the patient, or a person has rejected it
 * @throws Problem `busy` · `ingest.spool-unwritable`
 */
export async function holdFile(
  { source, format, digest, doubt }: DoubtfulFile,
  deps: ReviewDeps & { readonly limits: IngestLimits },
): Promise<string | undefined> {
  const [patient = ''] = doubt.patients
  const id = createHash('sha256').update(`${digest}/${patient}`).digest('hex').slice(0, 32)
  const known = await knownState(id, deps)
  if (known === 'waiting' || known === 'deciding') return id
  if (known !== undefined) return undefined
  const waiting = await waitingFor(patient, deps)
  const size = waiting.reduce((sum, { file }) => sum + (file?.sizeBytes ?? 0), source.sizeBytes)
  if (source.sizeBytes > deps.limits.maxHeldFile || size > deps.limits.maxHeld) return undefined
  await deps.keptFiles.sweep(await namesOfFiles(deps))
  return keep(id, { source, format, digest, doubt }, deps)
}

async function keep(
  id: string,
  { source, format, doubt }: DoubtfulFile,
  deps: ReviewDeps,
): Promise<string | undefined> {
  const file = await deps.keptFiles.keep(source)
  await using unheld = new AsyncDisposableStack()
  unheld.defer(() => deps.keptFiles.drop(file.name))
  if (!(await holdContent(id, { format, file, newPatient: newResourceId() }, doubt, deps))) return undefined
  unheld.move()
  return id
}
