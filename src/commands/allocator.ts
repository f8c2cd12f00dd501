import { accessSync, constants } from 'node:fs'
import { heapFlagsFor } from './heap.ts'

/**
 * How glibc is to deal with large pieces of memory: those from 256 KiB on are given back to the system as soon as they are free. By
 * itself it raises that bound to the largest piece that it has seen, up to 32 MiB, and keeps what it was given for bodies and blobs of
 * such sizes in a heap full of holes: 24 Binaries of 16 MiB in a row left 200 MB of them. One arena for all threads, since each keeps what
 * one of them has freed for itself: beside hostile requests that is some 40 MB less. Other systems read none of these names.
 *
 * @see https://www.gnu.org/software/libc/manual/html_node/Memory-Allocation-Tunables.html and mallopt(3)
 */
export const allocatorEnv = {
  MALLOC_MMAP_THRESHOLD_: '262144',
  MALLOC_TRIM_THRESHOLD_: '262144',
  MALLOC_ARENA_MAX: '1',
} as const

/**
 * The environment to begin this process anew with, which glibc reads but once, before all else; undefined where that is done, another
 * has said how it is to be, or it cannot be.
 *
 * @param isHeld  whoever started this process speaks with it over a channel, which a new beginning would cut
 */
export function allocatorEnvFor(
  env: NodeJS.ProcessEnv,
  { platform, isHeld }: { readonly platform: NodeJS.Platform; readonly isHeld: boolean },
): NodeJS.ProcessEnv | undefined {
  const isSaid = Object.keys(env).some(name => name.startsWith('MALLOC_')) || env.GLIBC_TUNABLES !== undefined
  return platform !== 'linux' || isHeld || isSaid ? undefined : { ...env, ...allocatorEnv }
}

/** Begins this process anew where its allocator, and with it V8, is to be told something: the same process id, words and streams, some 50 ms later. */
export function tellAllocator(): void {
  const env = allocatorEnvFor(process.env, { platform: process.platform, isHeld: process.connected })
  if (env === undefined || !canBeRun(process.execPath)) return
  process.execve?.(
    process.execPath,
    [process.execPath, ...heapFlagsFor(process.execArgv), ...process.argv.slice(1)],
    env,
  )
}

/** What cannot be run would end the process. */
function canBeRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
