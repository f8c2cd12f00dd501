/** A home whose folders lie on small disks of their own, in a mount namespace that a process without a name keeps open. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Home, newHome } from './home.ts'

export type Place = 'data' | 'keys' | 'temporary'

export interface SmallHome extends Home {
  /** Fills a folder to its last byte. @returns what takes the filling away again */
  fill(place: Place): () => void
  /** A folder as this process sees it. */
  seen(place: Place): string
  /** Runs a command of the system where the disks are seen; its exit status. */
  inside(...command: string[]): number
}

/** Whether small disks can be mounted here, as root or in a namespace of one's own. */
export const canMount =
  spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', '/mnt']).status === 0

/** Where no disk can be mounted the test says so on standard error; with KINHOLD_TEST_MOUNT=required it fails. */
export function onSmallDisks(work: () => Promise<void>): () => Promise<void> {
  return async () => {
    if (canMount) return work()
    expect(process.env.KINHOLD_TEST_MOUNT).not.toBe('required')
    process.stderr.write(
      `\n!!! NOT TRIED ON A FULL DISK: ${expect.getState().currentTestName}\n!!! no tmpfs can be mounted here; ` +
        'allow user namespaces (unshare -rm), or run as root\n\n',
    )
  }
}

/** @param sizes  MiB of each disk */
export async function newSmallHome(
  name: string,
  sizes: Readonly<Record<Place, number>>,
  env: NodeJS.ProcessEnv = {},
): Promise<SmallHome> {
  const home = await newHome(name)
  const paths: Readonly<Record<Place, string>> = { data: home.data, keys: home.keys, temporary: home.temporary }
  const mounts = (Object.keys(sizes) as Place[]).map(
    place => `mount -t tmpfs -o mode=700,size=${sizes[place]}m none '${paths[place]}'`,
  )
  for (const path of Object.values(paths)) await mkdir(path, { recursive: true })
  // It ends when nobody holds its standard input any more, however that came.
  const script = [...mounts, 'echo ready', 'exec cat'].join(' && ')
  const keeper = spawn('unshare', ['-rm', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'ignore'] })
  await once(keeper.stdout, 'data')
  const enter = ['nsenter', '-t', String(keeper.pid), '-U', '-m', '--preserve-credentials']
  const seen = (place: Place) => join('/proc', String(keeper.pid), 'root', paths[place])
  return {
    ...home,
    env: { ...home.env, ...env },
    enter,
    seen,
    fill: place => fill(seen(place)),
    inside: (...command) => spawnSync(enter[0] ?? '', [...enter.slice(1), ...command]).status ?? 1,
    remove: async () => {
      keeper.kill('SIGKILL')
      await once(keeper, 'exit')
      await home.remove()
    },
  }
}

/** In steps that get smaller, until not even one byte fits. */
function fill(folder: string): () => void {
  // The one name that may lie in a folder in which a house is to be made.
  const path = join(folder, 'lost+found')
  // Also to its last byte again, when something in it was given back.
  const file = openSync(path, 'a')
  for (let step = 1024 * 1024; step >= 1; ) step = canWrite(file, step) ? step : step >> 2
  closeSync(file)
  return () => rmSync(path)
}

function canWrite(file: number, bytes: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(bytes, 7)) === bytes
  } catch {
    return false
  }
}

/** Free bytes of a folder. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
