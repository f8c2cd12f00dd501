import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type ImportedHead, layout } from './layout.ts'

/** Names of what may be files of a shelf; none where there is no folder yet. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter(name => name.endsWith('.sqlite'))
  } catch {
    return [] // nothing was imported yet
  }
}

/** The head of a file; undefined for one that is none of ours, is gone, or of another layout. */
export function headOf(path: string): ImportedHead | undefined {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { readOnly: true })
    const version = database.prepare('PRAGMA user_version').get()?.user_version
    const row = version === layout ? database.prepare('SELECT json FROM head').get() : undefined
    return row === undefined ? undefined : (JSON.parse(String(row.json)) as ImportedHead)
  } catch {
    return undefined // a file that is no database
  } finally {
    database?.close()
  }
}

/** The heads of all files in a folder. */
export function headsIn(folder: string): readonly { readonly path: string; readonly head: ImportedHead }[] {
  return namesIn(folder).flatMap(name => {
    const path = join(folder, name)
    const head = headOf(path)
    return head === undefined ? [] : [{ path, head }]
  })
}
