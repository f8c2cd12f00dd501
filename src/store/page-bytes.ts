import type { Entry } from './contract.ts'

/** When so many sealed bytes of a page are there, nothing more is fetched for it: a version may have some MB. */
export const pageBytes = 8 * 1024 * 1024

/** The first of some rows: until they are a page by their bytes, one at least. What lies behind them is not even fetched. */
export function pageOf<T>(rows: Iterable<T>, sealedOf: (row: T) => Uint8Array): T[] {
  const page: T[] = []
  let bytes = 0
  for (const row of rows) {
    page.push(row)
    bytes += sealedOf(row).length
    if (bytes >= pageBytes) break
  }
  return page
}

/** Whether entries may follow those that `entriesFrom` gave for a limit: it gives fewer where there are no more, or where they are a page by their bytes. */
export function mayFollow(page: readonly Pick<Entry, 'sealed'>[], limit: number): boolean {
  return page.length >= limit || page.reduce((bytes, { sealed }) => bytes + sealed.length, 0) >= pageBytes
}

/** All of some rows; undefined when they have more sealed bytes than that. */
export function allWithin<T>(rows: Iterable<T>, mostBytes: number, sealedOf: (row: T) => Uint8Array): T[] | undefined {
  const all: T[] = []
  let bytes = 0
  for (const row of rows) {
    all.push(row)
    bytes += sealedOf(row).length
    if (bytes > mostBytes) return undefined
  }
  return all
}

/** What an entry is sealed as. */
export function sealedOf({ sealed }: Pick<Entry, 'sealed'>): Uint8Array {
  return sealed
}
