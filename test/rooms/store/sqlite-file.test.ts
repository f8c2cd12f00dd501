import { copyFileSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { FixedClock } from '#kernel'
import { type BlobChunk, checkSqliteFloor, openSqliteKeys, openSqliteStore, type Store, sqliteFloor } from '#store'
import { append, chunksOf, codeOf, entry, id, put, sealedForTest } from '../../contracts/store-fixtures.ts'
import { inDirectory } from './new-directory.ts'

const anna = id('a')
const ben = id('b')
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

async function tamper(path: string, sql: string): Promise<void> {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
  // A store that is open sees what others did from its next turn on.
  await new Promise(setImmediate)
}

/** What undoes, within the transaction of whoever writes to a table, what they write. */
const passing = (table: string) =>
  ['INSERT', 'UPDATE', 'DELETE']
    .map(what => `CREATE TRIGGER on_${what} BEFORE ${what} ON ${table} BEGIN SELECT raise(ignore); END`)
    .join(';')

describe('what runs by itself in a file that is open – https://www.sqlite.org/lang_createtrigger.html', () => {
  it.each<[string, (store: Store) => Promise<unknown>]>([
    ['documents', store => store.commit({ appends: [], documents: [put('bb', 'x')] })],
    ['documents', store => store.commit({ appends: [], documents: [put('aa', 'y')] })],
    ['entries', store => store.commit({ appends: [append(anna, 1, [id('2')])] })],
    ['newest', store => store.commit({ appends: [append(anna, 1, [id('2')])] })],
    ['moves', store => store.commit({ appends: [append(anna, 1, [id('2')])] })],
  ])('never runs, and whoever writes to %s is told', (table, write) =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      const store = await openSqliteStore({ path })
      await store.commit({ appends: [append(anna, 0, [id('1')])], documents: [put('aa', 'x')] })
      await tamper(path, passing(table))
      expect(await codeOf(write(store))).toBe('store.schema-foreign')
      expect(await store.stats()).toMatchObject({ entries: 1, documents: 1 })
      expect(await store.check()).toEqual(['schema: 3 tables, indexes, triggers or views were added'])
      await tamper(path, 'DROP TRIGGER on_INSERT; DROP TRIGGER on_UPDATE; DROP TRIGGER on_DELETE')
      expect(await store.check()).toEqual([])
      await write(store)
      await store.close()
    }),
  )

  it('is named where a table was made anew in another way, or an index is gone', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      const store = await openSqliteStore({ path })
      await tamper(
        path,
        `DROP INDEX documents_by_group; DROP TABLE documents;
         CREATE TABLE documents (collection, key, revision, belongs, expires, sealed, UNIQUE (key) ON CONFLICT IGNORE)`,
      )
      expect(await store.check()).toEqual([
        'schema: table documents is missing, or not as it was made',
        'schema: index documents_by_group is missing, or not as it was made',
        'schema: index documents_by_expiry is missing, or not as it was made',
      ])
      await store.close()
    }))
})

describe('the floor of SQLite – https://sqlite.org/wal.html#walresetbug', () => {
  it.each([sqliteFloor, '3.51.4', '3.53.4', '4.0.0', '3.50.7', '3.44.6', '3.44.10'])('takes %s', version => {
    expect(() => checkSqliteFloor(version)).not.toThrow()
  })

  it.each(['3.51.2', '3.50.6', '3.49.9', '3.44.5', '3.7.0', '2.99.99', 'unknown'])('refuses %s', version => {
    expect(() => checkSqliteFloor(version)).toThrow(expect.objectContaining({ code: 'store.sqlite-too-old' }))
  })
})

describe('the files of the store', () => {
  it('are for their owner alone, and so are new directories', () =>
    inDirectory(async directory => {
      const path = join(directory, 'deep', 'data', 'store.db')
      const store = await openSqliteStore({ path })
      await store.commit({ appends: [append(anna, 0, [id('1')])] })
      const files = await readdir(join(directory, 'deep', 'data'))
      expect(files.sort()).toEqual(['store.db', 'store.db-shm', 'store.db-wal'])
      for (const file of files) expect(mode(join(directory, 'deep', 'data', file))).toBe('600')
      expect(mode(join(directory, 'deep', 'data'))).toBe('700')
      expect(mode(join(directory, 'deep'))).toBe('700')
      await store.close()
    }))

  it('keep what was written when they are opened again', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      const first = await openSqliteStore({ path })
      await first.commit({ appends: [append(anna, 0, [id('1')])], documents: [put('aa', 'x')] })
      await first.putBlob(anna, 'scan', chunksOf('one'))
      await first.close()
      expect(await readdir(directory)).toEqual(['store.db'])
      const second = await openSqliteStore({ path })
      expect(await second.newest(id('1'), [anna])).toEqual(entry(anna, 1, id('1')))
      expect(await second.stats()).toMatchObject({ entries: 1, documents: 1, blobs: 1 })
      await second.close()
    }))

  it('may lie where a symbolic link leads, and so may the keys', () =>
    inDirectory(async directory => {
      const opened = { 'store.db': openSqliteStore, 'keys.db': openSqliteKeys }
      mkdirSync(join(directory, 'disk'))
      for (const [name, open] of Object.entries(opened)) {
        const path = join(directory, name)
        symlinkSync(join(directory, 'disk', name), path)
        await (await open({ path })).close()
        const again = await open({ path })
        await again.durable()
        expect((await readdir(join(directory, 'disk'))).filter(file => file.startsWith(name))).toContain(`${name}-wal`)
        await again.close()
      }
    }))

  it.each([
    ['a later release', 'PRAGMA user_version = 99', 'store.schema-newer'],
    ['another program', 'PRAGMA application_id = 7', 'store.not-ours'],
    ['whoever put a trigger there', passing('documents'), 'store.schema-foreign'],
    ['whoever put a view there', 'CREATE VIEW others AS SELECT * FROM documents', 'store.schema-foreign'],
  ])('are refused when they come from %s', (_, sql, code) =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      await (await openSqliteStore({ path })).close()
      await tamper(path, sql)
      const before = readFileSync(path)
      expect(await codeOf(openSqliteStore({ path }))).toBe(code)
      expect(readFileSync(path).equals(before)).toBe(true)
    }),
  )

  it('are refused when they hold the keys, or a database that says nothing of itself', () =>
    inDirectory(async directory => {
      const path = join(directory, 'keys.db')
      await (await openSqliteKeys({ path })).close()
      expect(await codeOf(openSqliteStore({ path }))).toBe('store.not-ours')
      const foreign = join(directory, 'foreign.db')
      await tamper(foreign, 'CREATE TABLE notes (text TEXT)')
      expect(await codeOf(openSqliteStore({ path: foreign }))).toBe('store.not-ours')
    }))

  it('are refused when they are no database at all', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      writeFileSync(path, 'x'.repeat(10_000))
      expect(await codeOf(openSqliteStore({ path }))).toBe('store.failed')
    }))

  it('hold a sealed Observation of 150 bytes in less than 260', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      const store = await openSqliteStore({ path })
      const count = 20_000
      // Spread as HMACs are: the first digits of the locator decide on the fill of its index.
      const entries = Array.from({ length: count }, (_, index) => ({
        ...entry(anna, index + 1, spread(index)),
        sealed: sealedForTest(new Uint8Array(150)),
      }))
      await store.commit({ appends: [{ compartment: anna, expectedHead: 0, entries }] })
      await store.close()
      expect(statSync(path).size / count).toBeLessThan(260)
    }))

  it('do not let the log grow with what is written', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      const store = await openSqliteStore({ path })
      const entries = Array.from({ length: 40 }, (_, index) => entry(anna, index + 1, spread(index)))
      await store.commit({ appends: [{ compartment: anna, expectedHead: 0, entries }] })
      for (let round = 0; round < 40; round++)
        await store.putSegment({
          compartment: anna,
          fromSeq: round + 1,
          untilSeq: round + 1,
          sealed: sealedForTest(new Uint8Array(2_000_000)),
        })
      expect(statSync(path).size).toBeGreaterThan(50_000_000)
      expect(statSync(`${path}-wal`).size).toBeLessThan(30_000_000)
      await store.close()
    }))
})

function spread(index: number): string {
  return (
    Math.imul(index + 1, 0x9e3779b1)
      .toString(16)
      .replace('-', '')
      .padStart(8, '0') + id('f', index).slice(8)
  )
}

describe('what was removed', () => {
  const marks = ['ENTRY-CANARY', 'SEGMENT-CANARY', 'BLOB-CANARY', 'OLD-CANARY']

  async function fill(path: string) {
    const store = await openSqliteStore({ path })
    const at = (seq: number, version: number, content: string) => entry(anna, seq, id('1'), version, content.repeat(20))
    const entries = [at(1, 1, 'OLD-CANARY'), at(2, 2, 'ENTRY-CANARY')]
    await store.commit({ appends: [{ compartment: anna, expectedHead: 0, entries }, append(ben, 0, [id('2')])] })
    const sealed = sealedForTest('SEGMENT-CANARY'.repeat(2_000))
    await store.putSegment({ compartment: anna, fromSeq: 1, untilSeq: 2, sealed })
    await store.putBlob(anna, 'scan', chunksOf('BLOB-CANARY'.repeat(6_000), 'BLOB-CANARY'))
    return store
  }

  const found = (directory: string, files: readonly string[]) =>
    marks.filter(mark => files.some(file => readFileSync(join(directory, file)).includes(mark)))

  it('is nowhere in the files any more once a compartment has been dropped', () =>
    inDirectory(async directory => {
      const store = await fill(join(directory, 'store.db'))
      // Without this the test would pass on a store that writes nothing.
      expect(found(directory, await readdir(directory))).toEqual(marks)
      await store.dropCompartment(anna)
      expect(statSync(join(directory, 'store.db-wal')).size).toBe(0)
      expect(found(directory, await readdir(directory))).toEqual([])
      await store.close()
    }))

  it('is nowhere in the keystore any more once a key has been destroyed', () =>
    inDirectory(async directory => {
      const path = join(directory, 'keys.db')
      const keys = await openSqliteKeys({ path })
      const wrapped = new Uint8Array(Buffer.from('WRAPPED-CANARY'))
      const key = { owner: anna, kind: 'patient', version: 1, wrapped, params: {} }
      await keys.change({ put: { keys: [key] } })
      const files = ['keys.db', 'keys.db-wal'].map(file => join(directory, file))
      expect(files.some(file => readFileSync(file).includes('WRAPPED-CANARY'))).toBe(true)
      await keys.change({ dropped: { keys: [key] } })
      await keys.scrub()
      expect(files.some(file => readFileSync(file).includes('WRAPPED-CANARY'))).toBe(false)
      await keys.close()
    }))
})

describe('a keystore of an earlier release', () => {
  it('is opened with all that is in it, and an earlier release does not open it any more', () =>
    inDirectory(async directory => {
      const path = join(directory, 'keys.db')
      const key = { owner: anna, kind: 'patient', version: 1, wrapped: Uint8Array.of(1), params: { epoch: 1 } }
      const rows = {
        keys: [key],
        tombstones: [{ owner: 'b'.repeat(32), atMs: 5 }],
        notes: [{ name: 'head:a', value: Uint8Array.of(2) }],
      }
      const before = await openSqliteKeys({ path })
      await before.change({ put: rows })
      await before.close()
      const database = new DatabaseSync(path)
      for (const table of ['keys', 'tombstones', 'notes']) database.exec(`ALTER TABLE ${table} DROP COLUMN mac`)
      database.exec('PRAGMA user_version = 1')
      database.close()
      for (let time = 0; time < 2; time++) {
        const keys = await openSqliteKeys({ path })
        expect([await keys.all(), await keys.tombstones(), await keys.notes('')]).toEqual([
          rows.keys,
          rows.tombstones,
          rows.notes,
        ])
        await keys.change({ put: { notes: [{ name: 'head:b', value: Uint8Array.of(3), mac: Uint8Array.of(4) }] } })
        expect(await keys.note('head:b')).toMatchObject({ mac: Uint8Array.of(4) })
        await keys.change({ dropped: { notes: ['head:b'] } })
        await keys.close()
      }
      const after = new DatabaseSync(path)
      expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: 2 })
      after.close()
    }))
})

describe('attachments and crashes', () => {
  async function* endless(started: () => void): AsyncGenerator<BlobChunk> {
    for (let index = 0; index < 20; index++) yield { index, sealed: sealedForTest('half') }
    started()
    await new Promise(() => {})
  }

  it('sweeps at opening what a crash left half-written, but not what may be being written', () =>
    inDirectory(async directory => {
      const clock = new FixedClock(1_800_000_000_000)
      const store = await openSqliteStore({ path: join(directory, 'store.db'), clock })
      await new Promise<void>(started => {
        void store.putBlob(anna, 'scan', endless(started))
      })
      // A copy of the files in this moment is what a crash would leave.
      for (const end of ['', '-wal'])
        copyFileSync(join(directory, `store.db${end}`), join(directory, `crashed.db${end}`))
      const chunksAfter = async (ms: number) => {
        clock.advance(ms)
        const path = join(directory, 'crashed.db')
        await (await openSqliteStore({ path, clock })).close()
        const database = new DatabaseSync(path)
        const row = database.prepare('SELECT count(*) AS count FROM blob_chunks').get()
        database.close()
        return row?.count
      }
      expect(await chunksAfter(9 * 60_000)).toBe(16)
      expect(await chunksAfter(60_000)).toBe(0)
      await store.close()
    }))

  it('tells the reader of an attachment that is replaced meanwhile', () =>
    inDirectory(async directory => {
      const store = await openSqliteStore({ path: join(directory, 'store.db') })
      await store.putBlob(anna, 'scan', chunksOf('one', 'two'))
      const reading = store.blob(anna, 'scan')[Symbol.asyncIterator]()
      expect(await reading.next()).toMatchObject({ value: { index: 0 } })
      await store.putBlob(anna, 'scan', chunksOf('new'))
      expect(await codeOf(reading.next())).toBe('store.blob-interrupted')
      await store.close()
    }))

  it('tells the writer of an attachment whose compartment is dropped meanwhile', () =>
    inDirectory(async directory => {
      const store = await openSqliteStore({ path: join(directory, 'store.db') })
      async function* dropping(): AsyncGenerator<BlobChunk> {
        yield* chunksOf(...Array.from({ length: 20 }, () => 'part'))
        await store.dropCompartment(anna)
      }
      expect(await codeOf(store.putBlob(anna, 'scan', dropping()))).toBe('store.blob-interrupted')
      expect((await store.stats()).blobs).toBe(0)
      await store.close()
    }))
})

describe('the check of the file', () => {
  it.each([
    [
      'an entry is missing',
      'DELETE FROM entries WHERE id % 8 = 2',
      'entries: compartment number 1 has 3 entries and the head 4',
    ],
    ['a place is missing', 'DELETE FROM newest WHERE entry % 8 = 2', 'entries: 1 more than there are places'],
    ['a place points elsewhere', 'UPDATE newest SET entry = entry + 1 WHERE entry % 8 = 2', 'points to another entry'],
    [
      'a place points to nothing',
      'UPDATE newest SET entry = entry + 100 WHERE entry % 8 = 2',
      'points to another entry or to none',
    ],
    [
      'an old version passes for the newest',
      'INSERT INTO newest SELECT bucket, entry FROM superseded',
      'stands there twice',
    ],
    ['a version was changed', 'UPDATE entries SET version = 7 WHERE id % 8 = 1', 'superseded: the row of entry'],
    ['the newest version was removed', 'DELETE FROM newest WHERE entry % 8 = 4', 'have no newer version'],
    ['a compartment is missing', 'DELETE FROM compartments', 'entries: 4 belong to no compartment'],
    ['a chunk is missing', 'DELETE FROM blob_chunks WHERE id % 2 = 1', 'blobs: number 1 lacks chunks'],
  ])('finds that %s', (_, sql, fault) =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      const store = await openSqliteStore({ path })
      const locators = [[id('1')], [id('2')], [id('3')], [id('1'), 2]] as const
      await store.commit({ appends: [append(anna, 0, ...locators)] })
      await store.putBlob(anna, 'scan', chunksOf('one', 'two'))
      expect(await store.check()).toEqual([])
      await tamper(path, sql)
      const faults = await store.check()
      expect(faults).toContainEqual(expect.stringContaining(fault))
      // Locators and contents stay out of it.
      expect(faults.join()).not.toMatch(/[0-9a-f]{16}/)
      await store.close()
    }),
  )

  it('finds damaged pages', () =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      const store = await openSqliteStore({ path })
      const locators = Array.from({ length: 2_000 }, (_, index) => [id('1', index)] as const)
      await store.commit({ appends: [append(anna, 0, ...locators)] })
      await store.close()
      const bytes = readFileSync(path)
      bytes.fill(0xff, bytes.length - 8_192, bytes.length - 8_092)
      writeFileSync(path, bytes)
      const reopened = await openSqliteStore({ path })
      const faults = await reopened.check().catch(error => [String(error.code)])
      expect(faults).not.toEqual([])
      await reopened.close()
    }))
})
