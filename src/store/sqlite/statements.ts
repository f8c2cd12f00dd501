import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** Prepares a table of SQL texts once, under the same names. */
export function prepareAll<Name extends string>(
  database: DatabaseSync,
  sql: Readonly<Record<Name, string>>,
): Readonly<Record<Name, StatementSync>> {
  const prepared = Object.entries<string>(sql).map(([name, text]) => [name, database.prepare(text)])
  return Object.fromEntries(prepared) as Record<Name, StatementSync>
}
