import { lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache, getCompileCacheDir } from 'node:module'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/**
 * Lets Node keep what it has compiled, which is half of a start: https://nodejs.org/api/module.html#module-compile-cache. What lies
 * there is run, so it lies among the person's own caches and where nobody else may write. Where there is no such place, in a container
 * that cannot be written to for one, each start compiles anew. What NODE_COMPILE_CACHE says goes before.
 */
export function keepCompiled(env: NodeJS.ProcessEnv): void {
  if (getCompileCacheDir() !== undefined) return
  const folder = folderOfOwn(env)
  if (folder !== undefined) enableCompileCache(folder)
}

/** Undefined where none can be made, or others may write to it: a start takes longer without, and works. */
function folderOfOwn(env: NodeJS.ProcessEnv): string | undefined {
  const folder = join(cachesOf(env), 'kinhold')
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return isOurs(folder) ? folder : undefined
  } catch {
    return undefined
  }
}

/** https://specifications.freedesktop.org/basedir-spec/latest/: a path that is not absolute counts for nothing. */
function cachesOf({ XDG_CACHE_HOME: named = '' }: NodeJS.ProcessEnv): string {
  return isAbsolute(named) ? named : join(homedir(), '.cache')
}

function isOurs(folder: string): boolean {
  const found = lstatSync(folder)
  const { uid, mode } = found
  // Windows knows no such rights: there a person's folder is closed to others by itself.
  return found.isDirectory() && (process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0))
}
