import { filesUnder, readText } from './source.ts'

/**
 * Where all of a list is begun at once, because it is short whatever is stored or sent: why it is. All else goes through `mapFew`, which
 * begins a few: what is begun for each of ten thousand patients opens ten thousand ledgers.
 */
const short: Readonly<Record<string, string>> = {
  'src/bulk/exports.ts': 'exports that are being made, which are bounded',
  'src/commands/demo/search-files.ts': 'files of the demo',
  'src/commands/doctor.ts': 'two folders',
  'src/commands/migrate/copy.ts': 'two stores',
  'src/commands/mllp.ts': 'ports of the settings',
  'src/commands/watch.ts': 'folders of the settings',
  'src/commands/release-files.ts': 'files of a release',
  'src/commands/workers/crew.ts': 'processes',
  'src/ingest/bulk/bulk-imports.ts': 'imports that are under way, which are bounded',
  'src/ingest/fit/read-takeout.ts': 'files of one Takeout that say who wears what',
  'src/ingest/identity/merging/unmerge.ts': 'what was made since one merge',
  'src/ingest/jobs.ts': 'imports that are under way, which are bounded',
  'src/ingest/namesakes.ts': 'what one question of identity finds',
  'src/mllp/listener.ts': 'connections, which are bounded',
  'src/record/reading/reach.ts': 'owners of one resource',
  'src/record/registry/everybodys.ts': 'the commons',
  'src/record/registry/registry.ts': 'keys of one registration',
  'src/record/transaction/transaction.ts': 'owners whom one transaction makes',
  'src/store/mongo/check.ts': 'kinds of documents',
  'src/store/mongo/open-database.ts': 'kinds of documents',
  'src/vault/document-drafts.ts': 'documents of one commit',
  'src/vault/rotate-instance.ts': 'versions of one key',
}

const allOfAList = /Promise\.(?:all|allSettled)\(\s*(?:\[\s*\.\.\.[^\]]*\]|[\w.#()[\], ]*?)\s*\.map\(/

describe('what is done for each of many', () => {
  it('is begun for a few at once, but where the list is short whatever is stored', () => {
    const found = filesUnder('src', '.ts').filter(path => allOfAList.test(readText(path)))
    expect(found.filter(path => short[path] === undefined)).toEqual([])
  })

  it.each([
    'Promise.all(ids.map(one))',
    'Promise.all(\n  (await list()).map(one),\n)',
    'Promise.all([...open].map(one))',
  ])('is recognised in %j', text => expect(allOfAList.test(text)).toBe(true))
})
