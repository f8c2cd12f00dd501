import type { Grant } from '#access'
import type { Fate, Item } from '../committing/items.ts'
import { importFhir } from '../fhir/import-fhir.ts'
import type { Doubt } from '../identity/review/held.ts'
import { holdFile } from '../identity/review/hold-file.ts'
import { type PrepareDeps, prepareAs } from '../prepare.ts'
import { type ByteSource, digestOf } from '../source/byte-source.ts'
import type { Rows } from './rows.ts'

/** What of the files is about one person. */
export interface OfPerson {
  /** As one file: a Bundle, or a row in each line. */
  readonly source: ByteSource
  readonly format: 'fhir-bundle' | 'fhir-ndjson'
  /** The number of each row of it among all rows. */
  readonly numbers: readonly number[]
  /** Whose fates are told elsewhere: what is nobody's goes with many. */
  isOfNobody(row: number): boolean
}

/** Who takes in, and what it is told. */
export interface Taking {
  readonly grant: Grant
  readonly rows: Rows
  readonly deps: PrepareDeps
  readonly signal: AbortSignal
  renew?(): Promise<Grant>
  otherPerson(reference: string): string | undefined
}

/** Imports what is about one person for a patient who is kept here, as any FHIR file; whatever becomes of it stands with its rows. */
export async function takePerson(patient: string, of: OfPerson, taking: Taking): Promise<void> {
  const { grant, rows, deps, signal, renew, otherPerson } = taking
  const fates = fatesOf(of, rows)
  const open = (watched: ByteSource) => async (context: Parameters<typeof importFhir>[1]) => {
    const form = of.format === 'fhir-bundle' ? 'bundle' : 'ndjson'
    const file = { form, open: () => watched.read(0, watched.sizeBytes) } as const
    return importFhir([file], { ...context, otherPerson, onRow: fates.onRow })
  }
  const wanted = { grant, patient, onFate: fates.onFate, ...(renew && { renew }) }
  const recognise = async (watched: ByteSource) => ({ format: of.format, open: open(watched) })
  const run = await prepareAs(wanted, of.source, recognise, deps, signal)
  const { problem, report } = await run({ signal, onProgress: () => {} })
  signal.throwIfAborted()
  if (problem !== undefined && (problem.code === 'ingest.withdrawn' || passing.has(problem.kind))) throw problem
  if (report.review !== undefined) return waits(report.review, of, rows)
  const text = problem?.text ?? 'The record did not take it.'
  for (const row of own(of)) rows.fault(row, text, problem?.expression.join(', ') || undefined)
}

/** What is no fault of these rows, and would be that of all that follow. */
const passing: ReadonlySet<string> = new Set(['full', 'busy'])

/** Keeps what may be about somebody else until a person decides; refused where that cannot be. */
export async function holdPerson(doubt: Doubt, of: OfPerson, { rows, deps }: Taking): Promise<void> {
  const { source, format } = of
  const review = await holdFile({ source, format, digest: await digestOf(source), doubt }, deps)
  if (review !== undefined) return waits(review, of, rows)
  const text = 'It is doubtful whom this is about, and it cannot wait: it is too much, or a person has decided before.'
  for (const row of own(of)) rows.fault(row, text)
}

function waits(review: string, of: OfPerson, rows: Rows): void {
  const text = `It waits until a person says whom it is about: $review/${review}`
  for (const row of own(of)) rows.fault(row, text, undefined, true)
}

export function own({ numbers, isOfNobody }: Pick<OfPerson, 'numbers' | 'isOfNobody'>): readonly number[] {
  return numbers.filter(row => !isOfNobody(row))
}

/** Notes what rows come to, by what is told of their outcomes. */
export function fatesOf(
  { numbers, isOfNobody }: Pick<OfPerson, 'numbers' | 'isOfNobody'>,
  rows: Rows,
): {
  onRow(outcome: Parameters<NonNullable<Parameters<typeof importFhir>[1]['onRow']>>[0], index: number): void
  onFate(item: Item, fate: Fate): void
} {
  const rowOf = new WeakMap<object, number>()
  const settle = (row: number, fate: Fate) => {
    if (fate === 'mapped') rows.settle(row, 'taken')
    else if (fate === 'duplicate') rows.settle(row, 'known')
    else rows.refuse(row, fate.reason, fate.expression)
  }
  return {
    onRow(outcome, index) {
      const row = numbers[index]
      if (row === undefined || isOfNobody(row)) return
      if (outcome.kind === 'unmapped') rows.settle(row, 'passed')
      else if (outcome.kind === 'rejected') rows.refuse(row, outcome.reason, elementOf(outcome.expression))
      else rowOf.set(outcome, row)
    },
    onFate(item, fate) {
      const row = rowOf.get(item)
      if (row !== undefined) settle(row, fate)
    },
  }
}

/** The place in the file of one person says nothing: that in the file that was sent is told beside. */
function elementOf(expression: string | undefined): string | undefined {
  return expression?.replace(/^(?:line|Bundle\.entry)\[\d+\](?:: )?/, '') || undefined
}
