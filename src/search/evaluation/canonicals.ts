import type { Steps } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import { compareVersions, parseCanonical } from '../kinds/canonical.ts'
import { parseToken } from '../kinds/entries.ts'
import { localTarget } from '../kinds/reference.ts'
import { holderOf, holderOrder, type RowIndex } from '../row-index.ts'
import { Pace } from './pieces.ts'

/** A row, and where it lies. */
export interface Located {
  readonly index: RowIndex
  readonly table: TypeTable
  readonly row: number
}

/** The one version that a canonical reference means, of those that exist for somebody: the one it names, or else the latest. */
export type Resolve = (canonical: string) => Located | undefined

/** A resource of this server. */
export interface Target {
  readonly type: string
  readonly id: string
}

interface Published extends Located {
  readonly version: string | undefined
}

type RowsOf = (index: RowIndex, type: string) => Steps<Uint8Array | undefined>

/**
 * The rows that others may name by a canonical URL (`Questionnaire.url`), among those that exist for somebody.
 *
 * @see https://hl7.org/fhir/R4/references.html#canonical
 */
export class Canonicals {
  readonly #indexes: readonly RowIndex[]
  readonly #rows: RowsOf
  #byUrl: ReadonlyMap<string, readonly Published[]> | undefined

  constructor(indexes: readonly RowIndex[], rows: RowsOf) {
    this.#indexes = indexes
    this.#rows = rows
  }

  *resolver(): Steps<Resolve> {
    this.#byUrl ??= yield* this.#publish()
    const byUrl = this.#byUrl
    return reference => {
      const { url, version } = parseCanonical(reference)
      return byUrl.get(url)?.find(each => version === undefined || each.version === version)
    }
  }

  *#publish(): Steps<ReadonlyMap<string, readonly Published[]>> {
    const byUrl = new Map<string, Published[]>()
    for (const index of this.#indexes) {
      for (const [type, table] of index.tables) {
        const rows = isPublished(table) ? yield* this.#rows(index, type) : undefined
        if (rows !== undefined) yield* addPublished(byUrl, index, table, rows)
      }
    }
    for (const published of byUrl.values()) published.sort(latestFirst)
    return byUrl
  }
}

/** Types that can be named so have a search parameter for their url. */
function isPublished({ plan }: TypeTable): boolean {
  return plan.uses.get('url')?.some(({ index }) => plan.sources[index]?.kind === 'uri') ?? false
}

function* addPublished(
  byUrl: Map<string, Published[]>,
  index: RowIndex,
  table: TypeTable,
  rows: Uint8Array,
): Steps<void> {
  const pace = new Pace()
  for (let row = 0; row < rows.length; row++) {
    if (rows[row] === 0) continue
    const [version] = textsOf(table, 'version', row)
    const published = { index, table, row, version: version && parseToken(version).codings[0]?.code }
    for (const url of textsOf(table, 'url', row)) {
      const known = byUrl.get(url)
      if (known === undefined) byUrl.set(url, [published])
      else known.push(published)
      if (pace.read(url.length)) yield
    }
  }
  pace.end()
}

/** The dictionary entries of a parameter in one row. */
export function textsOf(table: TypeTable, name: string, row: number): readonly string[] {
  return (table.plan.uses.get(name) ?? []).flatMap(({ index }) => table.columns[index]?.textsOf(row) ?? [])
}

function latestFirst(a: Published, b: Published): number {
  const newer = (b.table.updated.array[b.row] as number) - (a.table.updated.array[a.row] as number)
  return compareVersions(b.version, a.version) || newer || placeOrder(a, b)
}

/** Which of two that were published at one instant comes first, wherever they lie in memory. */
function placeOrder(a: Located, b: Located): number {
  const owners = holderOrder(holderOf(a.index, a.table, a.row), holderOf(b.index, b.table, b.row))
  return owners || (a.table.seqs.array[a.row] as number) - (b.table.seqs.array[b.row] as number)
}

/**
 * The resource of this server that an entry of a reference column names; undefined for what lies elsewhere.
 *
 * @param resolve  where the column holds canonicals
 */
export function targetOf(
  { reference, baseUrl }: { readonly reference: string; readonly baseUrl: string },
  resolve: Resolve | undefined,
): Target | undefined {
  const found = resolve?.(reference)
  return found === undefined
    ? localTarget(reference, baseUrl)
    : { type: found.table.plan.type, id: found.table.ids.id(found.row) }
}
