import type { DatabaseSync } from 'node:sqlite'

/** What is said of a code system as a whole. */
export interface ImportedHead {
  readonly url: string
  readonly version: string
  readonly name: string
  /** Of a property of its concepts: its code, and the type of its values as R4 has it. */
  readonly properties: Readonly<Record<string, 'code' | 'string'>>
  readonly isCaseSensitive: boolean
  readonly concepts: number
  /** ISO 8601. */
  readonly importedAt: string
}

/** Raised whenever the tables change; files of another layout are not read. */
export const layout = 1

const tables = `
  CREATE TABLE head (json TEXT NOT NULL);
  CREATE TABLE concept (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, display TEXT, definition TEXT,
    inactive INTEGER NOT NULL DEFAULT 0, abstract INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE link (below INTEGER NOT NULL, above INTEGER NOT NULL, PRIMARY KEY (below, above)) WITHOUT ROWID;
  CREATE TABLE designation (concept INTEGER NOT NULL, language TEXT, use TEXT, value TEXT NOT NULL);
  CREATE TABLE property (concept INTEGER NOT NULL, code TEXT NOT NULL, value TEXT NOT NULL);
  CREATE VIRTUAL TABLE word USING fts5(text, content='', tokenize="unicode61 remove_diacritics 2", prefix='2 3');
  PRAGMA user_version = ${layout};
`

/** Made when all rows are there: an index that grows with them takes several times as long. */
const indexes = `
  CREATE INDEX link_above ON link (above, below);
  CREATE INDEX designation_concept ON designation (concept);
  CREATE INDEX property_concept ON property (concept);
  INSERT INTO word (rowid, text)
    SELECT id, code || ' ' || coalesce(display, '') || ' ' ||
      coalesce((SELECT group_concat(value, ' ') FROM designation WHERE concept = id), '')
    FROM concept;
`

export function createTables(database: DatabaseSync): void {
  database.exec(tables)
}

export function createIndexes(database: DatabaseSync): void {
  database.exec(indexes)
}
