/** A file of which something is gone is let go of, whether it can be opened or not: a handle that nobody closed ends the process later. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isProblem } from '#kernel'
import { openSqliteKeys, openSqliteStore } from '#store'
import { openFiles } from '../../open-files.ts'
import { inDirectory } from './new-directory.ts'

function within<T>(path: string, work: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path)
  try {
    return work(database)
  } finally {
    database.close()
  }
}

const tablesIn = (path: string) =>
  within(path, database =>
    database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all()
      .map(row => String(row.name)),
  )

it.each([
  ['store', openSqliteStore],
  ['keystore', openSqliteKeys],
] as const)('a %s without one of its tables leaves no file open', async (_, open) => {
  await inDirectory(async directory => {
    const whole = join(directory, 'whole.db')
    await (await open({ path: whole })).close()
    const refused: string[] = []
    for (const table of tablesIn(whole)) {
      const path = join(directory, `${table}.db`)
      await (await open({ path })).close()
      within(path, database => database.exec(`DROP TABLE "${table}"`))
      const opened = await open({ path }).catch(error => void refused.push(isProblem(error) ? error.code : table))
      await opened?.close().catch(() => undefined)
      expect([table, openFiles(directory)]).toEqual([table, []])
    }
    expect([...new Set(refused)]).toEqual(['store.failed'])
  })
})
