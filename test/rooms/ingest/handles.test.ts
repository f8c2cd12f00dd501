import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

interface Way {
  readonly name: string
  readonly said: string
  readonly open: number
  readonly left: readonly string[]
}

/** Runs every way in a process whose files are held to 6 MiB by the system (setrlimit(2), RLIMIT_FSIZE). */
async function ways(): Promise<{
  readonly ways: readonly Way[]
  readonly resources: readonly string[]
  readonly status: number
}> {
  const script = new URL('handles.ts', import.meta.url).pathname
  const child = spawn('sh', ['-c', 'ulimit -f 12288; exec "$0" --expose-gc "$1"', process.execPath, script])
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  if (child.exitCode !== 0) throw new Error(`ended with ${child.exitCode}: ${err}`)
  const lines = out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  return { ways: lines.slice(0, -1), resources: lines.at(-1).resources, status: child.exitCode }
}

describe('whatever goes wrong with an import, no file stays open', () => {
  const ran = ways()

  it.each([
    ['is imported', 'done'],
    ['a disk that takes no more', 'ingest.spool-unwritable'],
    ['a folder that cannot be made', 'ingest.spool-unwritable'],
    ['no room that is kept free', 'ingest.spool-unwritable'],
    ['more than a grant may have', 'ingest.spool-quota'],
    ['more than all may have', 'ingest.spool-quota'],
    ['a body that is too large', 'body.too-large'],
    ['a body that breaks off', 'the client went away'],
    ['a file that is nothing', 'ingest.format-unknown'],
    ['an archive that is damaged', 'ingest.zip-malformed'],
    ['a packed file that is damaged', 'ingest.zip-malformed'],
    ['a job that cannot be noted', 'store.closed'],
    ['a client who left', 'ingest.stopped'],
    ['a client who leaves', 'ingest.stopped'],
    ['a server that closes', 'ingest.stopped'],
    ['a server that has closed', 'ingest.stopped'],
    ['a patient who is erased', 'ingest.patient-erased'],
    ['a grant that ends', 'ingest.withdrawn'],
    ['a file of this machine that is nothing', 'ingest.format-unknown'],
    ['a folder in place of a file', 'ingest.file-unreadable'],
  ])('%s: %s', async (name, said) => {
    const way = (await ran).ways.find(one => one.name === name)
    expect(way).toEqual({ name, said, open: 0, left: [] })
  })

  it('and nothing else goes on: no timer, no stream, no worker', async () => {
    expect((await ran).resources).toEqual([])
  })
})
