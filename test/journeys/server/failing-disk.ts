/** A home whose disk can be told to fail, by a library that stands between the server and the system's calls. */
import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Home, newFolderHome } from './home.ts'

const source = new URL('./failing-disk.c', import.meta.url).pathname

/** What of a disk fails. */
export type Failing = 'read' | 'write' | 'flush'

export interface FailingHome extends Home {
  /** From now on the data, or the keys, cannot be read, written or flushed. */
  fail(what: Failing): void
  mend(): void
}

const compiler = spawnSync('cc', ['--version']).status === 0 && process.platform === 'linux'

/** Where there is no compiler the test says so on standard error; with KINHOLD_TEST_MOUNT=required it fails. */
export function onFailingDisk(work: () => Promise<void>): () => Promise<void> {
  return async () => {
    if (compiler) return work()
    expect(process.env.KINHOLD_TEST_MOUNT).not.toBe('required')
    const name = expect.getState().currentTestName
    process.stderr.write(`\n!!! NOT TRIED ON A FAILING DISK: ${name}\n!!! there is no C compiler here\n\n`)
  }
}

/** @param place  the folder on the disk that fails */
export async function newFailingHome(name: string, place: 'data' | 'keys'): Promise<FailingHome> {
  const home = await newFolderHome(name)
  const library = join(home.folder, 'failing-disk.so')
  const told = join(home.folder, 'failing')
  const built = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], { encoding: 'utf8' })
  if (built.status !== 0) throw new Error(`the library was not built: ${built.stderr}`)
  return {
    ...home,
    env: { ...home.env, LD_PRELOAD: library, FAILING_FOLDER: home[place], FAILING_SWITCH: told },
    fail: what => writeFileSync(told, what),
    mend: () => rmSync(told, { force: true }),
  }
}
