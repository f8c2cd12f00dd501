import { Problem } from '#kernel'

/**
 * The oldest SQLite that is safe with a write-ahead log and more than one connection: before it, a reset of the log that
 * raced with a checkpoint could lose committed transactions.
 *
 * @see https://sqlite.org/wal.html#walresetbug
 */
export const sqliteFloor = '3.51.3'

// Release lines that received the same correction, as `[line, first sound patch]`.
const corrected: readonly (readonly [string, number])[] = [
  ['3.44', 6],
  ['3.50', 7],
]

function isAtLeast(version: readonly number[], floor: readonly number[]): boolean {
  const index = floor.findIndex((part, at) => (version[at] ?? 0) !== part)
  return index === -1 || (version[index] ?? 0) > (floor[index] ?? 0)
}

/**
 * Refuses an SQLite that can lose committed writes.
 *
 * @param version  as `sqlite_version()` gives it, e.g. `3.53.4`
 * @throws Problem `fault` · `store.sqlite-too-old`
 */
export function checkSqliteFloor(version: string): void {
  const parts = version.split('.').map(Number)
  const patch = corrected.find(([line]) => line === parts.slice(0, 2).join('.'))?.[1]
  if (isAtLeast(parts, sqliteFloor.split('.').map(Number)) || (patch !== undefined && (parts[2] ?? 0) >= patch)) return
  throw new Problem('fault', 'store.sqlite-too-old', 'The SQLite of this Node can lose committed writes.', {
    detail: `sqlite ${version}, needed ${sqliteFloor}`,
  })
}
