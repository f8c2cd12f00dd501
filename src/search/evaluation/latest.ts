import type { Steps } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import { parseReferenceEntry, parseToken } from '../kinds/entries.ts'
import { textsOf } from './canonicals.ts'
import type { Matching } from './matcher.ts'
import { Pace } from './pieces.ts'
import { type RowKey, rowKey } from './sort-keys.ts'

/**
 * Leaves of each subject's rows with one code the latest; more than that only where several were at the time of the last of them.
 * Codes are the same when they share a coding, also by way of others: with a row of `a` and one of `a, b` those of `b` are of one
 * group. Rows without a time come last.
 *
 * @see https://hl7.org/fhir/R4/observation-operation-lastn.html
 */
export function* keepLatest(found: readonly Matching[], most: number): Steps<void> {
  const groups = new Groups()
  const rows: Dated[] = []
  const pace = new Pace()
  for (const { table, rows: matching } of found) {
    const date = yield* rowKey(table, { name: 'date', descending: true })
    for (let row = matching.indexOf(1); row >= 0; row = matching.indexOf(1, row + 1)) {
      rows.push(datedRow(table, matching, row, date, groups))
      if (pace.read(rowWork)) yield
    }
  }
  pace.end()
  const byGroup = Map.groupBy(rows, ({ subject, code }) => `${subject} ${groups.rootOf(code)}`)
  for (const group of byGroup.values()) {
    dropOlder(group, most)
    yield
  }
}

/** What a row takes, as characters that are read. */
const rowWork = 100

interface Dated {
  readonly matching: Uint8Array
  readonly row: number
  readonly subject: string
  readonly code: number
  readonly ms: number
}

function datedRow(table: TypeTable, matching: Uint8Array, row: number, date: RowKey, groups: Groups): Dated {
  const [subject = ''] = textsOf(table, 'subject', row)
  const [code = ''] = textsOf(table, 'code', row)
  const ms = date.value(row)
  return {
    matching,
    row,
    subject: parseReferenceEntry(subject).reference,
    code: groups.numberOf(code),
    ms: Number.isNaN(ms) ? Number.NEGATIVE_INFINITY : ms,
  }
}

function dropOlder(group: Dated[], most: number): void {
  group.sort((a, b) => (a.ms === b.ms ? 0 : b.ms - a.ms))
  const last = group[most - 1]
  if (last === undefined) return
  for (const { matching, row, ms } of group) if (ms < last.ms) matching[row] = 0
}

/** Which codes are one, by the codings that they share. */
class Groups {
  readonly #byEntry = new Map<string, number>()
  readonly #byCoding = new Map<string, number>()
  /** What each group was joined with, itself if with none. */
  readonly #joined: number[] = []

  numberOf(entry: string): number {
    const known = this.#byEntry.get(entry)
    if (known !== undefined) return known
    const number = this.#joined.length
    this.#joined.push(number)
    this.#byEntry.set(entry, number)
    for (const name of namesOf(entry)) this.#join(name, number)
    return number
  }

  #join(name: string, number: number): void {
    const other = this.#byCoding.get(name)
    if (other === undefined) this.#byCoding.set(name, number)
    else this.#joined[this.rootOf(number)] = this.rootOf(other)
  }

  /** Each group that is passed is brought nearer to the root, so that long rows of joins stay short ways. */
  rootOf(number: number): number {
    const joined = this.#joined
    let root = number
    for (let next = joined[root] as number; next !== root; next = joined[root] as number) {
      joined[root] = joined[next] as number
      root = next
    }
    return root
  }
}

/** "Text only codes SHALL be treated and grouped based on the text." */
function namesOf(entry: string): readonly string[] {
  const { codings, text } = parseToken(entry)
  const coded = codings.filter(({ code }) => code !== '')
  return coded.length === 0 ? [`text ${text}`] : coded.map(({ system, code }) => `code ${system}|${code}`)
}
