import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

/** Prepares a table of SQL texts once, under the same names. */
export function prepareAll<Name extends string>(
  database: DatabaseSync,
  sql: Readonly<Record<Name, string>>,
): Readonly<Record<Name, StatementSync>> {
  const prepared = Object.entries<string>(sql).map(([name, text]) => [name, database.prepare(text)])
  return Object.fromEntries(prepared) as Record<Name, StatementSync>
}

/** A lookup of one row, which comes without the names of its columns: naming them costs as much as the lookup. */
export function prepareRow<Row extends readonly unknown[]>(
  database: DatabaseSync,
  sql: string,
): (...values: SQLInputValue[]) => Row | undefined {
  const statement = database.prepare(sql)
  statement.setReturnArrays(true)
  return (...values) => statement.get(...values) as object | undefined as Row | undefined
}

/** The same for several rows. */
export function prepareRows<Row extends readonly unknown[]>(
  database: DatabaseSync,
  sql: string,
): (...values: SQLInputValue[]) => readonly Row[] {
  const statement = database.prepare(sql)
  statement.setReturnArrays(true)
  return (...values) => statement.all(...values) as object as readonly Row[]
}
