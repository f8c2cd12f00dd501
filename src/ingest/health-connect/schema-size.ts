/** Bytes of a database from a place on; fewer where it ends before. */
export type ReadAt = (position: number, length: number) => Promise<Uint8Array>

/** Tables, indexes and the like of an export are some two hundred, and what they say of themselves some 100 KiB. */
const [mostEntries, mostBytes] = [2000, 4 * 1024 ** 2]
/** Pages of the schema, which may be small. */
const mostPages = 4000

const [interior, leaf] = [5, 13]

/**
 * Whether the schema of a database is no larger than that of an export. SQLite reads all of it before anything else, in one go and in the
 * square of its time, so it is counted before: a few MiB of tables would hold up everybody for minutes.
 *
 * @see https://www.sqlite.org/fileformat2.html#b_tree_pages
 */
export async function isSmallSchema(read: ReadAt): Promise<boolean> {
  const pageSize = pageSizeOf(await read(0, 100))
  const waiting = [1]
  let [pages, entries, bytes] = [0, 0, 0]
  for (let page = waiting.pop(); page !== undefined; page = waiting.pop()) {
    pages += 1
    const found = pageOf(await read((page - 1) * pageSize, pageSize), page === 1 ? 100 : 0)
    entries += found.entries
    bytes += found.bytes
    waiting.push(...found.children)
    if (pages + waiting.length > mostPages || entries > mostEntries || bytes > mostBytes) return false
  }
  return true
}

function pageSizeOf(head: Uint8Array): number {
  const size = viewOf(head, 100).getUint16(16)
  return size === 1 ? 65_536 : size
}

interface Page {
  readonly children: readonly number[]
  readonly entries: number
  readonly bytes: number
}

/** A page of the schema; one of another kind, or a part of one, is SQLite's to refuse. */
function pageOf(page: Uint8Array, start: number): Page {
  const view = viewOf(page, start + 12)
  const [kind, cells] = [view.getUint8(start), view.getUint16(start + 3)]
  const head = start + (kind === interior ? 12 : 8)
  const places = Array.from({ length: cells }, (_, nth) => head + 2 * nth)
    .filter(at => at + 2 <= view.byteLength)
    .map(at => view.getUint16(at))
  if (kind === leaf) {
    const bytes = places.reduce((sum, at) => sum + varint(view, at), 0)
    return { children: [], entries: cells, bytes }
  }
  if (kind !== interior) return { children: [], entries: 0, bytes: 0 }
  const lefts = places.filter(at => at + 4 <= view.byteLength).map(at => view.getUint32(at))
  return { children: [...lefts, view.getUint32(start + 8)].filter(child => child > 0), entries: 0, bytes: 0 }
}

/** What is shorter than it should be ends in zeros. */
function viewOf(bytes: Uint8Array, least: number): DataView {
  const whole = bytes.length >= least ? bytes : Uint8Array.from({ length: least }, (_, at) => bytes[at] ?? 0)
  return new DataView(whole.buffer, whole.byteOffset, whole.byteLength)
}

/** https://www.sqlite.org/fileformat2.html#varint, as far as a length may be. */
function varint(view: DataView, at: number): number {
  let value = 0
  for (let nth = 0; nth < 8 && at + nth < view.byteLength; nth++) {
    const byte = view.getUint8(at + nth)
    value = value * 128 + (byte & 0x7f)
    if (byte < 0x80) return value
  }
  return value
}
