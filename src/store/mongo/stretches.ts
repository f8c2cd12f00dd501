import type { mongo } from 'mongoose'
import type { CompartmentId, Entry, Segment, Stretch } from '../contract.ts'
import { idBytes, toHex } from '../ids.ts'
import { type EntryRow, entryFrom, type SegmentRow, segmentFrom } from './rows.ts'

/** What is asked for in one question, and about how large a page is. */
const atOnce = { compartments: 128, bytes: 1024 * 1024, rows: 500 } as const

interface StretchParts {
  readonly segments: mongo.Collection<SegmentRow>
  readonly entries: mongo.Collection<EntryRow>
  readonly entriesFrom: (compartment: CompartmentId, fromSeq: number, limit: number) => Promise<readonly Entry[]>
}

/** Rows in the order of their compartments; those of one are taken together. */
class Sorted<T extends { readonly c: Buffer }> {
  readonly #cursor: mongo.FindCursor<T>
  #next: T | null | undefined

  constructor(cursor: mongo.FindCursor<T>) {
    this.#cursor = cursor
  }

  async *of(c: Buffer): AsyncGenerator<T, void, void> {
    for (;;) {
      this.#next ??= await this.#cursor.next()
      if (!this.#next?.c.equals(c)) return
      const row = this.#next
      this.#next = undefined
      yield row
    }
  }

  close(): Promise<void> {
    return this.#cursor.close()
  }
}

type Part = Omit<Stretch, 'last'>

/** Reads many compartments in the order of their ids, a hundred and more with one question for segments and one for entries. */
export class Stretches {
  readonly #parts: StretchParts

  constructor(parts: StretchParts) {
    this.#parts = parts
  }

  async *of(compartments: readonly CompartmentId[]): AsyncGenerator<readonly Stretch[], void, void> {
    const named = [...new Set(compartments)].sort()
    for (let at = 0; at < named.length; at += atOnce.compartments)
      yield* inPages(this.#group(named.slice(at, at + atOnce.compartments)))
  }

  async *#group(named: readonly CompartmentId[]): AsyncGenerator<Stretch, void, void> {
    const ids = named.map(idBytes)
    const covered = await this.#covered(ids)
    const behind = ids.map(c => ({ c, s: { $gt: covered.get(toHex(c)) ?? 0 } }))
    const bySeq = { batchSize: atOnce.rows, sort: { c: 1, s: 1 } } as const
    const segments = new Sorted(this.#parts.segments.find({ c: { $in: ids } }, { sort: { c: 1, f: 1 } }))
    const entries = new Sorted(this.#parts.entries.find({ $or: behind }, bySeq))
    try {
      for (const c of ids) yield* withLast(toHex(c), this.#one(c, covered.get(toHex(c)) ?? 0, segments, entries))
    } finally {
      await Promise.all([segments.close(), entries.close()])
    }
  }

  /** Until which seq the segments of each join up from the first on; their bytes are not fetched for that. */
  async #covered(ids: readonly Buffer[]): Promise<Map<CompartmentId, number>> {
    const covered = new Map<CompartmentId, number>()
    const ranges = this.#parts.segments.find({ c: { $in: [...ids] } }, { projection: { b: 0 }, sort: { c: 1, f: 1 } })
    for await (const { c, f, u } of ranges) if (f === (covered.get(toHex(c)) ?? 0) + 1) covered.set(toHex(c), u)
    return covered
  }

  /** Segments that were made longer meanwhile cover entries that come again; where one went, its entries are asked for. */
  async *#one(
    c: Buffer,
    covered: number,
    segments: Sorted<SegmentRow>,
    entries: Sorted<EntryRow>,
  ): AsyncGenerator<Part> {
    const compartment = toHex(c)
    let until = 0
    for await (const row of segments.of(c)) {
      if (row.f !== until + 1) continue
      until = row.u
      yield { compartment, segments: [segmentFrom(row)], entries: [] }
    }
    while (until < covered) {
      const missing = await this.#parts.entriesFrom(compartment, until + 1, Math.min(covered - until, atOnce.rows))
      if (missing.length === 0) break
      until = missing.at(-1)?.seq ?? covered
      yield { compartment, segments: [], entries: missing }
    }
    for await (const row of entries.of(c))
      if (row.s > until) yield { compartment, segments: [], entries: [entryFrom(row)] }
  }
}

/** Marks the last part, which is there also when there is nothing else. */
async function* withLast(compartment: CompartmentId, parts: AsyncIterable<Part>): AsyncGenerator<Stretch, void, void> {
  let held: Part | undefined
  for await (const part of parts) {
    if (held !== undefined) yield { ...held, last: false }
    held = part
  }
  yield { ...(held ?? { compartment, segments: [], entries: [] }), last: true }
}

const bytesOf = ({ segments, entries }: Stretch): number =>
  [...segments, ...entries].reduce((sum, { sealed }) => sum + sealed.length, 0)

/** Joins small parts: those of one compartment, and then those of several into a page. */
async function* inPages(stretches: AsyncIterable<Stretch>): AsyncGenerator<readonly Stretch[], void, void> {
  let page: Gathered[] = []
  let bytes = 0
  for await (const stretch of stretches) {
    const last = page.at(-1)
    if (last?.compartment === stretch.compartment && stretch.segments.length === 0) join(last, stretch)
    else page.push({ ...stretch, segments: [...stretch.segments], entries: [...stretch.entries] })
    bytes += bytesOf(stretch)
    if (bytes < atOnce.bytes) continue
    yield page
    page = []
    bytes = 0
  }
  if (page.length > 0) yield page
}

interface Gathered extends Stretch {
  readonly segments: Segment[]
  readonly entries: Entry[]
  last: boolean
}

function join(gathered: Gathered, { entries, last }: Stretch): void {
  gathered.entries.push(...entries)
  gathered.last = last
}
