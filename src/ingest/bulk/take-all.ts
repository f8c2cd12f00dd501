import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { giveWay } from '#kernel'
import { serverAt } from '../fhir/clinic-records.ts'
import { claimsInSlices } from '../identity/claims.ts'
import { compare } from '../identity/judge.ts'
import type { ByteSource } from '../source/byte-source.ts'
import { type BulkDeps, type FetchFile, getFile, type Input } from './files.ts'
import { bundleOf, bytesOf, empty, Gathered, linesOf, type Range, resourceOf } from './gathered.ts'
import { type RowCounts, type RowFault, Rows } from './rows.ts'
import { type Person, Sorting } from './sorting.ts'
import { holdPerson, own, type Taking, takePerson } from './take-person.ts'
import { takeUnowned } from './take-unowned.ts'
import { severalUnderOne, type Whom, whomOf } from './whom.ts'

/** Files to be taken in together. */
export interface Wanted {
  readonly grant: Grant
  readonly inputs: readonly Input[]
  /** Whose names the files have: the same ones mean the same people in all imports of it. */
  readonly source: string
  readonly authorization?: string | undefined
  /** The grant at this moment. @throws Problem when it has ended */
  renew?(): Promise<Grant>
}

/** How far it is. */
export interface BulkProgress {
  readonly files: number
  readonly people: number
  readonly peopleTaken: number
  readonly rows: number
  readonly rowsTaken: number
}

/** What came of it. */
export interface Taken {
  /** Of each input. */
  readonly counts: readonly RowCounts[]
  readonly faults: readonly RowFault[]
  /** Faults that are not named. */
  readonly unnamed: number
}

interface Rooms {
  readonly deps: BulkDeps
  readonly fetch: FetchFile
  readonly signal: AbortSignal
  /** All files together may take so long to come, in ms. */
  readonly fetchMs: number
  /** Resolves when its turn has come to be worked on: nothing is but the getting of files before. */
  turn(): Promise<void>
  onProgress(progress: BulkProgress): void
}

/**
 * Takes in files about any number of people. Whose each row is, is known before anything is written; then everybody's rows are imported
 * for whom they are about, as if they had come as a file of their own. All of it may be done again: what is there is found.
 *
 * @throws Problem as `getFile`, `Sorting.read`; `forbidden` · `ingest.withdrawn`; and that with which the signal was aborted
 */
export async function takeAll(wanted: Wanted, rooms: Rooms): Promise<Taken> {
  const { grant, inputs, source } = wanted
  const { deps, signal } = rooms
  const rows = new Rows()
  const told = { files: 0, people: 0, peopleTaken: 0 }
  const tell = () => rooms.onProgress({ ...told, rows: rows.count, rowsTaken: rows.settled })
  const grantNow = async () => (await wanted.renew?.()) ?? grant
  await using gathered = new Gathered(deps.spool, deps.limits, grant.id)
  const faults = await gather(gathered, { wanted, rooms, grantNow }, files => {
    told.files = files
    tell()
  })
  const { files } = gathered
  await rooms.turn()
  const server = serverAt(source)
  const sorting = new Sorting(rows, deps.limits, server)
  await sorting.read(files)
  const { people } = sorting
  told.people = people.length
  tell()
  const rangeOf = (row: number): Range => {
    const { file, from, until } = rows.rangeOf(row)
    return { source: files[file] ?? empty, from, until }
  }
  const whom = await whomOfAll(people, { source, rangeOf, deps, signal, grantNow })
  const otherPerson = (reference: string) => {
    const meant = whom.get(sorting.meantBy(reference) ?? '')
    return meant?.kind === 'kept' ? `Patient/${meant.patient}` : undefined
  }
  const taking: Taking = { grant, rows, deps, signal, otherPerson, renew: grantNow }
  if (sorting.sharedRows.length > 0) {
    await using file = closing(await deps.spool.take(linesOf(sorting.sharedRows.map(rangeOf)), grant.id))
    await takeUnowned({ source: file.source, server }, sorting.sharedRows, taking)
  }
  const format = server === undefined ? ('fhir-ndjson' as const) : ('fhir-bundle' as const)
  for (const person of people) {
    signal.throwIfAborted()
    await grantNow()
    const numbers = sorting.rowsOf(person)
    const ranges = numbers.values().map(rangeOf)
    const bytes = server === undefined ? linesOf(ranges) : bundleOf(ranges, server)
    await using file = closing(await deps.spool.take(bytes, grant.id))
    const of = { source: file.source, format, numbers, isOfNobody: (row: number) => sorting.isOfNobody(row) }
    const meant = whom.get(person.name)
    if (meant?.kind === 'kept' && meant.isNew === true && person.newest) rows.settle(person.newest.row, 'taken')
    if (meant?.kind === 'kept') await takePerson(meant.patient, of, taking)
    else if (meant?.kind === 'doubtful') await holdPerson(meant.doubt, of, taking)
    else for (const row of own(of)) rows.fault(row, meant?.text ?? '', meant?.expression)
    told.peopleTaken += 1
    tell()
  }
  return { counts: rows.counts(inputs.length), faults: [...faults, ...rows.faults], unnamed: rows.unnamed }
}

const closing = (source: ByteSource) => ({ source, [Symbol.asyncDispose]: () => source.close() })

/** Gets all files. @returns why some did not come */
async function gather(
  gathered: Gathered,
  { wanted, rooms, grantNow }: { readonly wanted: Wanted; readonly rooms: Rooms; grantNow(): Promise<Grant> },
  onFile: (files: number) => void,
): Promise<readonly RowFault[]> {
  const { deps, fetch, signal, fetchMs } = rooms
  const faults: RowFault[] = []
  const late = AbortSignal.timeout(fetchMs)
  for (const [input, one] of wanted.inputs.entries()) {
    const grant = await grantNow()
    const got = await getFile(one, { grant, deps, fetch, signal, late, authorization: wanted.authorization })
    if ('refusal' in got) faults.push({ input, line: 0, isWaiting: false, text: got.refusal })
    await gathered.add('refusal' in got ? empty : got.source)
    onFile(input + 1)
  }
  return faults
}

/** Who everybody is, before anything of them is taken in: what names two of them is both's. */
async function whomOfAll(
  people: readonly Person[],
  at: {
    readonly source: string
    readonly deps: BulkDeps
    readonly signal: AbortSignal
    rangeOf(row: number): Range
    grantNow(): Promise<Grant>
  },
): Promise<ReadonlyMap<string, Whom>> {
  const { source, deps, signal, rangeOf, grantNow } = at
  const whom = new Map<string, Whom>()
  for (const { name, newest, described } of people) {
    signal.throwIfAborted()
    const describedAt = async (row: number): Promise<Resource> => resourceOf(await bytesOf(rangeOf(row)))
    const description = newest && (await describedAt(newest.row))
    const named = { source, name, ...(description && { description }) }
    const several = description && (await severalIn(described, description, describedAt))
    whom.set(name, several ?? (await whomOf(named, await grantNow(), deps)))
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return whom
}

/** Two people under one id are no versions of one: whose the rows are cannot be told. Undefined where there is one. */
async function severalIn(
  rows: readonly number[],
  newest: Resource,
  describedAt: (row: number) => Promise<Resource>,
): Promise<Whom | undefined> {
  if (rows.length < 2) return undefined
  const claims = await claimsInSlices(newest)
  for (const row of rows) {
    const { kind, elements } = compare(await claimsInSlices(await describedAt(row)), claims)
    if (kind === 'contradicts') return severalUnderOne(elements)
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return undefined
}
