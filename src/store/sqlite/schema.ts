import type { Schema } from './database.ts'

/**
 * The tables of the store. Sizes decided them: see "Bytes on disk" in src/store/README.md.
 *
 * - `entries.id`      compartment number and seq in one integer
 * - `newest`          per resource, where its newest version is, by the first four bytes of its locator ("bucket");
 *                     two resources may share a bucket, so the locator in `entries` has the last word
 * - `superseded`      the same for every older version; empty for resources that were written once. By entry too, so that
 *                     the versions in one compartment are found without a look at those in others
 * - `moves`           which compartments' heads moved, in the order of commits; `epoch` is a random number of the opening that
 *                     wrote the row, so that two histories of one file can be told apart; `dropped` is the id of what was removed
 * - `blobs.name`      NULL while an attachment is being written, and again once it has been replaced or dropped
 */
export const storeSchema: Schema = {
  applicationId: 0x4b4e4c44, // KNLD
  sql: `
    CREATE TABLE compartments (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      id BLOB NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE entries (
      id INTEGER PRIMARY KEY,
      locator BLOB NOT NULL,
      version INTEGER NOT NULL,
      sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE newest (
      bucket INTEGER NOT NULL,
      entry INTEGER NOT NULL,
      PRIMARY KEY (bucket, entry)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE superseded (
      bucket INTEGER NOT NULL,
      version INTEGER NOT NULL,
      entry INTEGER NOT NULL,
      PRIMARY KEY (bucket, version, entry)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE segments (
      id INTEGER PRIMARY KEY,
      until INTEGER NOT NULL,
      sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE documents (
      collection TEXT NOT NULL,
      key BLOB NOT NULL,
      revision INTEGER NOT NULL,
      belongs BLOB,
      expires INTEGER,
      sealed BLOB NOT NULL,
      PRIMARY KEY (collection, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX documents_by_group ON documents (collection, belongs) WHERE belongs IS NOT NULL;
    CREATE INDEX documents_by_expiry ON documents (expires) WHERE expires IS NOT NULL;
    CREATE TABLE blobs (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      compartment INTEGER NOT NULL,
      name TEXT,
      chunks INTEGER NOT NULL,
      touched INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX blobs_by_name ON blobs (compartment, name);
    CREATE TABLE blob_chunks (
      id INTEGER PRIMARY KEY,
      sealed BLOB NOT NULL
    ) STRICT;
  `,
  steps: [
    `CREATE TABLE moves (
      at INTEGER PRIMARY KEY,
      number INTEGER NOT NULL,
      epoch INTEGER NOT NULL,
      dropped BLOB
    ) STRICT;
    INSERT INTO moves (at, number, epoch) VALUES (1, 0, abs(random()) % 4294967296)`,
  ],
  indexes: 'CREATE INDEX IF NOT EXISTS superseded_by_entry ON superseded (bucket, entry)',
}

/** The tables of the keystore: what is destroyed there leaves a tombstone, and whoever wrote a row vouches for it. */
export const keysSchema: Schema = {
  applicationId: 0x4b4e4c4b, // KNLK
  sql: `
    CREATE TABLE keys (
      owner TEXT NOT NULL,
      kind TEXT NOT NULL,
      version INTEGER NOT NULL,
      wrapped BLOB NOT NULL,
      params TEXT NOT NULL,
      PRIMARY KEY (owner, kind, version)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tombstones (
      owner TEXT PRIMARY KEY,
      at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE notes (
      name TEXT PRIMARY KEY,
      value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
  `,
  steps: [['keys', 'tombstones', 'notes'].map(table => `ALTER TABLE ${table} ADD COLUMN mac BLOB`).join(';')],
}
