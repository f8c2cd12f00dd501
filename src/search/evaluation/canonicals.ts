import type { Steps } from '#kernel'
import type { TypeTable } from '../columns/type-table.ts'
import { planOf } from '../extraction/plan.ts'
import { compareVersions, parseCanonical } from '../kinds/canonical.ts'
import { parseToken } from '../kinds/entries.ts'
import { localTarget } from '../kinds/reference.ts'
import { type Holder, holderOf, holderOrder, type RowIndex } from '../row-index.ts'
import { Pace } from './pieces.ts'

/** A row, and where it lies. */
export interface Located {
  readonly index: RowIndex
  readonly table: TypeTable
  readonly row: number
}

/** A resource of this server. */
export interface Target {
  readonly type: string
  readonly id: string
}

/** The one resource that a canonical reference means, of those that exist for somebody: the version it names, or else the latest. */
export type Resolve = (canonical: string) => Target | undefined

interface Published extends Target {
  readonly version: string | undefined
  readonly updatedMs: number
  readonly holder: Holder
  readonly seq: number
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
  #resolve: Resolve | undefined

  constructor(indexes: readonly RowIndex[], rows: RowsOf) {
    this.#indexes = indexes
    this.#rows = rows
  }

  *resolver(): Steps<Resolve> {
    this.#resolve ??= yield* this.#publish()
    return this.#resolve
  }

  *#publish(): Steps<Resolve> {
    const publishing = new Publishing()
    for (const index of this.#indexes) yield* publishing.add(index, this.#rows)
    return publishing.resolver()
  }
}

/** Gathers what is published in one index after the other. */
export class Publishing {
  readonly #byUrl = new Map<string, Published[]>()

  resolver(): Resolve {
    for (const published of this.#byUrl.values()) published.sort(latestFirst)
    return reference => {
      const { url, version } = parseCanonical(reference)
      return this.#byUrl.get(url)?.find(each => version === undefined || each.version === version)
    }
  }

  *add(index: RowIndex, rowsOf: RowsOf): Steps<void> {
    for (const [type, table] of index.tables) {
      const rows = isPublishedType(type) ? yield* rowsOf(index, type) : undefined
      if (rows !== undefined) yield* addPublished(this.#byUrl, index, table, rows)
    }
  }
}

/** Types that can be named so have a search parameter for their url. */
export function isPublishedType(type: string): boolean {
  const plan = planOf(type)
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
    const published = publishedAt(index, table, row)
    for (const url of textsOf(table, 'url', row)) {
      const known = byUrl.get(url)
      if (known === undefined) byUrl.set(url, [published])
      else known.push(published)
      if (pace.read(url.length)) yield
    }
  }
  pace.end()
}

function publishedAt(index: RowIndex, table: TypeTable, row: number): Published {
  const [version] = textsOf(table, 'version', row)
  return {
    type: table.plan.type,
    id: table.ids.id(row),
    version: version && parseToken(version).codings[0]?.code,
    updatedMs: table.updated.array[row] as number,
    holder: holderOf(index, table, row),
    seq: index.seqAt(table.seqs.array[row] as number),
  }
}

/** The dictionary entries of a parameter in one row. */
export function textsOf(table: TypeTable, name: string, row: number): readonly string[] {
  return (table.plan.uses.get(name) ?? []).flatMap(({ index }) => table.columns[index]?.textsOf(row) ?? [])
}

/** Of those that were published at one instant the first by its place, wherever it lies in memory. */
function latestFirst(a: Published, b: Published): number {
  const newer = b.updatedMs - a.updatedMs
  return compareVersions(b.version, a.version) || newer || holderOrder(a.holder, b.holder) || a.seq - b.seq
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
  return resolve?.(reference) ?? localTarget(reference, baseUrl)
}
