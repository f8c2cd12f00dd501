/** A home whose power can fail: then its files hold what was flushed, and nothing else. By a library that stands between the server and the system. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Home, newFolderHome } from './home.ts'

const source = new URL('./power-cut.c', import.meta.url).pathname
const ending = '.done'
const absent = { throwIfNoEntry: false }

export interface CutHome extends Home {
  /** From now on it is known what the disk is sure to hold. */
  begin(): void
  /** Another text once something of the keys has been flushed again. */
  keysFlushed(): string
  /** Leaves what it is sure to hold; nothing may run there any more. @returns the names of the files */
  cut(): readonly string[]
}

const compiler = spawnSync('cc', ['--version']).status === 0 && process.platform === 'linux'

/** Where there is no compiler the test says so on standard error; with KINHOLD_TEST_MOUNT=required it fails. */
export function whenPowerFails(work: () => Promise<void>): () => Promise<void> {
  return async () => {
    if (compiler) return work()
    expect(process.env.KINHOLD_TEST_MOUNT).not.toBe('required')
    const name = expect.getState().currentTestName
    process.stderr.write(`\n!!! NOT TRIED WITH A POWER CUT: ${name}\n!!! there is no C compiler here\n\n`)
  }
}

export async function newCutHome(name: string): Promise<CutHome> {
  const home = await newFolderHome(name, 'info')
  const [library, disk] = [join(home.folder, 'power-cut.so'), join(home.folder, 'disk')]
  const built = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], { encoding: 'utf8' })
  if (built.status !== 0) throw new Error(`the library was not built: ${built.stderr}`)
  const folders = [home.data, home.keys]
  return {
    ...home,
    env: { ...home.env, LD_PRELOAD: library, CUT_FOLDER: home.folder, CUT_DISK: disk, CUT_SLOW: home.data },
    begin: () => {
      rmSync(disk, { recursive: true, force: true })
      mkdirSync(disk)
    },
    keysFlushed: () => {
      const flushed = readdirSync(home.keys).map(file => statSync(join(disk, file + ending), absent)?.mtimeMs)
      return flushed.join(' ')
    },
    cut: () => {
      const flushed = readdirSync(disk).filter(file => file.endsWith(ending))
      for (const folder of folders)
        for (const file of readdirSync(folder)) {
          if (file.endsWith('-shm')) rmSync(join(folder, file))
          if (flushed.includes(file + ending)) copyFileSync(join(disk, file + ending), join(folder, file))
        }
      return flushed.map(file => file.slice(0, -ending.length))
    },
  }
}
