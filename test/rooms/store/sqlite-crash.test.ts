import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openSqliteStore, type Store } from '#store'
import { id } from '../../contracts/store-fixtures.ts'
import { inDirectory } from './new-directory.ts'

const writer = fileURLToPath(new URL('crash-writer.ts', import.meta.url))

/** What each commit of a writer holds, how often it is killed, and after how many that were acknowledged. */
const kinds = [
  { name: 'small commits', entries: 3, kills: 6, acknowledgements: 300 },
  { name: 'long commits, which a thread writes', entries: 700, kills: 3, acknowledgements: 24 },
]
type Kind = (typeof kinds)[number]

/** Lets the writer run until it has acknowledged enough, kills it, and returns the last count of each of its writers. */
async function writeAndKill(path: string, { entries, acknowledgements }: Kind): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [writer, path, String(entries)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (text: string) => {
    output += text
    if (output.split('\n').length > acknowledgements) child.kill('SIGKILL')
  })
  const [, signal] = await once(child, 'close')
  expect(signal).toBe('SIGKILL')
  const lines = output.split('\n').slice(0, -1)
  return new Map(lines.map(line => line.split(' ') as [string, string]).map(([name, count]) => [name, Number(count)]))
}

async function countsOf(store: Store, number: number) {
  const [record, audit] = [id('a', number), id('b', number)]
  const heads = await store.heads([record, audit])
  const document = await store.document('counts', id('c', number), 0)
  return { record: heads.get(record), audit: heads.get(audit), revision: document?.revision }
}

describe('kill -9 while the store is written', () => {
  it.each(kinds)('loses nothing that was acknowledged and leaves none of $name half-written', kind =>
    inDirectory(async directory => {
      const path = join(directory, 'store.db')
      let acknowledged = 0
      for (let round = 0; round < kind.kills; round++) {
        const counts = await writeAndKill(path, kind)
        const store = await openSqliteStore({ path })
        for (const [name, count] of counts) {
          const found = await countsOf(store, Number(name))
          const commits = found.audit ?? 0
          expect(commits).toBeGreaterThanOrEqual(count)
          expect(found).toEqual({ record: commits * kind.entries, audit: commits, revision: commits })
        }
        expect(await store.check()).toEqual([])
        acknowledged = [...counts.values()].reduce((sum, count) => sum + count, 0)
        await store.close()
      }
      expect(acknowledged).toBeGreaterThan(kind.kills * kind.acknowledgements * 0.8)
    }),
  )
})
